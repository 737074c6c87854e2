//! Power loss: what a run did is traced, and at many points of it the disk is rebuilt from what was synced and a random
//! part of the rest. What was acknowledged by then is there, once and in order. `BINSYNC_TEST_CUTS=2000` asks for more
//! points than a CI run takes.

use crate::support::{
    Queue, Running, Spool, amqp_url, broker,
    cli::{finish, harden},
    temp_dir, write,
};
use acks::{Ack, acks};
use binsync::{
    event::Direction,
    spool::{Batch, Inbox, Lots, SpoolWriter, WriterOptions, verify},
};
use calls::{Step, TRACED, steps};
use disk::Disk;
use fastrand::Rng;
use std::{
    collections::BTreeMap,
    env, fs,
    ops::Range,
    path::Path,
    process::{Command, ExitStatus},
    thread::sleep,
    time::Duration,
};
use tempfile::TempDir;

mod acks;
mod calls;
mod disk;

fn cuts(in_ci: usize) -> usize {
    env::var("BINSYNC_TEST_CUTS").map_or(in_ci, |count| count.parse().expect("a number"))
}

/// A message by its number; the numbers rise in the source's order.
fn message(number: u64) -> String {
    format!(
        r#"{{"database":"d","table":"t{}","type":"insert","ts":1700000000,"xid":{number},"commit":true,"position":"bin.000001:{number}","server_id":1,"data":{{"id":{number},"s":"{}"}}}}"#,
        number % 2,
        "x".repeat(number as usize * 37 % 900),
    )
}

fn number(message: &[u8]) -> u64 {
    let json: serde_json::Value = serde_json::from_slice(message).expect("a message");
    let number = json["data"]["id"].as_u64().unwrap();
    assert!(message == self::message(number).as_bytes(), "message {number} is another");
    number
}

/// A spool whose folder is watched, and what was done in it.
struct Case {
    spool: Spool,
    log: TempDir,
    before: Disk,
    steps: Vec<Step>,
}

impl Case {
    fn new(spool: Spool) -> Case {
        let before = Disk::of(spool.path().parent().unwrap());
        Case { spool, log: temp_dir(), before, steps: Vec::new() }
    }

    fn log(&self) -> std::path::PathBuf {
        self.log.path().join("log")
    }

    fn traced(&self, command: &Command, how: &[&str]) -> Command {
        let mut traced = Command::new("strace");
        traced.args(["-f", "-y", "-xx", "-s", "100000000", "-e", TRACED]).args(how);
        traced.arg("-o").arg(self.log()).arg(command.get_program()).args(command.get_args());
        harden(&mut traced);
        traced
    }

    /// Runs a command to its end while something goes on beside it.
    fn run(
        &mut self,
        command: &Command,
        how: &[&str],
        beside: impl FnOnce(),
    ) -> (ExitStatus, String) {
        let running = Running::start(self.traced(command, how));
        beside();
        let ended = running.end();
        let log = fs::read_to_string(self.log()).unwrap();
        let found = steps(&log, self.spool.path().parent().unwrap());
        let first = self.steps.len();
        self.steps.extend(found.into_iter().map(|step| step.counted_from(first)));
        ended
    }

    /// Takes the power away at so many points from a step on; `check` gets the folder and the step.
    fn cut(&self, count: usize, from: usize, mut check: impl FnMut(&Path, usize)) {
        let root = self.spool.path().parent().unwrap().to_owned();
        let (mut disk, mut done, mut rng) = (self.before.clone(), 0, Rng::with_seed(count as u64));
        let mut points: Vec<usize> =
            (0..count).map(|_| rng.usize(from..=self.steps.len())).collect();
        points.sort_unstable();
        for point in points {
            for step in &self.steps[done..point] {
                disk.take(done, step);
                done += 1;
            }
            let after = temp_dir();
            disk.lose(&mut rng, &root, after.path());
            let kept = after.path().display().to_string();
            let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                check(&after.path().join("spool"), point);
            }));
            if failed.is_err() {
                std::mem::forget(after);
                panic!("power lost before step {point}, see {kept}");
            }
        }
    }
}

