//! Arguments that every command takes.

use std::path::PathBuf;

use clap::Args;

/// What holds for every command.
#[derive(Args, Clone)]
pub struct Global {
    /// Folder the stream is kept in
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "BINSYNC_SPOOL",
        default_value = "./spool"
    )]
    pub spool: PathBuf,
    /// File of the producer's secret_key, where it encrypts (BINSYNC_KEY holds the key itself), or of a
    /// server's keys, where it encrypts its binlogs
    #[arg(long, global = true, value_name = "FILE", env = "BINSYNC_KEY_FILE")]
    pub key_file: Option<PathBuf>,
    /// No progress, no summary; errors and warnings only
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Data as JSON
    #[arg(long, global = true)]
    pub json: bool,
}
