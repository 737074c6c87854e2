//! Metrics over HTTP: one page, one client at a time, for a bounded time; what it shows is made
//! elsewhere, so that asking often costs the run nothing.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// No client has longer to ask, nor to take the answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// No question is longer.
const QUESTION: usize = 8 << 10;

/// Serves the page until the process ends.
///
/// # Errors
/// When the address cannot be listened at.
pub(super) fn serve(address: &str, page: Arc<Mutex<String>>) -> Result<()> {
    let listener = TcpListener::bind(address).map_err(|e| {
        Error::failed(format!("--metrics-listen {address}: {e}"))
            .help("write a free address of this machine as ADDR:PORT, such as 127.0.0.1:9187")
    })?;
    thread::spawn(move || {
        for client in listener.incoming() {
            match client {
                // What goes wrong with a client is its affair.
                Ok(client) => drop(answer(client, &page)),
                // Out of file descriptors, for instance: not a reason to turn in a circle.
                Err(_) => thread::sleep(PATIENCE),
            }
        }
    });
    Ok(())
}

fn answer(mut client: TcpStream, page: &Mutex<String>) -> io::Result<()> {
    client.set_write_timeout(Some(PATIENCE))?;
    let question = read(&mut client)?;
    let mut words = question.split_ascii_whitespace();
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (status, body) = match (method, path.split('?').next().unwrap_or_default()) {
        ("GET" | "HEAD", "/metrics" | "/") => {
            ("200 OK", page.lock().unwrap_or_else(PoisonError::into_inner).clone())
        }
        ("GET" | "HEAD", _) => ("404 Not Found", "/metrics is what there is\n".to_owned()),
        _ => ("405 Method Not Allowed", "GET /metrics\n".to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    client.write_all(head.as_bytes())?;
    if method != "HEAD" {
        client.write_all(body.as_bytes())?;
    }
    client.flush()
}

/// The head of the question.
fn read(client: &mut TcpStream) -> io::Result<String> {
    let (begun, mut all, mut part) = (Instant::now(), Vec::new(), [0; 1024]);
    while !all.windows(4).any(|end| end == b"\r\n\r\n") {
        let left = PATIENCE.saturating_sub(begun.elapsed());
        if left.is_zero() || all.len() > QUESTION {
            return Err(io::ErrorKind::TimedOut.into());
        }
        client.set_read_timeout(Some(left))?;
        match client.read(&mut part)? {
            0 => break,
            n => all.extend_from_slice(&part[..n]),
        }
    }
    Ok(String::from_utf8_lossy(&all).into_owned())
}
