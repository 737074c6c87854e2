//! An import that is taken out again.

use std::ops::Range;
use std::path::Path;

use super::super::index::db;
use super::super::store::segments;
use super::super::*;
use super::{answers, batch, options, read, row};
use crate::error::{Context, Result};

/// A frame of an imported file, or of the queue.
fn frame(source: Option<&str>, rows: Range<u64>) -> Batch {
    let rows: Vec<Vec<u8>> = rows.map(row).collect();
    let source = source.map(|name| (name.to_owned(), 99));
    let queue = source.is_none().then(|| "q".to_owned());
    Batch { source, queue, ..batch(&rows) }
}

/// 1..5 captured, 5..205 of a file in 50 frames, 205..209 captured, 209..213 of another file.
fn filled(dir: &Path) -> Result<()> {
    let (mut writer, _) = SpoolWriter::open(dir, options())?;
    writer.append(&frame(None, 1..5))?;
    for n in 0..50 {
        writer.append(&frame(Some("wrong"), 5 + 4 * n..9 + 4 * n))?;
    }
    writer.append(&frame(None, 205..209))?;
    writer.append(&frame(Some("right"), 209..213))?;
    writer.finish().map(drop)
}

#[test]
fn an_import_goes_and_all_else_keeps_its_number() -> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    filled(dir.path())?;
    let all = read(dir.path())?;
    assert!(segments::here(dir.path())?.len() > 4);
    let spool = Spool::open(dir.path())?;
    let imports = [("wrong".to_owned(), 5..205), ("right".to_owned(), 209..213)];
    assert_eq!(spool.imports()?, imports);
    let found = spool.dependents(std::slice::from_ref(&imports[0].1))?;
    assert_eq!((found.messages, found.transactions, found.damaged), (200, 200, 0));
    drop(spool);
    assert_eq!(forget(dir.path(), std::slice::from_ref(&imports[0].1))?, []);
    let left: Vec<_> =
        all.iter().filter(|record| !imports[0].1.contains(&record.0)).cloned().collect();
    assert_eq!(read(dir.path())?, left);
    assert_eq!(verify(dir.path())?.findings, []);
    let spool = Spool::open(dir.path())?;
    assert_eq!(spool.troubles(&(1..213))?, []);
    assert_eq!((spool.end()?.next, spool.imports()?.len()), (213, 1));
    let forgotten: u64 = spool.forgotten()?.iter().map(|range| range.end - range.start).sum();
    assert_eq!(forgotten, 200);
    let before = answers(dir.path())?;
    reindex(dir.path())?;
    assert_eq!(answers(dir.path())?, before);
    // The file can be imported again, and is: nothing of it is known.
    let (mut writer, _) = SpoolWriter::open(dir.path(), options())?;
    assert_eq!((writer.source_end("wrong"), writer.next()), (None, 213));
    writer.append(&frame(Some("wrong"), 5..9))?;
    writer.finish()?;
    assert_eq!(read(dir.path())?.len(), left.len() + 4);
    assert_eq!(verify(dir.path())?.findings, []);
    Ok(())
}

#[test]
fn the_last_import_keeps_its_numbers_too() -> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    filled(dir.path())?;
    forget(dir.path(), std::slice::from_ref(&(209..213)))?;
    let (writer, recovery) = SpoolWriter::open(dir.path(), options())?;
    assert_eq!((writer.next(), recovery.bad_frames, recovery.torn), (213, vec![], None));
    Ok(())
}

#[test]
fn a_forget_that_was_killed_goes_on() -> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    filled(dir.path())?;
    // As a kill behind the first segments leaves it: no index, a part of the stretch gone.
    let half = Spool::open(dir.path())?.segments()?[1].first..101;
    forget(dir.path(), std::slice::from_ref(&half))?;
    db::delete(dir.path())?;
    assert_eq!(forget(dir.path(), std::slice::from_ref(&(5..205)))?, []);
    assert_eq!(read(dir.path())?.len(), 12);
    assert_eq!(verify(dir.path())?.findings, []);
    assert_eq!(Spool::open(dir.path())?.troubles(&(1..213))?, []);
    Ok(())
}

#[test]
fn what_came_from_a_queue_and_parts_of_frames_stay() -> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    filled(dir.path())?;
    let before = read(dir.path())?;
    for (stretch, word) in
        [(1..205, "queue"), (5..206, "queue"), (6..205, "one piece"), (5..8, "one piece")]
    {
        let said =
            forget(dir.path(), std::slice::from_ref(&stretch)).expect_err("refused").to_string();
        assert!(said.contains(word), "{stretch:?}: {said}");
    }
    assert_eq!(read(dir.path())?, before);
    let (_writer, _) = SpoolWriter::open(dir.path(), options())?;
    assert!(
        forget(dir.path(), std::slice::from_ref(&(5..205)))
            .expect_err("held")
            .to_string()
            .contains("is writing")
    );
    Ok(())
}
