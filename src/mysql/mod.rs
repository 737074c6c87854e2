//! The edge to MySQL and MariaDB servers that source and target share: connecting, TLS, what the
//! server's errors mean, what its information_schema tells.

pub(crate) mod connect;
pub(crate) mod definitions;
pub(crate) mod foreign_keys;
pub(crate) mod position;
pub mod server;
pub(crate) mod tls;
mod tunnel;
