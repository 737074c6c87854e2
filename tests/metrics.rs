//! What a capture, and an apply that follows, tell of themselves: in a file, over HTTP, to the service manager.

use crate::capture::publish;
use crate::support::{Running, Spool, broker, temp_dir};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::net::UnixDatagram,
    path::Path,
};

fn is_name(name: &str) -> bool {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    first && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Takes `{a="x",b="y"}` from the front of a line; values may hold anything but bare quotes and line ends.
fn labels(line: &str) -> (BTreeMap<String, String>, &str) {
    let (mut all, mut rest) = (BTreeMap::new(), line.strip_prefix('{').expect("labels"));
    loop {
        let (name, value) = rest.split_once("=\"").expect("a label");
        assert!(is_name(name), "{line}");
        let (mut text, mut chars) = (String::new(), value.char_indices());
        let end = loop {
            match chars.next().expect("the end of a value") {
                (at, '"') => break at,
                (_, '\\') => match chars.next().expect("an escape").1 {
                    'n' => text.push('\n'),
                    c @ ('"' | '\\') => text.push(c),
                    c => panic!("\\{c} in {line}"),
                },
                (_, c) => text.push(c),
            }
        };
        assert!(all.insert(name.to_owned(), text).is_none(), "{line}");
        rest = &value[end + 1..];
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => return (all, rest.strip_prefix('}').expect("the end of the labels")),
        }
    }
}

type Series = (String, BTreeMap<String, String>);

/// Reads the text form, as strictly as it is written down.
fn parse(text: &str) -> BTreeMap<Series, f64> {
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    let (mut all, mut done, mut head) = (BTreeMap::new(), BTreeSet::new(), [None, None, None]);
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            assert!(is_name(name) && !help.is_empty() && done.insert(name.to_owned()), "{line}");
            head = [Some(name), None, None];
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(head[0] == Some(name) && ["counter", "gauge"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            head = [Some(name), Some(name), Some(kind)];
        } else {
            let name = &line[..line.find('{').expect("labels")];
            assert!(head[1] == Some(name) && name.starts_with("binsync_"), "{line}");
            let (labels, value) = labels(&line[name.len()..]);
            let value: f64 = value.strip_prefix(' ').unwrap().parse().expect(line);
            assert!(all.insert((name.to_owned(), labels), value).is_none(), "twice: {line}");
        }
    }
    all
}

/// The value of a name that has one series.
fn value(text: &str, name: &str) -> Option<f64> {
    let all = parse(text);
    let mut found = all.iter().filter(|((of, _), _)| of == &format!("binsync_{name}"));
    let value = found.next().map(|(_, value)| *value);
    assert!(found.next().is_none(), "{name} has several series");
    value
}

