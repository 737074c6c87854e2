//! The source that is recorded, of commands that ask it.

use clap::Args;

use super::server::{TlsArgs, server};
use crate::error::Result;
use crate::mysql::server::Server;

/// The source, of a command that takes a sync of a file instead, too.
#[derive(Args, Debug)]
pub struct SourceArgs {
    /// The server that is recorded: mysql://user:password@host:port
    ///
    /// With ?ssl-mode=…, ssl-ca=…, ssl-cert=… and ssl-key=… as for the target.
    #[arg(
        long,
        value_name = "URL",
        env = "BINSYNC_SOURCE",
        hide_env_values = true,
        required_unless_present = "sync"
    )]
    source: Option<String>,
}

impl SourceArgs {
    /// Where it is.
    ///
    /// # Errors
    /// When the URL cannot be meant (usage).
    pub(super) fn server(&self) -> Result<Server> {
        server("--source", self.source.as_deref().unwrap_or_default(), None, &TlsArgs::default())
    }
}
