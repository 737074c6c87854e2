//! A TCP proxy between the tool and a server: it makes the way longer, or cuts it.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

/// Bytes and the moment at which they arrive at the other end.
type Late = (Instant, Vec<u8>);

/// Pieces on the way in one direction; a sender waits when there are more.
const ON_THE_WAY: usize = 1024;

/// Forwards connections to one port of this machine. Ends, with all its connections, when dropped.
pub struct Proxy {
    pub port: u16,
    shared: Arc<Shared>,
}

/// One direction.
#[derive(Default)]
struct Way {
    /// Microseconds.
    delay: AtomicU64,
    /// Bytes that were read to be passed on.
    carried: AtomicU64,
}

#[derive(Default)]
struct Shared {
    to_server: Way,
    to_client: Way,
    open: Mutex<Vec<TcpStream>>,
    closed: AtomicBool,
    /// How often it was frozen: connections from before carry nothing any more.
    frozen: AtomicU64,
}

impl Proxy {
    pub fn start(to_port: u16) -> Proxy {
        Proxy::start_at(0, to_port)
    }

    /// The same, reached at this port.
    pub fn start_at(port: u16, to_port: u16) -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let own = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                if own.closed.load(Ordering::SeqCst) {
                    return;
                }
                // A server that is down: the client is dropped, as it would be without a proxy.
                if let Ok(server) = TcpStream::connect(("127.0.0.1", to_port)) {
                    own.join(client.unwrap(), server);
                }
            }
        });
        Proxy { port, shared }
    }

    /// Makes each piece late from now on, each direction by its own time. What is sent in one go arrives in one go: the
    /// order stays, and the delay is that of a longer wire, not of a slower one.
    pub fn delay(&self, to_server: Duration, to_client: Duration) {
        self.shared.to_server.delay.store(to_server.as_micros() as u64, Ordering::SeqCst);
        self.shared.to_client.delay.store(to_client.as_micros() as u64, Ordering::SeqCst);
    }

    /// Drops every connection of this moment, both ends at once and what is on the way; new ones are taken as before.
    /// Returns how many there were.
    pub fn cut(&self) -> usize {
        let ends = std::mem::take(&mut *self.shared.open.lock().unwrap());
        // Those that had ended by themselves no longer have a peer; of the others the second end may be closed already
        // by the threads that carry what comes from the first.
        let dropped = |end: &TcpStream| end.shutdown(Shutdown::Both).is_ok();
        let live = |pair: &&[TcpStream]| pair.iter().filter(|end| dropped(end)).count() > 0;
        ends.chunks(2).filter(live).count()
    }

    /// Bytes that the server has sent over it so far.
    pub fn carried(&self) -> u64 {
        self.shared.to_client.carried.load(Ordering::SeqCst)
    }

    /// From now on the connections of this moment carry nothing, and neither end learns of it; new ones are taken as
    /// before.
    pub fn freeze(&self) {
        self.shared.frozen.fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        self.cut();
    }
}

impl Shared {
    fn join(self: &Arc<Shared>, client: TcpStream, server: TcpStream) {
        let ends = [&client, &server].map(|end| {
            end.set_nodelay(true).unwrap();
            end.try_clone().unwrap()
        });
        self.open.lock().unwrap().extend(ends);
        self.carry(client.try_clone().unwrap(), server.try_clone().unwrap(), |s| &s.to_server);
        self.carry(server, client, |shared| &shared.to_client);
    }

    /// One direction: a thread that reads, and one that writes what is due.
    fn carry(self: &Arc<Shared>, from: TcpStream, to: TcpStream, way: fn(&Shared) -> &Way) {
        let (sender, receiver) = sync_channel(ON_THE_WAY);
        let shared = self.clone();
        let born = self.frozen.load(Ordering::SeqCst);
        thread::spawn(move || {
            take(from, &sender, |length| {
                let (way, frozen) = (way(&shared), shared.frozen.load(Ordering::SeqCst));
                way.carried.fetch_add(length as u64, Ordering::SeqCst);
                (frozen == born).then(|| Duration::from_micros(way.delay.load(Ordering::SeqCst)))
            });
        });
        thread::spawn(move || give(to, &receiver));
    }
}

/// Reads and passes on, each piece with its delay; what has none goes nowhere.
fn take(mut from: TcpStream, sender: &SyncSender<Late>, delay: impl Fn(usize) -> Option<Duration>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match from.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return,
            Ok(length) => {
                let Some(delay) = delay(length) else { continue };
                let piece = (Instant::now() + delay, buffer[..length].to_vec());
                if sender.send(piece).is_err() {
                    return;
                }
            }
        }
    }
}

fn give(mut to: TcpStream, receiver: &Receiver<Late>) {
    for (due, bytes) in receiver {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    // The other end has closed or the connection is cut; a half-open connection is of no use to a database.
    let _ = to.shutdown(Shutdown::Both);
}
