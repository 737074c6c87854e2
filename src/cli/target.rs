//! Where a target is, and how it is opened.

use std::path::{Path, PathBuf};

use clap::Args;

use super::server::{self, TlsArgs};
use crate::dest::Target;
use crate::dest::mysql::{Mysql, Options};
use crate::dest::sqlite::Sqlite;
use crate::error::{Error, Result};
use crate::mysql::server::Server;

/// The target that is looked at.
#[derive(Args, Debug)]
pub struct ProgressArgs {
    /// Target that is asked: mysql://user:password@host:port or sqlite:FILE
    #[arg(long, env = "BINSYNC_TARGET", hide_env_values = true, value_name = "URL")]
    target: Option<String>,
    /// File that holds the target's password
    #[arg(long, value_name = "FILE", env = "BINSYNC_PASSWORD_FILE")]
    password_file: Option<PathBuf>,
    #[command(flatten)]
    tls: TlsArgs,
}

impl ProgressArgs {
    /// Opens the target for its progress alone, where one is named; one that `looks` changes nothing.
    ///
    /// # Errors
    /// When it cannot be meant (usage), is not there, or refuses.
    pub(super) fn open(&self, looks: bool) -> Result<Option<Box<dyn Target>>> {
        self.place()?.map(|place| place.open(self::looks(None), looks)).transpose()
    }

    /// The same, of a command that cannot do without.
    ///
    /// # Errors
    /// When none is named (usage), and as [`ProgressArgs::open`].
    pub(super) fn needed(&self, looks: bool) -> Result<Box<dyn Target>> {
        self.open(looks)?.ok_or_else(|| {
            Error::usage("no target is named").help("name it with --target (or BINSYNC_TARGET)")
        })
    }

    /// Where the target is, where one is named.
    ///
    /// # Errors
    /// When it cannot be meant (usage), or is a file that is not there.
    pub(super) fn place(&self) -> Result<Option<Place>> {
        let Some(target) = &self.target else {
            return match self.tls.any() {
                true => Err(Error::usage("the --ssl flags are for --target")
                    .help("name the target, or leave them out")),
                false => Ok(None),
            };
        };
        let place = place(target, self.password_file.as_deref(), &self.tls)?;
        match &place {
            Place::File(file) if !file.exists() => {
                Err(Error::failed(format!("--target {target}: there is no such file")))
            }
            _ => Ok(Some(place)),
        }
    }
}

/// How a target is opened that is only asked; whether the source logs what its foreign keys do is
/// known, or not.
pub(super) fn looks(logs_cascades: Option<bool>) -> Options {
    Options { logs_cascades, lanes: 1, target_binlog: true, allow_triggers: false }
}

/// Where a target is.
///
/// # Errors
/// When it cannot be meant (usage).
pub(super) fn place(target: &str, password_file: Option<&Path>, tls: &TlsArgs) -> Result<Place> {
    if server::is_server(target) {
        return Ok(Place::Server(server::server("--target", target, password_file, tls)?));
    }
    match sqlite_file("--target", target)? {
        None => Err(Error::usage("--target is no database URL")
            .help("write it as mysql://user:password@host:port or sqlite:FILE")),
        Some(_) if tls.any() => {
            Err(Error::usage("a file is reached without TLS").help("leave the --ssl flags out"))
        }
        Some(file) => Ok(Place::File(file)),
    }
}

/// Where a target is.
pub(super) enum Place {
    Server(Server),
    File(PathBuf),
}

impl Place {
    /// Opens it; a `dry` one is only looked at.
    ///
    /// # Errors
    /// As the target refuses.
    pub(super) fn open(&self, options: Options, dry: bool) -> Result<Box<dyn Target>> {
        Ok(match self {
            Self::File(file) if dry => Box::new(Sqlite::look(file)?),
            Self::File(file) => Box::new(Sqlite::open(file)?),
            Self::Server(server) => Box::new(Mysql::open(server, options)?),
        })
    }
}

/// The file of a target that is one, `sqlite:FILE`; none of another kind. What others write there
/// too, as `//`, stands for several places, and no file is made at one that was not meant.
///
/// # Errors
/// When it names no file (usage).
pub(super) fn sqlite_file(flag: &str, target: &str) -> Result<Option<PathBuf>> {
    let Some(file) = target.strip_prefix("sqlite:") else { return Ok(None) };
    let name = file.trim_start_matches('/');
    let parameters = file.split_once('?').is_some_and(|(_, rest)| rest.contains('='));
    let (what, help) = match file {
        _ if name.is_empty() || file.ends_with('/') => {
            ("no file is named", "write it as sqlite:FILE".to_owned())
        }
        _ if file.starts_with("//") => (
            "where the file is is not clear",
            format!("write sqlite:{name} for a file here, sqlite:/{name} for one at the root"),
        ),
        _ if parameters => {
            let name = file.split_once('?').map_or(file, |(name, _)| name);
            ("there are no parameters", format!("write sqlite:{name}"))
        }
        ":memory:" => {
            ("that database would be gone at once", "name a file, as sqlite:look.db".to_owned())
        }
        _ if file.starts_with("file:") => (
            "a file's name is written as it is, not as a URI",
            format!("write sqlite:{}", file.trim_start_matches("file:")),
        ),
        file => return Ok(Some(file.into())),
    };
    Err(Error::usage(format!("{flag} {target}: {what}")).help(help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_where_its_name_says_or_nowhere() {
        let file = |target: &str| sqlite_file("--target", target).map_err(|e| e.to_string());
        let named =
            [("shop.db", "shop.db"), ("/tmp/x.db", "/tmp/x.db"), ("../a b?.db", "../a b?.db")];
        for (name, path) in named {
            assert_eq!(file(&format!("sqlite:{name}")), Ok(Some(path.into())));
        }
        assert_eq!(file("mysql://u:p@host"), Ok(None));
        for (name, advice) in [
            ("//shop.db", "sqlite:shop.db for a file here, sqlite:/shop.db"),
            ("///tmp/x.db", "sqlite:tmp/x.db for a file here, sqlite:/tmp/x.db"),
            ("", "sqlite:FILE"),
            ("//", "sqlite:FILE"),
            (":memory:", "name a file"),
            ("file:x.db", "write sqlite:x.db"),
            ("x.db?mode=ro", "write sqlite:x.db"),
        ] {
            let error = file(&format!("sqlite:{name}")).expect_err(name);
            assert!(error.contains(advice), "{name}: {error}");
        }
    }
}
