//! How much may come in from the broker: bytes are read from the socket only when there is room
//! for them.
//!
//! The broker counts messages, not bytes, and the client reads whatever comes. So the socket
//! itself is held back: once what was allowed has been read, a read waits, and TCP makes the
//! broker wait. Memory is then bounded by what is allowed, whatever the messages' sizes.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use async_rs::{Runtime, Tokio};
use futures_lite::Stream;
use futures_lite::io::{AsyncRead, AsyncWrite, Cursor};
use lapin::uri::{AMQPScheme, AMQPUri};
use tokio::sync::Notify;

use super::tls;
use crate::source::queue::Tls;

/// The bytes that may still be read.
#[derive(Debug)]
pub(super) struct Gate {
    state: Mutex<State>,
    shut: Notify,
}

#[derive(Debug)]
struct State {
    allowed: usize,
    waiting: Option<Waker>,
}

impl Gate {
    /// An open gate.
    pub(super) fn open() -> Arc<Self> {
        let state = State { allowed: usize::MAX, waiting: None };
        Arc::new(Self { state: Mutex::new(state), shut: Notify::new() })
    }

    /// Lets so many bytes through from now on.
    pub(super) fn allow(&self, bytes: usize) {
        let waiting = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.allowed = bytes;
            state.waiting.take()
        };
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    /// Waits until a read found the gate shut.
    pub(super) async fn shut(&self) {
        self.shut.notified().await;
    }

    /// How many of `wanted` bytes may be read; with none, the reader is woken when more may.
    fn admits(&self, wanted: usize, reader: &Context<'_>) -> usize {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.allowed == 0 {
            state.waiting = Some(reader.waker().clone());
            self.shut.notify_one();
        }
        wanted.min(state.allowed)
    }

    fn passed(&self, bytes: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.allowed = state.allowed.saturating_sub(bytes);
    }
}

/// The client's runtime whose connections pass the gate.
pub(super) type Gated = RuntimeParts<Tokio, Sockets>;

/// The current runtime, with connections to that broker that pass the gate, by TLS where its URL
/// asks for it: the client's own TLS stays out, and takes what it gets for encrypted.
pub(super) fn runtime(broker: &AMQPUri, gate: Arc<Gate>, tls: &Tls) -> Runtime<Gated> {
    let tls =
        (broker.scheme == AMQPScheme::AMQPS).then(|| (broker.authority.host.clone(), tls.clone()));
    let sockets = Sockets { tokio: Tokio::current(), gate, tls };
    Runtime::new(RuntimeParts::new(Tokio::current(), sockets))
}

/// Makes connections that pass the gate.
#[derive(Clone, Debug)]
pub(super) struct Sockets {
    tokio: Tokio,
    gate: Arc<Gate>,
    /// The host and the certificates, where the way to it is encrypted.
    tls: Option<(String, Tls)>,
}

/// A connection, plain or by TLS.
pub(super) trait Connected: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Connected for S {}

impl Reactor for Sockets {
    type TcpStream = Box<dyn Connected>;
    type Sleep = <Tokio as Reactor>::Sleep;

    // The client connects by address only.
    fn register<H: Read + Write + Send + 'static>(
        &self,
        _: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        Err::<Cursor<Vec<u8>>, _>(io::ErrorKind::Unsupported.into())
    }

    fn sleep(&self, time: Duration) -> Self::Sleep {
        self.tokio.sleep(time)
    }

    fn interval(&self, time: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.tokio.interval(time)
    }

    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        let connecting = self.tokio.tcp_connect_addr(address);
        let (gate, tls) = (self.gate.clone(), self.tls.clone());
        async move {
            let socket = Socket { stream: connecting.await?, gate };
            Ok(match tls {
                Some((host, tls)) => {
                    Box::new(tls::begin(host, &tls, socket).await?) as Self::TcpStream
                }
                None => Box::new(socket),
            })
        }
    }
}

/// A connection that passes the gate.
pub(super) struct Socket<S> {
    stream: S,
    gate: Arc<Gate>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let admitted = self.gate.admits(buffer.len(), context);
        if admitted == 0 && !buffer.is_empty() {
            return Poll::Pending;
        }
        let read = Pin::new(&mut self.stream).poll_read(context, &mut buffer[..admitted]);
        if let Poll::Ready(Ok(bytes)) = &read {
            self.gate.passed(*bytes);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, poll_once};
    use futures_lite::io::AsyncReadExt;

    #[test]
    fn no_more_is_read_than_is_allowed() {
        let gate = Gate::open();
        let stream = Cursor::new(vec![7; 100]);
        let mut socket = Socket { stream, gate: gate.clone() };
        let mut buffer = [0; 64];
        gate.allow(10);
        block_on(async {
            assert_eq!(socket.read(&mut buffer).await.unwrap(), 10);
            assert!(poll_once(gate.shut()).await.is_none());
            assert!(poll_once(socket.read(&mut buffer)).await.is_none());
            assert!(poll_once(gate.shut()).await.is_some());
            gate.allow(20);
            assert_eq!(socket.read(&mut buffer).await.unwrap(), 20);
        });
    }
}
