//! What the service manager is told, where there is one that listens (systemd, `Type=notify`).

use std::io;
use std::os::unix::net::UnixDatagram;

/// Tells it; that it cannot be told does no harm to the run.
pub(super) fn notify(what: &str) {
    if let Some(socket) = std::env::var_os("NOTIFY_SOCKET") {
        let _ = send(&socket.to_string_lossy(), what);
    }
}

fn send(socket: &str, what: &str) -> io::Result<()> {
    let from = UnixDatagram::unbound()?;
    from.set_nonblocking(true)?;
    #[cfg(target_os = "linux")]
    if let Some(name) = socket.strip_prefix('@') {
        use std::os::linux::net::SocketAddrExt as _;
        let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
        return from.send_to_addr(what.as_bytes(), &address).map(|_| ());
    }
    from.send_to(what.as_bytes(), socket).map(|_| ())
}
