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
    /// No progress, no summary; errors and warnings only
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Data as JSON
    #[arg(long, global = true)]
    pub json: bool,
}
