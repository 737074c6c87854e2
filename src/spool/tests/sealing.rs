//! Segments whose small frames are joined: the same answers before and after.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::index::db;
use super::super::store::lock::Places;
use super::super::store::{seal, segment, segments};
use super::super::*;
use super::{batch, options, row, stream_with_resend};
use crate::error::{Context, Result};
use crate::event::{Direction, TableName};

/// Seals every segment, as far as files go: the index is as it was.
pub(super) fn seal_files(dir: &Path, frame_bytes: u64) -> Result<usize> {
    let mut sealed = 0;
    for first in segments::here(dir)? {
        if seal::seal(dir, first, 1, frame_bytes)? {
            seal::put_in_place(dir, first)?;
            sealed += 1;
        }
    }
    Ok(sealed)
}

/// All that a spool says, places of frames in files left out.
fn told(dir: &Path) -> Result<String> {
    let spool = Spool::open(dir)?;
    let end = spool.end()?;
    let mut records = Vec::new();
    for frame in spool.frames(0..Seq::MAX, Direction::Forward) {
        let frame = frame?;
        let all = frame.records().map(|r| (r.seq, r.bytes.to_vec(), r.resend, r.damaged));
        records.extend(all);
    }
    let mut back = Vec::new();
    for frame in spool.frames(0..Seq::MAX, Direction::Reverse) {
        back.extend(frame?.records().rev().map(|r| r.seq));
    }
    assert!(back.iter().rev().eq(records.iter().map(|r| &r.0)));
    let mut transactions = Vec::new();
    for range in [0..Seq::MAX, 7..60, end.next / 2..end.next] {
        for direction in [Direction::Forward, Direction::Reverse] {
            let all: Result<Vec<_>> = spool.transactions(range.clone(), direction).collect();
            transactions.push((all?, spool.transaction_count(range.clone())?));
        }
    }
    let mut ddl = Vec::new();
    spool.each_ddl(&(0..Seq::MAX), |ddl_ref, message| {
        ddl.push((ddl_ref, message.bytes.clone()));
        Ok(())
    })?;
    let segments = spool.segments()?.into_iter();
    let segments: Vec<_> = segments.map(|s| SegmentInfo { frames: 0, bytes: 0, ..s }).collect();
    let damaged: Vec<_> =
        spool.damaged(0..Seq::MAX)?.into_iter().map(|d| (d.seq, d.len, d.reason)).collect();
    let sums = (spool.resends(3..end.next)?, spool.size()?, spool.biggest()?, spool.imports()?);
    let rest = (spool.gaps()?, spool.epochs()?, spool.bootstraps()?, spool.bad_frames()?);
    Ok(format!(
        "{end:?} {records:?} {transactions:?} {ddl:?} {segments:?} {damaged:?} {sums:?} {rest:?}"
    ))
}

/// What a writer knows when it starts.
fn known(dir: &Path) -> Result<String> {
    let (mut writer, recovery) = SpoolWriter::open(dir, options())?;
    let mut sources: Vec<_> = writer.sources().map(|(name, end)| (name.to_owned(), end)).collect();
    sources.sort();
    let tails: Vec<_> = (1..40)
        .step_by(6)
        .map(|n| Ok((writer.tail("q", n)?, writer.tail("r", n)?)))
        .collect::<Result<_>>()?;
    Ok(format!("{sources:?} {tails:?} {} {:?}", writer.next(), recovery.reindexed))
}

/// Frames in which each key of [`row`] may be.
fn frames_by_key(dir: &Path) -> Result<Vec<(u64, Vec<Seq>)>> {
    let spool = Spool::open(dir)?;
    let of = |n: u64| {
        let key = RowKey { columns: vec![("id".into(), vec![n.to_string()])] };
        Ok((n, spool.frames_of(&TableName::new("d", format!("t{}", n % 3)), &key)?))
    };
    (1..50).map(of).collect()
}

