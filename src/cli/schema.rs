//! `schema add` and `schema show`: table definitions that the stream does not tell.

use clap::{Args, Subcommand};

use super::server::{TlsArgs, server};
use super::{DONE, Global, line, print};
use crate::error::{Error, Result};
use crate::event::def::TableDef;
use crate::event::{TableName, printable};
use crate::mysql::server::Server;
use crate::replay::Definitions;
use crate::replay::snapshot::Snapshot;
use crate::source;
use crate::spool::{self, Spool};

/// What to do with definitions.
#[derive(Subcommand, Debug)]
pub enum SchemaCommand {
    /// Store the definitions of a server's tables (and its version) in the spool
    Add(AddArgs),
    /// Show the definitions in force at the end of the spool
    Show(ShowArgs),
}

/// Arguments of `schema add`.
#[derive(Args, Debug)]
pub struct AddArgs {
    /// The source server, as mysql://user:password@host:port
    #[arg(long, value_name = "URL", env = "BINSYNC_SCHEMA_FROM", hide_env_values = true)]
    from: String,
    /// File that holds the server's password
    #[arg(long, value_name = "FILE", env = "BINSYNC_PASSWORD_FILE")]
    password_file: Option<std::path::PathBuf>,
    #[command(flatten)]
    tls: TlsArgs,
}

/// Arguments of `schema show`.
#[derive(Args, Debug)]
pub struct ShowArgs {
    /// Only tables that match, as 'shop.*'
    #[arg(long = "table", value_name = "GLOB")]
    tables: Vec<String>,
}

/// Runs `schema …`.
///
/// # Errors
/// When the server or the spool cannot be read.
pub fn run(global: &Global, command: &SchemaCommand) -> Result<u8> {
    match command {
        SchemaCommand::Add(args) => {
            let file = args.password_file.as_deref();
            add(global, &server("--from", &args.from, file, &args.tls)?)
        }
        SchemaCommand::Show(args) => show(global, args),
    }
}

/// Stores a snapshot of a server's definitions at the end of the spool.
///
/// # Errors
/// When the server cannot be read or the snapshot not stored.
pub fn add(global: &Global, server: &Server) -> Result<u8> {
    let told = source::told::snapshot(server)?;
    let mut snapshot = Snapshot::new(&told.version, told.tables, told.foreign_keys);
    // A snapshot may be stored before the first message is.
    let mut seq = 1;
    if global.spool.join("index.sqlite").exists() {
        let spool = Spool::open(&global.spool)?;
        seq = spool.end()?.next;
        snapshot.after = spool.landmark(seq)?;
    }
    spool::add_snapshot(&global.spool, seq, &snapshot.to_bytes()?)?;
    line(&format!(
        "stored the definitions of {} tables of {} at message {seq}",
        snapshot.tables.len(),
        snapshot.server
    ));
    for fault in told.faults {
        line(&format!("the source has {fault}"));
    }
    Ok(DONE)
}

fn show(global: &Global, args: &ShowArgs) -> Result<u8> {
    let spool = Spool::open(&global.spool)?;
    let definitions = Definitions::load(&spool)?;
    let filter = crate::filter::Filter::new(&args.tables, &[], &[], &[])?;
    let tables = definitions.history.tables(spool.end()?.next);
    let mut names: Vec<TableName> = tables.iter().map(|def| def.name()).collect();
    names.extend(spool.tables()?);
    filter.check_tables(&names)?;
    let tables = tables.iter().filter(|def| filter.takes_table(&def.name()));
    for def in tables {
        let text = match global.json {
            true => serde_json::to_string(def.as_ref())
                .map_err(|e| Error::failed(format!("definition as JSON: {e}")))?,
            false => in_words(def),
        };
        if !print(&(text + "\n"))? {
            break;
        }
    }
    Ok(DONE)
}

fn in_words(def: &TableDef) -> String {
    let mut text = format!("{}\n", def.name());
    for column in &def.columns {
        let flags = [
            (def.primary_key.contains(&column.name), "primary key"),
            (column.unsigned, "unsigned"),
            (column.generated, "generated"),
            (column.on_update, "on update"),
        ];
        let flags: Vec<&str> = flags.iter().filter(|f| f.0).map(|f| f.1).collect();
        let [name, kind] = [&column.name, &column.type_name].map(|text| printable(text));
        text.push_str(&format!("  {name}  {kind}  {}\n", flags.join(", ")));
    }
    if !def.complete {
        text.push_str("  (generated and ON UPDATE columns are not known: binsync schema add)\n");
    }
    text.trim_end().to_owned()
}
