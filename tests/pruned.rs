//! A spool whose front was pruned: each command is right for what is left, or says by name what is gone; killed at any
//! step, a prune is finished by whoever comes next, and so is a repair.

use crate::{
    other_spool::{begun, import},
    support::{
        Spool,
        cli::{finish, harden},
        spool_frames, temp_dir,
    },
};
use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

/// Makes each frame a segment of its own, and forgets the index.
pub fn split(spool: &Spool) {
    for segment in spool.segments() {
        let bytes = fs::read(&segment).unwrap();
        fs::remove_file(&segment).unwrap();
        for frame in spool_frames(&bytes) {
            let first: [u8; 8] = bytes[frame.start + 40..frame.start + 48].try_into().unwrap();
            let name = format!("{:020}.zst", u64::from_le_bytes(first));
            fs::write(spool.path().join(name), &bytes[frame]).unwrap();
        }
    }
    forget_index(spool);
}

pub fn forget_index(spool: &Spool) {
    for entry in fs::read_dir(spool.path()).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.file_name().unwrap().to_string_lossy().starts_with("index.sqlite") {
            fs::remove_file(entry).unwrap();
        }
    }
}

/// A statement and two hundred rows, in segments of a hundred and of ten.
fn filled(dir: &tempfile::TempDir) -> Spool {
    let spool = begun(dir);
    tens(&spool, dir, 10..20);
    split(&spool);
    spool
}

fn tens(spool: &Spool, dir: &tempfile::TempDir, numbers: std::ops::Range<u64>) {
    numbers.for_each(|ten| import(spool, dir, ten * 10 + 1..=ten * 10 + 10));
}

fn target(dir: &tempfile::TempDir, name: &str) -> String {
    format!("sqlite:{}", dir.path().join(name).display())
}

