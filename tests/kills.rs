//! kill -9 at any point, then a rerun: nothing lost, nothing twice. A kill counts only if progress moved before it and
//! work was left after it; `BINSYNC_TEST_KILLS=50` asks for more of them than a CI run does.

use crate::{
    capture::publish,
    support::{
        Fresh, Kind, Spool, assert_rows_equal, assert_same_dump, broker,
        dump::{schema_only, without_keys},
        fresh, read, recording,
    },
};
use std::{
    env, fs,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

fn wanted() -> u32 {
    env::var("BINSYNC_TEST_KILLS")
        .map_or(8, |count| count.parse().expect("BINSYNC_TEST_KILLS is a number"))
}

/// Delays after the first progress of a run, spread over what one run takes.
struct Delays(u64);

impl Delays {
    fn next(&mut self, most: u64) -> Duration {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_micros((self.0 >> 33) % (1000 * most + 1))
    }
}

enum Ended {
    /// Killed while it ran, after its progress had moved.
    Killed,
    /// Killed before anything moved: does not count.
    TooEarly,
    /// It finished first.
    Finished,
}

/// Runs a command, kills it `delay` after `progress` first moves.
fn killed(mut command: Command, delay: Duration, mut progress: impl FnMut() -> u64) -> Ended {
    let before = progress();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut moved = false;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            let said = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
            assert!(status.success(), "a run between two kills failed:\n{said}");
            return Ended::Finished;
        }
        if progress() != before {
            moved = true;
            sleep(delay);
            break;
        }
        sleep(Duration::from_micros(300));
    }
    let _ = child.kill();
    let status = child.wait().unwrap();
    match (status.success(), moved) {
        (true, _) => Ended::Finished,
        (false, true) => Ended::Killed,
        (false, false) => Ended::TooEarly,
    }
}

/// Kills runs until one finishes, and counts those that count; a kill with no work left shows in the run after it,
/// which then moves nothing: the last one of a round is taken back.
fn kill_until_finished(
    mut run: impl FnMut() -> Command,
    delays: &mut Delays,
    most: u64,
    mut progress: impl FnMut() -> u64,
) -> u32 {
    let mut counted: Vec<u64> = Vec::new();
    for _ in 0..400 {
        match killed(run(), delays.next(most), &mut progress) {
            Ended::Killed => counted.push(progress()),
            Ended::TooEarly => {}
            Ended::Finished => {
                let end = progress();
                return counted.into_iter().filter(|reached| *reached != end).count() as u32;
            }
        }
    }
    panic!("400 runs did not finish the work: nothing moves on");
}

/// The sum of the sequences stored in the tool's progress tables.
fn applied(server: &Fresh) -> u64 {
    let columns = server.query(
        "SELECT CONCAT('SELECT COALESCE(SUM(`',column_name,'`),0) FROM binsync.`',table_name,'`') FROM information_schema.columns WHERE table_schema='binsync' AND column_name IN ('seq','sequence')",
    );
    if columns.is_empty() {
        return 0;
    }
    // A table may go between the two queries.
    let done = server
        .client("mariadb")
        .args(["-N", "-B", "-e", &columns.lines().collect::<Vec<_>>().join(";")])
        .output()
        .unwrap();
    String::from_utf8_lossy(&done.stdout)
        .lines()
        .filter_map(|sum| sum.parse::<f64>().ok())
        .sum::<f64>() as u64
}

/// Rounds of kills, each from an empty server to the end, until enough kills counted.
fn kills_of_apply(
    kind: Kind,
    spool: &Spool,
    args: &[&str],
    prepare: impl Fn(&Fresh),
    check: impl Fn(&Fresh),
) {
    let (mut kills, mut rounds, mut delays) = (0, 0, Delays(u64::from(kind as u8) + 1));
    while kills < wanted() {
        rounds += 1;
        assert!(rounds <= 4 + 2 * wanted(), "only {kills} kills counted in {rounds} rounds");
        let server = fresh(kind);
        prepare(&server);
        let url = server.url();
        let run = || {
            let mut command = spool.command(["apply", "--target", &url]);
            command.args(args);
            command
        };
        kills += kill_until_finished(run, &mut delays, 60, || applied(&server));
        check(&server);
    }
    eprintln!("{kills} kills of apply counted in {rounds} rounds");
}

