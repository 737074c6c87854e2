//! What `binsync.toml` says, read and right.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::filter::Tables;
use crate::route::columns::Columns;
use crate::route::name::Name;
use crate::route::shard::Shard;

use super::mistakes::meant;

/// What a file says.
#[derive(Debug)]
pub struct Config {
    /// The streams.
    pub sources: Vec<Source>,
    /// The databases that are written to.
    pub targets: Vec<Target>,
    /// What is kept in step.
    pub syncs: Vec<Sync>,
}

/// A stream, which is in one spool.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// The folder of its spool.
    pub spool: PathBuf,
    /// The server that it comes from, where it is told.
    pub mysql: Option<Address>,
}

/// A database that is written to.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub address: Address,
}

/// A URL of the file.
#[derive(Clone, Debug)]
pub struct Address {
    /// The URL; it holds no password.
    pub url: String,
    /// What tells it from others: host and port, or the file.
    pub identity: String,
    /// What errors about it begin with: its place in the file, and its key.
    pub key: String,
    /// The environment's variable that holds the password.
    pub variable: String,
}

/// What goes from some sources to targets.
#[derive(Clone, Debug)]
pub struct Sync {
    /// Its name.
    pub name: String,
    /// Where it stands in the text, for mistakes.
    pub(super) at: usize,
    /// Names of its sources.
    pub from: Vec<String>,
    /// Its tables are copied before what comes is applied.
    pub copy: bool,
    /// The first of them that takes a table is its route.
    pub routes: Vec<Route>,
}

/// Where the rows of some tables go.
#[derive(Clone, Debug)]
pub struct Route {
    /// The tables of the stream.
    pub tables: Tables,
    /// The places they go to: one, or one for each shard.
    pub places: Vec<To>,
    /// Which rows go to which of the places; without it all go to the first.
    pub shard: Option<Shard>,
    /// What becomes of the columns.
    pub columns: Columns,
    /// Several tables may go to one.
    pub merge: bool,
}

/// A place for rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct To {
    /// Name of the target.
    pub target: String,
    /// The table there.
    pub name: Name,
}

/// What a URL names.
pub struct Place {
    /// As [`Address::identity`].
    pub identity: String,
    /// It holds a password.
    pub holds_password: bool,
}

/// Reads the URL behind a key.
///
/// # Errors
/// When it cannot be meant, without its text.
pub type ReadUrl<'r> = &'r dyn Fn(&str, &str) -> Result<Place>;

impl Config {
    /// The sync of a name.
    ///
    /// # Errors
    /// When there is none (usage).
    pub fn sync(&self, name: &str) -> Result<&Sync> {
        self.syncs.iter().find(|sync| sync.name == name).ok_or_else(|| {
            Error::usage(format!("there is no sync {name:?}"))
                .help(meant(name, self.syncs.iter().map(|sync| &*sync.name)))
        })
    }

    /// A source of a sync.
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.sources.iter().find(|source| source.name == name)
    }

    /// A target of a route.
    pub fn target(&self, name: &str) -> Option<&Target> {
        self.targets.iter().find(|target| target.name == name)
    }
}

impl Sync {
    /// The names of the targets that it writes to, in the order of its routes.
    pub fn targets(&self) -> Vec<&str> {
        let mut all: Vec<&str> = Vec::new();
        for to in self.routes.iter().flat_map(|route| &route.places) {
            if !all.contains(&&*to.target) {
                all.push(&to.target);
            }
        }
        all
    }
}
