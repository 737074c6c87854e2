//! From the queue to the spool: every byte, in order, once; and no acknowledgement before its bytes are on disk.

mod memory;

use crate::support::{
    Queue, Running, Spool, amqp_url, broker, broker_of,
    cli::{Run, finish, harden},
    proxy::Proxy,
    read,
    servers::ADVICE,
    trace::Trace,
};
use std::{
    fs,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

impl Spool {
    /// A capture of that queue.
    pub fn capture_command<'a>(
        &self,
        queue: &Queue,
        args: impl IntoIterator<Item = &'a str>,
    ) -> Command {
        let mut command =
            self.command(["capture", "--queue", &queue.name, "--amqp-url", amqp_url()]);
        command.args(args);
        command
    }

    pub fn capture<'a>(&self, queue: &Queue, args: impl IntoIterator<Item = &'a str>) -> Run {
        finish(self.capture_command(queue, args), None)
    }
}

const IDLE: [&str; 2] = ["--exit-when-idle", "2s"];

pub fn publish(queue: &Queue, name: &str) -> Vec<u8> {
    let stream = read(&format!("{name}.jsonl"));
    queue.publish(stream.lines().map(str::as_bytes));
    stream.into_bytes()
}

#[test]
fn a_drained_queue_is_in_the_spool_byte_for_byte() {
    for name in ["mariadb-edges", "mysql-types", "mariadb-bootstrap"] {
        let (queue, spool) = (broker("drain"), Spool::new());
        let stream = publish(&queue, name);
        spool.capture(&queue, IDLE).code(0);
        assert_eq!(queue.ready(), 0);
        assert!(spool.stored() == stream, "{name}: other bytes are stored than were published");
    }
}

#[test]
fn a_second_capture_goes_on_behind_the_first() {
    let (queue, spool) = (broker("twice"), Spool::new());
    let mut stream = publish(&queue, "mariadb-types");
    spool.capture(&queue, IDLE).code(0);
    stream.extend(publish(&queue, "mariadb-edges"));
    spool.capture(&queue, IDLE).code(0);
    assert!(spool.stored() == stream);
}

#[test]
fn a_message_that_was_handed_out_before_is_stored_once() {
    let (queue, spool) = (broker("redelivered"), Spool::new());
    let stream = publish(&queue, "mariadb-edges");
    assert!(queue.peek().is_some());
    spool.capture(&queue, IDLE).code(0);
    assert!(spool.stored() == stream);
}

