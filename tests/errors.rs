//! An error names the thing and the next step, ends with the right status, and loses nothing.

use crate::support::{
    Fresh, Kind, Run, Spool, amqp_url, assert_same_dump, binsync, broker,
    cli::{finish, harden},
    dump::schema_only,
    fresh, read, recording, temp_dir,
};
use std::{
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

const NOTHING: [&str; 0] = [];
const ROWS: [&str; 2] = ["--type", "insert,update,delete"];

/// Everything is still there: the same spool reaches the end.
fn nothing_is_lost(spool: &Spool, server: &Fresh, name: &str) {
    spool.apply(&server.url(), NOTHING).code(0);
    assert_same_dump(
        &server.dump(),
        &read(&format!("{name}.end.sql")),
        "after the error was mended",
    );
}

fn never_shows(run: Run, secret: &str) {
    assert!(
        !run.stderr.contains(secret) && !run.text().contains(secret),
        "a secret is shown:\n{}",
        run.stderr
    );
}

#[test]
fn a_wrong_password() {
    for kind in [Kind::MariaDb, Kind::MySql] {
        let server = fresh(kind);
        let spool = Spool::recording("mariadb-edges");
        let url = server.url().replace("t:t@", "t:hunter2@");
        let run = spool
            .apply(&url, NOTHING)
            .code(1)
            .says(&["denied", "password"]);
        never_shows(run, "hunter2");
    }
}

#[test]
fn no_such_database_host() {
    let spool = Spool::recording("mariadb-edges");
    let url = "mysql://t:hunter2@no-such-host.invalid:3306";
    never_shows(
        spool
            .apply(url, NOTHING)
            .code(1)
            .says(&["no-such-host.invalid"]),
        "hunter2",
    );
    spool
        .apply("mysql://t:t@127.0.0.1:1", NOTHING)
        .code(1)
        .says(&["127.0.0.1:1"]);
}

#[test]
fn no_such_broker_and_wrong_broker_password() {
    let spool = Spool::new();
    let capture = |url: &str| {
        spool.run([
            "capture",
            "--queue",
            "q",
            "--exit-when-idle",
            "1s",
            "--amqp-url",
            url,
        ])
    };
    never_shows(
        capture("amqp://guest:hunter2@127.0.0.1:1/%2f")
            .code(1)
            .says(&["127.0.0.1:1"]),
        "hunter2",
    );
    let wrong = amqp_url().replace("guest:guest", "guest:hunter2");
    never_shows(capture(&wrong).code(1).says(&["password"]), "hunter2");
}

#[test]
fn no_such_queue() {
    let spool = Spool::new();
    let args = [
        "capture",
        "--queue",
        "nobody-made-this",
        "--exit-when-idle",
        "1s",
        "--amqp-url",
        amqp_url(),
    ];
    spool
        .run(args)
        .code(1)
        .says(&["nobody-made-this", "--declare"]);
}

#[test]
fn a_target_without_the_database_the_table_or_the_column() {
    let name = "mariadb-incident";
    let end = read(&format!("{name}.end.sql"));
    let server = fresh(Kind::MariaDb);
    let spool = Spool::recording(name);
    spool
        .apply(&server.url(), ROWS)
        .one_of(&[1, 4])
        .says(&["shop"]);

    server.load(&schema_only(&end));
    server.sql("DROP TABLE shop.orders");
    spool
        .apply(&server.url(), ROWS)
        .one_of(&[1, 4])
        .says(&["orders"]);

    let server = {
        drop(server);
        fresh(Kind::MariaDb)
    };
    server.load(&schema_only(&end));
    server.sql("ALTER TABLE shop.customers DROP COLUMN balance");
    spool
        .apply(&server.url(), ROWS)
        .one_of(&[1, 4])
        .says(&["customers", "balance"]);
    server.sql("DROP DATABASE shop; DROP DATABASE IF EXISTS binsync");
    nothing_is_lost(&spool, &server, name);
}

#[test]
fn a_row_that_differs_on_the_target_stops_and_is_shown() {
    let name = "mariadb-incident";
    let (server, spool) = (fresh(Kind::MariaDb), Spool::recording(name));
    server.load(&schema_only(&read(&format!("{name}.end.sql"))));
    server.sql(
        "INSERT INTO shop.customers (id, name, email, balance) VALUES (33, 'in the way', 'x', 1)",
    );
    spool
        .apply(&server.url(), ROWS)
        .one_of(&[1, 4])
        .says(&["customers", "33"]);
    server.sql("DELETE FROM shop.customers WHERE id=33");
    spool.apply(&server.url(), ROWS).code(0);
    assert_same_dump(
        &server.dump(),
        &read(&format!("{name}.end.sql")),
        "after the row was removed",
    );
}

#[test]
fn a_read_only_target() {
    let (server, spool) = (fresh(Kind::MariaDb), Spool::recording("mariadb-edges"));
    server.sql("CREATE OR REPLACE USER plain@'%' IDENTIFIED BY 'plain'; GRANT SELECT,INSERT,UPDATE,DELETE,CREATE,DROP,ALTER,INDEX,REFERENCES ON *.* TO plain@'%'; SET GLOBAL read_only=1");
    let url = server.url().replace("t:t@", "plain:plain@");
    spool.apply(&url, NOTHING).one_of(&[1, 4]).says(&["read"]);
    server.sql("SET GLOBAL read_only=0");
    spool.apply(&url, NOTHING).code(0);
    assert_same_dump(
        &server.dump(),
        &read("mariadb-edges.end.sql"),
        "after read_only was lifted",
    );

    let (server, spool) = (fresh(Kind::MySql), Spool::recording("mysql-edges"));
    server.sql("SET GLOBAL super_read_only=1");
    spool
        .apply(&server.url(), NOTHING)
        .one_of(&[1, 4])
        .says(&["read"]);
    server.sql("SET GLOBAL read_only=0");
    nothing_is_lost(&spool, &server, "mysql-edges");
}

/// A stream of 40 MB that does not compress, as valid inserts.
fn incompressible() -> Vec<u8> {
    let mut seed = 42_u64;
    let mut letters = move || {
        let mut text = String::with_capacity(2000);
        while text.len() < 2000 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text.extend(
                [58, 52, 46, 40].map(|shift| char::from(b'0' + (seed >> shift & 63) as u8)),
            );
        }
        text.replace('\\', "/")
    };
    let line = |id: u32| {
        format!(
            "{{\"database\":\"d\",\"table\":\"t\",\"type\":\"insert\",\"ts\":1795351926,\"xid\":{id},\"commit\":true,\"position\":\"bin.000001:{}\",\"data\":{{\"id\":{id},\"v\":\"{}\"}}}}\n",
            id * 100,
            letters()
        )
    };
    (1..=20_000).map(line).collect::<String>().into_bytes()
}

