//! The spool as a whole, against a plain list of records.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::error::{Context, Result};

fn options() -> WriterOptions {
    WriterOptions {
        segment_bytes: 4_000,
        ..WriterOptions::default()
    }
}

fn batch(records: &[Vec<u8>]) -> Batch {
    let mut batch = Batch {
        queue: Some("q".into()),
        arrival_ms: 7,
        ..Batch::default()
    };
    records.iter().for_each(|r| batch.push(r));
    batch
}

/// A one-row transaction at a place in the binlog.
fn row(n: u64) -> Vec<u8> {
    format!(
        r#"{{"database":"d","table":"t{}","type":"insert","ts":{n},"xid":{n},"commit":true,"position":"bin.000001:{n}","server_id":1,"data":{{"id":{n}}}}}"#,
        n % 3
    )
    .into_bytes()
}

/// A spool of frames of `size` rows, made in one go.
fn filled(dir: &Path, frames: u64, size: u64) -> Result<Vec<Vec<u8>>> {
    let (mut writer, _) = SpoolWriter::open(dir, options())?;
    let rows: Vec<Vec<u8>> = (1..=frames * size).map(row).collect();
    for records in rows.chunks(size as usize) {
        writer.append(&batch(records))?;
    }
    writer.finish()?;
    Ok(rows)
}

/// What a reader sees: sequence and bytes of all records that can be read.
fn read(dir: &Path) -> Result<Vec<(Seq, Vec<u8>)>> {
    let spool = Spool::open(dir)?;
    let mut all = Vec::new();
    for frame in spool.frames(0..Seq::MAX, Order::Forward) {
        // Unreadable frames are named by verify.
        if let Ok(frame) = frame {
            all.extend(frame.records().map(|r| (r.seq, r.bytes.to_vec())));
        }
    }
    Ok(all)
}

/// All answers of the index as text.
fn answers(dir: &Path) -> Result<String> {
    let spool = Spool::open(dir)?;
    let all: Result<Vec<_>> = spool.transactions(0..Seq::MAX, Order::Forward).collect();
    let mut back: Vec<_> = spool
        .transactions(0..Seq::MAX, Order::Reverse)
        .collect::<Result<_>>()?;
    back.reverse();
    let all = all?;
    assert_eq!(all, back);
    let marks: Result<Vec<Vec<(bool, bool)>>> = spool
        .frames(0..Seq::MAX, Order::Forward)
        .map(|f| Ok(f?.records().map(|r| (r.resend, r.damaged)).collect()))
        .collect();
    Ok(format!(
        "{:?} {all:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        spool.end()?,
        marks?,
        spool.gaps()?,
        spool.epochs()?,
        spool.ddl()?,
        spool.bootstraps()?,
        spool.damaged(0..Seq::MAX)?,
        spool.segments()?,
    ))
}

fn last_segment(dir: &Path) -> Result<std::path::PathBuf> {
    let last = segment::list(dir)?.pop().unwrap_or_default();
    Ok(segment::path(dir, last))
}

/// Where the frames of the last segment begin, and where it ends.
fn frame_starts(path: &Path, dir: &Path) -> Result<Vec<u64>> {
    let segment = segment::list(dir)?.pop().unwrap_or_default();
    let mut scan = scan::Scan::open(dir, segment, 0)?;
    let mut starts = Vec::new();
    while let Some(scan::Found::Frame { place, .. }) = scan.next()? {
        starts.push(place.offset);
    }
    starts.push(fs::metadata(path).context("size")?.len());
    Ok(starts)
}

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<Vec<u8>>),
    /// Cut the last segment by so many bytes, as a crash would.
    Kill(u16),
    DropIndex,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let record = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        (0..40u64).prop_map(row),
        Just(b"two\nlines\n".to_vec()),
    ];
    prop_oneof![
        6 => prop::collection::vec(record, 1..12).prop_map(Step::Append),
        2 => (0..600u16).prop_map(Step::Kill),
        1 => Just(Step::DropIndex),
        1 => Just(Step::Reopen),
    ]
}