#[test]
fn sigterm_and_sigint_end_a_capture_synced_and_acknowledged() {
    for signal in ["TERM", "INT"] {
        let (queue, spool) = (broker("signal"), Spool::new());
        let stream = publish(&queue, "mariadb-transactions");
        let mut capture = spool.capture_command(&queue, []).stderr(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while queue.ready() > 0 {
            assert!(Instant::now() < deadline, "the capture takes nothing");
            sleep(Duration::from_millis(20));
        }
        sleep(Duration::from_millis(500));
        Command::new("kill").args(["-s", signal, &capture.id().to_string()]).status().unwrap();
        assert_eq!(capture.wait().unwrap().code(), Some(0), "after SIG{signal}");
        assert_eq!(queue.ready(), 0, "something was not acknowledged");
        assert!(spool.stored() == stream);
    }
}

#[test]
fn no_ack_leaves_before_the_fdatasync_of_the_frame_that_holds_it() {
    let (queue, spool) = (broker("strace"), Spool::new());
    let stream = publish(&queue, "mariadb-restarts");
    let log = tempfile::NamedTempFile::new().unwrap();
    let capture = spool.capture_command(&queue, []);
    let mut traced = Command::new("strace");
    traced.args(["-f", "-y", "-xx", "-s", "1048576", "-e"]);
    traced.arg("trace=write,writev,pwrite64,pwritev,sendto,sendmsg,fdatasync,fsync,rename,renameat,renameat2");
    traced.arg("-o").arg(log.path()).arg(capture.get_program()).args(capture.get_args());
    harden(&mut traced);
    assert!(Command::new("strace").arg("-V").output().is_ok(), "{ADVICE}");
    let mut traced = Running::start(traced);
    assert!(traced.until(|| {
        sleep(Duration::from_millis(200));
        spool.path().exists() && !spool.segments().is_empty() && spool.stored() == stream
    }));
    sleep(Duration::from_secs(1));
    assert_eq!(queue.ready(), 0);
    // One that ends in good order joins its frames.
    let tracer = traced.id().to_string();
    let capture = fs::read_to_string(format!("/proc/{tracer}/task/{tracer}/children")).unwrap();
    Command::new("kill").args(["-KILL", capture.trim()]).status().unwrap();
    drop(traced.end());

    let trace = Trace::read(log.path(), &spool.segments());
    let acks = trace.acks_after_their_sync();
    assert!(acks > 3, "only {acks} acknowledgements were seen: the trace shows nothing");
}

#[test]
fn what_comes_again_from_the_middle_of_a_transaction_is_marked_however_much_it_is() {
    let (stream, spool) = (read("mariadb-sysbench.jsonl"), Spool::recording("mariadb-sysbench"));
    let before = spool.run(["log", "--json"]).code(0).text();
    let lines: Vec<&str> = stream.split_inclusive('\n').collect();
    let middle = |line: &&str| line.contains("\"xoffset\":1,");
    let from =
        lines.len() - 28_000 + lines[lines.len() - 28_000..].iter().position(middle).unwrap();
    let again = &lines[from..];
    let run = finish(spool.command(["import", "-"]), Some(again.concat().into_bytes())).code(0);
    run.says(&[&format!("{},{:03} re-sends", again.len() / 1000, again.len() % 1000)]);
    assert_eq!(spool.run(["log", "--json"]).code(0).text(), before);
}

/// Waits until the capture has stored something.
fn until_stored(running: &mut Running, spool: &Spool) {
    let segments = || fs::read_dir(spool.path()).into_iter().flatten().flatten();
    assert!(running.until(|| {
        segments().any(|entry| {
            entry.path().extension().is_some_and(|end| end == "zst")
                && entry.metadata().is_ok_and(|known| known.len() > 0)
        })
    }));
    sleep(Duration::from_millis(300));
}

#[test]
fn nothing_is_acknowledged_once_the_files_cannot_be_found_any_more() {
    let moved = |spool: &Spool| {
        fs::rename(spool.path(), spool.path().with_extension("elsewhere")).unwrap();
    };
    let emptied = |spool: &Spool| {
        for entry in fs::read_dir(spool.path()).unwrap().flatten() {
            let path = entry.path();
            if path.is_file() {
                fs::remove_file(path).unwrap();
            }
        }
    };
    let unlocked = |spool: &Spool| fs::remove_file(spool.path().join("lock")).unwrap();
    let faults: [&dyn Fn(&Spool); 3] = [&moved, &emptied, &unlocked];
    for (case, fault) in ["moved", "emptied", "unlocked"].into_iter().zip(faults) {
        let (queue, spool) = (broker("gone"), Spool::new());
        publish(&queue, "mariadb-edges");
        let mut running = Running::start(spool.capture_command(&queue, []));
        until_stored(&mut running, &spool);
        assert_eq!(queue.ready(), 0);
        fault(&spool);
        let stream = publish(&queue, "mariadb-transactions");
        let (status, said) = running.end();
        assert_eq!(status.code(), Some(4), "{case}: {said}");
        assert!(said.contains("removed, moved or replaced"), "{case}: {said}");
        let sent = stream.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(queue.ready() as usize, sent, "{case}: some were acknowledged");
        let _ = fs::remove_dir_all(spool.path().with_extension("elsewhere"));
    }
}

#[test]
fn a_stream_is_refused_since_it_would_be_passed_over() {
    let (queue, spool) = (broker_of("stream", "stream"), Spool::new());
    publish(&queue, "mariadb-edges");
    spool.capture(&queue, IDLE).code(1).says(&[&queue.name, "is a stream", "--declare"]);
}

#[test]
fn a_quorum_queue_without_single_active_consumer_is_taken_by_one_capture_alone() {
    let (queue, spool, other) = (broker_of("quorum", "quorum"), Spool::new(), Spool::new());
    let mut stream = publish(&queue, "mariadb-edges");
    let mut running = Running::start(spool.capture_command(&queue, []));
    until_stored(&mut running, &spool);
    // The second one waits for the first, as for one that is dead and not yet missed.
    let mut second = Running::start(other.capture_command(&queue, []));
    sleep(Duration::from_secs(3));
    stream.extend(publish(&queue, "mariadb-edges"));
    sleep(Duration::from_secs(2));
    second.kill();
    let (_, said) = second.end();
    assert!(said.contains("1 other consumer"), "{said}");
    running.signal("-TERM");
    let (status, said) = running.end();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("x-delivery-limit"), "not said beforehand: {said}");
    assert!(spool.stored() == stream, "another part of the stream went elsewhere");
}

#[test]
fn a_consumer_that_joins_in_ends_the_capture() {
    let (queue, spool) = (broker_of("joined", "quorum"), Spool::new());
    publish(&queue, "mariadb-edges");
    let mut running = Running::start(spool.capture_command(&queue, []));
    until_stored(&mut running, &spool);
    let (status, said) = queue.beside_a_consumer(|| running.end());
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("another consumer has come"), "{said}");
}

