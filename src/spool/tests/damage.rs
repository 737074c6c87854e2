//! Files that are gone, cut, doubled, flipped or in somebody's hands: said, and never misread.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::super::index::db;
use super::super::store::{scan, segment, segments};
use super::super::*;
use super::{answers, batch, filled, frame_starts, last_segment, options, read, row};
use crate::error::{Context, ErrorKind, Result};

fn all(dir: &Path) -> Result<Vec<Trouble>> {
    let spool = Spool::open(dir)?;
    let next = spool.end()?.next;
    spool.troubles(&(1..next))
}

/// What is lost by troubles that lose something.
fn lost(troubles: &[Trouble]) -> Vec<(Seq, Seq)> {
    let bad = troubles.iter().filter(|t| t.loses()).map(|trouble| match trouble {
        Trouble::Unreadable(bad) => (bad.lost.start, bad.lost.end),
        other => panic!("{other}"),
    });
    bad.collect()
}

fn copy(from: &Path) -> Result<tempfile::TempDir> {
    let to = tempfile::tempdir().context("temp")?;
    for entry in fs::read_dir(from).context("dir")? {
        let entry = entry.context("entry")?;
        fs::copy(entry.path(), to.path().join(entry.file_name())).context("copy")?;
    }
    Ok(to)
}

fn segments(dir: &Path) -> Result<Vec<(Seq, PathBuf)>> {
    Ok(segments::here(dir)?.into_iter().map(|first| (first, segment::path(dir, first))).collect())
}

#[test]
fn a_segment_that_is_gone_is_said_with_what_it_held() -> Result<()> {
    let whole = tempfile::tempdir().context("temp")?;
    let rows = filled(whole.path(), 60, 4)?.len() as u64;
    assert_eq!(all(whole.path())?, []);
    assert_eq!(verify(whole.path())?.findings, []);
    let names = segments(whole.path())?;
    assert!(names.len() > 3);
    for (n, (first, path)) in names.iter().enumerate() {
        let end = names.get(n + 1).map_or(rows + 1, |next| next.0);
        for index_kept in [true, false] {
            let last = n + 1 == names.len();
            if last && !index_kept {
                // Nothing is left that could tell.
                continue;
            }
            let dir = copy(whole.path())?;
            fs::remove_file(dir.path().join(path.file_name().unwrap_or_default())).context("rm")?;
            if !index_kept {
                db::delete(dir.path())?;
            }
            let findings = verify(dir.path())?.findings;
            assert!(findings.iter().any(|f| f.file != "index.sqlite"), "{n}: {findings:?}");
            for again in 0..2 {
                let found = lost(&all(dir.path())?);
                assert_eq!(found, [(*first, end)], "segment {n}, index {index_kept}, {again}");
            }
            // A stretch elsewhere is not concerned.
            let elsewhere = if n == 0 { end..end + 5 } else { 1..*first };
            let there = Spool::open(dir.path())?.troubles(&elsewhere)?;
            assert!(last || lost(&there).is_empty(), "{there:?}");
            assert_eq!(read(dir.path())?.len() as u64, rows - (end - first));
        }
    }
    Ok(())
}

#[test]
fn a_cut_end_is_said_while_nobody_writes() -> Result<()> {
    let whole = tempfile::tempdir().context("temp")?;
    filled(whole.path(), 3, 4)?;
    let path = last_segment(whole.path())?;
    let bytes = fs::read(&path).context("read")?;
    let starts = frame_starts(&path, whole.path())?;
    for cut in [starts[1], starts[1] + 1, starts[2] - 1, starts[2], starts[2] + 100] {
        let dir = copy(whole.path())?;
        let file = dir.path().join(path.file_name().unwrap_or_default());
        fs::write(&file, &bytes[..cut as usize]).context("cut")?;
        let kept = starts.iter().filter(|&&end| end > 0 && end <= cut).count() as u64 * 4;
        for _ in 0..2 {
            assert_eq!(lost(&all(dir.path())?), [(kept + 1, 13)], "cut at {cut}");
        }
        reindex(dir.path())?;
        assert_eq!(lost(&all(dir.path())?), [(kept + 1, 13)], "cut at {cut}");
        assert!(!verify(dir.path())?.findings.is_empty());
        assert!(Spool::open(dir.path())?.troubles(&(1..kept))?.is_empty(), "cut at {cut}");
        // What came from a queue is gone for good: its numbers are not given again.
        let (mut writer, recovery) = SpoolWriter::open(dir.path(), options())?;
        assert!(recovery.bad_frames.iter().any(|bad| bad.lost == (kept + 1..13)), "{recovery:?}");
        assert_eq!(writer.append(&batch(&[row(13)]))?, 13..14);
        writer.finish()?;
        assert_eq!(lost(&all(dir.path())?), [(kept + 1, 13)]);
        reindex(dir.path())?;
        assert_eq!(lost(&all(dir.path())?), [(kept + 1, 13)]);
    }
    Ok(())
}

