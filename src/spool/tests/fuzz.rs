//! Readers and writers on files that somebody made up: bytes changed, cut and moved about, with the
//! checksums made right again, so that what is behind them is reached.
//!
//! Each case is told by its number. CI takes the same few; `just fuzz SECONDS` takes others for so
//! long, alone in a process with a bound on its address space, and looks at the memory of each.

use std::fs;
use std::path::Path;

use fastrand::Rng;

use super::super::index::db;
use super::super::*;
use super::{answers, batch, options, row};
use crate::error::{Context, ErrorKind, Result};
use crate::event::Direction;
use cases::cases;
use mutate::mutate;
use seeds::{Files, Seed};

mod cases;
mod mutate;
mod seeds;
mod text;

/// What no error may say: something behind it has panicked.
fn sound<T>(what: &str, outcome: Result<T>) -> Option<T> {
    outcome
        .inspect_err(|e| {
            let said = e.to_string();
            assert!(!said.contains(" died"), "{what}: {said}");
        })
        .ok()
}

/// Asks a spool everything; gives the records that it hands out.
fn look(dir: &Path) -> Vec<(Seq, Vec<u8>)> {
    let Some(spool) = sound("open", Spool::open(dir)) else { return Vec::new() };
    let mut records = Vec::new();
    for direction in [Direction::Forward, Direction::Reverse] {
        for frame in spool.frames(0..Seq::MAX, direction) {
            let Some(frame) = sound("frame", frame) else { continue };
            for record in frame.counted(&(0..Seq::MAX), direction) {
                sound("event", frame.event(&record));
                records.push((record.seq, record.bytes.to_vec()));
            }
        }
        for transaction in spool.transactions(0..Seq::MAX, direction) {
            if sound("transaction", transaction).is_none() {
                break;
            }
        }
    }
    let all = 0..Seq::MAX;
    sound("troubles", spool.troubles(&all));
    sound("state", spool.state());
    sound("ddl", spool.each_ddl(&all, |_, message| message.event().map(drop)));
    sound("count", spool.transaction_count(all.clone()));
    sound("resends", spool.resends(all));
    sound("biggest", spool.biggest());
    sound("segments", spool.segments());
    sound("landmark", spool.landmark(5));
    for table in sound("tables", spool.tables()).unwrap_or_default() {
        let key = RowKey { columns: vec![("id".into(), vec!["5".into()])] };
        sound("key", spool.frames_of(&table, &key));
        sound("widths", spool.image_widths(&table));
    }
    records
}

/// Reads the segments as those of a queue.
fn look_at_inbox(dir: &Path) {
    let Some(mut lots) = sound("lots", Lots::new(dir, 1)) else { return };
    while let Some(Some(_)) = sound("lot", lots.read()) {}
    let Some((mut inbox, _)) = sound("inbox", Inbox::open(dir, "q", 1, 10)) else { return };
    sound("inbox append", inbox.append(&batch(&[row(7)])));
}

/// Goes on with a spool, as a capture does.
fn go_on(dir: &Path) {
    let Some((mut writer, _)) = sound("writer", SpoolWriter::open(dir, options())) else { return };
    let next = writer.next();
    if let Some(stored) = sound("append", writer.append(&batch(&[row(1), row(2)]))) {
        assert_eq!(stored, next..next + 2);
        sound("tail", writer.tail("q", 5));
        if sound("finish", writer.finish()).is_some() {
            match Spool::open(dir).and_then(|spool| spool.record(next)) {
                Ok(stored) => assert_eq!(stored, row(1), "{next} is another"),
                // An index may be found damaged where it is asked.
                Err(e) => assert_eq!(e.kind(), ErrorKind::Damaged, "{next} is gone: {e}"),
            }
        }
    }
}