/// Runs steps; `model` holds the frames that must be there.
fn run(dir: &Path, steps: &[Step]) -> Result<()> {
    let mut model: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut writer = None;
    for step in steps {
        match step {
            Step::Append(records) => {
                let open = match writer.take() {
                    Some(open) => open,
                    None => SpoolWriter::open(dir, options())?.0,
                };
                let open = writer.insert(open);
                let stored: u64 = model.iter().map(|f| f.len() as u64).sum();
                let range = open.append(&batch(records))?;
                assert_eq!(range, stored + 1..stored + 1 + records.len() as u64);
                model.push(records.clone());
            }
            Step::Kill(bytes) => {
                writer = None;
                if !dir.join("lock").exists() || segment::list(dir)?.is_empty() {
                    continue;
                }
                let path = last_segment(dir)?;
                let starts = frame_starts(&path, dir)?;
                let size = starts.last().copied().unwrap_or_default();
                let cut = size.saturating_sub(u64::from(*bytes));
                fs::File::options()
                    .write(true)
                    .open(&path)
                    .and_then(|f| f.set_len(cut))
                    .context("cut")?;
                let lost = starts.iter().skip(1).filter(|&&end| end > cut).count();
                model.truncate(model.len() - lost);
                let (open, recovery) = SpoolWriter::open(dir, options())?;
                let kept = starts
                    .iter()
                    .filter(|&&s| s <= cut)
                    .max()
                    .copied()
                    .unwrap_or_default();
                assert_eq!(recovery.torn.map_or(0, |t| t.1), cut - kept);
                writer = Some(open);
            }
            Step::DropIndex => {
                writer = None;
                index::delete(dir)?;
            }
            Step::Reopen => writer = None,
        }
    }
    drop(writer);
    let model: Vec<Vec<u8>> = model.concat();
    if segment::list(dir)?.is_empty() {
        return Ok(());
    }
    if model.is_empty() {
        assert!(
            Spool::open(dir)
                .and_then(|s| s.end())
                .map_or(true, |end| end.next == 1)
        );
        return Ok(());
    }
    let numbered: Vec<(Seq, Vec<u8>)> = (1..).zip(model.iter().cloned()).collect();
    assert_eq!(read(dir)?, numbered);
    let incremental = answers(dir)?;
    reindex(dir)?;
    assert_eq!(answers(dir)?, incremental);
    assert_eq!(verify(dir)?.findings, []);
    let mut plain = Vec::new();
    for segment in segment::list(dir)? {
        let file = fs::File::open(segment::path(dir, segment)).context("open")?;
        zstd::stream::copy_decode(file, &mut plain).context("zstd")?;
    }
    let lines: Vec<u8> = model
        .iter()
        .flat_map(|r| r.iter().copied().chain([b'\n']))
        .collect();
    assert_eq!(plain, lines);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_spool_is_a_list_of_frames(steps in prop::collection::vec(step(), 1..25)) {
        let dir = tempfile::tempdir().expect("temp");
        run(dir.path(), &steps).map_err(|e| TestCaseError::fail(e.to_string()))?;
    }
}

#[test]
fn a_spool_cut_at_every_byte_of_its_last_frame_loses_that_frame_only() -> Result<()> {
    let whole = tempfile::tempdir().context("temp")?;
    let rows = filled(whole.path(), 3, 4)?;
    let path = last_segment(whole.path())?;
    let bytes = fs::read(&path).context("read")?;
    let starts = frame_starts(&path, whole.path())?;
    for cut in starts[2] as usize..bytes.len() {
        let dir = tempfile::tempdir().context("temp")?;
        fs::write(
            dir.path().join(path.file_name().unwrap_or_default()),
            &bytes[..cut],
        )
        .context("write")?;
        let (mut writer, recovery) = SpoolWriter::open(dir.path(), options())?;
        let torn = cut as u64 - starts[2];
        assert_eq!(recovery.torn.as_ref().map_or(0, |t| t.1), torn);
        if let Some((kept, _)) = recovery.torn {
            assert_eq!(
                fs::read(kept).context("torn")?,
                &bytes[starts[2] as usize..cut]
            );
        }
        assert_eq!(writer.append(&batch(&rows[8..]))?, 9..13);
        writer.finish()?;
        let records: Vec<Vec<u8>> = read(dir.path())?.into_iter().map(|r| r.1).collect();
        assert_eq!(records, rows, "cut at {cut}");
    }
    Ok(())
}