/// The numbers of the messages in a spool after a start, in its order; those of its inboxes that are not merged yet.
fn started(dir: &Path, queues: &[Queue]) -> (Vec<u64>, Vec<Vec<u64>>) {
    let (writer, _) = SpoolWriter::open(dir, WriterOptions::default()).expect("a start");
    let mut waiting = Vec::new();
    for queue in queues {
        let known = writer.merged().iter().find(|(name, _)| *name == queue.name);
        let place = known.map_or(1, |known| known.1);
        let (inbox, _) = Inbox::open(dir, &queue.name, place, 10).expect("an inbox");
        let mut lots = Lots::new(inbox.dir(), place).unwrap();
        let mut left = Vec::new();
        while let Some(lot) = lots.read().expect("a lot") {
            let records = lot.frame.records().filter(|record| record.seq >= place);
            left.extend(records.map(|record| number(record.bytes)));
        }
        assert!(lots.take_unreadable().is_empty());
        waiting.push(left);
    }
    writer.finish().expect("an end");
    let stored = stored(dir);
    if !stored.is_empty() {
        assert_eq!(verify(dir).expect("a spool").findings, []);
    }
    (stored, waiting)
}

fn stored(dir: &Path) -> Vec<u64> {
    let Ok(spool) = binsync::spool::Spool::open(dir) else { return Vec::new() };
    let frames = spool.frames(0..u64::MAX, Direction::Forward).map(|frame| frame.expect("a frame"));
    frames.flat_map(|frame| frame.records().map(|r| number(r.bytes)).collect::<Vec<_>>()).collect()
}

fn rises(numbers: &[u64]) -> bool {
    numbers.windows(2).all(|pair| pair[0] < pair[1])
}

/// Publishes the messages of a stretch one by one, to each queue in turn, then waits until all are taken.
fn publish(queues: &[Queue], numbers: Range<u64>) {
    for number in numbers {
        let queue = &queues[number as usize % queues.len()];
        queue.publish([message(number).as_bytes()]);
        sleep(Duration::from_millis(8));
    }
}

fn capture(spool: &Spool, queues: &[Queue]) -> Command {
    let mut command =
        spool.command(["capture", "--amqp-url", amqp_url(), "--exit-when-idle", "1s"]);
    if queues.len() > 1 {
        command.args(["--settle", "200ms"]);
    }
    for queue in queues {
        command.args(["--queue", &queue.name]);
    }
    command
}

/// A spool of small segments, as a capture leaves it that was killed, and in which sealing gains something.
fn trickled(numbers: Range<u64>) -> Spool {
    let spool = Spool::new();
    let options = WriterOptions { segment_bytes: 20_000, ..WriterOptions::default() };
    let (mut writer, _) = SpoolWriter::open(&spool.path(), options).unwrap();
    for number in numbers {
        let mut batch = Batch { queue: Some("q".into()), arrival_ms: 7, ..Batch::default() };
        batch.push(message(number).as_bytes());
        writer.append(&batch).unwrap();
    }
    writer.tail("q", 1).unwrap();
    drop(writer);
    spool
}

/// How many messages of each queue were acknowledged before a step.
fn acked(acks: &[Ack], step: usize) -> BTreeMap<&str, u64> {
    let mut acked: BTreeMap<&str, u64> = BTreeMap::new();
    for ack in acks.iter().filter(|ack| ack.step < step) {
        let most = acked.entry(&ack.queue).or_default();
        *most = ack.tag.max(*most);
    }
    acked
}

#[test]
fn no_power_loss_takes_what_was_acknowledged_sealed_or_pruned_beside_or_was_imported() {
    let queue = [broker("power")];
    let mut case = Case::new(trickled(1..200));
    let command = capture(&case.spool, &queue);
    let (status, said) = case.run(&command, &[], || publish(&queue, 200..230));
    assert!(status.success(), "{said}");
    let captured = acks(&case.steps);
    let captured_at = case.steps.len();
    assert!(captured.len() > 5, "only {} acknowledgements were seen", captured.len());
    assert_eq!(captured.last().unwrap().tag, 30, "another connection");
    let prune = case.spool.command(["spool", "prune", "--keep-bytes", "30K"]);
    let (status, said) = case.run(&prune, &[], || {});
    assert!(status.success(), "{said}");
    let left = stored(&case.spool.path())[0];
    assert!((2..190).contains(&left), "{left}");
    let pruned_at = case.steps.len();
    let files = temp_dir();
    let file =
        write(&files, "import.jsonl", (230..400).map(|n| message(n) + "\n").collect::<String>());
    let import = case.spool.command(["import", file.to_str().unwrap()]);
    let (status, said) = case.run(&import, &[], || {});
    assert!(status.success(), "{said}");

    case.cut(cuts(30), 0, |dir, step| {
        let (stored, _) = started(dir, &[]);
        assert!(rises(&stored), "{stored:?}");
        let first = if step > captured_at { left } else { 1 };
        let acked = acked(&captured, step).values().sum::<u64>();
        let lost = (first..200 + acked).find(|number| stored.binary_search(number).is_err());
        assert_eq!(lost, None, "{acked} were acknowledged");
        if step == case.steps.len() {
            assert_eq!(stored.last(), Some(&399), "an import that has ended");
        }
        if step > pruned_at && step % 4 == 0 {
            let mut again = crate::support::cli::command(["--spool".as_ref(), dir.as_os_str()]);
            again.arg("import").arg(&file);
            finish(again, None).code(0);
            assert!(self::stored(dir).into_iter().eq(stored[0]..400), "imported again");
        }
    });
}

