//! A front that is pruned: what is left gives the answers it gave before, also from an index that
//! is built anew, and what comes in later is read as if all were there.

use std::fs;
use std::path::Path;

use super::super::index::db;
use super::super::store::{segment, segments};
use super::super::*;
use super::{answers, batch, options, read, row, stream_with_resend};
use crate::error::{Context, Result};
use crate::event::Direction;

/// Prunes all that may go but so many bytes.
fn keep_bytes(dir: &Path, bytes: u64) -> Result<Prune> {
    prune(dir, &Wish { bytes: Some(bytes), ..Wish::default() }, false)
}

/// Everything that a stream may hold: transactions of three rows of which frames and segments end
/// anywhere, re-sends far back, statements, a statement of two messages, a copy, damage.
fn mixed(positions: bool) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (n, record) in stream_with_resend(positions).into_iter().enumerate() {
        all.push(record);
        let at = format!(r#","position":"b.000001:{}""#, 1000 + n);
        let at = if positions && n > 110 { &*at } else { "" };
        let ddl = |table: &str, sql: &str| {
            let def = format!(
                r#"{{"database":"d","table":"{table}","primary-key":["id"],"columns":[{{"type":"int","name":"id"}},{{"type":"int","name":"c{n}"}}]}}"#
            );
            format!(r#"{{"database":"d","table":"{table}","type":"table-create","ts":{n}000,"sql":"{sql}"{at},"def":{def}}}"#).into_bytes()
        };
        match n {
            20 | 60 | 120 | 170 => {
                all.push(ddl("t", &format!("CREATE TABLE t (id INT, c{n} INT)")))
            }
            40 => all.push(b"no message".to_vec()),
            50 => all.push(
                br#"{"database":"d","table":"t","type":"bootstrap-start","ts":1,"data":{}}"#
                    .to_vec(),
            ),
            130 => all.push(
                br#"{"database":"d","table":"t","type":"bootstrap-complete","ts":2,"data":{}}"#
                    .to_vec(),
            ),
            _ => {}
        }
    }
    all
}

/// Transactions of what is left, with the marks of its records and what is known beside them.
fn seen(dir: &Path, begin: Seq) -> Result<Vec<String>> {
    let spool = Spool::open(dir)?;
    let mut all = Vec::new();
    for t in spool.transactions(begin..Seq::MAX, Direction::Forward) {
        all.push(format!("{:?}", t?));
    }
    for frame in spool.frames(begin..Seq::MAX, Direction::Forward) {
        let frame = frame?;
        let left = frame.records().filter(|record| record.seq >= begin);
        all.extend(left.map(|r| format!("{} {} {} {:?}", r.seq, r.resend, r.damaged, r.bytes)));
    }
    spool.each_ddl(&(0..Seq::MAX), |ddl, message| {
        all.push(format!("{ddl:?} {message:?}"));
        Ok(())
    })?;
    let gaps: Vec<Gap> = spool.gaps()?.into_iter().filter(|gap| gap.seq >= begin).collect();
    all.push(format!("{gaps:?} {:?} {:?}", spool.epochs()?, spool.bootstraps()?));
    all.push(format!("{:?} {:?} {:?}", spool.end()?, spool.tables()?, spool.nulls()?));
    all.push(format!("{:?}", spool.troubles(&(begin..Seq::MAX))?));
    Ok(all)
}

fn copy(from: &Path) -> Result<tempfile::TempDir> {
    let to = tempfile::tempdir().context("temp")?;
    for entry in fs::read_dir(from).context("dir")? {
        let entry = entry.context("entry")?;
        if entry.path().is_file() {
            fs::copy(entry.path(), to.path().join(entry.file_name())).context("copy")?;
        }
    }
    Ok(to)
}

#[test]
fn what_is_left_is_read_as_before_wherever_the_front_ends() -> Result<()> {
    let (mut inside, small) = (0, WriterOptions { segment_bytes: 2_500, ..options() });
    for (positions, size) in [(true, 7), (true, 10), (false, 7), (false, 11)] {
        let (whole, stream) = (tempfile::tempdir().context("temp")?, mixed(positions));
        let (mut writer, _) = SpoolWriter::open(whole.path(), small)?;
        let (early, late) = stream.split_at(stream.len() - 30);
        early.chunks(size).try_for_each(|part| writer.append_unsynced(&batch(part)).map(drop))?;
        writer.finish()?;
        let segments = Spool::open(whole.path())?.segments()?;
        assert!(segments.len() > 4, "{}", segments.len());
        for count in (1..segments.len() - 2).step_by(2) {
            let dir = copy(whole.path())?;
            let left: u64 = segments[count..].iter().map(|s| s.bytes).sum();
            let done = keep_bytes(dir.path(), left)?;
            let told = done.pruned.expect("something went");
            assert!(done.segments.len() <= count && segments::here(dir.path())?[0] == told.segment);
            inside += u64::from(told.segment < told.begin);
            let compare = |when: &str| {
                let (a, b) = (seen(whole.path(), told.begin)?, seen(dir.path(), told.begin)?);
                for (a, b) in a.iter().zip(&b) {
                    assert_eq!(a, b, "{when}, {positions} {size} {count}");
                }
                assert_eq!(a.len(), b.len(), "{when}");
                let findings = verify(dir.path())?.findings;
                assert_eq!(findings, [], "{when}, {positions} {size} {count}");
                Ok::<_, crate::error::Error>(())
            };
            compare("pruned")?;
            let before = answers(dir.path())?;
            reindex(dir.path())?;
            assert_eq!(answers(dir.path())?, before, "{positions} {size} {count}");
            compare("built anew")?;
            db::delete(dir.path())?;
            compare("deleted")?;
            // What comes later is followed as in the whole one.
            let full = copy(whole.path())?;
            for dir in [dir.path(), full.path()] {
                let (mut writer, recovery) = SpoolWriter::open(dir, small)?;
                assert_eq!((recovery.bad_frames, recovery.reindexed), (vec![], None));
                late.chunks(size).try_for_each(|part| writer.append(&batch(part)).map(drop))?;
                writer.finish()?;
            }
            assert_eq!(seen(full.path(), told.begin)?, seen(dir.path(), told.begin)?, "{count}");
            assert_eq!(verify(dir.path())?.findings, []);
            let before = answers(dir.path())?;
            reindex(dir.path())?;
            assert_eq!(answers(dir.path())?, before);
        }
    }
    assert!(inside > 3, "{inside} fronts end inside of a transaction");
    Ok(())
}

/// Frames of four rows, each a segment of its own.
fn four_each(dir: &Path, rows: std::ops::RangeInclusive<u64>, arrival_ms: i64) -> Result<()> {
    let options = WriterOptions { segment_bytes: 1, ..options() };
    let (mut writer, _) = SpoolWriter::open(dir, options)?;
    let rows: Vec<Vec<u8>> = rows.map(row).collect();
    for part in rows.chunks(4) {
        let source = Some(("f".to_owned(), writer.next()));
        writer.append(&Batch { arrival_ms, source, queue: None, ..batch(part) })?;
    }
    writer.finish().map(drop)
}

#[test]
fn segments_go_by_age_and_room_and_never_the_last_two_nor_what_is_needed() -> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    four_each(dir.path(), 1..=20, 1_000)?;
    four_each(dir.path(), 21..=40, 2_000)?;
    let goes = |wish: Wish| -> Result<(usize, usize)> {
        let done = prune(dir.path(), &wish, true)?;
        Ok((done.segments.len(), done.held))
    };
    let size = Spool::open(dir.path())?.segments()?.iter().map(|s| s.bytes).collect::<Vec<_>>();
    let last = |n: usize| Some(size[10 - n..].iter().sum::<u64>());
    assert_eq!(goes(Wish { before_ms: Some(1_000), ..Wish::default() })?, (0, 0));
    assert_eq!(goes(Wish { before_ms: Some(1_001), ..Wish::default() })?, (5, 0));
    assert_eq!(goes(Wish { before_ms: Some(9_000), ..Wish::default() })?, (8, 0));
    assert_eq!(goes(Wish { bytes: last(4), ..Wish::default() })?, (6, 0));
    assert_eq!(goes(Wish { bytes: last(4).map(|n| n - 1), ..Wish::default() })?, (7, 0));
    assert_eq!(goes(Wish { bytes: Some(0), ..Wish::default() })?, (8, 0));
    assert_eq!(goes(Wish { bytes: Some(u64::MAX), ..Wish::default() })?, (0, 0));
    let by_both = Wish { before_ms: Some(1_001), bytes: last(4), needed: None };
    assert_eq!(goes(by_both)?, (6, 0));
    for (needed, held) in [(0, 6), (1, 6), (4, 6), (5, 5), (12, 4), (13, 3), (99, 0)] {
        let wish = Wish { needed: Some(needed), ..by_both };
        assert_eq!(goes(wish)?, (6 - held, held), "needed from {needed} on");
    }
    assert_eq!(segments::here(dir.path())?.len(), 10, "nothing was done");
    let done = prune(dir.path(), &by_both, false)?;
    let told = done.pruned.expect("pruned");
    assert_eq!((told.first, told.begin, told.messages, told.transactions), (1, 25, 24, 24));
    assert_eq!(told.times, Some((1, 24)));
    // Twice: sums go on.
    let told = keep_bytes(dir.path(), 0)?.pruned.expect("pruned");
    assert_eq!((told.first, told.begin, told.messages, told.times), (1, 33, 32, Some((1, 32))));
    assert!(keep_bytes(dir.path(), 0)?.segments.is_empty());
    assert_eq!((verify(dir.path())?.findings, read(dir.path())?.len()), (vec![], 8));
    let spool = Spool::open(dir.path())?;
    let missing = spool.record(5).expect_err("gone").to_string();
    assert!(missing.contains("messages 1 to 32 were pruned"), "{missing}");
    Ok(())
}

