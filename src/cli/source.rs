//! The source that is recorded, of commands that ask it.

use clap::Args;

use super::server::{TlsArgs, server};
use crate::error::Result;
use crate::mysql::server::Server;

/// The source.
#[derive(Args, Debug)]
pub struct SourceArgs {
    /// The server that is recorded: mysql://user:password@host:port
    ///
    /// With ?ssl-mode=…, ssl-ca=…, ssl-cert=… and ssl-key=… as for the target.
    #[arg(long, value_name = "URL", env = "BINSYNC_SOURCE", hide_env_values = true)]
    source: String,
}

impl SourceArgs {
    /// Where it is.
    ///
    /// # Errors
    /// When the URL cannot be meant (usage).
    pub(super) fn server(&self) -> Result<Server> {
        server("--source", &self.source, None, &TlsArgs::default())
    }
}
