//! The command line: arguments in, a flow run, an exit status out.
//!
//! Data goes to stdout, everything else to stderr. A reader that went away (`| head`) is no error.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::error::{Error, Result};
use crate::spool;

mod check;
pub mod compare;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod duration;
pub mod export;
mod facts;
mod gauges;
mod given;
mod global;
pub mod history;
pub mod import;
pub mod ingest;
pub mod inspect;
pub mod maintain;
pub mod merge;
mod notify;
pub mod output;
pub mod pulse;
pub mod replay;
pub mod runs;
pub mod schema;
pub mod search;
mod secret;
pub mod select;
pub mod server;
pub mod shell;
mod signals;
pub mod size;
pub mod source;
pub mod standing;
pub mod stats;
mod status;
mod stdio;
mod sync;
pub mod target;
pub mod time;
pub mod wait;
mod words;

pub use global::Global;
pub use signals::stop_flag;
pub use status::{DIFFERS, DONE, FAILED, STOPPED, USAGE};
pub use stdio::{line, print};

const EXIT_HELP: &str = "\
Exit status:
  0  done
  1  failed
  2  wrong usage
  3  finished, but something differs (damaged messages, gaps, skipped conflicts)
  4  stopped before the end; run it again, it goes on";

/// Records MySQL row changes that Maxwell publishes, and replays them, forward or as flashback.
#[derive(Parser)]
#[command(name = "binsync", version = env!("BINSYNC_VERSION"), after_help = EXIT_HELP, max_term_width = 100)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// Shows an accident and its repair on a recording, in a temporary folder; no server needed
    Demo(demo::DemoArgs),
    /// Drains a RabbitMQ queue into the spool
    Capture(ingest::CaptureArgs),
    /// Reads files of Maxwell JSON lines into the spool
    Import(import::ImportArgs),
    /// Puts spools that captures made side by side together, in the source's order
    Merge(merge::MergeArgs),
    /// Replays the spool into a database, or takes transactions back there
    Apply(Box<replay::apply::ApplyArgs>),
    /// Keeps the targets of a sync of the file binsync.toml like its sources, from the first row on
    Sync(replay::apply::SyncArgs),
    /// Writes the spool as SQL for the stock client
    Render(replay::render::RenderArgs),
    /// Lists transactions: time, number, position, rows per table and kind
    Log(inspect::LogArgs),
    /// Draws rows per table and kind over time
    Stats(stats::StatsArgs),
    /// Shows every version of one row, with what changed
    History(history::HistoryArgs),
    /// Finds text in the rows' values
    Search(search::SearchArgs),
    /// Writes the selected events as JSON lines, CSV or for Elasticsearch
    Export(export::ExportArgs),
    /// Shows where the spool and its runs stand; status 3 when somebody has to see to something
    Status(standing::StatusArgs),
    /// Returns when a run has applied all that the source has committed by now
    Wait(wait::WaitArgs),
    /// Compares the tables of the source with those that a run writes; status 3 when they differ
    Compare(Box<compare::CompareArgs>),
    /// Checks producer, tables, target and broker for what is lost or will not run; status 3 when
    /// something is
    Doctor(doctor::DoctorArgs),
    /// Forgets runs that are over and done; `status` lists them
    #[command(subcommand)]
    Runs(runs::RunsCommand),
    /// Writes an example of the file binsync.toml
    Init(config::InitArgs),
    /// Checks the file binsync.toml
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Stores and shows table definitions
    #[command(subcommand)]
    Schema(schema::SchemaCommand),
    /// Shows and checks the files of the spool
    #[command(subcommand)]
    Spool(maintain::SpoolCommand),
    /// Writes what a shell needs to complete this command line
    Completions(shell::CompletionsArgs),
    /// Writes a manual page
    Man(shell::ManArgs),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    ExitCode::from(run(Cli::parse()).unwrap_or_else(|error| report(&error)))
}

/// Runs a command and gives its exit status.
fn run(Cli { global, command }: Cli) -> Result<u8> {
    let (key, keys) = secret::keys(global.key_file.as_deref())?;
    if let Some(key) = key {
        spool::decrypt_with(key);
    }
    match command {
        Command::Demo(args) => demo::demo(&global, &args, run_words),
        Command::Capture(args) => ingest::capture(&global, args),
        Command::Import(args) => import::import(&global, &args, keys),
        Command::Merge(args) => merge::merge(&global, &args),
        Command::Apply(args) => replay::apply::apply(&global, &args),
        Command::Sync(args) => replay::apply::sync(&global, &args),
        Command::Render(args) => replay::render::render(&global, &args),
        Command::Log(args) => inspect::log(&global, &args),
        Command::Stats(args) => stats::stats(&global, &args),
        Command::History(args) => history::history(&global, &args),
        Command::Search(args) => search::search(&global, &args),
        Command::Export(args) => export::export(&global, &args),
        Command::Status(args) => standing::status(&global, &args),
        Command::Wait(args) => wait::wait(&global, &args),
        Command::Compare(args) => compare::compare(&global, &args),
        Command::Doctor(args) => doctor::doctor(&global, &args),
        Command::Runs(command) => runs::run(&global, &command),
        Command::Init(args) => config::init(&global, &args),
        Command::Config(command) => config::run(&global, &command),
        Command::Completions(args) => shell::completions(&args, Cli::command()),
        Command::Man(args) => shell::man(&args, Cli::command()),
        Command::Schema(command) => schema::run(&global, &command),
        Command::Spool(command) => maintain::run(&global, command),
    }
}

/// Runs a command line of these words.
fn run_words(words: &[&str]) -> Result<u8> {
    run(Cli::try_parse_from(words).map_err(|error| Error::failed(error.to_string()))?)
}

/// Shows an error and gives its exit status.
fn report(error: &Error) -> u8 {
    line(&format!("binsync: {}", words::text(&error.words())));
    status::of(error)
}