#[test]
fn what_lies_behind_a_hole_that_a_power_loss_left_is_stored_anew() -> Result<()> {
    for hole in 1..4 {
        for synced in [true, false] {
            let dir = tempfile::tempdir().context("temp")?;
            let (mut writer, _) = SpoolWriter::open(dir.path(), options())?;
            writer.append(&batch(&[row(1), row(2)]))?;
            for n in 1..4 {
                let rows = batch(&[row(2 * n + 1), row(2 * n + 2)]);
                match synced {
                    true => writer.append(&rows)?,
                    false => writer.append_unsynced(&rows)?,
                };
            }
            // As if killed: an end in good order seals.
            writer.tail("q", 1)?;
            drop(writer);
            let path = last_segment(dir.path())?;
            let mut bytes = fs::read(&path).context("read")?;
            let at = |frame: usize| {
                let starts = frame_starts(&path, dir.path());
                starts.map(|all| all.get(frame).map_or(bytes.len(), |start| *start as usize))
            };
            let range = at(hole)?..at(hole + 1)?;
            bytes[range].fill(0);
            fs::write(&path, &bytes).context("write")?;
            let (mut writer, recovery) = SpoolWriter::open(dir.path(), options())?;
            // What was synced was there: a hole in it is damage, and takes nothing else along.
            let cut = !synced || hole == 3;
            assert_eq!(recovery.torn.is_some(), cut, "{hole} {synced}");
            writer.append(&batch(&[row(99)]))?;
            writer.finish()?;
            let left: Vec<Seq> = read(dir.path())?.iter().map(|record| record.0).collect();
            let before = 2 * hole as u64;
            let kept = (1..=8).filter(|seq| !(before + 1..=before + 2).contains(seq));
            let kept: Vec<Seq> = kept.filter(|seq| !cut || *seq <= before).collect();
            assert_eq!(left[..left.len() - 1], kept, "{hole} {synced}");
        }
    }
    Ok(())
}

#[test]
fn an_import_whose_end_is_cut_goes_on_where_it_is_stored() -> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    let frame = |n: u64| Batch {
        queue: None,
        source: Some(("f".into(), n)),
        ..batch(&[row(2 * n), row(2 * n + 1)])
    };
    let (mut writer, _) = SpoolWriter::open(dir.path(), options())?;
    (1..4).try_for_each(|n| writer.append_unsynced(&frame(n)).map(drop))?;
    writer.finish()?;
    let path = last_segment(dir.path())?;
    let start = frame_starts(&path, dir.path())?[1];
    fs::File::options().write(true).open(&path).and_then(|f| f.set_len(start)).context("cut")?;
    assert_eq!(lost(&all(dir.path())?), [(3, 7)]);
    let (mut writer, _) = SpoolWriter::open(dir.path(), options())?;
    assert_eq!((writer.source_end("f"), writer.next()), (Some(1), 3));
    (2..4).try_for_each(|n| writer.append_unsynced(&frame(n)).map(drop))?;
    writer.finish()?;
    assert_eq!(all(dir.path())?, []);
    assert_eq!(verify(dir.path())?.findings, []);
    Ok(())
}

