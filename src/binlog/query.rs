//! QUERY: a statement's text, and what of its session it takes to read it.

use super::bytes::{Bytes, Read};
use super::charset::{self, Charset};
use super::packed;

/// A QUERY event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    /// The connection that ran it.
    pub(super) thread: u32,
    /// Its session's database; empty where it had none.
    pub(super) database: String,
    pub(super) sql: String,
    /// The server's own character set then, which a database gets where none is written.
    pub(super) server_charset: Option<&'static str>,
}

/// What the status variables tell.
#[derive(Default)]
struct Session {
    client: Option<u16>,
    server: Option<u16>,
}

impl Query {
    /// Reads an event; `compressed`: MariaDB has packed the text.
    pub(super) fn read(body: &[u8], compressed: bool) -> Read<Self> {
        let mut bytes = Bytes::new(body);
        let thread = bytes.u32()?;
        bytes.take(4)?;
        let database = usize::from(bytes.byte()?);
        bytes.take(2)?;
        let status = usize::from(bytes.u16()?);
        let session = session(bytes.part(status)?);
        let database = bytes.take(database)?;
        bytes.take(1)?;
        let unpacked;
        let sql = match compressed {
            true => {
                unpacked = packed::unpack(bytes.rest())?;
                &unpacked
            }
            false => bytes.rest(),
        };
        let name = |number: Option<u16>| number.and_then(|n| charset::of_collation(n.into()));
        // Old servers do not tell it; what is no UTF-8 then is not read.
        let client = Charset::named(name(session.client).unwrap_or("utf8mb4"));
        let utf8 = || std::str::from_utf8(sql).ok().map(Into::into);
        let sql = client.text(sql).or_else(utf8).ok_or("a statement's text is not readable")?;
        let database = std::str::from_utf8(database).map_err(|_| "a name is no UTF-8")?;
        Ok(Self {
            thread,
            database: database.to_owned(),
            sql: sql.into_owned(),
            server_charset: name(session.server),
        })
    }
}

/// Reads status variables up to the first that is not known: no length tells what follows it.
fn session(mut bytes: Bytes<'_>) -> Session {
    let mut session = Session::default();
    while let Ok(code) = bytes.byte() {
        let passed = match code {
            0 | 3 | 10 => bytes.take(4).map(drop),
            1 | 9 => bytes.take(8).map(drop),
            2 => bytes.byte().and_then(|len| bytes.take(usize::from(len) + 1)).map(drop),
            4 => {
                let Ok([client, _, server]) = numbers(&mut bytes) else { return session };
                (session.client, session.server) = (Some(client), Some(server));
                return session;
            }
            5 | 6 => bytes.byte().and_then(|len| bytes.take(len.into())).map(drop),
            7 | 8 => bytes.take(2).map(drop),
            _ => return session,
        };
        if passed.is_err() {
            return session;
        }
    }
    session
}

fn numbers(bytes: &mut Bytes<'_>) -> Read<[u16; 3]> {
    Ok([bytes.u16()?, bytes.u16()?, bytes.u16()?])
}