#[test]
fn a_killed_apply_goes_on_through_definitions_and_keyless_tables() {
    for kind in [Kind::MariaDb, Kind::MySql] {
        let name = format!("{}-transactions", kind.name());
        let end = read(&format!("{name}.end.sql"));
        let check = |server: &Fresh| assert_same_dump(&server.dump(), &end, "after kills");
        kills_of_apply(kind, &Spool::recording(&name), &[], |_| {}, check);
    }
}

#[test]
fn a_killed_apply_doubles_no_row_that_has_no_key() {
    let end = read("mariadb-restarts.end.sql");
    let keyless = without_keys(&schema_only(&end));
    let spool = Spool::recording("mariadb-restarts");
    let check = |server: &Fresh| assert_rows_equal(&server.dump(), &end, "after kills");
    let rows = ["--type", "insert,update,delete"];
    kills_of_apply(Kind::MariaDb, &spool, &rows, |server| server.load(&keyless), check);
}

#[test]
fn a_killed_undo_goes_on() {
    let name = "mariadb-incident";
    let spool = Spool::recording(name);
    let prepare = |server: &Fresh| drop(spool.apply(&server.url(), [] as [&str; 0]).code(0));
    let check = |server: &Fresh| assert_rows_equal(&server.dump(), "", "everything undone");
    kills_of_apply(
        Kind::MariaDb,
        &spool,
        &["--reverse", "--type", "insert,update,delete"],
        prepare,
        check,
    );
}

fn stored_bytes(spool: &Spool) -> u64 {
    let Ok(entries) = fs::read_dir(spool.path()) else {
        return 0;
    };
    let segments =
        entries.flatten().filter(|entry| entry.path().extension().is_some_and(|end| end == "zst"));
    segments.filter_map(|entry| entry.metadata().ok()).map(|known| known.len()).sum()
}

#[test]
fn a_killed_import_goes_on_where_it_stopped() {
    let (mut kills, mut rounds, mut delays) = (0, 0, Delays(3));
    let file = recording("mariadb-sysbench");
    let bytes = fs::read(&file).unwrap();
    while kills < wanted().min(20) {
        rounds += 1;
        assert!(rounds <= 4 + 2 * wanted(), "only {kills} kills counted in {rounds} rounds");
        let spool = Spool::new();
        let run = || spool.command(["import", file.to_str().unwrap()]);
        kills += kill_until_finished(run, &mut delays, 40, || stored_bytes(&spool));
        assert!(spool.stored() == bytes, "the segments differ from the imported file");
    }
    eprintln!("{kills} kills of import counted in {rounds} rounds");
}

#[test]
fn a_killed_capture_stores_every_message_once() {
    let (mut kills, mut rounds, mut delays) = (0, 0, Delays(4));
    while kills < wanted() {
        rounds += 1;
        assert!(rounds <= 4 + 2 * wanted(), "only {kills} kills counted in {rounds} rounds");
        let (queue, spool) = (broker("kills"), Spool::new());
        let stream = publish(&queue, "mariadb-restarts");
        let run = || spool.capture_command(&queue, ["--exit-when-idle", "1s"]);
        kills += kill_until_finished(run, &mut delays, 60, || stored_bytes(&spool));
        assert_eq!(queue.ready(), 0);
        assert!(spool.stored() == stream, "lost, doubled or reordered after {kills} kills");
    }
    eprintln!("{kills} kills of capture counted in {rounds} rounds");
}