#[test]
fn a_frame_stored_twice_loses_nothing_and_is_said_once() -> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    filled(dir.path(), 3, 4)?;
    let path = last_segment(dir.path())?;
    let mut bytes = fs::read(&path).context("read")?;
    let starts = frame_starts(&path, dir.path())?;
    let second = bytes[starts[1] as usize..starts[2] as usize].to_vec();
    for at in [starts[2] as usize, bytes.len()] {
        bytes.splice(at..at, second.iter().copied());
        fs::write(&path, &bytes).context("write")?;
        for reindexed in [false, false, true] {
            if reindexed {
                reindex(dir.path())?;
            }
            let spool = Spool::open(dir.path())?;
            assert_eq!(spool.end()?.next, 13);
            assert!(lost(&spool.troubles(&(1..13))?).is_empty());
            assert_eq!(read(dir.path())?.len(), 12);
        }
        assert!(!verify(dir.path())?.findings.is_empty());
    }
    assert_eq!(Spool::open(dir.path())?.bad_frames()?.len(), 2);
    Ok(())
}

/// Frames are read a few at a time when the index is built anew: none at the border is passed over,
/// and a damaged one there takes no other with it.
#[test]
fn an_index_built_anew_knows_every_frame_of_a_long_segment() -> Result<()> {
    for frames in [15, 16, 17, 33] {
        let dir = tempfile::tempdir().context("temp")?;
        let (mut writer, _) = SpoolWriter::open(dir.path(), WriterOptions::default())?;
        let rows: Vec<Vec<u8>> = (1..=frames * 4).map(row).collect();
        for records in rows.chunks(4) {
            writer.append(&batch(records))?;
        }
        writer.finish()?;
        let right = answers(dir.path())?;
        db::delete(dir.path())?;
        assert_eq!(answers(dir.path())?, right, "{frames} frames");
        // The first frame of the second reading, where there is one.
        if frames <= 16 {
            continue;
        }
        let path = last_segment(dir.path())?;
        let start = frame_starts(&path, dir.path())?[16];
        let mut bytes = fs::read(&path).context("read")?;
        bytes[start as usize + 30] ^= 1;
        fs::write(&path, bytes).context("write")?;
        db::delete(dir.path())?;
        let left: Vec<Seq> = read(dir.path())?.into_iter().map(|(seq, _)| seq).collect();
        let expected: Vec<Seq> = (1..=frames * 4).filter(|seq| !(65..69).contains(seq)).collect();
        assert_eq!(left, expected, "{frames} frames");
    }
    Ok(())
}

/// A bit of the index that is flipped gives the same answers, or is said; never others.
#[test]
fn a_flipped_bit_of_the_index_is_never_believed() -> Result<()> {
    let whole = tempfile::tempdir().context("temp")?;
    filled(whole.path(), 40, 4)?;
    let (right, path) = (answers(whole.path())?, db::path(whole.path()));
    let bytes = fs::read(&path).context("index")?;
    let dir = copy(whole.path())?;
    let (mut said, mut rebuilt) = (0, 0);
    for n in 0..90usize {
        let bit = n * 7919 * 8 / 3 % (bytes.len() * 8);
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        db::delete(dir.path())?;
        fs::write(db::path(dir.path()), &flipped).context("write")?;
        let differs = match answers(dir.path()) {
            Ok(same) if same == right => {
                rebuilt += usize::from(fs::read(db::path(dir.path())).context("index")? != flipped);
                false
            }
            Ok(other) => {
                let same = other.bytes().zip(right.bytes()).take_while(|(a, b)| a == b).count();
                let part = |text: &str| {
                    text.get(same..).unwrap_or("").chars().take(300).collect::<String>()
                };
                panic!("bit {bit} is believed:\n{}\n{}", part(&other), part(&right))
            }
            Err(e) => {
                assert_eq!(e.kind(), ErrorKind::Damaged, "bit {bit}: {e}");
                said += 1;
                true
            }
        };
        if differs {
            let findings = verify(dir.path())?.findings;
            assert!(findings.iter().any(|f| f.file == "index.sqlite"), "bit {bit}: {findings:?}");
            reindex(dir.path())?;
            assert_eq!(answers(dir.path())?, right);
        }
    }
    assert!(said + rebuilt > 8, "{said} of them said, {rebuilt} mended");
    Ok(())
}