#[test]
fn numbers_and_imports_outlive_every_segment() -> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    four_each(dir.path(), 1..=40, 1_000)?;
    keep_bytes(dir.path(), 0)?;
    let (writer, _) = SpoolWriter::open(dir.path(), options())?;
    let id = Spool::open(dir.path())?.id().to_owned();
    assert_eq!((writer.next(), writer.source_end("f")), (41, Some(37)));
    drop(writer);
    let (mut writer, _) = SpoolWriter::open(dir.path(), options())?;
    writer.append(&batch(&[row(41), row(42)]))?;
    writer.finish()?;
    let (mut writer, _) =
        SpoolWriter::open(dir.path(), WriterOptions { segment_bytes: 1, ..options() })?;
    (43..50).try_for_each(|n| writer.append(&batch(&[row(n)])).map(drop))?;
    writer.finish()?;
    keep_bytes(dir.path(), 0)?;
    for index in [true, false] {
        let dir = copy_whole(dir.path())?;
        for first in segments::here(dir.path())? {
            fs::remove_file(segment::path(dir.path(), first)).context("rm")?;
        }
        if !index {
            db::delete(dir.path())?;
        }
        let spool = Spool::open(dir.path())?;
        assert_eq!((spool.id(), spool.tables()?.len()), (&*id, 3));
        let lost = spool.troubles(&(1..50))?;
        assert!(
            matches!(&lost[..], [Trouble::Unreadable(bad)] if bad.lost == (48..50)),
            "{lost:?}"
        );
        drop(spool);
        let (mut writer, _) = SpoolWriter::open(dir.path(), options())?;
        assert_eq!(writer.source_end("f"), Some(37));
        assert_eq!(writer.append(&batch(&[row(50)]))?, 50..51);
        writer.finish()?;
        assert_eq!(read(dir.path())?, [(50, row(50))]);
    }
    Ok(())
}

