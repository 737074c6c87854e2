//! Patterns of tables, matched together.

use globset::{GlobSet, GlobSetBuilder};

use super::pattern::Pattern;
use crate::error::{Error, Result};

/// Patterns, and all of them as one.
#[derive(Clone, Debug, Default)]
pub(super) struct Globs {
    pub(super) patterns: Vec<Pattern>,
    pub(super) set: GlobSet,
}

impl Globs {
    /// Reads what was typed.
    ///
    /// # Errors
    /// When a pattern cannot be read (usage).
    pub(super) fn read(typed: &[String]) -> Result<Self> {
        let patterns = Pattern::read(typed)?;
        let mut set = GlobSetBuilder::new();
        for pattern in &patterns {
            set.add(pattern.glob().clone());
        }
        let set = set.build().map_err(|e| Error::usage(format!("table globs: {e}")))?;
        Ok(Self { patterns, set })
    }
}
