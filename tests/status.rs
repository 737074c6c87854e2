//! Where the spool and its runs stand: what `status` says is what is so, and what somebody has to see to ends it with 3.

use crate::other_spool::{apply, begun, import, targets};
use crate::support::{MariaDb, Running, Spool, fresh, read, temp_dir};
use serde_json::Value;

fn status(spool: &Spool, args: &[&str], code: i32) -> Value {
    let said = spool.run([&["status", "--json"], args].concat()).code(code);
    serde_json::from_str(&said.text()).expect("JSON")
}

fn run<'v>(status: &'v Value, name: &str) -> &'v Value {
    let runs = status["runs"].as_array().unwrap();
    runs.iter().find(|run| run["name"] == name).unwrap_or_else(|| panic!("no {name}: {status:#}"))
}

fn abouts(status: &Value) -> Vec<&str> {
    let findings = status["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["about"].as_str().unwrap()).collect()
}

/// One at the end, one behind, one that was killed in the middle of a window.
#[test]
fn three_runs_are_where_the_target_has_them() {
    let (server, spool) = (fresh(MariaDb), Spool::recording("mariadb-incident"));
    let url = server.url();
    spool.apply(&url, [] as [&str; 0]).code(0);
    let early = ["--name", "early", "--until", "2026-11-22T12:49:22Z", "--ddl", "skip"];
    let early = [&early[..], &["--table", "shop.orders", "--on-conflict", "overwrite"]].concat();
    spool.apply(&url, early).one_of(&[0, 3]);
    server.sql("DELETE FROM shop.audit_log; DELETE FROM shop.customers");
    let slow = ["--name", "slow", "--table", "shop.customers,shop.audit_log", "--ddl", "skip"];
    let slow = [&slow[..], &["--max-rows-per-second", "300"]].concat();
    let mut command = spool.command(["apply", "--target", &url]);
    command.args(&slow);
    let mut begun = Running::start(command);
    let asked = || status(&spool, &["--target", &url], 0);
    let window = |status: &Value| {
        let runs = status["runs"].as_array().unwrap();
        runs.iter().any(|run| run["name"] == "slow" && run["window_end"].is_u64())
    };
    // While it runs, a window is nothing to see to.
    assert!(begun.until(|| window(&asked())), "{:?}", begun.end());
    assert_eq!(run(&asked(), "slow")["alive"], true);
    begun.kill();
    begun.end();

    let stands = status(&spool, &["--target", &url], 3);
    assert_eq!(abouts(&stands), ["run"]);
    let what = stands["findings"][0]["what"].as_str().unwrap();
    assert!(what.starts_with("slow at mysql://"), "{what}");
    assert!(what.contains("stopped in the middle of a window"), "{what}");
    for name in ["apply", "early", "slow"] {
        let (run, sql) = (run(&stands, name), "SELECT seq FROM binsync.progress WHERE name=");
        assert_eq!(run["seq"].to_string(), server.query(&format!("{sql}'{name}'")).trim());
        assert_eq!((&run["alive"], &run["asked"]), (&Value::Bool(false), &Value::Bool(true)));
    }
    let next = stands["spool"]["next"].as_u64().unwrap();
    assert_eq!(next, 1 + read("mariadb-incident.jsonl").lines().count() as u64);
    assert_eq!(run(&stands, "apply")["behind_messages"], 0);
    let early = run(&stands, "early");
    assert_eq!(early["behind_messages"], next - early["seq"].as_u64().unwrap());
    assert!(early["behind_seconds"].as_i64().unwrap() > 0, "{early}");
    assert!(early["selection"].as_str().unwrap().contains("shop.orders"), "{early}");
    let text = spool.run(["status", "--target", &url]).code(3).text();
    for word in ["to be seen to", "early: forward, ", "not behind", "behind by"] {
        assert!(text.contains(word), "{text}");
    }

    // Without the target: what was seen, and no judgement.
    let seen = status(&spool, &[], 0);
    assert_eq!(run(&seen, "early")["seq"], early["seq"]);
    assert_eq!(run(&seen, "early")["asked"], false);

    // It goes on, and all is well.
    spool.apply(&url, &slow).one_of(&[0, 3]);
    assert_eq!(abouts(&status(&spool, &["--target", &url], 0)), [""; 0]);
}

/// What is forgotten is gone, at the target and here, and nothing else; what is at work is not forgotten.
#[test]
fn a_run_is_forgotten_when_nobody_is_at_work_under_its_name() {
    targets(|target, ask, _| {
        let dir = temp_dir();
        let spool = begun(&dir);
        let rows = || ask("SELECT COUNT(*) FROM d.t");
        let names = || ask("SELECT name FROM binsync.progress ORDER BY name").replace('\n', " ");
        apply(&spool, target, &["--name", "other"]).code(0);
        let follow = ["--name", "f", "--position", "bin.000001:10001..", "--follow"];
        let mut command = spool.command(["apply", "--target", target, "--ddl", "skip"]);
        command.args(follow);
        let mut follow = Running::start(command);
        import(&spool, &dir, 101..=150);
        assert!(follow.until(|| rows() == "150"), "{:?}", follow.end());
        // The spool remembers it a moment later.
        let known = || spool.run(["runs", "forget", "f", "--dry-run"]).code == 4;
        assert!(follow.until(known), "{:?}", follow.end());
        let forget =
            |args: &[&str], code| spool.run([&["runs", "forget"], args].concat()).code(code);
        for args in
            [&["f", "--target", target][..], &["f"], &["f", "--target", target, "--dry-run"]]
        {
            forget(args, 4).says(&["is at work", "nothing was removed", "stop it"]);
        }
        assert_eq!(names(), "f other");
        // It goes on: nothing has disturbed it.
        import(&spool, &dir, 151..=160);
        assert!(follow.until(|| rows() == "160"), "{:?}", follow.end());
        follow.signal("-TERM");
        let (ended, said) = follow.end();
        assert!(matches!(ended.code(), Some(0 | 4)), "{ended} {said}");

        forget(&["f", "--target", target, "--dry-run"], 0).says(&["would forget", "begins anew"]);
        assert_eq!(names(), "f other");
        // Without the target only what is remembered goes.
        forget(&["f"], 0).says(&["only what this spool remembers"]);
        assert_eq!(
            (names(), run(&status(&spool, &["--target", target], 0), "f")["asked"].clone()),
            ("f other".into(), true.into())
        );
        forget(&["f", "--target", target], 0).says(&["forgot f at", "begins anew"]);
        assert_eq!((names(), rows()), ("other".into(), "160".into()));
        forget(&["f", "--target", target], 2).says(&["no run is called", "binsync status"]);
        forget(&["f"], 2);
        let left = status(&spool, &["--target", target], 0);
        assert_eq!(left["runs"].as_array().unwrap().len(), 1, "{left}");
        // The name may be another run's now.
        apply(&spool, target, &["--name", "f", "--position", "bin.000001:15501.."]).code(4);
    });
}

#[test]
fn a_window_that_is_forgotten_is_named() {
    let (server, spool) = (fresh(MariaDb), Spool::recording("mariadb-incident"));
    let url = server.url();
    let args = ["apply", "--target", &url, "--max-rows-per-second", "300"];
    let mut slow = Running::start(spool.command(args));
    let chunks = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA='binsync' AND TABLE_NAME='intent'";
    let begun = || {
        server.query(chunks) == "1\n" && server.query("SELECT COUNT(*) FROM binsync.chunk") != "0\n"
    };
    assert!(slow.until(begun), "{:?}", slow.end());
    slow.kill();
    slow.end();
    let forget = ["runs", "forget", "apply", "--target", &url];
    spool
        .run([&forget[..], &["--dry-run"]].concat())
        .code(3)
        .says(&["would forget", "a part of the rows"]);
    spool.run(forget).code(3).says(&["forgot apply", "a part of the rows"]);
    for table in ["progress", "chunk", "intent"] {
        assert_eq!(
            server.query(&format!("SELECT COUNT(*) FROM binsync.{table}")),
            "0\n",
            "{table}"
        );
    }
}

#[test]
fn what_is_wrong_in_the_spool_ends_it_with_3() {
    let dir = temp_dir();
    let spool = begun(&dir);
    let fine = status(&spool, &[], 0);
    assert_eq!((&fine["spool"]["messages"], abouts(&fine)), (&Value::from(101), vec![]));
    assert_eq!(fine["spool"]["last_event"]["position"], "bin.000001:10000");
    assert_eq!(fine["spool"]["writer"], Value::Null);
    // Back where nothing was stored: a gap; and a message that is none.
    import(&spool, &dir, 301..=301);
    import(&spool, &dir, 201..=201);
    let file = crate::support::write(&dir, "none.jsonl", "{\"type\":\n");
    spool.run(["import", "--force", file.to_str().unwrap()]).code(3);
    let wrong = status(&spool, &[], 3);
    assert_eq!(abouts(&wrong), ["damaged", "gaps"]);
    assert_eq!((&wrong["spool"]["damaged"], &wrong["spool"]["gaps"]), (&1.into(), &1.into()));
}

/// Of what is restored, both sides are told.
#[test]
fn a_target_that_was_restored_is_to_be_seen_to() {
    let (dir, files) = (temp_dir(), temp_dir());
    let spool = begun(&dir);
    let (file, backup) = (files.path().join("t.db"), files.path().join("backup.db"));
    let target = format!("sqlite:{}", file.display());
    spool.apply(&target, [] as [&str; 0]).code(0);
    std::fs::copy(&file, &backup).unwrap();
    import(&spool, &dir, 101..=150);
    apply(&spool, &target, &[]).code(0);
    status(&spool, &["--target", &target], 0);
    std::fs::copy(&backup, &file).unwrap();
    let back = status(&spool, &["--target", &target], 3);
    let what = back["findings"][0]["what"].as_str().unwrap();
    assert!(what.contains("had come to message 152"), "{what}");
    std::fs::remove_file(&file).unwrap();
    spool.run(["status", "--target", &target]).code(1).says(&["no such file"]);
    // A run that wrote nothing leaves nothing.
    let other = format!("sqlite:{}", files.path().join("other.db").display());
    std::process::Command::new("sqlite3")
        .args([&other["sqlite:".len()..], "CREATE TABLE \"d.t\" (id INTEGER PRIMARY KEY)"])
        .status()
        .unwrap();
    spool.apply(&other, [] as [&str; 0]).code(4);
    assert_eq!(abouts(&status(&spool, &["--target", &other], 0)), [""; 0]);
}
