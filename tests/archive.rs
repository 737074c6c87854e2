//! Segments that are in an archive alone: every command as before, and what cannot be had from there is refused by name;
//! killed at any step, an archiving and a fetch are gone on with.

use crate::{
    other_spool::{begun, import},
    pruned::{forget_index, killed, split},
    support::{
        Proxy, Run, Running, Spool,
        cli::finish,
        s3::{KEYS, ObjectStore},
        temp_dir,
    },
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A statement and two hundred rows, in twelve segments.
fn filled(dir: &tempfile::TempDir) -> Spool {
    let spool = begun(dir);
    (10..20).for_each(|ten| import(&spool, dir, ten * 10 + 1..=ten * 10 + 10));
    split(&spool);
    spool
}

fn copied(spool: &Spool) -> Spool {
    let copy = Spool::new();
    let done = Command::new("cp").arg("-r").args([spool.path(), copy.path()]).status();
    assert!(done.unwrap().success());
    copy
}

/// Where an archive is, and what a command needs to reach it.
struct Place {
    to: String,
    env: Vec<(&'static str, String)>,
}

impl Place {
    fn folder(dir: &Path) -> Place {
        fs::create_dir_all(dir).unwrap();
        Place { to: dir.display().to_string(), env: Vec::new() }
    }

    fn bucket(port: u16) -> Place {
        let env = [
            ("AWS_ACCESS_KEY_ID", KEYS[0].to_owned()),
            ("AWS_SECRET_ACCESS_KEY", KEYS[1].to_owned()),
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
        ];
        Place { to: "s3://bucket/the shop's+é".to_owned(), env: env.into() }
    }

    fn run(&self, spool: &Spool, args: &[&str]) -> Run {
        let mut command = spool.command(args);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        finish(command, None)
    }

    fn archive(&self, spool: &Spool, args: &[&str]) -> Run {
        self.run(spool, &[&["spool", "archive", &self.to], args].concat())
    }
}

const ALL: [&str; 2] = ["--keep-bytes", "0"];

fn fetched(spool: &Spool) -> usize {
    fs::read_dir(spool.path().join("archive/fetched")).map_or(0, Iterator::count)
}

/// What each command answers: its status and both outputs, and how many segments it had fetched.
fn answers(place: &Place, spool: &Spool, dir: &Path) -> Vec<(String, String, usize)> {
    let (db, undone) = (target_in(dir, "all.db"), target_in(dir, "undone.db"));
    let all: [&[&str]; 17] = [
        &["log", "--biggest", "--json"],
        &["log", "--json"],
        &["stats", "--json"],
        &["schema", "show"],
        &["status"],
        &["history", "d.t", "id=5", "--json"],
        &["search", "v190", "--json"],
        &["export", "--format", "jsonl"],
        &["export", "--format", "csv", "--flatten"],
        &["render"],
        &["render", "--reverse", "--position", "bin.000001:100.."],
        &["apply", "--target", &db],
        &["apply", "--target", &db],
        &["apply", "--target", &db, "--reverse", "--xid", "7,77", "--name", "undo"],
        &["apply", "--target", &undone, "--until", "2026-11-22T14:12:07Z"],
        &["spool", "verify"],
        &["spool", "repair", "--dry-run"],
    ];
    let mut said = Vec::new();
    // Where the files that are made again here had come to.
    let _ = fs::remove_dir_all(spool.path().join("targets"));
    for args in all {
        let _ = fs::remove_dir_all(spool.path().join("archive/fetched"));
        let run = place.run(spool, args);
        // Of a status the room on the disk and the times, of the spool its place.
        let mut text = format!("{} {} {}", run.code, run.text(), run.stderr);
        if args[0] == "status" {
            text = text.lines().filter(|line| line.contains("holds ")).take(1).collect();
            text.truncate(text.find(" in ").unwrap_or(0));
        }
        said.push((
            args.join(" "),
            text.replace(&spool.path().display().to_string(), ""),
            fetched(spool),
        ));
    }
    for file in [db, undone] {
        let dump = Command::new("sqlite3")
            .args([&file["sqlite:".len()..], "SELECT * FROM \"d.t\""])
            .output();
        said.push(("rows".into(), String::from_utf8(dump.unwrap().stdout).unwrap(), 0));
        fs::remove_file(&file["sqlite:".len()..]).unwrap();
    }
    said
}

fn target_in(dir: &Path, name: &str) -> String {
    format!("sqlite:{}", dir.join(name).display())
}

fn as_before(place: &Place) {
    let dir = temp_dir();
    let spool = filled(&dir);
    let before = answers(place, &spool, dir.path());
    assert!(
        before.iter().all(|(command, text, _)| text.starts_with("0 ")
            || *command == "rows"
            || *command == "status"),
        "{before:?}"
    );
    let segments = spool.segments();
    let dry = place.archive(&spool, &[&ALL[..], &["--dry-run"]].concat()).code(0);
    dry.says(&["would have copied 11 segments", "would have removed 10 segments"]);
    assert!(!spool.path().join("archive").exists() && spool.segments() == segments);
    place.archive(&spool, &[]).code(0).says(&["copied 11 segments"]);
    assert_eq!(spool.segments(), segments);
    place.archive(&spool, &ALL).code(0).says(&["copied 0 segments", "removed 10 segments"]);
    assert_eq!(spool.segments().len(), 2);
    let after = answers(place, &spool, dir.path());
    for ((command, text, _), (_, after, fetched)) in before.iter().zip(&after) {
        assert_eq!(text, after, "{command}");
        let most = match &**command {
            "log --biggest --json"
            | "log --json"
            | "stats --json"
            | "schema show"
            | "status"
            | "spool repair --dry-run"
            | "rows" => 0,
            "history d.t id=5 --json" => 1,
            _ => 4,
        };
        assert!(*fetched <= most, "{command} fetched {fetched}");
    }
    assert!(after.iter().any(|(.., fetched)| *fetched == 4));
    let status = place.run(&spool, &["status"]).code(0).text();
    assert!(
        status.contains("archive  11 segments") && status.contains("10 of them not here"),
        "{status}"
    );
    assert!(place.run(&spool, &["spool", "ls"]).code(0).text().contains("archived (11)"));
    forget_index(&spool);
    place.run(&spool, &["spool", "reindex"]).code(0).says(&["indexed 201 messages"]);
    assert_eq!(place.run(&spool, &["log", "--json"]).code(0).text(), texts(&before, "log --json"));
    // It goes on, and is pruned, whoever needs what is gone being told.
    import(&spool, &dir, 201..=210);
    place.archive(&spool, &ALL).code(0).says(&["copied 0 segments"]);
    let pruned = place.run(&spool, &["spool", "prune", "--keep-bytes", "0"]).code(0);
    pruned.says(&["pruned 10 segments", "any more: 10 segments"]);
    place.run(&spool, &["spool", "verify"]).code(0);
    forget_index(&spool);
    assert_eq!(place.run(&spool, &["log", "--json"]).code(0).text().lines().count(), 30);
}

fn texts(all: &[(String, String, usize)], command: &str) -> String {
    let (_, text, _) = all.iter().find(|(named, ..)| named == command).unwrap();
    let text = text.strip_prefix("0 ").unwrap();
    text.rsplit_once("\n ").map_or(text, |(out, _)| out).to_owned() + "\n"
}

#[test]
fn every_command_is_as_before_when_segments_are_in_a_folder_alone() {
    let dir = temp_dir();
    as_before(&Place::folder(&dir.path().join("archive")));
}

#[test]
fn every_command_is_as_before_when_segments_are_in_an_object_store_alone() {
    let store = ObjectStore::start();
    as_before(&Place::bucket(store.port));
}

#[test]
fn an_object_store_that_refuses_or_cannot_be_reached_ends_a_command_and_nothing_is_lost() {
    let (dir, store) = (temp_dir(), ObjectStore::start());
    let (spool, proxy) = (filled(&dir), Proxy::start(store.port));
    let place = Place::bucket(proxy.port);
    let export = ["export", "--format", "jsonl"];
    let before = spool.run(export).ok();
    let with = |name: &'static str, value: &str| {
        let mut other = Place::bucket(proxy.port);
        other.env.retain(|(known, _)| *known != name);
        other.env.push((name, value.to_owned()));
        other
    };
    let wrong = with("AWS_SECRET_ACCESS_KEY", "hunter2");
    let refused = wrong.archive(&spool, &ALL).code(4);
    assert!(!refused.stderr.contains("hunter2"), "{}", refused.stderr);
    with("AWS_SECRET_ACCESS_KEY", "").archive(&spool, &ALL).code(2).says(&["is not set"]);
    assert_eq!(spool.segments().len(), 12);
    // Cut off again and again, it is tried again.
    proxy.delay(std::time::Duration::from_millis(20), std::time::Duration::from_millis(20));
    let mut command = spool.command(["spool", "archive", &place.to, ALL[0], ALL[1]]);
    command.envs(place.env.iter().map(|(name, value)| (name, value)));
    let running = Running::start(command);
    for _ in 0..3 {
        std::thread::sleep(std::time::Duration::from_millis(400));
        proxy.cut();
    }
    let (status, said) = running.end();
    assert!(status.success(), "{said}");
    assert_eq!(spool.segments().len(), 2);
    wrong.run(&spool, &export).code(4).says(&["403", "in the archive alone"]);
    drop(proxy);
    place
        .run(&spool, &export)
        .code(4)
        .says(&["in the archive alone", "run the same command again"]);
    assert_eq!(Place::bucket(store.port).run(&spool, &export).ok(), before);
}

/// The copies in a folder, by name.
fn copies(folder: &Path) -> Vec<PathBuf> {
    let spools = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = spools.flat_map(|spool| fs::read_dir(spool).unwrap().map(|e| e.unwrap().path()));
    let mut files: Vec<_> = files.filter(|file| !file.ends_with("segments.zst")).collect();
    files.sort();
    files
}

#[test]
fn a_copy_that_is_not_there_or_another_is_refused_by_name() {
    let dir = temp_dir();
    let (folder, spool) = (dir.path().join("archive"), filled(&dir));
    let place = Place::folder(&folder);
    place.archive(&spool, &ALL).code(0);
    let (history, name) = (["history", "d.t", "id=5"], "00000000000000000002.zst");
    let second = copies(&folder)[1].clone();
    let whole_second = fs::read(&second).unwrap();
    let mut flipped = whole_second.clone();
    flipped[whole_second.len() / 2] ^= 4;
    let gone = "it is not there";
    for (bytes, said) in [(Some(flipped), "not what was copied there"), (None, gone)] {
        match &bytes {
            Some(bytes) => fs::write(&second, bytes).unwrap(),
            None => fs::remove_file(&second).unwrap(),
        }
        spool.run(history).code(1).says(&[name, said, "spool repair"]);
        let found = spool.run(["spool", "verify"]).code(3).text();
        assert!(
            found.contains(name) && found.contains(said) && found.contains("1 finding"),
            "{found}"
        );
        // What needs nothing of it goes on.
        spool.run(["history", "d.t", "id=190"]).code(0);
        spool.run(["log"]).code(0);
    }
    fs::rename(&folder, dir.path().join("away")).unwrap();
    spool.run(history).code(4).says(&[name, "the archive is not there"]);
    place.archive(&spool, &ALL).code(2).says(&["no folder is there"]);
    fs::rename(dir.path().join("away"), &folder).unwrap();
    // Gone for good: said once and for all.
    fs::write(spool.path().join(name), "").unwrap();
    spool.run(["spool", "repair"]).code(3).says(&["messages 2 to 101"]);
    spool.run(history).code(3);
    spool.run(["spool", "verify"]).code(0);
}

#[test]
fn nothing_is_removed_that_is_not_in_the_archive_as_it_is_here() {
    let dir = temp_dir();
    let (folder, spool) = (dir.path().join("archive"), filled(&dir));
    let place = Place::folder(&folder);
    place.archive(&spool, &[]).code(0);
    let (before, third) = (spool.segments(), &copies(&folder)[2]);
    let mut other = fs::read(third).unwrap();
    other[9] ^= 4;
    fs::write(third, &other).unwrap();
    fs::write(&copies(&folder)[3], "short").unwrap();
    fs::remove_file(&copies(&folder)[4]).unwrap();
    // What is whole here is put there again.
    place.archive(&spool, &ALL).code(0).says(&["removed 10 segments"]);
    assert_eq!(spool.segments(), before[10..]);
    spool.run(["spool", "verify"]).code(0);
    // A damaged one is not archived.
    let spool = filled(&dir);
    let file = &spool.segments()[3];
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(file, bytes).unwrap();
    place.archive(&spool, &ALL).code(1).says(&["it was not archived", "spool repair"]);
    assert_eq!(spool.segments().len(), 12);
}

#[test]
fn an_archive_is_moved_with_all_that_it_has() {
    let dir = temp_dir();
    let spool = filled(&dir);
    let log = spool.run(["export", "--format", "jsonl"]).ok();
    let [one, two, three] = ["one", "two", "three"].map(|name| dir.path().join(name));
    Place::folder(&one).archive(&spool, &ALL).code(0);
    Place::folder(&two).archive(&spool, &[]).code(0).says(&["copied 11 segments"]);
    fs::remove_dir_all(&one).unwrap();
    assert_eq!(spool.run(["export", "--format", "jsonl"]).ok(), log);
    // Moved by hand.
    fs::rename(&two, &three).unwrap();
    spool.run(["export", "--format", "jsonl"]).code(4);
    Place::folder(&three).archive(&spool, &[]).code(0);
    assert_eq!(spool.run(["export", "--format", "jsonl"]).ok(), log);
    assert_eq!(copies(&three).len(), 11);
}

#[test]
fn an_archiving_and_a_fetch_that_are_killed_at_any_step_are_gone_on_with() {
    let dir = temp_dir();
    let whole = filled(&dir);
    let log = whole.run(["export", "--format", "jsonl"]).ok();
    let mut kills = 0;
    for n in (1..).step_by(4) {
        let (spool, to) = (copied(&whole), dir.path().join(format!("archive-{n}")));
        let place = Place::folder(&to);
        let command = ["spool", "archive", &place.to, "--keep-bytes", "0"];
        if !killed(&spool.path(), &command, "fsync,fdatasync,rename,unlink", n) {
            break;
        }
        kills += 1;
        if n % 8 == 1 {
            forget_index(&spool);
        }
        assert_eq!(spool.run(["export", "--format", "jsonl"]).ok(), log, "{n}");
        spool.run(["spool", "verify"]).code(0);
        place.archive(&spool, &ALL).code(0);
        assert_eq!((spool.segments().len(), copies(&to).len()), (2, 11), "{n}");
        assert_eq!(spool.run(["export", "--format", "jsonl"]).ok(), log, "{n}");
    }
    assert!(kills > 8, "{kills}");
    let place = Place::folder(&dir.path().join("archive"));
    place.archive(&whole, &ALL).code(0);
    let mut kills = 0;
    for n in 1.. {
        let spool = copied(&whole);
        let killed =
            killed(&spool.path(), &["export", "--format", "jsonl"], "fsync,rename,unlink", n * 2);
        assert_eq!(spool.run(["export", "--format", "jsonl"]).ok(), log, "{n}");
        assert!(fetched(&spool) <= 4);
        if !killed {
            break;
        }
        kills += 1;
    }
    assert!(kills > 3, "{kills}");
}

#[test]
fn commands_that_need_the_same_at_once_all_get_it() {
    let dir = temp_dir();
    let spool = filled(&dir);
    let log = spool.run(["export", "--format", "jsonl"]).ok();
    Place::folder(&dir.path().join("archive")).archive(&spool, &ALL).code(0);
    let running: Vec<_> = (0..4)
        .map(|_| {
            let command = spool.command(["export", "--format", "jsonl"]);
            std::thread::spawn(|| finish(command, None))
        })
        .collect();
    for run in running {
        assert_eq!(run.join().unwrap().ok(), log);
    }
    assert!(fetched(&spool) <= 4);
}

#[test]
fn a_spool_is_archived_beside_its_writer_and_an_import_is_taken_out_of_what_is_away() {
    let dir = temp_dir();
    let (folder, spool) = (dir.path().join("archive"), filled(&dir));
    let place = Place::folder(&folder);
    let mut writer = spool.command(["import", "-"]);
    let mut running = writer.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let lock = spool.path().join("lock");
    let writes = || fs::read_to_string(&lock).is_ok_and(|who| who.ends_with("write"));
    assert!((0..3000).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        writes()
    }));
    place.archive(&spool, &ALL).code(0).says(&["removed 10 segments"]);
    drop(running.stdin.take());
    assert!(running.wait().unwrap().success());
    spool.run(["spool", "verify"]).code(0);
    let log = spool.run(["log", "--json"]).ok();
    let file = dir.path().join("111-120.jsonl");
    spool.run(["spool", "forget", file.to_str().unwrap()]).code(0).says(&["took out 10 messages"]);
    assert_eq!(spool.segments().len(), 3);
    spool.run(["spool", "verify"]).code(0);
    let without: Vec<&str> = log
        .lines()
        .enumerate()
        .filter(|(n, _)| !(111..=120).contains(n))
        .map(|(_, line)| line)
        .collect();
    assert!(spool.run(["log", "--json"]).ok().lines().eq(without.iter().copied()));
    place.archive(&spool, &ALL).code(0).says(&["copied 1 segment", "removed 1 segment"]);
    forget_index(&spool);
    assert!(spool.run(["log", "--json"]).ok().lines().eq(without.iter().copied()));
    spool.run(["spool", "verify"]).code(0);
}
