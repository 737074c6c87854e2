//! The spool as a whole, against a plain list of records.

use std::fs;
use std::path::Path;

use super::index::db;
use super::store::{scan, segment, segments};
use super::*;
use crate::error::{Context, Result};
use crate::event::{Direction, TableName};

mod damage;
mod forget;
mod fuzz;
mod model;
mod prune;
mod repair;
mod sealed_readers;
mod sealing;

fn options() -> WriterOptions {
    WriterOptions { segment_bytes: 4_000, ..WriterOptions::default() }
}

fn batch(records: &[Vec<u8>]) -> Batch {
    let mut batch = Batch { queue: Some("q".into()), arrival_ms: 7, ..Batch::default() };
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
    // Unreadable frames are named by verify.
    for frame in spool.frames(0..Seq::MAX, Direction::Forward).flatten() {
        all.extend(frame.records().map(|r| (r.seq, r.bytes.to_vec())));
    }
    Ok(all)
}

/// All answers of the index as text.
fn answers(dir: &Path) -> Result<String> {
    let spool = Spool::open(dir)?;
    let all: Result<Vec<_>> = spool.transactions(0..Seq::MAX, Direction::Forward).collect();
    let mut back: Vec<_> =
        spool.transactions(0..Seq::MAX, Direction::Reverse).collect::<Result<_>>()?;
    back.reverse();
    let all = all?;
    assert_eq!(all, back);
    let marks: Result<Vec<Vec<(bool, bool)>>> = spool
        .frames(0..Seq::MAX, Direction::Forward)
        .map(|f| Ok(f?.records().map(|r| (r.resend, r.damaged)).collect()))
        .collect();
    let mut ddl = Vec::new();
    spool.each_ddl(&(0..Seq::MAX), |ddl_ref, _| {
        ddl.push(ddl_ref);
        Ok(())
    })?;
    Ok(format!(
        "{:?} {all:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        spool.end()?,
        marks?,
        spool.gaps()?,
        spool.epochs()?,
        ddl,
        spool.bootstraps()?,
        spool.damaged(0..Seq::MAX)?,
        (spool.segments()?, found_by_key(&spool)?, spool.biggest()?),
    ))
}

/// The frames in which each key of [`row`] is looked for.
fn found_by_key(spool: &Spool) -> Result<Vec<Vec<Seq>>> {
    let of = |n: u64| {
        let key = RowKey { columns: vec![("id".into(), vec![n.to_string()])] };
        spool.frames_of(&TableName::new("d", format!("t{}", n % 3)), &key)
    };
    (1..50).map(of).collect()
}

