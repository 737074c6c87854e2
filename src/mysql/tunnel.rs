//! The driver's connection to a server through TLS.
//!
//! The driver asks for TLS as a client that knows nothing of MariaDB: the server takes a client's
//! capabilities from that request and no later packet, so bulk execute was refused (1295). And it
//! trusts every public CA beside the one it is given. So TLS is spoken here, and the driver has the
//! plain half of it: a socket in a folder that only we can enter. Its own first packet says what it
//! can; the request for TLS is made of that. Packets are numbered one higher on the far side, until
//! the login is over; from then on each command begins at 0.

use std::fmt::Display;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use mysql::consts::CapabilityFlags;
use mysql::{Conn, OptsBuilder};
use mysql_common::io::ParseBuf;
use mysql_common::packets::{ErrPacket, HandshakePacket};
use rustls::{ClientConnection, StreamOwned};

use super::server::{Server, Tls};
use super::tls::{Client, refused};
use crate::error::{Context as _, Error, ErrorKind, Means, Result};
use crate::event::printable;

/// A server that does not answer is not waited for longer.
pub(crate) const CONNECT_TIME: Duration = Duration::from_secs(10);
/// No packet of a login is longer.
const LOGIN_BYTES: usize = 1 << 16;
/// The part of the driver's first packet that asks for TLS.
const REQUEST_BYTES: usize = 32;
const BUFFER_BYTES: usize = 1 << 16;

/// A server that has greeted us and offers TLS.
pub(crate) struct Line {
    far: TcpStream,
    greeting: Vec<u8>,
    client: Client,
    place: String,
}

/// Connects as far as the server's greeting. `None` when it offers no TLS and need not.
///
/// # Errors
/// When there is no server, or TLS is a must and it offers none.
pub(crate) fn dial(server: &Server, tls: &Tls) -> Result<Option<Line>> {
    let place = server.place();
    let mut far = reach(server).map_err(|e| lost(&place, e))?;
    let (_, greeting) = read_packet(&mut far).map_err(|e| match is_silence(&e) {
        true => lost(&place, "it says nothing"),
        false => lost(&place, e),
    })?;
    if greeting.first() == Some(&0xff) {
        let said = ParseBuf(&greeting).parse::<ErrPacket<'_>>(CapabilityFlags::empty());
        let said = said.map_or_else(|e| e.to_string(), |e| e.to_string());
        return Err(lost(&place, printable(&said)));
    }
    let hello = ParseBuf(&greeting).parse::<HandshakePacket<'_>>(());
    let hello = hello.map_err(|e| lost(&place, e))?;
    if hello.capabilities().contains(CapabilityFlags::CLIENT_SSL) {
        let client = tls.client.clone();
        return Ok(Some(Line { far, greeting, client, place }));
    }
    if tls.must {
        return Err(Error::failed(format!("{place}: the server offers no TLS")).help((
            "set it up there (ssl_cert, ssl_key), or connect with {} disabled",
            [Means::SslMode],
        )));
    }
    tls.is_not_offered();
    Ok(None)
}

/// There is no way to the server, or it does not answer.
pub(crate) fn lost(place: &str, why: impl Display) -> Error {
    Error::new(ErrorKind::Lost, format!("{place}: cannot connect: {why}"))
        .help("check host, port and that the server runs")
}

/// The other side was given its time, and said nothing.
fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn reach(server: &Server) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (server.host.as_str(), server.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_TIME) {
            Ok(far) => {
                far.set_nodelay(true)?;
                far.set_read_timeout(Some(CONNECT_TIME))?;
                return Ok(far);
            }
            Err(e) => last = e,
        }
    }
    Err(last)
}

impl Line {
    /// Logs the driver in by way of TLS. The inner error is the driver's.
    ///
    /// # Errors
    /// When the certificate is not as asked for, or either side leaves.
    pub(crate) fn login(self, opts: OptsBuilder) -> Result<Result<Conn, mysql::Error>> {
        let folder = tempfile::Builder::new().prefix("binsync-").tempdir();
        let folder = folder.context("a folder for the connection's socket")?;
        let socket = folder.path().join("s");
        let listener = UnixListener::bind(&socket).context(socket.display());
        let listener =
            listener.map_err(|e| e.help("set TMPDIR to a folder with a shorter name"))?;
        let (report, reported) = mpsc::channel();
        thread::spawn(move || {
            let Ok((near, _)) = listener.accept() else { return };
            match self.relay(&near) {
                Ok(Some(tls)) => carry(near, tls),
                Ok(None) => {}
                // Told before the driver sees its end.
                Err(e) => drop(report.send(e)),
            }
        });
        let socket = socket.to_string_lossy().into_owned();
        let made = Conn::new(opts.socket(Some(socket)));
        match reported.try_recv() {
            Ok(error) if made.is_err() => Err(error),
            _ => Ok(made),
        }
    }

