//! The spools that are changed: every part of a header, and every file, is in one of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::super::super::format::Merged;
use super::super::super::*;
use super::super::sealing::seal_files;
use super::super::{batch, frame_starts, options, read, row, stream_with_resend};
use crate::error::{Context, Result};

/// Bytes by name.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// A spool, and the records in it.
pub(super) struct Seed {
    pub(super) files: Files,
    pub(super) records: Vec<(Seq, Vec<u8>)>,
}

pub(super) fn all() -> Result<Vec<Seed>> {
    Ok(vec![
        seed(|_| Ok(()))?,
        seed(|dir| {
            seal_files(dir, 4_000)?;
            Spool::open(dir).map(drop)
        })?,
        seed(|dir| prune(dir, &Wish { bytes: Some(6_000), ..Wish::default() }, false).map(drop))?,
        seed(|dir| {
            let imports: Vec<_> = Spool::open(dir)?.imports()?.into_iter().map(|i| i.1).collect();
            forget(dir, &imports)?;
            let first = fs::read_dir(dir).context("dir")?.flatten().map(|entry| entry.path());
            let first = first.filter(|path| path.extension().is_some_and(|end| end == "zst")).min();
            let path = first.expect("a segment");
            let mut bytes = fs::read(&path).context("read")?;
            let at = frame_starts(&path, dir)?[1] as usize + 30;
            bytes[at] ^= 1;
            fs::write(&path, bytes).context("write")?;
            repair(dir, false).map(drop)
        })?,
    ])
}

/// A small spool of all that comes in, to which something was done.
fn seed(done: impl FnOnce(&Path) -> Result<()>) -> Result<Seed> {
    let dir = tempfile::tempdir().context("temp")?;
    let (mut writer, _) = SpoolWriter::open(dir.path(), options())?;
    let ddl = |n: u64| {
        format!(
            r#"{{"type":"table-create","database":"d","table":"t{n}","ts":1,"sql":"CREATE TABLE t{n} (id INT PRIMARY KEY)","position":"b.000001:{n}","def":{{"database":"d","table":"t{n}","primary-key":["id"],"columns":[{{"type":"int","name":"id"}}]}}}}"#
        )
    };
    let copied = ["bootstrap-start", "bootstrap-insert", "bootstrap-complete"].map(|kind| {
        format!(r#"{{"type":"{kind}","database":"d","table":"t","ts":5,"data":{{"id":5}}}}"#)
            .into_bytes()
    });
    writer.append(&batch(&[ddl(0).into(), ddl(1).into(), b"no message".to_vec()]))?;
    writer.append(&batch(&copied))?;
    for records in stream_with_resend(true).chunks(16) {
        let n = records.len();
        let mut batch = batch(records);
        batch.redelivered = (0..n).map(|i| i % 3 == 0).collect();
        batch.maybe_twice = (0..n).map(|i| i % 5 == 0).collect();
        batch.acked = Some(writer.next().saturating_sub(3));
        writer.append(&batch)?;
    }
    for n in 0..3 {
        let rows: Vec<Vec<u8>> = (0..4).map(|i| row(200 + 4 * n + i)).collect();
        let source = Some(("file".to_owned(), 400 * (n + 1)));
        writer.append(&Batch { queue: None, source, ..batch(&rows) })?;
    }
    let mut merged = Merged { places: vec![("a".into(), 4), ("b".into(), 9)], runs: Vec::new() };
    (0..4).for_each(|n| merged.add(n % 2));
    let rows: Vec<Vec<u8>> = (300..304).map(row).collect();
    writer.append(&Batch { merged: Some(merged), ..batch(&rows) })?;
    writer.finish()?;
    done(dir.path())?;
    let records = read(dir.path())?;
    let mut files = Files::new();
    collect(dir.path(), dir.path(), &mut files)?;
    Ok(Seed { files, records })
}

fn collect(root: &Path, dir: &Path, files: &mut Files) -> Result<()> {
    for entry in fs::read_dir(dir).context("dir")? {
        let path = entry.context("dir")?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else {
            let name = path.strip_prefix(root).expect("inside").display().to_string();
            files.insert(name, fs::read(&path).context("read")?);
        }
    }
    Ok(())
}