/// A mount namespace whose /mnt is a small file system; `$1` is the tool, the rest its last arguments.
fn on_a_small_disk(script: &str, args: &[&str]) -> Run {
    let mut command = Command::new("unshare");
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    command.arg(if root { "-m" } else { "-Urm" });
    let script = format!("mount -t tmpfs -o size=20m none /mnt || exit 99\n{script}");
    command
        .args(["sh", "-c", &script, "sh", env!("CARGO_BIN_EXE_binsync")])
        .args(args);
    harden(&mut command);
    finish(command, None)
}

#[test]
fn a_full_disk_stops_an_import_and_a_rerun_finishes_it() {
    let dir = temp_dir();
    let file = crate::support::write(&dir, "big.jsonl", incompressible());
    let script = r#"
        "$1" --spool /mnt/s import "$2"; echo "first $?"
        mount -o remount,size=200m /mnt
        "$1" --spool /mnt/s import "$2"; echo "second $?"
        zstd -dcq /mnt/s/*.zst | cmp - "$2" && echo same"#;
    let run = on_a_small_disk(script, &[file.to_str().unwrap()]);
    let text = run.text();
    assert!(
        text.contains("first 1") || text.contains("first 4"),
        "{text}\n{}",
        run.stderr
    );
    assert!(
        text.contains("second 0") && text.contains("same"),
        "{text}\n{}",
        run.stderr
    );
    let run = run.says(&["/mnt/s"]);
    assert!(
        run.stderr.to_lowercase().contains("space") || run.stderr.contains("full"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_full_disk_pauses_a_capture_which_resumes_by_itself() {
    let (queue, dir, stream) = (broker("full"), temp_dir(), incompressible());
    queue.publish(
        stream
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty()),
    );
    let file = crate::support::write(&dir, "big.jsonl", stream);
    let script = r#"
        "$1" --spool /mnt/s capture --queue "$3" --amqp-url "$4" --exit-when-idle 4s & 
        sleep 8; mount -o remount,size=200m /mnt
        wait $!; echo "capture $?"
        zstd -dcq /mnt/s/*.zst | cmp - "$2" && echo same"#;
    let run = on_a_small_disk(script, &[file.to_str().unwrap(), &queue.name, amqp_url()]);
    assert!(
        run.text().contains("capture 0\nsame"),
        "{}\n{}",
        run.text(),
        run.stderr
    );
    assert_eq!(queue.ready(), 0);
}

#[test]
fn a_spool_without_permission() {
    let dir = temp_dir();
    let place = dir.path().join("locked");
    std::fs::create_dir(&place).unwrap();
    Command::new("chmod")
        .arg("0500")
        .arg(&place)
        .status()
        .unwrap();
    // Root writes anywhere unless that capability is taken away.
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let mut command = Command::new(if root { "setpriv" } else { "env" });
    if root {
        command.args([
            "--bounding-set=-dac_override,-dac_read_search",
            "--inh-caps=-all",
        ]);
    }
    command
        .arg(env!("CARGO_BIN_EXE_binsync"))
        .arg("--spool")
        .arg(place.join("spool"))
        .arg("import");
    command.arg(recording("mariadb-edges"));
    harden(&mut command);
    finish(command, None)
        .code(1)
        .says(&["locked", "permission"]);
}

#[test]
fn a_spool_that_is_not_there() {
    let dir = temp_dir();
    let place = dir.path().join("nowhere");
    let place = place.to_str().unwrap();
    for words in [["log"].as_slice(), &["render"], &["spool", "verify"]] {
        binsync(["--spool", place].iter().chain(words))
            .code(1)
            .says(&["nowhere"]);
        assert!(!Path::new(place).exists(), "a reader made a spool");
    }
}

#[test]
fn a_file_that_is_not_there() {
    Spool::new()
        .run(["import", "/no/such/file.jsonl"])
        .code(1)
        .says(&["/no/such/file.jsonl"]);
}

#[test]
fn two_captures_on_one_spool() {
    let (queue, spool) = (broker("lock"), Spool::new());
    let mut first = spool
        .capture_command(&queue, [])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !spool.path().is_dir() || std::fs::read_dir(spool.path()).unwrap().next().is_none() {
        assert!(Instant::now() < deadline, "the first capture made no spool");
        sleep(Duration::from_millis(20));
    }
    sleep(Duration::from_millis(300));
    let second = spool.capture(&queue, ["--exit-when-idle", "1s"]);
    first.kill().unwrap();
    first.wait().unwrap();
    second.code(1).says(&[&first.id().to_string()]);
    // A lock of a dead process holds nobody up.
    spool.capture(&queue, ["--exit-when-idle", "1s"]).code(0);
}

#[test]
fn until_before_since() {
    let spool = Spool::recording("mariadb-edges");
    let cut = [
        "log",
        "--since",
        "2026-11-22T14:00:00",
        "--until",
        "2026-11-22T13:00:00",
    ];
    spool.run(cut).code(2).says(&["--until", "--since"]);
}

#[test]
fn a_local_time_that_does_not_exist_or_exists_twice() {
    let spool = Spool::recording("mariadb-edges");
    for (time, both) in [
        ("2026-03-29T02:30:00", ["01:30", "00:30"]),
        ("2026-10-25T02:30:00", ["00:30", "01:30"]),
    ] {
        let mut command = spool.command(["log", "--until", time]);
        command.env("TZ", "Europe/Berlin");
        let run = finish(command, None).code(2).says(&[time]);
        let names_both = both.iter().all(|utc| run.stderr.contains(utc))
            || run.stderr.matches("2026-").count() >= 3;
        assert!(names_both, "both readings are not named:\n{}", run.stderr);
    }
}

#[test]
fn a_name_used_again_with_another_selection() {
    let (server, spool) = (fresh(Kind::MariaDb), Spool::recording("mariadb-edges"));
    spool.apply(&server.url(), NOTHING).code(0);
    let before = server.dump();
    spool
        .apply(&server.url(), ["--table", "edges.grown"])
        .one_of(&[1, 2])
        .says(&["--name", "apply"]);
    // Another spool under the same name is another stream.
    Spool::recording("mariadb-types")
        .apply(&server.url(), NOTHING)
        .one_of(&[1, 2])
        .says(&["spool", "--name"]);
    assert_same_dump(&server.dump(), &before, "a refused apply");
}

#[test]
fn a_filter_that_this_stream_can_never_match() {
    let spool = Spool::recording("mariadb-edges");
    spool
        .run(["render", "--xid", "1"])
        .one_of(&[1, 2, 3])
        .says(&["xid"]);
}

#[test]
fn usage_errors() {
    for args in [
        ["apply"].as_slice(),
        &["import"],
        &["no-such-command"],
        &["log", "--no-such-flag"],
        &["log", "--since", "yesterday"],
    ] {
        binsync(args).code(2);
    }
}