#[test]
fn every_row_is_found_by_its_key_in_full_segments_and_the_live_one() -> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    let (mut writer, _) = SpoolWriter::open(dir.path(), options())?;
    // Every key comes in two frames, far apart; the definition names the key's column.
    let define = |t: u64| {
        format!(
            r#"{{"type":"table-create","database":"d","table":"t{t}","ts":1,"sql":"","position":"bin.000000:{t}","def":{{"database":"d","table":"t{t}","primary-key":["id"],"columns":[]}}}}"#
        )
    };
    let ddl: Vec<Vec<u8>> = (0..3).map(|t| define(t).into_bytes()).collect();
    writer.append(&batch(&ddl))?;
    let mut frames: Vec<Vec<Seq>> = vec![Vec::new(); 300];
    for again in 0..2u64 {
        for part in (0..300u64).collect::<Vec<_>>().chunks(5) {
            let rows: Vec<Vec<u8>> = part
                .iter()
                .map(|n| {
                    String::from_utf8_lossy(&row(n + 1000 * again))
                        .replace(
                            &format!(r#"{{"id":{}}}"#, n + 1000 * again),
                            &format!(r#"{{"id":{n}}}"#),
                        )
                        .replace(
                            &format!(r#""table":"t{}""#, (n + 1000 * again) % 3),
                            &format!(r#""table":"t{}""#, n % 3),
                        )
                        .into_bytes()
                })
                .collect();
            let stored = writer.append(&batch(&rows))?;
            part.iter().for_each(|n| frames[*n as usize].push(stored.start));
        }
    }
    writer.finish()?;
    assert!(segments::here(dir.path())?.len() > 5);
    let spool = Spool::open(dir.path())?;
    let mut surplus = 0;
    for n in 0..300u64 {
        let key = RowKey { columns: vec![("id".into(), vec![n.to_string()])] };
        let found = spool.frames_of(&TableName::new("d", format!("t{}", n % 3)), &key)?;
        assert!(frames[n as usize].iter().all(|frame| found.contains(frame)), "row {n}");
        surplus += found.len() - 2;
    }
    assert!(surplus < 3, "{surplus} frames would be read for nothing");
    let by_other = RowKey { columns: vec![("name".into(), vec!["x".into()])] };
    let all = spool.frames_of(&TableName::new("d", "t0"), &by_other)?;
    assert_eq!(all.len(), 120, "keys of other columns are everywhere");
    Ok(())
}

#[test]
fn the_biggest_transactions_of_each_segment_are_kept() -> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    filled(dir.path(), 150, 3)?;
    let kept = Spool::open(dir.path())?.biggest()?;
    assert!(kept.len() > 5);
    for segment in &kept {
        let rows: Vec<(u64, Seq)> = segment.range.clone().map(|seq| (1, seq)).collect();
        assert_eq!(segment.transactions, rows, "one row each, all of them kept");
        assert_eq!(segment.floor, 0);
    }
    Ok(())
}

fn last_segment(dir: &Path) -> Result<std::path::PathBuf> {
    let last = segments::here(dir)?.pop().unwrap_or_default();
    Ok(segment::path(dir, last))
}

/// Where the frames of the last segment begin, and where it ends.
fn frame_starts(path: &Path, dir: &Path) -> Result<Vec<u64>> {
    let segment = segments::here(dir)?.pop().unwrap_or_default();
    let mut scan = scan::Scan::open(dir, segment, 0)?;
    let mut starts = Vec::new();
    while let Some(scan::Found::Frame { place, .. }) = scan.next()? {
        starts.push(place.offset);
    }
    starts.push(fs::metadata(path).context("size")?.len());
    Ok(starts)
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
        fs::write(dir.path().join(path.file_name().unwrap_or_default()), &bytes[..cut])
            .context("write")?;
        let (mut writer, recovery) = SpoolWriter::open(dir.path(), options())?;
        let torn = cut as u64 - starts[2];
        assert_eq!(recovery.torn.as_ref().map_or(0, |t| t.1), torn);
        if let Some((kept, _)) = recovery.torn {
            assert_eq!(fs::read(kept).context("torn")?, &bytes[starts[2] as usize..cut]);
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
    for at in (0..bytes.len()).step_by(7) {
        let bad = starts.iter().filter(|&&s| s <= at as u64).count() - 1;
        let dir = tempfile::tempdir().context("temp")?;
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        fs::write(dir.path().join(path.file_name().unwrap_or_default()), &flipped)
            .context("write")?;
        let expected: Vec<(Seq, Vec<u8>)> = (1..)
            .zip(rows.iter().cloned())
            .filter(|(seq, _)| (seq - 1) / 4 != bad as u64)
            .collect();
        assert_eq!(read(dir.path())?, expected, "byte {at}");
        let findings = verify(dir.path())?.findings;
        assert!(findings.iter().any(|f| f.offset == starts[bad]), "byte {at}: {findings:?}");
        let first = bad as u64 * 4 + 1;
        let bad_frames = Spool::open(dir.path())?.bad_frames()?;
        match bad {
            // The end of a live segment is the writer's start to cut; until then it is named.
            2 => assert!(bad_frames.len() == 1 && bad_frames[0].last, "{bad_frames:?}"),
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
    assert_eq!(spool.end()?, End { next: 3, open: None });
    for n in (3..200).step_by(2) {
        writer.append(&batch(&[row(n), row(n + 1)]))?;
    }
    let tail = writer.tail("q", 3)?;
    let records = &tail[1].records;
    assert_eq!((tail.len(), records.len(), records[1].len), (2, 2, row(200).len() as u64));
    assert!(writer.tail("other", 3)?.is_empty());
    spool.refresh()?;
    assert_eq!(spool.end()?.next, 201);
    assert_eq!(spool.transactions(11..21, Direction::Forward).count(), 10);
    assert_eq!(spool.frames(12..21, Direction::Reverse).count(), 5);
    assert_eq!(spool.record(150)?, row(150));
    assert!(spool.segments()?.len() > 1);
    let error = SpoolWriter::open(dir.path(), options()).err().map(|e| e.to_string());
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
    db::delete(dir.path())?;
    let read = Spool::open(dir.path()).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(read.contains(&wanted), "{read}");
    let written = SpoolWriter::open(dir.path(), options()).err().map(|e| e.to_string());
    assert!(written.unwrap_or_default().contains(&wanted));
    Ok(())
}

#[test]
fn a_missing_or_empty_spool_says_what_to_do() -> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    for dir in [dir.path().join("none"), dir.path().to_owned()] {
        let named = |means| format!("binsync {means:?}").to_lowercase();
        let error = Spool::open(&dir).err().map(|e| e.words().worded(named)).unwrap_or_default();
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
    assert_eq!((writer.source_end("f"), writer.source_end("g")), (Some(99), None));
    let summary = writer.finish()?;
    assert_eq!((summary.records, summary.transactions, summary.epochs), (2, 2, 1));
    db::delete(dir.path())?;
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

#[test]
fn a_frame_tells_which_before_it_are_acknowledged_and_which_of_its_records_may_be_twice()
-> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    let (mut writer, _) = SpoolWriter::open(dir.path(), options())?;
    let equal = br#"{"database":"d","table":"t","type":"insert","ts":1,"xid":7,"data":{"a":1}}"#;
    for (acked, twice) in [(None, false), (None, false), (Some(3), true)] {
        let mut frame = batch(&[equal.to_vec(), equal.to_vec()]);
        (frame.acked, frame.maybe_twice) = (acked, vec![twice; 2]);
        writer.append(&frame)?;
    }
    let acked: Vec<bool> = writer.tail("q", 9)?.iter().map(|frame| frame.acked).collect();
    assert_eq!(acked, [true, false, false]);
    assert_eq!(writer.finish()?.gaps, 1);
    db::delete(dir.path())?;
    drop(SpoolWriter::open(dir.path(), options())?);
    let gaps = Spool::open(dir.path())?.gaps()?;
    assert_eq!((gaps.len(), gaps[0].seq, gaps[0].kind), (1, 5, GapKind::MaybeTwice));
    assert!(gaps[0].detail.contains("messages 5 to 6"), "{}", gaps[0].detail);
    Ok(())
}

/// Transactions of three rows, cut in the middle of one, then sent again from an earlier one on.
fn stream_with_resend(positions: bool) -> Vec<Vec<u8>> {
    let row = |n: u64| {
        let (xid, ord) = (n / 3, n % 3);
        let place = match (positions, ord) {
            (true, 2) => format!(r#","commit":true,"position":"b.000001:{n}""#),
            (true, _) => format!(r#","xoffset":{ord},"position":"b.000001:{n}""#),
            (false, 2) => r#","commit":true"#.to_owned(),
            (false, _) => String::new(),
        };
        format!(r#"{{"database":"d","table":"t","type":"insert","ts":{xid},"xid":{xid}{place},"data":{{"id":{n}}}}}"#)
            .into_bytes()
    };
    (3..100).chain(60..160).chain(90..170).map(row).collect()
}

#[test]
fn an_index_continued_after_each_frame_gives_the_same_answers() -> Result<()> {
    for positions in [true, false] {
        let (once, often) = (tempfile::tempdir(), tempfile::tempdir());
        let (once, often) = (once.context("temp")?, often.context("temp")?);
        let stream = stream_with_resend(positions);
        let (mut writer, _) = SpoolWriter::open(once.path(), options())?;
        for records in stream.chunks(7) {
            writer.append(&batch(records))?;
            let (mut other, recovery) = SpoolWriter::open(often.path(), options())?;
            assert_eq!((recovery.caught_up, recovery.reindexed), (0, None));
            other.append_unsynced(&batch(records))?;
            other.finish()?;
        }
        let summary = writer.finish()?;
        assert_eq!((summary.resends, summary.gaps, summary.epochs), (40 + 70, 0, 1));
        assert_eq!(answers(once.path())?, answers(often.path())?);
        let spool = Spool::open(once.path())?;
        let rows: u64 = spool
            .transactions(0..Seq::MAX, Direction::Forward)
            .map(|t| t.map_or(0, |t| t.rows()))
            .sum();
        assert_eq!((rows, spool.end()?.open), (165, Some(276)));
    }
    Ok(())
}

#[test]
fn rows_in_any_order_of_positions_are_known_when_they_come_again() -> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    // Falling positions fit no chain after the first few.
    let falling: Vec<Vec<u8>> = (1..60).rev().map(row).collect();
    let (mut writer, _) = SpoolWriter::open(dir.path(), options())?;
    for records in falling.chunks(5).chain(falling.chunks(7)) {
        writer.append_unsynced(&batch(records))?;
    }
    let summary = writer.finish()?;
    assert_eq!((summary.transactions, summary.resends, summary.gaps), (59, 59, 58));
    let incremental = answers(dir.path())?;
    reindex(dir.path())?;
    assert_eq!(answers(dir.path())?, incremental);
    Ok(())
}

#[test]
fn an_index_behind_the_segments_is_caught_up() -> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    let stream = stream_with_resend(true);
    let (first, rest) = stream.split_at(120);
    let (mut writer, _) = SpoolWriter::open(dir.path(), options())?;
    first.chunks(7).try_for_each(|records| writer.append(&batch(records)).map(drop))?;
    writer.finish()?;
    let old = fs::read(db::path(dir.path())).context("index")?;
    let (mut writer, _) = SpoolWriter::open(dir.path(), options())?;
    rest.chunks(7).try_for_each(|records| writer.append(&batch(records)).map(drop))?;
    writer.finish()?;
    let wanted = answers(dir.path())?;
    db::delete(dir.path())?;
    fs::write(db::path(dir.path()), old).context("index")?;
    let (writer, recovery) = SpoolWriter::open(dir.path(), options())?;
    assert_eq!((recovery.caught_up, recovery.reindexed), (rest.len() as u64, None));
    drop(writer);
    assert_eq!(answers(dir.path())?, wanted);
    Ok(())
}