#[test]
fn a_declared_queue_admits_one_capture_at_a_time_and_the_next_goes_on_after_it() {
    let queue = broker_of("declared", "classic");
    queue.delete();
    let (spool, other) = (Spool::new(), Spool::new());
    let mut first = Running::start(spool.capture_command(&queue, ["--declare"]));
    let deadline = Instant::now() + Duration::from_secs(30);
    while !queue.exists() {
        assert!(Instant::now() < deadline, "the queue is not made");
        sleep(Duration::from_millis(100));
    }
    let stream = publish(&queue, "mariadb-edges");
    until_stored(&mut first, &spool);
    let mut second = Running::start(other.capture_command(&queue, ["--declare"]));
    sleep(Duration::from_secs(2));
    first.signal("-TERM");
    assert_eq!(first.end().0.code(), Some(0));
    let after = publish(&queue, "mariadb-transactions");
    until_stored(&mut second, &other);
    sleep(Duration::from_secs(2));
    second.signal("-TERM");
    assert_eq!(second.end().0.code(), Some(0));
    assert!(spool.stored() == stream && other.stored() == after);
}

#[test]
fn a_capture_that_is_to_end_ends_when_the_queue_has_gone() {
    let (queue, spool) = (broker("deleted"), Spool::new());
    publish(&queue, "mariadb-edges");
    let mut running = Running::start(spool.capture_command(&queue, ["--exit-when-idle", "6s"]));
    until_stored(&mut running, &spool);
    queue.delete();
    let (status, said) = running.end();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("no queue {}", queue.name)), "{said}");
}

#[test]
fn a_capture_that_is_to_end_ends_when_the_broker_has_gone() {
    let (queue, spool) = (broker("down"), Spool::new());
    publish(&queue, "mariadb-edges");
    let port: u16 =
        amqp_url().rsplit_once(':').unwrap().1.split('/').next().unwrap().parse().unwrap();
    let proxy = Proxy::start(port);
    let url = amqp_url().replace(&port.to_string(), &proxy.port.to_string());
    let args = ["capture", "--queue", &queue.name, "--amqp-url", &url, "--exit-when-idle", "6s"];
    let mut running = Running::start(spool.command(args));
    until_stored(&mut running, &spool);
    drop(proxy);
    let (status, said) = running.end();
    assert_eq!(status.code(), Some(4), "{said}");
    assert!(said.contains("no connection to RabbitMQ") && said.contains("next: "), "{said}");
}

#[test]
fn names_that_amqp_cannot_carry_are_refused_before_anything_is_done() {
    let spool = Spool::new();
    let long = "n".repeat(256);
    let (exchange, key) = (format!("{long}:k"), format!("e:{long}"));
    let url = format!("amqp://joe:hunter2@127.0.0.1:1/{long}");
    let cases: [&[&str]; 4] = [
        &["--queue", &long],
        &["--declare", "--bind", &exchange],
        &["--declare", "--bind", &key],
        &["--amqp-url", &url],
    ];
    for args in cases {
        let run = spool.run([&["capture"][..], args].concat()).code(2).says(&["256 bytes"]);
        assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
        assert!(!spool.path().exists(), "something was made");
    }
}

#[test]
fn a_password_that_changes_is_read_again() {
    let (queue, spool) = (broker("password"), Spool::new());
    publish(&queue, "mariadb-edges");
    let port: u16 =
        amqp_url().rsplit_once(':').unwrap().1.split('/').next().unwrap().parse().unwrap();
    let proxy = Proxy::start(port);
    let file = spool.path().with_extension("password");
    fs::write(&file, "guest\n").unwrap();
    let url = format!("amqp://guest@127.0.0.1:{}/%2f", proxy.port);
    let file_name = file.to_str().unwrap();
    let args =
        ["capture", "--queue", &queue.name, "--amqp-url", &url, "--password-file", file_name];
    let mut running = Running::start(spool.command(args));
    until_stored(&mut running, &spool);
    fs::write(&file, "wrong\n").unwrap();
    proxy.cut();
    sleep(Duration::from_secs(3));
    fs::write(&file, "guest\n").unwrap();
    let more = publish(&queue, "mariadb-edges");
    let lines = more.iter().filter(|byte| **byte == b'\n').count();
    assert!(running.until(|| spool.run(["log"]).code >= 0 && queue.ready() == 0));
    sleep(Duration::from_secs(1));
    running.signal("-TERM");
    let (status, said) = running.end();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("refuses the login"), "{said}");
    assert!(spool.stored().ends_with(&more), "{lines} messages are missing: {said}");
    let _ = fs::remove_file(file);
}