fn rows(target: &str) -> String {
    let file = target.strip_prefix("sqlite:").unwrap();
    let sql = "SELECT count(*), min(id) FROM \"d.t\"";
    let done = Command::new("sqlite3").args([file, sql]).output().unwrap();
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

const PRUNE: [&str; 4] = ["spool", "prune", "--keep-bytes", "0"];
const GONE: &str = "messages 1 to 181 were pruned";

#[test]
fn what_a_run_or_an_export_has_not_taken_stays_unless_forced() {
    let dir = temp_dir();
    let (spool, slow) = (begun(&dir), target(&dir, "slow.db"));
    tens(&spool, &dir, 10..15);
    spool.apply(&slow, [""; 0]).code(0);
    tens(&spool, &dir, 15..20);
    split(&spool);
    spool.run(["spool", "prune"]).code(2).says(&["--older-than", "--keep-bytes"]);
    // The first segment has rows to 100, the others ten each.
    let export = ["export", "--format", "jsonl", "--name", "e", "--position", "..bin.000001:13100"];
    spool.run(export).code(0);
    let before = spool.segments();
    let dry = spool.run([&PRUNE[..], &["--dry-run"]].concat()).code(3);
    dry.says(&["would prune 5 segments", "5 segments more", "export \"e\" goes on at message 132"]);
    assert_eq!(spool.segments(), before);
    spool.run(PRUNE).code(3).says(&["pruned 5 segments", "begins at message 132"]);
    let (kept, away) = (spool.path().join("export/e"), dir.path().join("e"));
    fs::rename(&kept, &away).unwrap();
    let held = spool.run([&PRUNE[..], &["--json"]].concat()).code(3);
    let told: serde_json::Value = serde_json::from_str(&held.text()).unwrap();
    assert_eq!((&told["begin"], &told["held"]), (&152.into(), &3.into()), "{told}");
    let by = told["held_by"].as_str().unwrap();
    assert!(
        by.contains("the run \"apply\"") && by.contains("slow.db goes on at message 152"),
        "{by}"
    );
    spool.run([&PRUNE[..], &["--force"]].concat()).code(0).says(&["begins at message 182"]);
    // What is behind says so, and what is not goes on.
    spool.apply(&slow, [""; 0]).code(4).says(&["has come to message 151", GONE, "--name"]);
    assert_eq!(rows(&slow), "150|1");
    fs::rename(away, kept).unwrap();
    spool.run(export).code(4).says(&["the export \"e\" has come to message 131", GONE]);
}

#[test]
fn every_command_is_right_for_what_is_left_or_says_what_is_gone() {
    let dir = temp_dir();
    let spool = filled(&dir);
    let log = spool.run(["log", "--json"]).ok();
    let ahead = target(&dir, "ahead.db");
    spool.apply(&ahead, [""; 0]).code(0);
    spool.run(PRUNE).code(0).says(&["pruned 10 segments"]);
    let left: String = log.lines().skip(181).map(|line| format!("{line}\n")).collect();
    for _ in 0..2 {
        let shown = spool.run(["log", "--json"]).code(0).says(&[GONE, "begins at message 182"]);
        assert_eq!(shown.text(), left);
        spool.run(["spool", "verify"]).code(0);
        let ls = spool.run(["spool", "ls"]).ok();
        assert!(ls.contains("\npruned (1)\n") && !ls.contains("bad_frames"), "{ls}");
        // The definition is known, though its message is gone.
        assert!(spool.run(["schema", "show"]).ok().contains("d.t"));
        spool.run(["history", "d.t", "id=5"]).code(0).says(&["0 versions", GONE]);
        spool.run(["history", "d.t", "id=190"]).code(0).says(&["1 version", GONE]);
        spool.run(["search", "v190"]).code(0).says(&["found in 1 message", GONE]);
        spool.run(["stats"]).code(0).says(&[GONE]);
        let render = |args: &[&str]| spool.run([&["render"], args].concat());
        assert_eq!(render(&[]).code(0).says(&[GONE]).text().matches("INSERT").count(), 20);
        render(&["--reverse"]).code(4).says(&["what cannot be taken back", GONE]);
        render(&["--reverse", "--position", "bin.000001:100.."]).code(4).says(&[GONE]);
        let all = ["--reverse", "--allow-incomplete"];
        assert_eq!(render(&all).code(3).text().matches("DELETE FROM").count(), 20);
        let inside = render(&["--reverse", "--position", "bin.000001:19100.."]).code(0);
        assert!(!inside.stderr.contains("pruned"), "{}", inside.stderr);
        render(&["--reverse", "--xid", "7"]).code(2).says(&["no transaction with xid 7", GONE]);
        render(&["--reverse", "--xid", "190"]).code(0);
        forget_index(&spool);
    }
    spool.run(["spool", "reindex"]).code(0);
    // Who stands at the begin or behind it goes on, a new run begins with what is left.
    let file = dir.path().join("191-200.jsonl");
    spool.run(["import", file.to_str().unwrap()]).code(0);
    import(&spool, &dir, 201..=210);
    spool.run(["import", dir.path().join("1-100.jsonl").to_str().unwrap()]).code(0);
    spool.apply(&ahead, [""; 0]).code(0);
    assert_eq!(rows(&ahead), "210|1");
    let undo = ["--reverse", "--position", "bin.000001:20100.."];
    spool.apply(&ahead, undo).code(0);
    assert_eq!(rows(&ahead), "200|1");
    // A new file cannot have rows from before, and that is said.
    let new = target(&dir, "new.db");
    spool.apply(&new, [""; 0]).code(4).says(&[GONE, "does not hold these tables whole"]);
    Command::new("sqlite3").args([&new["sqlite:".len()..], DEFINE]).status().unwrap();
    spool.apply(&new, ["--ddl", "skip"]).code(0).says(&[GONE]);
    assert_eq!(rows(&new), "30|181");
}

const DEFINE: &str = "CREATE TABLE \"d.t\" (id INTEGER PRIMARY KEY, v TEXT)";

/// Runs a command that is killed at its call number `n` of these kinds; false when it came to its end before.
pub fn killed(spool: &Path, command: &[&str], calls: &str, n: usize) -> bool {
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq", "-o", "/dev/null"]);
    traced.arg(format!("--inject={calls}:signal=KILL:when={n}"));
    traced.arg(env!("CARGO_BIN_EXE_binsync")).arg("--spool").arg(spool).args(command);
    harden(&mut traced);
    let code = finish(traced, None).code;
    assert!([0, 3, -1].contains(&code), "{code}");
    code == -1
}

#[test]
fn a_prune_that_is_killed_at_any_step_is_finished_by_the_next() {
    let dir = temp_dir();
    let whole = filled(&dir);
    let log = whole.run(["log", "--json"]).ok();
    let left: Vec<&str> = log.lines().skip(181).collect();
    let mut kills = 0;
    for (calls, step) in [("fsync,fdatasync,rename,unlink", 1), ("pwrite64", 9)] {
        for n in (1..).step_by(step) {
            let spool = Spool::new();
            let done = Command::new("cp").arg("-r").args([whole.path(), spool.path()]).status();
            assert!(done.unwrap().success());
            if !killed(&spool.path(), &PRUNE, calls, n) {
                break;
            }
            kills += 1;
            if n % 2 == 0 {
                forget_index(&spool);
            }
            let shown = spool.run(["log", "--json"]).code(0).text();
            let whole = shown == log;
            assert!(whole || shown.lines().eq(left.iter().copied()), "{calls} {n}: {shown}");
            spool.run(["spool", "verify"]).code(0);
            spool.run(PRUNE).code(0);
            assert_eq!(spool.segments().len(), 2, "{calls} {n}");
            assert!(spool.run(["log", "--json"]).ok().lines().eq(left.iter().copied()));
            spool.run(["spool", "verify"]).code(0);
        }
    }
    assert!(kills > 25, "{kills}");
}

#[test]
fn a_repair_that_is_killed_at_any_step_is_finished_by_the_next() {
    let dir = temp_dir();
    let whole = filled(&dir);
    whole.run(["log"]).code(0);
    let segments = whole.segments();
    let flip = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        fs::write(path, bytes).unwrap();
    };
    flip(&segments[1]);
    fs::remove_file(&segments[4]).unwrap();
    let cut = fs::read(&segments[11]).unwrap();
    fs::write(&segments[11], &cut[..cut.len() - 9]).unwrap();
    let copied = || {
        let spool = Spool::new();
        let done = Command::new("cp").arg("-r").args([whole.path(), spool.path()]).status();
        assert!(done.unwrap().success());
        spool
    };
    let lost = |spool: &Spool| {
        let ls = spool.run(["spool", "ls", "--json"]).ok();
        let ls: serde_json::Value = serde_json::from_str(&ls).unwrap();
        let bad = ls["bad_frames"].as_array().unwrap().iter();
        bad.map(|bad| bad["lost"].to_string()).collect::<Vec<_>>()
    };
    let wanted = ["[2,102]", "[122,132]", "[192,202]"];
    let mut kills = 0;
    for n in 1.. {
        let spool = copied();
        if !killed(&spool.path(), &["spool", "repair"], "fsync,fdatasync,rename,unlink", n) {
            break;
        }
        kills += 1;
        spool.run(["log"]).code(3);
        spool.run(["spool", "repair"]).one_of(&[0, 3]);
        spool.run(["spool", "verify"]).code(0);
        assert_eq!(lost(&spool), wanted, "{n}");
        spool.run(["log"]).code(3);
        spool.run(["render", "--reverse", "--position", "bin.000001:11000.."]).code(4);
    }
    assert!(kills > 15, "{kills}");
}