fn put(files: &Files) -> Result<tempfile::TempDir> {
    // In memory where there is such a folder: what is durable is not asked here.
    let memory = Path::new("/dev/shm");
    let dir = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    let dir = dir.context("temp")?;
    for (name, bytes) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap_or(dir.path())).context("folder")?;
        fs::write(path, bytes).context("write")?;
    }
    Ok(dir)
}

#[test]
fn no_segment_does_harm_whatever_is_in_it() -> Result<()> {
    let seeds = seeds::all()?;
    cases("segments", |number| {
        let mut rng = Rng::with_seed(number);
        let seed = &seeds[rng.usize(..seeds.len())];
        let (files, mended) = changed(&mut rng, seed, &seeds);
        let dir = put(&files)?;
        let found = look(dir.path());
        if !mended {
            // Nothing is handed out that was not stored: the checksums tell.
            let strange = found.iter().find(|record| !seed.records.contains(record));
            assert_eq!(strange, None, "never stored");
        }
        sound("verify", verify(dir.path()));
        if rng.u8(..4) == 0 {
            look_at_inbox(dir.path());
        }
        match rng.u8(..3) {
            0 => drop(sound("repair", repair(dir.path(), true))),
            1 if sound("repair", repair(dir.path(), false)).is_some() => drop(look(dir.path())),
            _ => {}
        }
        go_on(dir.path());
        Ok(())
    });
    Ok(())
}

/// The files of a seed, one or two of them changed, without the index mostly; and whether checksums
/// were made right again.
fn changed(rng: &mut Rng, seed: &Seed, seeds: &[Seed]) -> (Files, bool) {
    let mut files = seed.files.clone();
    if rng.u8(..4) > 0 {
        files.retain(|name, _| !name.starts_with("index.sqlite"));
    }
    let mended = rng.u8(..4) > 0;
    let names: Vec<String> = files.keys().filter(|name| name.ends_with(".zst")).cloned().collect();
    for _ in 0..=rng.usize(..2) {
        let donor = &seeds[rng.usize(..seeds.len())];
        let donor = donor.files.iter().filter(|(name, _)| name.ends_with(".zst"));
        let donor: Vec<&Vec<u8>> = donor.map(|(_, bytes)| bytes).collect();
        let name = &names[rng.usize(..names.len())];
        if let Some(bytes) = files.get_mut(name) {
            let donor = donor[rng.usize(..donor.len())];
            mutate(rng, bytes, donor, mended);
        }
    }
    (files, mended)
}

#[test]
fn no_index_is_believed_that_is_not_as_it_was_written() -> Result<()> {
    let seeds = seeds::all()?;
    let mut right = Vec::new();
    for seed in &seeds {
        right.push(answers(put(&seed.files)?.path())?);
    }
    cases("index", |number| {
        let mut rng = Rng::with_seed(number);
        let which = rng.usize(..seeds.len());
        let mut files = seeds[which].files.clone();
        let bytes = files.get_mut("index.sqlite").expect("an index");
        let kind = rng.u8(..6);
        match kind {
            0 => bytes.truncate(rng.usize(..bytes.len())),
            1 => {
                // A page in the place of another.
                let page = |rng: &mut Rng| rng.usize(..bytes.len() / 4096) * 4096;
                let (from, to) = (page(&mut rng), page(&mut rng));
                bytes.copy_within(from..from + 4096, to);
            }
            _ => (0..=rng.usize(..8)).for_each(|_| {
                let at = rng.usize(..bytes.len());
                bytes[at] = rng.u8(..);
            }),
        }
        let dir = put(&files)?;
        // Rows of a whole page in the place of another are as they were written: that some are gone
        // is not always seen.
        if let Some(answered) = sound("answers", answers(dir.path())).filter(|_| kind != 1) {
            assert!(answered == right[which], "another answer");
        }
        look(dir.path());
        sound("verify", verify(dir.path()));
        go_on(dir.path());
        db::delete(dir.path())?;
        look(dir.path());
        Ok(())
    });
    Ok(())
}
