//! Snapshots of table definitions beside the segments. What is in them is not the spool's affair.

use std::fs;
use std::path::Path;

use super::store::files;
use super::store::kept::keep;
use super::types::Seq;
use crate::error::{Context, Result};

/// The folder in the spool.
const FOLDER: &str = "schema";

/// Stores a snapshot taken at a sequence, durably; one of the same sequence is replaced.
///
/// # Errors
/// When it cannot be written.
pub fn add_snapshot(dir: &Path, seq: Seq, bytes: &[u8]) -> Result<()> {
    // The tables of a source may be known before its first message comes.
    files::make_folders(dir)?;
    keep(dir, FOLDER, &format!("{seq:020}.json"), bytes)
}

/// All snapshots by rising sequence.
///
/// # Errors
/// When one cannot be read.
pub fn snapshots(dir: &Path) -> Result<Vec<(Seq, Vec<u8>)>> {
    let schema = dir.join(FOLDER);
    files::check_folder(&schema)?;
    if !schema.exists() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(&schema).context(schema.display())? {
        let path = entry.context(schema.display())?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if let Some(seq) = name.strip_suffix(".json").and_then(|n| n.parse().ok()) {
            found.push((seq, files::read_all(&path)?));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_come_back_in_order() -> Result<()> {
        let dir = tempfile::tempdir().context("temp")?;
        assert_eq!(snapshots(dir.path())?, []);
        add_snapshot(dir.path(), 20, b"late")?;
        add_snapshot(dir.path(), 3, b"early")?;
        add_snapshot(dir.path(), 3, b"better")?;
        let found = snapshots(dir.path())?;
        assert_eq!(found, [(3, b"better".to_vec()), (20, b"late".to_vec())]);
        Ok(())
    }
}
