//! A server: where it is, who logs in, and how the way to it is kept private.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::tls;
pub use super::tls::{Encryption, Identity};
use crate::error::Result;

/// A server to connect to.
#[derive(Clone)]
pub struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: Option<String>,
    /// The server may say by which key the password is to be encrypted, where the way is not.
    pub(crate) asks_key: bool,
    pub(crate) tls: Option<Tls>,
}

/// TLS, as it is to be with a server.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) client: tls::Client,
    /// Without TLS there is no connection.
    pub(crate) must: bool,
    /// The server has said that it offers none.
    none: Arc<AtomicBool>,
}

/// Who logs in.
pub struct Login {
    /// The user.
    pub user: String,
    /// The password, if there is one.
    pub password: Option<String>,
    /// Where the way is not encrypted, the server is asked for the key by which
    /// caching_sha2_password encrypts the password; whoever takes the server's place then reads it.
    pub asks_key: bool,
}

impl Server {
    /// A server that is not connected to yet.
    ///
    /// # Errors
    /// When a file of certificates or of a key cannot be used (usage).
    pub fn new(
        (host, port): (String, u16),
        Login { user, password, asks_key }: Login,
        encryption: &Encryption,
        identity: Option<&Identity>,
    ) -> Result<Self> {
        let tls = match encryption {
            Encryption::Disabled => None,
            _ => Some(Tls {
                client: tls::Client::new(&host, encryption, identity)?,
                must: *encryption != Encryption::Preferred,
                none: Arc::default(),
            }),
        };
        Ok(Self { host, port, user, password, asks_key, tls })
    }

    /// `host:port`.
    pub(crate) fn place(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// TLS, unless there is to be none, or the server is known to offer none and may.
    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref().filter(|tls| tls.must || !tls.none.load(Ordering::Relaxed))
    }
}

impl Tls {
    /// Remembers that the server offers none, so that it is not asked with each connection.
    pub(crate) fn is_not_offered(&self) {
        self.none.store(true, Ordering::Relaxed);
    }
}
