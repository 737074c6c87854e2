//! A request that can not be meant is refused before anything is done, with what to ask for instead.

use crate::support::{Kind, Spool, assert_same_dump, binsync, cli::finish, fresh, temp_dir};
use std::path::Path;

const NOTHING: [&str; 0] = [];

#[test]
fn a_spool_that_is_not_there() {
    let dir = temp_dir();
    let place = dir.path().join("nowhere");
    let place = place.to_str().unwrap();
    for words in [["log"].as_slice(), &["render"], &["spool", "verify"]] {
        binsync(["--spool", place].iter().chain(words)).one_of(&[1, 2]).says(&["nowhere"]);
        assert!(!Path::new(place).exists(), "a reader made a spool");
    }
}

#[test]
fn a_file_that_is_not_there() {
    Spool::new().run(["import", "/no/such/file.jsonl"]).code(1).says(&["/no/such/file.jsonl"]);
}

#[test]
fn until_before_since() {
    let spool = Spool::recording("mariadb-edges");
    let cut = ["log", "--since", "2026-11-22T14:00:00", "--until", "2026-11-22T13:00:00"];
    spool.run(cut).code(2).says(&["--until", "--since"]);
}

#[test]
fn a_local_time_that_does_not_exist_or_exists_twice() {
    let spool = Spool::recording("mariadb-edges");
    for (time, both) in
        [("2026-03-29T02:30:00", ["01:30", "00:30"]), ("2026-10-25T02:30:00", ["00:30", "01:30"])]
    {
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
    spool.run(["render", "--xid", "1"]).one_of(&[1, 2, 3]).says(&["xid"]);
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

/// A password is said once, and a URL that cannot be read is not repeated.
#[test]
fn passwords_in_urls() {
    let spool = Spool::recording("mariadb-edges");
    let file = spool.path().with_file_name("password");
    std::fs::write(&file, "t\n").unwrap();
    let file = ["--password-file", file.to_str().unwrap()];
    let quiet = |run: crate::support::Run| {
        assert!(!run.stderr.contains("hunter"), "a secret is shown:\n{}", run.stderr);
    };
    quiet(spool.apply("mysql://t:hunter2@h", file).code(2).says(&["--target", file[0]]));
    for sign in ["#", "/", "?"] {
        let url = format!("mysql://t:hunter{sign}hunter@127.0.0.1:1");
        quiet(spool.apply(&url, NOTHING).code(2).says(&["--target", "%23", "%2F", sign]));
        quiet(spool.run(["schema", "add", "--from", &url]).code(2).says(&["--from", "%23"]));
        let base = ["--until", "2026-11-22T14:00:00", "--base", &url];
        quiet(spool.apply("sqlite:x.db", base).code(2).says(&["--base", "%23"]));
        let capture = ["capture", "--queue", "q", "--schema-from", &url];
        quiet(spool.run(capture).code(2).says(&["--schema-from", "%23"]));
    }
    for fault in ["mysql://t:hunter2@:x", "mysqls://t:hunter2@h", "t:hunter2@h"] {
        quiet(spool.apply(fault, NOTHING).one_of(&[1, 2]));
    }
}

#[test]
fn a_server_is_called_mysql_or_mariadb_everywhere() {
    let (server, spool) = (fresh(Kind::MariaDb), Spool::recording("mariadb-edges"));
    let url = server.url().replacen("mysql:", "mariadb:", 1);
    spool.run(["schema", "add", "--from", &url]).code(0).says(&["stored the definitions"]);
    spool.apply(&url, NOTHING).code(0);
}

#[test]
fn a_place_in_a_folder_that_is_not_there() {
    let spool = Spool::recording("mariadb-edges");
    let refused = spool.run(["render", "-o", "/no/such/folder/x.sql"]).code(2);
    refused.says(&["no folder /no/such/folder", "make it"]);
    let target = ["apply", "--target", "mysql://joe@localhost", "--password-file", "/no/such"];
    spool.run(target).code(1).says(&["/no/such", "name a file whose first line is the password"]);
}

#[test]
fn bytes_that_are_no_whole_bytes() {
    for typed in ["0x0", "0x", "0xZZ"] {
        let run = Spool::recording("mariadb-edges").run(["search", "--binary", typed]);
        run.code(2).says(&[typed, "two hexadecimal digits"]);
    }
}