#[test]
fn an_index_that_has_lost_its_end_is_damaged() -> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    filled(dir.path(), 40, 4)?;
    let spool = Spool::open(dir.path())?;
    assert!(segments::here(dir.path())?.len() > 1);
    db::Index::open(dir.path())?.expect("an index").set("next", db::int(1))?;
    let refused = spool.size().expect_err("no size");
    assert_eq!(refused.kind(), ErrorKind::Damaged, "{refused}");
    Ok(())
}

#[test]
fn an_index_in_the_hands_of_another_process_is_waited_for() -> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    filled(dir.path(), 2, 4)?;
    let before = fs::read(db::path(dir.path())).context("index")?;
    let other = db::Index::open(dir.path())?.expect("an index");
    other.execute("BEGIN IMMEDIATE", &[])?;
    let waited = thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let begun = Instant::now();
            let opened = SpoolWriter::open(dir.path(), options()).map(|(_, recovery)| recovery);
            (opened, begun.elapsed())
        });
        thread::sleep(Duration::from_millis(1500));
        other.execute("COMMIT", &[]).expect("commit");
        waiting.join().expect("a thread")
    });
    let recovery = waited.0?;
    assert_eq!((recovery.reindexed, recovery.caught_up), (None, 0));
    assert!(waited.1 > Duration::from_secs(1), "{:?}", waited.1);
    drop(other);
    assert!(!before.is_empty() && Spool::open(dir.path())?.end()?.next == 9);
    Ok(())
}

/// Bytes of anybody as a segment: read to their end, in bounds, without harm.
#[test]
fn no_bytes_of_a_segment_do_harm() -> Result<()> {
    let whole = tempfile::tempdir().context("temp")?;
    filled(whole.path(), 4, 3)?;
    let path = last_segment(whole.path())?;
    let bytes = fs::read(&path).context("read")?;
    let mut random = 88_172_645_463_325_252u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random as usize % below
    };
    for _ in 0..150 {
        let mut mixed = bytes.clone();
        for _ in 0..=next(4) {
            let (at, len) = (next(mixed.len()), next(60));
            match next(4) {
                0 => mixed[at] = next(256) as u8,
                1 => mixed.truncate(at.max(1)),
                2 => drop(mixed.drain(at..(at + len).min(mixed.len()))),
                _ => {
                    let part = mixed[at..(at + len).min(mixed.len())].to_vec();
                    let to = next(mixed.len());
                    mixed.splice(to..to, part);
                }
            }
            mixed.push(0);
        }
        let dir = tempfile::tempdir().context("temp")?;
        fs::write(dir.path().join(path.file_name().unwrap_or_default()), &mixed)
            .context("write")?;
        if let Ok(records) = read(dir.path()) {
            assert!(records.len() <= 24);
            verify(dir.path())?;
        }
        let (writer, _) = SpoolWriter::open(dir.path(), options())?;
        writer.finish()?;
    }
    Ok(())
}

#[test]
fn a_body_that_unpacks_to_more_than_its_header_says_is_bad() -> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    filled(dir.path(), 1, 4)?;
    let path = last_segment(dir.path())?;
    let mut scan = scan::Scan::open(dir.path(), 1, 0)?;
    let Some(scan::Found::Frame { mut header, .. }) = scan.next()? else { panic!("no frame") };
    // 64 MiB of nothing in a few KiB.
    let bomb = segment::compress(&vec![0; 64 << 20])?;
    header.compressed = bomb.len() as u64;
    header.body_crc = format::crc32(&bomb);
    fs::write(&path, [header.encode(), bomb].concat()).context("write")?;
    db::delete(dir.path())?;
    assert_eq!(read(dir.path())?, []);
    assert!(verify(dir.path())?.findings.iter().any(|f| f.what.contains("header says")));
    Ok(())
}
