//! Readers that are at work while segments are sealed.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::super::*;
use super::sealing::{seal_files, trickled};
use super::{batch, row};
use crate::error::{Context, Result};
use crate::event::{Direction, TableName};

#[test]
fn a_walk_that_is_under_way_goes_on_through_sealed_segments() -> Result<()> {
    let whole = tempfile::tempdir().context("temp")?;
    trickled(whole.path(), 160, 1 << 20)?;
    for (taken, direction) in
        (0..48).step_by(5).flat_map(|n| [(n, Direction::Forward), (n, Direction::Reverse)])
    {
        let dir = tempfile::tempdir().context("temp")?;
        for file in fs::read_dir(whole.path()).context("list")? {
            let file = file.context("list")?;
            fs::copy(file.path(), dir.path().join(file.file_name())).context("copy")?;
        }
        let (range, dir) = (5..150, dir.path());
        let spool = Spool::open(dir)?;
        let mut frames = spool.frames(range.clone(), direction);
        let mut transactions = spool.transactions(range.clone(), direction);
        let mut seqs: Vec<Seq> = Vec::new();
        let mut add = |frame: Frame| {
            let here: Vec<Seq> = frame.records().map(|r| r.seq).collect();
            match direction {
                Direction::Forward => seqs.extend(here),
                Direction::Reverse => seqs.extend(here.into_iter().rev()),
            }
        };
        let mut lasts = Vec::new();
        for _ in 0..taken {
            frames.next().transpose()?.into_iter().for_each(&mut add);
            lasts.extend(transactions.next().transpose()?.map(|t| t.last));
        }
        seal_files(dir, 700 + 300 * (taken % 3))?;
        // The files first, the index a few frames later.
        for _ in 0..3 {
            frames.next().transpose()?.into_iter().for_each(&mut add);
        }
        drop(Spool::open(dir)?);
        for frame in frames {
            add(frame?);
        }
        for transaction in transactions {
            lasts.push(transaction?.last);
        }
        if direction.is_reverse() {
            seqs.reverse();
            lasts.reverse();
        }
        let seen: Vec<Seq> = seqs.iter().copied().filter(|seq| range.contains(seq)).collect();
        assert!(seen.into_iter().eq(range.clone()), "{direction:?}, {taken}: {seqs:?}");
        assert!(lasts.iter().copied().eq(range), "{direction:?}, {taken}: {lasts:?}");
    }
    Ok(())
}

/// A file of its own for each kind of walk, read over and over.
fn watch(dir: &Path, over: &AtomicBool) -> Result<u64> {
    let mut rounds = 0;
    while !over.load(Ordering::Relaxed) {
        let spool = match Spool::open(dir) {
            Ok(spool) => spool,
            // The writer has stored nothing yet.
            Err(e) if rounds == 0 && e.kind() == crate::error::ErrorKind::Usage => continue,
            Err(e) => return Err(e),
        };
        let end = spool.end()?;
        if end.next == 1 {
            continue;
        }
        for direction in [Direction::Forward, Direction::Reverse] {
            let mut seqs = Vec::new();
            for (i, frame) in spool.frames(1..end.next, direction).enumerate() {
                let frame = frame?;
                let all = frame.records().filter(|r| r.seq < end.next);
                let mut here: Vec<Seq> = all
                    .map(|r| {
                        assert_eq!(r.bytes, row(r.seq));
                        r.seq
                    })
                    .collect();
                if direction.is_reverse() {
                    here.reverse();
                }
                seqs.extend(here);
                if i % 64 == 0 {
                    thread::yield_now();
                }
            }
            if direction.is_reverse() {
                seqs.reverse();
            }
            assert!(seqs.iter().copied().eq(1..end.next), "{direction:?} up to {}", end.next);
            let transactions: Result<Vec<_>> =
                spool.transactions(1..end.next, direction).map(|t| Ok(t?.last)).collect();
            let mut transactions = transactions?;
            transactions.sort_unstable();
            assert!(transactions.into_iter().eq(1..end.next), "transactions, {direction:?}");
        }
        let all = spool.end()?.next;
        assert!((end.next - 1..all).contains(&spool.transaction_count(1..end.next)?));
        for seq in [1, end.next / 2, end.next - 1] {
            assert_eq!(spool.record(seq)?, row(seq));
            let key = RowKey { columns: vec![("id".into(), vec![seq.to_string()])] };
            let table = TableName::new("d", format!("t{}", seq % 3));
            let mut records = spool.records()?;
            let found = spool.frames_of(&table, &key)?;
            let mut holds = |first: &Seq| {
                let frame = records.frame(*first).expect("a frame").expect("a frame");
                frame.range().contains(&seq)
            };
            assert!(found.iter().any(&mut holds), "record {seq} by its key");
        }
        let listed: u64 = spool.segments()?.iter().map(|s| s.records).sum();
        assert!(listed >= end.next - 1);
        rounds += 1;
    }
    Ok(rounds)
}

#[test]
fn readers_see_one_truth_while_segments_are_sealed() -> Result<()> {
    let dir = tempfile::tempdir().context("temp")?;
    let dir = dir.path();
    let options = WriterOptions { segment_bytes: 200_000, ..WriterOptions::default() };
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let watching: Vec<_> = (0..2).map(|_| scope.spawn(|| watch(dir, &over))).collect();
        let written = (|| {
            let (mut writer, _) = SpoolWriter::open(dir, options)?;
            for n in (1..15_000).step_by(3) {
                writer.append_unsynced(&batch(&[row(n), row(n + 1), row(n + 2)]))?;
            }
            writer.finish()
        })();
        over.store(true, Ordering::Relaxed);
        for watching in watching {
            let rounds = watching.join().expect("a reader")?;
            assert!(rounds > 1, "a reader looked {rounds} times");
        }
        written.map(drop)
    })?;
    let segments = Spool::open(dir)?.segments()?;
    let sealed = segments.iter().filter(|s| s.frames == 1).count();
    assert!(segments.len() > 8 && sealed + 1 >= segments.len(), "{segments:?}");
    assert_eq!(verify(dir)?.findings, []);
    Ok(())
}
