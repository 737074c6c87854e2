//! Where a spool lies: its segments, and its index beside them.
//!
//! Whoever may not write there derives what the index lacks in a folder of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use super::db::Index;
use crate::error::{Context, Result};

/// The folders of a spool.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    dir: PathBuf,
    own: Option<Arc<TempDir>>,
}

impl Home {
    /// With the index beside the segments.
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.into(), own: None }
    }

    /// With an index elsewhere that is this process's alone, and is removed with it.
    ///
    /// # Errors
    /// When there is no room for it.
    pub(crate) fn apart(dir: &Path) -> Result<Self> {
        let own = tempfile::Builder::new().prefix("binsync-index").tempdir();
        Ok(Self { dir: dir.into(), own: Some(Arc::new(own.context("a temporary folder")?)) })
    }

    /// The same, beginning with what the spool's index knows.
    ///
    /// # Errors
    /// As [`Home::apart`], and when the index cannot be read.
    pub(crate) fn copied(dir: &Path) -> Result<Self> {
        let home = Self::apart(dir)?;
        Index::copy(dir, home.index())?;
        Ok(home)
    }

    /// The folder of the segments.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The folder of the index.
    pub(crate) fn index(&self) -> &Path {
        self.own.as_ref().map_or(&self.dir, |own| own.path())
    }
}
