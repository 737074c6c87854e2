//! Somebody answers in the server's place and asks for the password. It is kept.

use crate::support::{Run, Spool};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

const NOTHING: [&str; 0] = [];
const SCRAMBLE: &[u8; 20] = b"abcdefghijklmnopqrst";
/// Protocol 4.1, plugins, secure connection: all that a login needs, and no TLS.
const CAPABILITIES: u32 = 0x0008_8000 | 0x200 | 1;

/// A server that does not know the user, and what the client said to it.
struct Rogue {
    port: u16,
    heard: JoinHandle<Vec<Vec<u8>>>,
}

impl Rogue {
    /// Greets as a server with that plugin, then answers the client's packets one by one.
    fn start(plugin: &'static str, answers: Vec<Vec<u8>>) -> Rogue {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = thread::spawn(move || {
            // The first connection may only ask for TLS.
            for client in listener.incoming() {
                let heard = talk(client.unwrap(), plugin, &answers);
                if !heard.is_empty() {
                    return heard;
                }
            }
            Vec::new()
        });
        Rogue { port, heard }
    }

    fn visit(self, args: &[&str]) -> (Run, Vec<Vec<u8>>) {
        let spool = Spool::recording("mariadb-types");
        let url = format!("mysql://joe:hunter2@127.0.0.1:{}", self.port);
        let run = spool.apply(&url, args);
        (run, self.heard.join().unwrap())
    }
}

fn greeting(plugin: &str) -> Vec<u8> {
    let [low, high] = [CAPABILITIES as u16, (CAPABILITIES >> 16) as u16].map(u16::to_le_bytes);
    let parts: [&[u8]; 11] = [
        b"\x0a9.7.0\0",
        &1_u32.to_le_bytes(),
        &SCRAMBLE[..8],
        &[0],
        &low,
        &[45, 2, 0],
        &high,
        &[21],
        &[0; 10],
        &[&SCRAMBLE[8..], &[0]].concat(),
        &[plugin.as_bytes(), &[0]].concat(),
    ];
    parts.concat()
}

fn talk(mut client: TcpStream, plugin: &str, answers: &[Vec<u8>]) -> Vec<Vec<u8>> {
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (mut seq, mut heard) = (0, Vec::new());
    for answer in std::iter::once(greeting(plugin)).chain(answers.iter().cloned()) {
        let length = (answer.len() as u32).to_le_bytes();
        if client.write_all(&[&length[..3], &[seq], &answer].concat()).is_err() {
            break;
        }
        let mut head = [0; 4];
        if client.read_exact(&mut head).is_err() {
            break;
        }
        let mut packet = vec![0; u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize];
        client.read_exact(&mut packet).unwrap();
        seq = head[3].wrapping_add(1);
        heard.push(packet);
    }
    heard
}

fn holds(heard: &[Vec<u8>], text: &[u8]) -> bool {
    heard.iter().any(|packet| packet.windows(text.len()).any(|part| part == text))
}

/// Whoever answers in no mode at all, or only greets, is given up on.
#[test]
fn who_says_nothing_is_not_waited_for() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let greets = TcpListener::bind("127.0.0.1:0").unwrap();
    let ports = [&silent, &greets].map(|listener| listener.local_addr().unwrap().port());
    thread::spawn(move || {
        let mut kept = Vec::new();
        for client in greets.incoming() {
            let mut client = client.unwrap();
            let greeting = greeting("mysql_native_password");
            let length = (greeting.len() as u32).to_le_bytes();
            let _ = client.write_all(&[&length[..3], &[0], &greeting].concat());
            kept.push(client);
        }
    });
    let visits = ports.into_iter().flat_map(|port| {
        ["disabled", "preferred"].map(|mode| {
            thread::spawn(move || {
                let spool = Spool::recording("mariadb-types");
                let url = format!("mysql://joe:hunter2@127.0.0.1:{port}");
                let began = Instant::now();
                let run = spool.apply(&url, ["--dry-run", "--ssl-mode", mode]);
                (run, began.elapsed())
            })
        })
    });
    for visit in visits.collect::<Vec<_>>() {
        let (run, took) = visit.join().unwrap();
        run.code(1).says(&["cannot connect: it says nothing", "check host, port"]);
        assert!(took < Duration::from_secs(40), "{took:?}");
    }
}

/// caching_sha2_password: "I do not remember you, say it in full". The key is the impostor's own.
#[test]
fn who_asks_for_the_password_in_full_gets_nothing() {
    let full = || vec![vec![1, 4], b"\x01-----BEGIN PUBLIC KEY-----\n".to_vec()];
    let (run, heard) = Rogue::start("caching_sha2_password", full()).visit(&NOTHING);
    run.code(1).says(&["password", "--ssl-mode required", "--get-server-public-key"]);
    // Nothing but good-bye (COM_QUIT): no request for the key, no password.
    assert!(heard[1..].iter().all(|packet| packet == &[1]), "{heard:?}");
    assert!(holds(&heard, b"joe") && !holds(&heard, b"hunter2"));
}

/// By the flag, the key is asked for; an impostor's login is then as good as theirs.
#[test]
fn the_key_is_asked_for_by_the_flag_only() {
    let answers = vec![vec![1, 4], b"\xff\x15\x04#28000no".to_vec()];
    let rogue = Rogue::start("caching_sha2_password", answers);
    let (run, heard) = rogue.visit(&["--get-server-public-key"]);
    run.code(1).says(&["refused"]);
    assert_eq!(heard[1], [2], "the key was not asked for");
    assert!(!holds(&heard, b"hunter2"));
}

#[test]
fn a_plugin_that_sends_the_password_as_it_is_is_refused() {
    for plugin in ["mysql_clear_password", "mysql_old_password", "dialog", "sha256_password"] {
        let switch = [b"\xfe", plugin.as_bytes(), b"\0", SCRAMBLE, b"\0"].concat();
        let rogue = Rogue::start("mysql_native_password", vec![switch]);
        let (run, heard) = rogue.visit(&NOTHING);
        run.code(1).says(&["refused", "caching_sha2_password"]);
        assert!(!holds(&heard, b"hunter2"), "{plugin}: {heard:?}");
    }
}