#[test]
fn a_flipped_byte_loses_its_frame_only_and_is_named() -> Result<()> {
    let whole = tempfile::tempdir().context("temp")?;
    let rows = filled(whole.path(), 3, 4)?;
    let path = last_segment(whole.path())?;
    let bytes = fs::read(&path).context("read")?;
    let starts = frame_starts(&path, whole.path())?;
    for at in (0..bytes.len()).step_by(3) {
        let bad = starts.iter().filter(|&&s| s <= at as u64).count() - 1;
        let dir = tempfile::tempdir().context("temp")?;
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        fs::write(
            dir.path().join(path.file_name().unwrap_or_default()),
            &flipped,
        )
        .context("write")?;
        let expected: Vec<(Seq, Vec<u8>)> = (1..)
            .zip(rows.iter().cloned())
            .filter(|(seq, _)| (seq - 1) / 4 != bad as u64)
            .collect();
        assert_eq!(read(dir.path())?, expected, "byte {at}");
        let findings = verify(dir.path())?.findings;
        assert!(
            findings.iter().any(|f| f.offset == starts[bad]),
            "byte {at}: {findings:?}"
        );
        let first = bad as u64 * 4 + 1;
        let bad_frames = Spool::open(dir.path())?.bad_frames()?;
        match bad {
            // The end of a live segment is the writer's start to cut.
            2 => assert_eq!(bad_frames, []),
            _ => assert_eq!(bad_frames[0].lost, first..first + 4, "byte {at}"),
        }
        let (writer, recovery) = SpoolWriter::open(dir.path(), options())?;
        assert_eq!(recovery.torn.is_some(), bad == 2, "byte {at}");
        drop(writer);
        assert_eq!(read(dir.path())?, expected);
    }
    Ok(())
}

#[test]
fn a_reader_sees_what_a_live_writer_has_indexed() -> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    let (mut writer, _) = SpoolWriter::open(dir.path(), options())?;
    writer.append(&batch(&[row(1), row(2)]))?;
    assert_eq!(writer.tail("q", 1)?.len(), 1);
    let mut spool = Spool::open(dir.path())?;
    assert_eq!(
        spool.end()?,
        End {
            next: 3,
            open: None
        }
    );
    for n in (3..200).step_by(2) {
        writer.append(&batch(&[row(n), row(n + 1)]))?;
    }
    let tail = writer.tail("q", 3)?;
    assert_eq!(
        (tail.len(), tail[1].len(), tail[1][1].len),
        (2, 2, row(200).len() as u64)
    );
    assert!(writer.tail("other", 3)?.is_empty());
    spool.refresh()?;
    assert_eq!(spool.end()?.next, 201);
    assert_eq!(spool.transactions(11..21, Order::Forward).count(), 10);
    assert_eq!(spool.frames(12..21, Order::Reverse).count(), 5);
    assert_eq!(spool.record(150)?, row(150));
    assert!(spool.segments()?.len() > 1);
    let error = SpoolWriter::open(dir.path(), options())
        .err()
        .map(|e| e.to_string());
    assert!(error.unwrap_or_default().contains("is writing this spool"));
    writer.finish().map(drop)
}

#[test]
fn a_newer_version_is_refused_by_name() -> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    filled(dir.path(), 2, 4)?;
    let path = last_segment(dir.path())?;
    let mut bytes = fs::read(&path).context("read")?;
    let start = frame_starts(&path, dir.path())?[1] as usize;
    format::make_newer(&mut bytes[start..]);
    fs::write(&path, &bytes).context("write")?;
    let wanted = format!("format {}.0, made by a newer binsync", format::MAJOR + 1);
    index::delete(dir.path())?;
    let read = Spool::open(dir.path())
        .err()
        .map(|e| e.to_string())
        .unwrap_or_default();
    assert!(read.contains(&wanted), "{read}");
    let written = SpoolWriter::open(dir.path(), options())
        .err()
        .map(|e| e.to_string());
    assert!(written.unwrap_or_default().contains(&wanted));
    Ok(())
}

#[test]
fn a_missing_or_empty_spool_says_what_to_do() -> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    for dir in [dir.path().join("none"), dir.path().to_owned()] {
        let error = Spool::open(&dir)
            .err()
            .map(|e| e.to_string())
            .unwrap_or_default();
        assert!(error.contains("binsync capture"), "{error}");
    }
    Ok(())
}

#[test]
fn sources_and_redelivered_flags_are_kept() -> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    let (mut writer, _) = SpoolWriter::open(dir.path(), options())?;
    let mut import = batch(&[row(1), row(2)]);
    import.source = Some(("f".into(), 99));
    import.redelivered = vec![false, true];
    writer.append_unsynced(&import)?;
    assert_eq!(
        (writer.source_end("f"), writer.source_end("g")),
        (Some(99), None)
    );
    let summary = writer.finish()?;
    assert_eq!(
        (summary.records, summary.transactions, summary.epochs),
        (2, 2, 1)
    );
    index::delete(dir.path())?;
    let (writer, recovery) = SpoolWriter::open(dir.path(), options())?;
    assert_eq!((writer.source_end("f"), recovery.caught_up), (Some(99), 2));
    drop(writer);
    let mut scan = scan::Scan::open(dir.path(), 1, 0)?;
    let Some(scan::Found::Frame { header, .. }) = scan.next()? else {
        panic!("no frame");
    };
    assert_eq!(header.redelivered, [false, true]);
    Ok(())
}
