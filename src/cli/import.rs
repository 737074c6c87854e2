//! `import`: files of messages, and binlogs of the server.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::ingest::{close, open};
use super::output::Output;
use super::server::{TlsArgs, server};
use super::{DIFFERS, Global, check, given, stop_flag};
use crate::binlog::{Keys, Reader};
use crate::capture;
use crate::capture::import::Input;
use crate::error::{Error, Result};

const IMPORT_EXAMPLES: &str = "\
Examples:
  binsync import changes.jsonl older/*.jsonl.zst
  zcat changes.jsonl.gz | binsync import -
  binsync import --schema dump.sql mysql-bin.0001*
  binsync import --check mysql-bin.0001*        what would come, and what not; stores nothing

A file is known by its first 64 KiB: imported again it adds nothing, grown it is gone on with,
whatever its name. Stdin cannot be gone on with: it is stored again and marked as re-sent.
A file whose first lines are no messages is refused. Blank lines are passed over.
A binlog of the server is told by its first bytes; several are read in the order of their numbers.
An encrypted one takes the server's own file of keys (--key-file): MySQL's component_keyring_file,
MariaDB's file_key_management.
`zstd -dc SPOOL/*.zst` prints what was imported (a last line without line end gets one).";

/// Arguments of `import`.
#[derive(Args)]
#[command(after_help = IMPORT_EXAMPLES)]
pub struct ImportArgs {
    /// Files of one JSON message a line, or binlogs of the server: plain, .gz or .zst; - is stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Definitions of the tables where binlogs begin: a dump with their CREATE TABLE statements
    ///
    /// Needed for tables whose names of columns a log does not have (binlog_row_metadata is not FULL), and
    /// that are not created in it. If the dump says which place of the binlog it is of, it counts from there.
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// The same from the server that wrote the binlogs, as it has its tables now
    ///
    /// A definition holds back to the last statement in the files that changed its table. They have to reach to
    /// where the server is.
    #[arg(long, value_name = "URL", conflicts_with = "schema")]
    schema_from: Option<String>,
    /// Name that the server gave a binlog which comes from stdin, or under another name
    #[arg(long, value_name = "NAME")]
    binlog_name: Option<String>,
    /// Tell what would come of binlogs, and what not; store nothing
    #[arg(long, conflicts_with = "force")]
    check: bool,
    /// Store a file although more than a tenth of its lines is no message
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    tls: TlsArgs,
}

/// Runs `binsync import`.
pub fn import(global: &Global, args: &ImportArgs, keys: Keys) -> Result<u8> {
    let stop = stop_flag()?;
    let output = Output::new("imported", global.quiet);
    let name = args.binlog_name.as_deref();
    let keys = Arc::new(keys);
    let reader = match &args.schema_from {
        Some(url) => {
            let server = server("--schema-from", url, None, &args.tls)?;
            given::by_server(&server, &args.files, name, &keys, &stop)?
        }
        None if args.tls.any() => {
            return Err(Error::usage("the --ssl flags are for --schema-from"));
        }
        None => {
            let dump = args.schema.as_deref().map(given::by_file).transpose()?;
            Reader::new(dump, keys.clone())
        }
    };
    if args.check {
        return check::check(global, &args.files, name, reader, &keys, &stop);
    }
    let inputs = args.files.iter().map(|file| Input::open(file, args.force, name, &keys));
    let (inputs, binlogs) = capture::import::sorted(inputs.collect::<Result<Vec<_>>>()?);
    if name.is_some() && (binlogs.len() != 1 || !inputs.is_empty()) {
        return Err(Error::usage("--binlog-name is for one binlog alone"));
    }
    let mut spool = open(&global.spool, &output)?;
    let mut inputs = inputs.into_iter();
    let imported =
        inputs.try_for_each(|input| capture::import::import(&mut spool, input, &stop, &output));
    let imported = imported
        .and_then(|()| capture::binlog::import(&mut spool, binlogs, reader, &stop, &output));
    let differs = matches!(imported, Ok(true));
    let code = close(spool, &global.spool, "imported", &output, imported.map(drop))?;
    Ok(if differs { DIFFERS } else { code })
}
