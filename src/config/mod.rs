//! `binsync.toml`: which streams there are, which databases, and what goes from one to the other.
//!
//! It is read strictly and as a whole: what is not known, or cannot be meant, is a mistake, and all
//! mistakes are told at once, each with line, column and key. Nothing is opened, and no secret
//! stands in the file.

use std::path::Path;

use toml::de::DeTable;

use crate::error::{Error, Result};

mod check;
mod keys;
mod mistakes;
mod model;
mod places;
mod route;
mod shard;
mod sync;
#[cfg(test)]
mod tests;

use keys::{Entry, Keys};
use mistakes::Mistakes;
pub use model::{Address, Config, Place, ReadUrl, Route, Source, Sync, Target, To};
use places::Names;

impl Config {
    /// Reads a file; paths in it are seen from the folder that it is in. No connection is opened.
    ///
    /// # Errors
    /// With all mistakes in it (usage), and when it cannot be read.
    pub fn read(file: &Path, url: ReadUrl<'_>) -> Result<Self> {
        let text = std::fs::read_to_string(file)
            .map_err(|e| Error::usage(format!("{}: {e}", file.display())))?;
        Self::parse(file, &text, url)
    }

    /// As [`Config::read`], of a text.
    ///
    /// # Errors
    /// With all mistakes in it (usage).
    pub fn parse(file: &Path, text: &str, url: ReadUrl<'_>) -> Result<Self> {
        let mut mistakes = Mistakes::new(text);
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let at = error.span().map_or(0, |span| span.start);
            mistakes.add(at, error.message().replace('\n', ", "));
        }
        // What would follow from text that is no TOML is not told.
        if !errors.is_empty() {
            return Err(mistakes.error(file).unwrap_or_else(|| Error::usage("no TOML")));
        }
        let keys = Keys::root(table.get_ref());
        let urls = places::Urls { file, text, read: url };
        let [source, target, sync] = {
            let mut entries = keys.known(&["source", "target", "sync"], &mut mistakes);
            ["source", "target", "sync"]
                .map(|name| entries.extract_if(.., |entry| entry.name == name).next())
        };
        // A source that has a mistake is one all the same.
        let mut names = |entry: &Option<Entry<'_, '_>>| {
            let keys = entry.as_ref().and_then(|entry| entry.keys(&mut mistakes));
            let entries = keys.map(|keys| keys.entries()).unwrap_or_default();
            entries.into_iter().map(|entry| entry.name).collect()
        };
        let names = Names { sources: names(&source), targets: names(&target) };
        let config = Self {
            sources: source.map_or(Vec::new(), |e| places::sources(&e, &urls, &mut mistakes)),
            targets: target.map_or(Vec::new(), |e| places::targets(&e, &urls, &mut mistakes)),
            syncs: sync.map_or(Vec::new(), |e| sync::syncs(&e, &names, &mut mistakes)),
        };
        check::loops(&config, &mut mistakes);
        check::copies(&config, &mut mistakes);
        mistakes.error(file).map_or(Ok(config), Err)
    }
}
