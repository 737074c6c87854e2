//! `init` and `config check`: the file `binsync.toml`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::output::{Output, counted};
use super::{DIFFERS, DONE, Global, server, target};
use crate::config::{Config, Place, Sync};
use crate::error::{Context as _, Error, Result};

mod connect;

/// What `init` writes.
const EXAMPLE: &str = include_str!("config/example.toml");

/// Where the file is.
#[derive(Args, Clone, Debug)]
pub struct ConfigArgs {
    /// File that names sources, targets and syncs (docs/config.md)
    #[arg(
        long = "config",
        value_name = "FILE",
        env = "BINSYNC_CONFIG",
        default_value = "./binsync.toml"
    )]
    file: PathBuf,
}

/// What to do with the file.
#[derive(Subcommand, Debug)]
pub enum ConfigCommand {
    /// Say all that is wrong with it; nothing is written
    Check(CheckArgs),
}

/// Arguments of `config check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Ask spools, sources and targets, too; status 3 when something is wrong
    #[arg(long)]
    connect: bool,
}

/// Arguments of `init`.
#[derive(Args, Debug)]
pub struct InitArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

impl ConfigArgs {
    /// Reads the file.
    ///
    /// # Errors
    /// With all mistakes in it (usage), and when it cannot be read.
    pub(super) fn read(&self) -> Result<Config> {
        let file = shown(&self.file);
        let folder = file.parent().unwrap_or(Path::new(""));
        let read = Config::read(file, &|key, url| place(key, url, folder));
        read.map_err(|e| match file.exists() {
            true => e,
            false => e.help("`binsync init` writes an example; --config names another file"),
        })
    }
}

/// A file here is shown by its name.
fn shown(file: &Path) -> &Path {
    file.strip_prefix(".").unwrap_or(file)
}

/// What a URL of the file names.
fn place(key: &str, url: &str, folder: &Path) -> Result<Place> {
    if let Some(file) = target::sqlite_file(key, url)? {
        let identity = folder.join(file).to_string_lossy().into_owned();
        return Ok(Place { identity, holds_password: false });
    }
    if !server::is_server(url) {
        return Err(Error::usage(format!("{key}: is no database URL"))
            .help("write it as mysql://user@host:port or sqlite:FILE"));
    }
    server::named(key, url)
}

/// Runs `init`.
///
/// # Errors
/// When there is such a file (usage), or it cannot be written.
pub fn init(global: &Global, args: &InitArgs) -> Result<u8> {
    let file = shown(&args.config.file);
    // Never over a file: what somebody wrote is not ours.
    let made = std::fs::OpenOptions::new().write(true).create_new(true).open(file);
    if made.as_ref().is_err_and(|e| e.kind() == std::io::ErrorKind::AlreadyExists) {
        return Err(Error::usage(format!(
            "{}: is there already, nothing was written",
            file.display()
        ))
        .help("`binsync config check` says what is wrong with it"));
    }
    let mut made = made.context(file.display())?;
    made.write_all(EXAMPLE.as_bytes()).and_then(|()| made.sync_all()).context(file.display())?;
    Output::new("written", global.quiet).finish(&format!(
        "{} is an example: make it yours, then run `binsync config check`",
        file.display()
    ));
    Ok(DONE)
}

/// Runs `config …`.
///
/// # Errors
/// With all mistakes in the file (usage), and when a spool cannot be read.
pub fn run(global: &Global, command: &ConfigCommand) -> Result<u8> {
    let ConfigCommand::Check(args) = command;
    let config = args.config.read()?;
    let found = if args.connect { connect::check(&config)? } else { 0 };
    if found > 0 {
        return Ok(DIFFERS);
    }
    let output = Output::new("checked", global.quiet);
    let syncs: Vec<String> = config.syncs.iter().map(described).collect();
    output.finish(&format!(
        "{}: nothing is wrong with it: {}, {}, {}{}",
        shown(&args.config.file).display(),
        counted(config.sources.len() as u64, "source"),
        counted(config.targets.len() as u64, "target"),
        counted(syncs.len() as u64, "sync"),
        syncs.concat(),
    ));
    Ok(DONE)
}

fn described(sync: &Sync) -> String {
    let routes = counted(sync.routes.len() as u64, "route");
    let Sync { name, from, .. } = sync;
    format!("\n  {name}: {}, {routes}, to {}", from.join(", "), sync.targets().join(", "))
}