#[test]
fn no_power_loss_takes_what_was_acknowledged_of_several_queues() {
    let queues = [broker("power"), broker("power")];
    let mut case = Case::new(Spool::new());
    let command = capture(&case.spool, &queues);
    let (status, said) = case.run(&command, &[], || publish(&queues, 0..40));
    assert!(status.success(), "{said}");
    let acks = acks(&case.steps);
    assert!(acks.len() > 5, "only {} acknowledgements were seen", acks.len());
    case.cut(cuts(30), 0, |dir, step| {
        fs::create_dir_all(dir).unwrap();
        let (stored, waiting) = started(dir, &queues);
        assert!(rises(&stored), "{stored:?}");
        for (n, (queue, waiting)) in queues.iter().zip(&waiting).enumerate() {
            let count = acked(&acks, step).get(&*queue.name).copied().unwrap_or_default();
            let of_it = |number: &u64| *number as usize % queues.len() == n;
            let all: Vec<u64> =
                stored.iter().copied().filter(of_it).chain(waiting.iter().copied()).collect();
            let whole: Vec<u64> = (0..40).filter(of_it).take(all.len()).collect();
            assert_eq!(all, whole, "lost or doubled");
            assert!(
                all.len() as u64 >= count,
                "{count} were acknowledged, {} are there",
                all.len()
            );
        }
    });
}

#[test]
fn after_a_sync_that_failed_nothing_more_is_acknowledged() {
    let (mut failed, most) = (0, if env::var_os("BINSYNC_TEST_CUTS").is_some() { 40 } else { 4 });
    for nth in 1..=most {
        let queue = [broker("power")];
        let mut case = Case::new(trickled(1..20));
        let inject = format!("inject=fsync,fdatasync:error=EIO:when={nth}");
        let command = capture(&case.spool, &queue);
        let (status, said) = case.run(&command, &["-e", &inject], || publish(&queue, 20..26));
        let refused = (0..case.steps.len()).find(|step| is_refused(&case.steps, *step));
        let acks = acks(&case.steps);
        if let Some(refused) = refused {
            failed += 1;
            assert!(!status.success(), "{nth}: {:?} {said}", case.steps[refused]);
            assert!(acks.iter().all(|ack| ack.step < refused), "{nth}: acknowledged after it");
        }
        case.cut(4, case.steps.len(), |dir, step| {
            let (stored, _) = started(dir, &[]);
            let acked = acked(&acks, step).values().sum::<u64>();
            let lost = (1..20 + acked).find(|number| stored.binary_search(number).is_err());
            assert_eq!(lost, None, "{nth}: {acked} were acknowledged");
        });
    }
    assert!(failed > 0, "no sync failed");
}

/// A sync that failed, of what is not derived from the segments.
fn is_refused(steps: &[Step], number: usize) -> bool {
    let Step::Refused { path, begun } = &steps[number] else { return false };
    // Of a folder: whose name was to be made durable.
    let named = steps[..*begun].iter().rev().find_map(|step| match step {
        Step::Create { path } | Step::Remove { path } | Step::Folder { path } => Some(path),
        Step::Rename { to, .. } => Some(to),
        _ => None,
    });
    let of_index = |path: &String| path.contains("index.sqlite");
    !of_index(path) && !named.is_some_and(|named| named.starts_with(path) && of_index(named))
}
