//! A damaged spool is repaired: no finding is left, what was lost is known as before, and the
//! damaged bytes are beside it.

use std::fs;
use std::path::Path;

use super::super::index::db;
use super::super::store::{pruned, segment, segments};
use super::super::*;
use super::{answers, batch, filled, frame_starts, last_segment, options, read, row};
use crate::error::{Context, Result};

/// What is lost, as every reader is told.
fn lost(dir: &Path) -> Result<Vec<(Seq, Seq)>> {
    let spool = Spool::open(dir)?;
    let troubles = spool.troubles(&(1..Seq::MAX))?;
    let bad = troubles.iter().filter(|t| t.loses()).map(|trouble| match trouble {
        Trouble::Unreadable(bad) => (bad.lost.start, bad.lost.end),
        other => panic!("{other}"),
    });
    Ok(bad.collect())
}

/// Repairs, and holds what is there against what was.
fn check(dir: &Path, wanted: &[(Seq, Seq)], what: &str) -> Result<Repair> {
    let stored = read(dir)?;
    let files = || fs::read_dir(dir).map(Iterator::count).context("dir");
    let before = files()?;
    let dry = repair(dir, true)?;
    assert_eq!(files()?, before, "{what}");
    let done = repair(dir, false)?;
    assert_eq!(done, dry, "{what}");
    for again in 0..2 {
        assert_eq!(verify(dir)?.findings, [], "{what}");
        assert_eq!(lost(dir)?, wanted, "{what}, {again}");
        assert_eq!(read(dir)?, stored, "{what}");
        let answered = answers(dir)?;
        db::delete(dir)?;
        assert_eq!(answers(dir)?, answered, "{what}");
        assert_eq!(repair(dir, false)?, Repair::default(), "{what}");
    }
    let next = stored.last().map_or(1, |last| last.0 + 1).max(wanted.last().map_or(0, |l| l.1));
    let (mut writer, recovery) = SpoolWriter::open(dir, options())?;
    assert_eq!(recovery.torn, None);
    assert_eq!(writer.append(&batch(&[row(9_999)]))?.start, next, "{what}");
    writer.finish()?;
    assert_eq!(lost(dir)?, wanted, "{what}");
    assert_eq!(verify(dir)?.findings, [], "{what}");
    Ok(done)
}

#[test]
fn flipped_bytes_anywhere_are_moved_aside_and_what_they_held_is_lost() -> Result<()> {
    for (frame, at) in [(0, 9), (0, 300), (1, 30), (1, 400), (2, 50), (2, 500)] {
        for index in [true, false] {
            let dir = tempfile::tempdir().context("temp")?;
            filled(dir.path(), 3, 4)?;
            let path = last_segment(dir.path())?;
            let mut bytes = fs::read(&path).context("read")?;
            let start = frame_starts(&path, dir.path())?[frame] as usize;
            let end = frame_starts(&path, dir.path())?[frame + 1] as usize;
            let at = start + at.min(end - start - 1);
            bytes[at] ^= 0x10;
            fs::write(&path, &bytes).context("write")?;
            if !index {
                db::delete(dir.path())?;
            }
            let first = frame as u64 * 4 + 1;
            // Without an index nothing tells how much the end held.
            let known = index || frame < 2;
            let wanted = known.then_some((first, first + 4));
            let done = check(dir.path(), wanted.as_slice(), &format!("byte {at}, {index}"))?;
            assert_eq!((done.moved.len(), done.lost.len()), (1, usize::from(known)));
            let kept = fs::read(path.with_extension("zst.bad")).context("aside")?;
            assert_eq!(kept, &bytes[start..end]);
        }
    }
    Ok(())
}

#[test]
fn segments_that_are_gone_or_wholly_damaged_are_lost_by_name() -> Result<()> {
    let whole = tempfile::tempdir().context("temp")?;
    let rows = filled(whole.path(), 30, 4)?.len() as u64;
    let segments = segments::here(whole.path())?;
    for n in 0..segments.len() {
        for gone in [true, false] {
            let dir = tempfile::tempdir().context("temp")?;
            for entry in fs::read_dir(whole.path()).context("dir")?.flatten() {
                fs::copy(entry.path(), dir.path().join(entry.file_name())).context("copy")?;
            }
            let path = segment::path(dir.path(), segments[n]);
            match gone {
                true => fs::remove_file(&path).context("rm")?,
                false => fs::write(&path, vec![7; 999]).context("write")?,
            }
            fs::write(path.with_extension("zst.new"), "half").context("write")?;
            let end = segments.get(n + 1).copied().unwrap_or(rows + 1);
            let what = format!("{n}, {gone}");
            let told = repair(dir.path(), true)?;
            assert_eq!(told.lost.first(), Some(&(segments[n]..end)), "{what}");
            fs::remove_file(path.with_extension("zst.new")).context("rm")?;
            check(dir.path(), &[(segments[n], end)], &what)?;
            assert!(gone || fs::read(path.with_extension("zst.bad")).context("aside")? == [7; 999]);
        }
    }
    Ok(())
}

#[test]
fn what_was_pruned_is_lost_when_nothing_tells_of_it_any_more() -> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    filled(dir.path(), 60, 4)?;
    let wish = Wish { bytes: Some(0), ..Wish::default() };
    let told = prune(dir.path(), &wish, false)?.pruned.expect("pruned");
    assert_eq!(repair(dir.path(), false)?, Repair::default());
    assert_eq!(Spool::open(dir.path())?.begin(), told.begin);
    let path = pruned::path(dir.path());
    let mut bytes = fs::read(&path).context("read")?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).context("write")?;
    db::delete(dir.path())?;
    let said = Spool::open(dir.path()).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(said.contains("begin.zst"), "{said}");
    assert_eq!(repair(dir.path(), false)?.lost.first(), Some(&(1..told.segment)));
    assert_eq!(
        (verify(dir.path())?.findings, lost(dir.path())?),
        (vec![], vec![(1, told.segment)])
    );
    assert_eq!(fs::read(path.with_extension("zst.bad")).context("aside")?, bytes);
    Ok(())
}
