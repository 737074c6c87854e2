//! Encrypted binlogs of both kinds of server: with their keys the lines of the unencrypted, without them refused.
//! `fixtures/encrypted/README.md` says how the files were made.

use super::lines;
use crate::support::Spool;
use serde_json::Value;
use std::{fs, path::Path};

fn folder() -> String {
    format!("{}/fixtures/encrypted", env!("CARGO_MANIFEST_DIR"))
}

/// Files in plain, the same work encrypted, the file of keys, and what the key is called.
const MADE: [(&str, &[&str], &str, &str); 3] = [
    (
        "mysql-bin.000002",
        &["mysql-bin.000004", "mysql-bin.000005"],
        "mysql-keyring.json",
        "MySQLReplicationKey",
    ),
    (
        "maria-bin.000002",
        &["maria-bin.000003", "maria-bin.000004", "maria-bin.000005"],
        "maria-keys.txt",
        "\"1\"",
    ),
    ("maria-bin.000002", &["maria-bin.000008"], "maria-keys.txt", "\"1\""),
];

/// What the work did, without where and when.
fn essence(spool: &Spool) -> Vec<Value> {
    let mut all = lines(&spool.stored());
    for line in &mut all {
        let fields = line.as_object_mut().unwrap();
        for name in ["position", "ts", "xid", "gtid", "commit_ts", "thread_id", "server_id"] {
            fields.remove(name);
        }
    }
    all.retain(|line| line["type"] != "database-drop");
    all
}

#[test]
fn with_its_keys_an_encrypted_log_gives_the_lines_of_the_unencrypted() {
    let folder = folder();
    for (plain, encrypted, keys, name) in MADE {
        let (expected, spool) = (Spool::of(Path::new(&format!("{folder}/{plain}"))), Spool::new());
        let files: Vec<String> = encrypted.iter().map(|file| format!("{folder}/{file}")).collect();
        let keys = format!("{folder}/{keys}");
        let import = |first: &[&str]| {
            let files = files.iter().map(String::as_str);
            spool.run(first.iter().copied().chain(files).collect::<Vec<_>>())
        };
        import(&["import"]).code(2).says(&[name, "not given", "--key-file"]);
        import(&["import", "--check"]).code(3);
        assert!(!spool.path().exists());
        import(&["import", "--key-file", &keys]).code(0);
        let (ours, all) = (essence(&spool), essence(&expected));
        assert!(!ours.is_empty());
        // Of one of them there is the first half.
        assert_eq!(ours, all[..ours.len()], "{plain}");
        assert!(encrypted.len() == 1 || ours.len() == all.len());
        import(&["import", "--key-file", &keys]).code(0).says(&["already imported"]);
        let stored = String::from_utf8_lossy(&spool.stored()).into_owned();
        let secrets = fs::read_to_string(&keys).unwrap();
        let secrets = secrets.split(|c: char| !c.is_ascii_hexdigit()).filter(|s| s.len() >= 32);
        assert!(!secrets.into_iter().any(|secret| stored.contains(secret)));
        // The same file of keys does no harm elsewhere.
        spool.run(["log", "--key-file", &keys]).code(0);
    }
}

#[test]
fn another_key_opens_nothing_and_is_not_shown() {
    let dir = crate::support::temp_dir();
    let folder = folder();
    for (_, encrypted, keys, name) in MADE {
        let content = fs::read_to_string(format!("{folder}/{keys}")).unwrap();
        // Each key with its digits turned around.
        let digits = |c: char| c.is_ascii_hexdigit();
        let turned = content.split(|c| !digits(c)).filter(|word| word.len() >= 32);
        let turned = turned.fold(content.clone(), |all, key| {
            all.replace(key, &key.chars().rev().collect::<String>())
        });
        assert_ne!(turned, content);
        let wrong = crate::support::write(&dir, "wrong", &turned);
        let spool = Spool::new();
        let file = format!("{folder}/{}", encrypted[0]);
        let run = spool.run(["import", "--key-file", wrong.to_str().unwrap(), &file]).code(2);
        assert!(
            run.stderr.contains(name) && run.stderr.contains("not with the key"),
            "{}",
            run.stderr
        );
        let keys = turned.split(|c| !digits(c)).filter(|word| word.len() >= 32);
        assert!(keys.clone().count() > 0);
        assert!(!keys.into_iter().any(|key| run.stderr.contains(key)));
        assert!(!spool.path().exists());
    }
}