    /// Carries the login. `None` when the server refuses it.
    fn relay(
        self,
        mut near: &UnixStream,
    ) -> Result<Option<StreamOwned<ClientConnection, TcpStream>>> {
        let Self { mut far, greeting, client, place } = self;
        let broken = |e: io::Error| match is_silence(&e) {
            true => lost(&place, "it says nothing"),
            false => refused(&place, &e),
        };
        write_packet(&mut near, 0, &greeting).map_err(broken)?;
        let (seq, mut first) = read_packet(&mut near).map_err(broken)?;
        let Some(flags) = first.get_mut(1).filter(|_| greeting.len() >= REQUEST_BYTES) else {
            return Err(Error::failed(format!("{place}: the login's first packet is too short")));
        };
        *flags |= (CapabilityFlags::CLIENT_SSL.bits() >> 8) as u8;
        let request = first.get(..REQUEST_BYTES).unwrap_or(&first);
        write_packet(&mut far, seq, request).map_err(broken)?;
        let mut tls = StreamOwned::new(client.begin()?, far);
        write_packet(&mut tls, seq.wrapping_add(1), &first).map_err(broken)?;
        loop {
            let (seq, answer) = read_packet(&mut tls).map_err(broken)?;
            write_packet(&mut near, seq.wrapping_sub(1), &answer).map_err(broken)?;
            match answer[..] {
                [0x00, ..] => {
                    tls.sock.set_read_timeout(None).map_err(broken)?;
                    return Ok(Some(tls));
                }
                [0xff, ..] | [] => return Ok(None),
                // caching_sha2_password: the password is known, the server goes on by itself.
                [0x01, 0x03] => {}
                _ => {
                    let (seq, reply) = read_packet(&mut near).map_err(broken)?;
                    write_packet(&mut tls, seq.wrapping_add(1), &reply).map_err(broken)?;
                }
            }
        }
    }
}

/// A packet's number and what it holds.
fn read_packet(from: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 4];
    from.read_exact(&mut head)?;
    let [a, b, c, seq] = head;
    let length = u32::from_le_bytes([a, b, c, 0]) as usize;
    if length > LOGIN_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "no server of MySQL's protocol"));
    }
    let mut packet = vec![0; length];
    from.read_exact(&mut packet)?;
    Ok((seq, packet))
}

fn write_packet(to: &mut impl Write, seq: u8, packet: &[u8]) -> io::Result<()> {
    let [a, b, c, ..] = (packet.len() as u32).to_le_bytes();
    to.write_all(&[&[a, b, c, seq], packet].concat())?;
    to.flush()
}

/// Carries everything from here on, until one of the ends closes; the other learns of it.
fn carry(near: UnixStream, tls: StreamOwned<ClientConnection, TcpStream>) {
    let (tls, far) = tls.into_parts();
    let tls = Arc::new(Mutex::new(tls));
    let (Ok(near_up), Ok(far_up)) = (near.try_clone(), far.try_clone()) else { return };
    let tls_up = tls.clone();
    thread::spawn(move || {
        let _ = up(&near_up, &far_up, &tls_up);
        let _ = far_up.shutdown(Shutdown::Both);
    });
    let _ = down(&near, &far, &tls);
    let _ = near.shutdown(Shutdown::Both);
    let _ = far.shutdown(Shutdown::Both);
}

type Shared = Mutex<ClientConnection>;

fn lock(tls: &Shared) -> MutexGuard<'_, ClientConnection> {
    tls.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the driver says. The lock is held while it is sent: a server reads a command to its end
/// before it answers, so nobody waits for the other direction meanwhile.
fn up(mut near: &UnixStream, mut far: &TcpStream, tls: &Shared) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = near.read(&mut buffer)?;
        let mut tls = lock(tls);
        match read {
            0 => tls.send_close_notify(),
            n => tls.writer().write_all(&buffer[..n])?,
        }
        while tls.wants_write() {
            tls.write_tls(&mut far)?;
        }
        if read == 0 {
            return Ok(());
        }
    }
}

/// What the server says.
fn down(mut near: &UnixStream, mut far: &TcpStream, tls: &Shared) -> io::Result<()> {
    let (mut buffer, mut plain) = (vec![0; BUFFER_BYTES], Vec::new());
    loop {
        let read = far.read(&mut buffer)?;
        let mut sealed = &buffer[..read];
        if read == 0 {
            return Ok(());
        }
        plain.clear();
        {
            let mut tls = lock(tls);
            while !sealed.is_empty() && tls.read_tls(&mut sealed)? > 0 {
                let state = tls.process_new_packets().map_err(io::Error::other)?;
                let ready = state.plaintext_bytes_to_read() as u64;
                tls.reader().take(ready).read_to_end(&mut plain)?;
            }
            while tls.wants_write() {
                tls.write_tls(&mut far)?;
            }
        }
        near.write_all(&plain)?;
    }
}