fn ask(address: &str, question: &str) -> String {
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(question.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// What the service manager was told so far.
fn told(socket: &UnixDatagram) -> Vec<String> {
    let (mut all, mut part) = (Vec::new(), [0; 4096]);
    while let Ok(n) = socket.recv(&mut part) {
        all.push(String::from_utf8(part[..n].to_vec()).unwrap());
    }
    all
}

fn listener(path: &Path) -> UnixDatagram {
    let socket = UnixDatagram::bind(path).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

#[test]
fn a_capture_tells_what_it_does_and_a_hangup_ends_it_well() {
    let (queue, spool, dir) = (broker("metrics"), Spool::new(), temp_dir());
    let (file, address) = (dir.path().join("binsync.prom"), free_address());
    let manager = listener(&dir.path().join("notify"));
    let lines = publish(&queue, "mariadb-edges").split(|b| *b == b'\n').count() - 1;
    let metrics = ["--metrics-file", file.to_str().unwrap(), "--metrics-listen", &address];
    let mut command = spool.capture_command(&queue, metrics);
    command.env("NOTIFY_SOCKET", dir.path().join("notify"));
    let mut capture = Running::start(command);
    let text = || fs::read_to_string(&file).unwrap_or_default();
    let counts = ["spool_messages", "capture_messages_total"];
    let all_there = || counts.iter().all(|name| value(&text(), name) == Some(lines as f64));
    assert!(capture.until(all_there), "{:?}", capture.end());

    let page = text();
    assert_eq!(value(&page, "capture_messages_total"), Some(lines as f64));
    assert_eq!(value(&page, "capture_connected"), Some(1.0));
    assert_eq!(value(&page, "spool_next_sequence"), Some(lines as f64 + 1.0));
    for name in ["spool_damaged", "spool_gaps", "capture_passed_total"] {
        assert_eq!(value(&page, name), Some(0.0), "{name}");
    }
    for name in ["capture_bytes_total", "spool_disk_free_bytes", "spool_last_event_age_seconds"] {
        assert!(value(&page, name).unwrap() > 0.0, "{name}");
    }
    let queues: Vec<_> =
        parse(&page).into_keys().filter_map(|(_, mut l)| l.remove("queue")).collect();
    assert_eq!(queues, [&*queue.name]);

    // A client that says nothing is in nobody's way for long.
    let _silent = TcpStream::connect(&address).unwrap();
    let answer = ask(&address, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("text/plain; version=0.0.4"));
    assert_eq!(value(body, "capture_messages_total"), Some(lines as f64));
    assert!(ask(&address, "GET /x HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 404 "));
    assert!(ask(&address, "DELETE / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 405 "));
    assert!(ask(&address, "HEAD / HTTP/1.0\r\n\r\n").ends_with("\r\n\r\n"));
    let _ = TcpStream::connect(&address).unwrap().write_all(&[b'x'; 20_000]);
    assert!(ask(&address, "GET / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 200 "));

    capture.signal("-HUP");
    let (status, said) = capture.end();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("captured"), "{said}");
    let told = told(&manager);
    assert_eq!(told.iter().filter(|what| *what == "READY=1").count(), 1, "{told:?}");
    let status = told.iter().filter_map(|what| what.strip_prefix("STATUS=captured "));
    assert!(status.count() > 0 && told.last().is_some_and(|last| last == "STOPPING=1"), "{told:?}");
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn an_apply_that_follows_tells_how_far_it_is() {
    let (spool, dir) = (Spool::recording("mariadb-incident"), temp_dir());
    let (file, db) = (dir.path().join("apply.prom"), dir.path().join("t.db"));
    let manager = listener(&dir.path().join("notify"));
    let target = format!("sqlite:{}", db.display());
    let args = ["apply", "--target", &target, "--follow", "--metrics-file", file.to_str().unwrap()];
    let mut command = spool.command(args);
    command.env("NOTIFY_SOCKET", dir.path().join("notify"));
    let mut follow = Running::start(command);
    let text = || fs::read_to_string(&file).unwrap_or_default();
    let name = "apply_behind_messages";
    assert!(follow.until(|| value(&text(), name) == Some(0.0)), "{:?}", follow.end());
    let page = text();
    assert_eq!(value(&page, "apply_messages_total"), Some(3943.0));
    assert_eq!(value(&page, "apply_next_sequence"), Some(3944.0));
    assert_eq!(value(&page, "apply_behind_seconds"), Some(0.0));
    assert!(value(&page, "apply_last_event_age_seconds").unwrap() > 0.0);
    // What a capture tells of the same spool is not told twice.
    assert!(!page.contains("binsync_spool"), "{page}");
    let runs: Vec<_> = parse(&page).into_keys().map(|(_, mut l)| l.remove("run")).collect();
    assert!(runs.iter().all(|run| run.as_deref() == Some("apply")), "{runs:?}");
    follow.signal("-TERM");
    follow.end();
    let told = told(&manager);
    assert_eq!(told.iter().filter(|what| *what == "READY=1").count(), 1, "{told:?}");
}

/// What cannot be is said before anything is done.
#[test]
fn metrics_that_cannot_be_are_refused() {
    let (spool, dir) = (Spool::recording("mariadb-edges"), temp_dir());
    let target = format!("sqlite:{}", dir.path().join("t.db").display());
    let missing = dir.path().join("none/x.prom").display().to_string();
    spool.apply(&target, ["--metrics-file", &missing]).code(2).says(&["are for --follow"]);
    let follow = ["--follow", "--metrics-file", &missing];
    spool.apply(&target, follow).code(2).says(&["no file can be there"]);
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = busy.local_addr().unwrap().to_string();
    spool.apply(&target, ["--follow", "--metrics-listen", &address]).code(1).says(&[&address]);
    assert!(!dir.path().join("t.db").exists());
}