#[test]
fn a_spool_is_pruned_beside_its_writer() {
    let dir = temp_dir();
    let spool = filled(&dir);
    let mut writer = spool.command(["import", "-"]);
    let mut running = writer.stdin(Stdio::piped()).spawn().unwrap();
    let mut pipe = running.stdin.take().unwrap();
    let row = |n: u64| {
        format!(
            "{{\"database\":\"d\",\"table\":\"t\",\"type\":\"insert\",\"ts\":1795351926,\"xid\":{n},\"commit\":true,\"position\":\"bin.000001:{}\",\"data\":{{\"id\":{n}}}}}\n",
            n * 100
        )
    };
    let lock = spool.path().join("lock");
    let writes = || fs::read_to_string(&lock).is_ok_and(|who| who.ends_with("write"));
    let patient = (0..3000).any(|_| {
        sleep(Duration::from_millis(10));
        writes()
    });
    assert!(patient, "the import does not begin");
    pipe.write_all(row(201).as_bytes()).unwrap();
    spool.run(PRUNE).code(0).says(&["pruned 10 segments"]);
    spool.run(["log"]).code(0).says(&[GONE]);
    pipe.write_all(row(202).as_bytes()).unwrap();
    drop(pipe);
    assert!(running.wait().unwrap().success());
    assert_eq!(spool.run(["log", "--json"]).code(0).text().lines().count(), 22);
    spool.run(["spool", "verify"]).code(0);
}