fn copy_whole(from: &Path) -> Result<tempfile::TempDir> {
    let to = copy(from)?;
    fs::create_dir(to.path().join("pruned")).context("folder")?;
    let file = "pruned/begin.zst";
    fs::copy(from.join(file), to.path().join(file)).context("copy")?;
    Ok(to)
}

#[test]
fn an_import_whose_begin_is_pruned_can_be_taken_out_and_imported_again() -> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    four_each(dir.path(), 1..=40, 1_000)?;
    keep_bytes(dir.path(), 0)?;
    let left = Spool::open(dir.path())?.imports()?;
    assert_eq!(left, [("f".to_owned(), 33..41)]);
    forget(dir.path(), std::slice::from_ref(&left[0].1))?;
    assert_eq!(verify(dir.path())?.findings, []);
    let (writer, _) = SpoolWriter::open(dir.path(), options())?;
    assert_eq!((writer.next(), writer.source_end("f")), (41, None));
    Ok(())
}

#[test]
fn a_writer_goes_on_while_the_front_is_pruned() -> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    let options = WriterOptions { segment_bytes: 800, ..options() };
    let (mut writer, _) = SpoolWriter::open(dir.path(), options)?;
    let again: Vec<Vec<u8>> = (1..60).map(row).collect();
    for n in 0..40u64 {
        let rows: Vec<Vec<u8>> = (60 + 5 * n..65 + 5 * n).map(row).collect();
        // What was sent before comes again, far behind and just behind.
        let resent = rows.iter().take(2).cloned();
        let rows: Vec<Vec<u8>> = rows.iter().cloned().chain(resent).collect();
        writer.append(&batch(&rows))?;
        if n % 4 == 3 {
            let tail = writer.tail("q", 5)?;
            assert!(!tail.is_empty());
            keep_bytes(dir.path(), 0)?;
        }
    }
    writer.append(&batch(&again))?;
    let counts = writer.finish()?;
    assert_eq!((counts.resends, counts.records), (80, 40 * 7 + 59));
    assert_eq!(verify(dir.path())?.findings, []);
    let before = answers(dir.path())?;
    reindex(dir.path())?;
    assert_eq!(answers(dir.path())?, before);
    Ok(())
}