/// Of one queue or the other, of a file, or of nothing that has a name; flags, clocks and
/// acknowledgements as they may come.
fn frame(records: &[Vec<u8>], from: u8, n: u64) -> Batch {
    let mut frame = batch(records);
    frame.arrival_ms = 1_000_000 + (n as i64 * 7_919) % 5_000;
    match from {
        0..=5 => {}
        6 => frame.queue = Some("r".into()),
        7 => (frame.queue, frame.source) = (None, Some(("file".into(), n * 100))),
        _ => frame.queue = None,
    }
    if n.is_multiple_of(3) {
        frame.redelivered = (0..records.len()).map(|i| i.is_multiple_of(2)).collect();
    }
    if n.is_multiple_of(4) {
        frame.maybe_twice = vec![true; records.len()];
    }
    frame.acked = frame.queue.as_ref().filter(|_| n > 5).map(|_| n);
    frame
}

fn record() -> impl Strategy<Value = Vec<u8>> {
    let message = |kind: &str, n: u64, rest: &str| {
        format!(
            r#"{{"database":"d","table":"t{}","type":"{kind}","ts":{n},"position":"bin.000001:{n}"{rest}}}"#,
            n % 3
        )
        .into_bytes()
    };
    prop_oneof![
        8 => (0..90u64).prop_map(row),
        // Transactions of several rows, often without an end.
        6 => (0..90u64, prop::bool::ANY).prop_map(move |(n, commit)| {
            let end = if commit { r#","commit":true"# } else { "" };
            message("update", n, &format!(r#","xid":{}{end},"data":{{"id":{n}}},"old":{{}}"#, n / 4))
        }),
        1 => (0..90u64).prop_map(move |n| message("table-drop", n, r#","sql":"DROP TABLE x""#)),
        1 => (0..3u64).prop_map(move |n| message("bootstrap-start", n, r#","data":{}"#)),
        1 => (0..3u64).prop_map(move |n| message("bootstrap-complete", n, r#","data":{}"#)),
        1 => Just(b"no message".to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..30),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_sealed_spool_says_the_same(
        frames in prop::collection::vec((prop::collection::vec(record(), 1..6), 0..9u8), 1..60),
        frame_bytes in prop_oneof![Just(700u64), Just(1 << 20)],
        again in 0..40usize,
    ) {
        let failed = |e: crate::error::Error| TestCaseError::fail(e.to_string());
        let dir = tempfile::tempdir().expect("temp");
        let dir = dir.path();
        let append = |frames: &[(Vec<Vec<u8>>, u8)], from: usize| -> Result<()> {
            let (mut writer, recovery) = SpoolWriter::open(dir, options())?;
            assert_eq!(recovery.reindexed, None);
            for (n, (records, of)) in (from as u64..).zip(frames) {
                writer.append_unsynced(&frame(records, *of, n))?;
            }
            writer.finish().map(drop)
        };
        append(&frames, 0).map_err(failed)?;
        let before = (told(dir).map_err(failed)?, known(dir).map_err(failed)?);
        let by_key = frames_by_key(dir).map_err(failed)?;
        seal_files(dir, frame_bytes).map_err(failed)?;
        // Without the index's knowing: as a crash leaves it.
        let after = (told(dir).map_err(failed)?, known(dir).map_err(failed)?);
        prop_assert_eq!(&after, &before);
        // What was taken over is what reading it all anew gives.
        prop_assert_eq!(verify(dir).map_err(failed)?.findings, vec![]);
        for ((n, before), (_, after)) in by_key.iter().zip(frames_by_key(dir).map_err(failed)?) {
            for first in before {
                let holds = |frame: &&Seq| *frame <= first;
                prop_assert!(after.iter().any(|frame| holds(&frame)), "key {}", n);
            }
            prop_assert!(after.len() <= before.len());
        }
        // It is gone on with, and sealed again.
        append(&frames[..again.min(frames.len())], 100).map_err(failed)?;
        let before = (told(dir).map_err(failed)?, known(dir).map_err(failed)?);
        seal_files(dir, frame_bytes).map_err(failed)?;
        let after = (told(dir).map_err(failed)?, known(dir).map_err(failed)?);
        prop_assert_eq!(after, before);
        prop_assert_eq!(verify(dir).map_err(failed)?.findings, vec![]);
    }
}

/// A spool of small frames in several segments.
pub(super) fn trickled(dir: &Path, rows: u64, segment_bytes: u64) -> Result<()> {
    let options = WriterOptions { segment_bytes, ..WriterOptions::default() };
    let (mut writer, _) = SpoolWriter::open(dir, options)?;
    for n in (1..rows).step_by(3) {
        writer.append_unsynced(&batch(&[row(n), row(n + 1), row(n + 2)]))?;
    }
    writer.finish().map(drop)
}

#[test]
fn a_crash_at_any_step_of_sealing_loses_nothing() -> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    let dir = dir.path();
    trickled(dir, 400, 4_000)?;
    let (before, first) = (told(dir)?, segments::here(dir)?[1]);
    let old = fs::read(db::path(dir)).context("index")?;
    let path = segment::path(dir, first);
    let unsealed = fs::read(&path).context("segment")?;
    // Half written beside the segment.
    assert!(seal::seal(dir, first, 1, 1 << 20)?);
    let temp = dir.join(format!("{}.new", segment::name(first)));
    let whole = fs::read(&temp).context("temp")?;
    fs::write(&temp, &whole[..whole.len() / 2]).context("temp")?;
    assert_eq!(told(dir)?, before);
    assert!(seal::seal(dir, first, 1, 1 << 20)?, "in the way of the next try");
    // In its place, and the index knows nothing of it: the writer takes it over.
    seal::put_in_place(dir, first)?;
    let (writer, recovery) = SpoolWriter::open(dir, options())?;
    assert_eq!((recovery.reindexed, recovery.caught_up, recovery.bad_frames), (None, 0, vec![]));
    writer.finish()?;
    assert_eq!((told(dir)?, verify(dir)?.findings), (before.clone(), vec![]));
    // The index is of before, or gone.
    db::delete(dir)?;
    fs::write(db::path(dir), &old).context("index")?;
    assert_eq!((told(dir)?, verify(dir)?.findings), (before.clone(), vec![]));
    db::delete(dir)?;
    assert_eq!((told(dir)?, verify(dir)?.findings), (before.clone(), vec![]));
    // A power loss kept the index and not the sealed segment.
    fs::write(&path, unsealed).context("segment")?;
    let (_, recovery) = SpoolWriter::open(dir, options())?;
    let reason = recovery.reindexed.unwrap_or_default();
    assert!(reason.contains("as it is no more"), "{reason}");
    Ok(())
}

#[test]
fn an_index_that_does_not_know_all_of_a_sealed_segment_is_built_anew() -> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    let dir = dir.path();
    trickled(dir, 20, 4_000)?;
    let old = fs::read(db::path(dir)).context("index")?;
    trickled(dir, 200, 4_000)?;
    let before = told(dir)?;
    assert!(seal_files(dir, 1 << 20)? > 3);
    db::delete(dir)?;
    fs::write(db::path(dir), old).context("index")?;
    let (writer, recovery) = SpoolWriter::open(dir, options())?;
    assert!(recovery.reindexed.unwrap_or_default().contains("does not know all of it"));
    writer.finish()?;
    assert_eq!((told(dir)?, verify(dir)?.findings), (before, vec![]));
    Ok(())
}

#[test]
fn an_import_is_taken_out_of_sealed_segments() -> Result<()> {
    let dirs = [(); 2].map(|()| tempfile::tempdir().expect("temp"));
    for dir in &dirs {
        let (mut writer, _) = SpoolWriter::open(dir.path(), options())?;
        for n in 0..60 {
            let of = if (10..40).contains(&n) { 7 } else { 0 };
            writer.append(&frame(&[row(3 * n), row(3 * n + 1), row(3 * n + 2)], of, n))?;
        }
        writer.finish()?;
    }
    let [plain, sealed] = dirs.each_ref().map(tempfile::TempDir::path);
    seal_files(sealed, 1_200)?;
    for dir in [plain, sealed] {
        let imports = Spool::open(dir)?.imports()?;
        assert_eq!(imports, [("file".to_owned(), 31..121)]);
        assert_eq!(forget(dir, std::slice::from_ref(&(31..121)))?, []);
        assert_eq!(verify(dir)?.findings, []);
    }
    let sealed_again = |dir| -> Result<_> {
        seal_files(dir, 1 << 20)?;
        Ok((told(dir)?, known(dir)?, Spool::open(dir)?.forgotten()?, verify(dir)?.findings))
    };
    assert_eq!(sealed_again(sealed)?, sealed_again(plain)?);
    Ok(())
}

#[test]
fn no_segment_is_put_into_its_place_while_somebody_reads_all_of_them() -> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    let dir = dir.path();
    let options = WriterOptions { segment_bytes: 200_000, ..WriterOptions::default() };
    let (mut writer, _) = SpoolWriter::open(dir, options)?;
    let places = Places::keep(dir)?;
    let mut next = 1;
    let mut more = |writer: &mut SpoolWriter, rows: u64| -> Result<()> {
        for n in (next..next + rows).step_by(2) {
            writer.append_unsynced(&batch(&[row(n), row(n + 1)]))?;
        }
        next += rows;
        writer.tail("q", 1).map(drop)
    };
    more(&mut writer, 6_000)?;
    let sealed = || -> Result<usize> {
        Ok(Spool::open(dir)?.segments()?.iter().filter(|s| s.frames == 1).count())
    };
    let first = segments::here(dir)?[0];
    let beside = dir.join(format!("{}.new", segment::name(first)));
    let deadline = Instant::now() + Duration::from_secs(30);
    while !beside.exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    more(&mut writer, 2)?;
    assert_eq!((sealed()?, beside.exists()), (0, true));
    drop(places);
    more(&mut writer, 2)?;
    writer.finish()?;
    assert!(sealed()? >= 3 && !beside.exists());
    assert_eq!(verify(dir)?.findings, []);
    // One that ends meanwhile leaves nothing behind.
    let (mut writer, _) = SpoolWriter::open(dir, options)?;
    let places = Places::keep(dir)?;
    let before = sealed()?;
    more(&mut writer, 6_000)?;
    writer.finish()?;
    assert_eq!(sealed()?, before);
    drop(places);
    let left = fs::read_dir(dir).context("list")?.flatten();
    assert_eq!(left.filter(|file| file.path().extension().is_some_and(|e| e == "new")).count(), 0);
    Ok(())
}

#[test]
fn what_is_damaged_stays_where_it_is() -> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    let dir = dir.path();
    trickled(dir, 400, 4_000)?;
    let path = segment::path(dir, segments::here(dir)?[1]);
    let mut bytes = fs::read(&path).context("read")?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).context("write")?;
    reindex(dir)?;
    let before = Spool::open(dir)?.bad_frames()?;
    let all = segments::here(dir)?.len();
    assert_eq!((before.len(), seal_files(dir, 1 << 20)?), (1, all - 1));
    assert_eq!(fs::read(&path).context("read")?, bytes);
    assert_eq!(Spool::open(dir)?.bad_frames()?, before);
    Ok(())
}

#[test]
fn a_stream_that_was_sent_again_is_known_in_sealed_segments() -> Result<()> {
    for positions in [true, false] {
        let (plain, sealed) = (tempfile::tempdir(), tempfile::tempdir());
        let (plain, sealed) = (plain.context("temp")?, sealed.context("temp")?);
        for part in stream_with_resend(positions).chunks(40) {
            for dir in [plain.path(), sealed.path()] {
                let (mut writer, _) = SpoolWriter::open(dir, options())?;
                for records in part.chunks(2) {
                    writer.append_unsynced(&batch(records))?;
                }
                writer.finish()?;
            }
            seal_files(sealed.path(), 2_000)?;
        }
        // The segments end elsewhere, all else is the same.
        let marks = |dir: &Path| -> Result<_> {
            let spool = Spool::open(dir)?;
            let mut all = Vec::new();
            for frame in spool.frames(0..Seq::MAX, Direction::Forward) {
                all.extend(frame?.records().map(|r| (r.seq, r.bytes.to_vec(), r.resend)));
            }
            let transactions = spool.transactions(0..Seq::MAX, Direction::Forward);
            Ok((all, transactions.collect::<Result<Vec<_>>>()?, spool.gaps()?))
        };
        assert_eq!(marks(sealed.path())?, marks(plain.path())?);
        assert_eq!(verify(sealed.path())?.findings, []);
    }
    Ok(())
}
