//! From the queue to the spool: every byte, in order, once; and no acknowledgement before its bytes are on disk.

use crate::support::{
    Queue, Spool, amqp_url, broker,
    cli::{Run, finish, harden},
    read,
    servers::ADVICE,
    trace::Trace,
};
use std::{
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
    let capture = spool.capture_command(&queue, IDLE);
    let mut traced = Command::new("strace");
    traced.args(["-f", "-y", "-xx", "-s", "1048576", "-e"]);
    traced.arg("trace=write,writev,pwrite64,pwritev,sendto,sendmsg,fdatasync,fsync,rename,renameat,renameat2");
    traced.arg("-o").arg(log.path()).arg(capture.get_program()).args(capture.get_args());
    harden(&mut traced);
    assert!(Command::new("strace").arg("-V").output().is_ok(), "{ADVICE}");
    finish(traced, None).code(0);
    assert!(spool.stored() == stream);

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
