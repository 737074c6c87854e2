//! Where an apply stands, as the target has it; read over one connection, so that it can be asked many times a second.

use super::servers::Server;
use mysql::{Conn, OptsBuilder, prelude::Queryable};

/// Sums over all runs on that server; equal when nothing was committed in between.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Up to where whole windows are committed.
    seq: u64,
    /// Parts of the open window that are committed.
    chunks: u64,
}

/// Asks one server.
pub struct Progress<'s> {
    server: &'s Server,
    connection: Option<Conn>,
}

impl<'s> Progress<'s> {
    pub fn of(server: &'s Server) -> Progress<'s> {
        Progress { server, connection: None }
    }

    /// `None` before a run has begun, and while the server is down.
    pub fn read(&mut self) -> Option<Standing> {
        if self.connection.is_none() {
            let server = self.server;
            let options = OptsBuilder::new()
                .ip_or_hostname(Some(server.host.clone()))
                .tcp_port(server.port)
                .prefer_socket(false)
                .user(Some(server.user.clone()))
                .pass(Some(server.password.clone()));
            self.connection = Conn::new(options).ok();
        }
        let standing = self.connection.as_mut()?.query_first(
            "SELECT CAST(SUM(seq) AS UNSIGNED), (SELECT COUNT(*) FROM binsync.chunk) FROM binsync.progress",
        );
        match standing {
            Ok(row) => row
                .and_then(|(seq, chunks): (Option<u64>, u64)| Some(Standing { seq: seq?, chunks })),
            // No such table yet.
            Err(mysql::Error::MySqlError(_)) => None,
            Err(_) => {
                self.connection = None;
                None
            }
        }
    }
}
