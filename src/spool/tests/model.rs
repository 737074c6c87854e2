//! Random appends, kills and lost indexes against a list of frames.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::super::index::db;
use super::super::store::{segment, segments};
use super::super::*;
use super::{answers, batch, frame_starts, last_segment, options, read, row};
use crate::error::{Context, Result};

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
    let mut model: Vec<(Seq, Vec<Vec<u8>>)> = Vec::new();
    let mut writer = None;
    let (mut next, mut lost) = (1, false);
    for step in steps {
        match step {
            Step::Append(records) => {
                let open = match writer.take() {
                    Some(open) => open,
                    None => SpoolWriter::open(dir, options())?.0,
                };
                let open = writer.insert(open);
                let range = open.append(&batch(records))?;
                assert_eq!(range, next..next + records.len() as u64);
                next = range.end;
                model.push((range.start, records.clone()));
            }
            Step::Kill(bytes) => {
                writer = None;
                if !dir.join("lock").exists() || segments::here(dir)?.is_empty() {
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
                let gone = starts.iter().skip(1).filter(|&&end| end > cut).count();
                model.truncate(model.len() - gone);
                // What an index knew to have come from a queue keeps its numbers.
                if gone > 0 && db::path(dir).exists() {
                    lost = true;
                } else if gone > 0 {
                    next = end(dir, &model)?;
                }
                let (open, recovery) = SpoolWriter::open(dir, options())?;
                let kept = starts.iter().filter(|&&s| s <= cut).max().copied().unwrap_or_default();
                assert_eq!(recovery.torn.map_or(0, |t| t.1), cut - kept);
                writer = Some(open);
            }
            Step::DropIndex => {
                writer = None;
                db::delete(dir)?;
                next = end(dir, &model)?;
            }
            Step::Reopen => writer = None,
        }
    }
    drop(writer);
    let numbered: Vec<(Seq, Vec<u8>)> =
        model.iter().flat_map(|(first, frame)| (*first..).zip(frame.iter().cloned())).collect();
    let model: Vec<Vec<u8>> = model.into_iter().flat_map(|(_, frame)| frame).collect();
    if segments::here(dir)?.is_empty() {
        return Ok(());
    }
    if model.is_empty() {
        assert!(Spool::open(dir).and_then(|s| s.end()).map_or(true, |end| end.next == 1));
        return Ok(());
    }
    assert_eq!(read(dir)?, numbered);
    let incremental = answers(dir)?;
    reindex(dir)?;
    assert_eq!(answers(dir)?, incremental);
    let findings = verify(dir)?.findings;
    assert!(findings.iter().all(|f| lost && f.file != "index.sqlite"), "{findings:?}");
    let mut plain = Vec::new();
    for segment in segments::here(dir)? {
        plain.extend(segment::plain(dir, segment)?);
    }
    let lines: Vec<u8> = model.iter().flat_map(|r| r.iter().copied().chain([b'\n'])).collect();
    assert_eq!(plain, lines);
    Ok(())
}

/// The number that comes behind all frames where no index knows more.
fn end(dir: &Path, model: &[(Seq, Vec<Vec<u8>>)]) -> Result<Seq> {
    let segments = if dir.is_dir() { segments::here(dir)? } else { Vec::new() };
    let name = segments.last().copied().filter(|_| segments.len() == 1).unwrap_or(1);
    Ok(model.last().map_or(name, |(first, frame)| first + frame.len() as u64))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_spool_is_a_list_of_frames(steps in prop::collection::vec(step(), 1..25)) {
        let dir = tempfile::tempdir().expect("temp");
        run(dir.path(), &steps).map_err(|e| TestCaseError::fail(e.to_string()))?;
    }
}
