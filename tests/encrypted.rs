//! Messages that the producer encrypted: with its key as if it had not, without it refused by name,
//! and nothing of what is in them stands in a file.

use crate::support::{
    MariaDb, Run, Spool, assert_rows_equal, cli::finish, fresh, read, recording, temp_dir, write,
};
use aes::Aes256;
use aes::cipher::{BlockEncryptMut, KeyIvInit, block_padding::Pkcs7};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

const KEY: &str = "0123456789abcdef0123456789ABCDEF";
/// What of the rows is looked for in files.
const SECRETS: [&str; 2] = ["c33@example.com", "Customer 33"];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Data,
    All,
}

/// `{"iv":…,"bytes":…}` of a text, with another IV each time.
fn sealed(text: &str, number: usize) -> String {
    let mut iv = [7; 16];
    iv[..8].copy_from_slice(&number.to_le_bytes());
    let cipher = cbc::Encryptor::<Aes256>::new_from_slices(KEY.as_bytes(), &iv).unwrap();
    let mut bytes = vec![0; text.len() + 16];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    let len = cipher.encrypt_padded_mut::<Pkcs7>(&mut bytes, text.len()).unwrap().len();
    let (iv, bytes) = (BASE64.encode(iv), BASE64.encode(&bytes[..len]));
    format!(r#"{{"iv":"{iv}","bytes":"{bytes}"}}"#)
}

/// The stream as the producer sends it with `encrypt=data` or `all`.
fn encrypted(stream: &str, mode: Mode) -> String {
    let line = |(number, line): (usize, &str)| {
        let (head, images) = match line.find(",\"data\":{") {
            _ if line.contains("\"sql\":") => return format!("{line}\n"),
            Some(at) => line.split_at(at),
            None => panic!("no rows: {line}"),
        };
        match mode {
            Mode::All => format!("{{\"encrypted\":{}}}\n", sealed(line, number)),
            Mode::Data => {
                let images = format!("{{{}", &images[1..]);
                format!("{head},\"encrypted\":{}}}\n", sealed(&images, number))
            }
        }
    };
    stream.lines().enumerate().map(line).collect()
}

/// A spool into which the stream went, with the key or without.
fn spool(stream: &str, key: Option<&str>, code: i32) -> (Spool, Run) {
    let spool = Spool::new();
    let mut command = spool.command(["import", "-"]);
    key.map(|key| command.env("BINSYNC_KEY", key));
    let run = finish(command, Some(stream.as_bytes().to_vec())).code(code);
    (spool, run)
}

fn with(key: &str, spool: &Spool, args: &[&str]) -> Run {
    let mut command = spool.command(args);
    command.env("BINSYNC_KEY", key);
    finish(command, None)
}

/// What of the stream is asked.
const QUESTIONS: [&[&str]; 9] = [
    &["log"],
    &["log", "--biggest", "--json"],
    &["log", "--where", "id=33"],
    &["stats", "--json"],
    &["history", "shop.customers", "id=33"],
    &["search", "c33@example.com"],
    &["export", "--format", "jsonl"],
    &["export", "--format", "csv", "--flatten"],
    &["render"],
];
/// Those that ask for rows.
const ROWS: [usize; 6] = [2, 4, 5, 6, 7, 8];

#[test]
fn with_the_key_a_stream_is_what_it_is_without_encryption() {
    let stream = read("mariadb-incident.jsonl");
    let plain = Spool::recording("mariadb-incident");
    // A script names its spool.
    let said = |run: Run| {
        let lines = run.code(0).text();
        let lines = lines.lines().filter(|line| !line.starts_with("-- binsync "));
        lines.collect::<Vec<_>>().join("\n")
    };
    let answers = QUESTIONS.map(|args| said(plain.run(args)));
    for mode in [Mode::Data, Mode::All] {
        let (spool, run) = spool(&encrypted(&stream, mode), None, 3);
        run.says(&["messages encrypted by the producer", "--key-file", "0 damaged"]);
        // With the key given the index is made with it.
        for (args, answer) in QUESTIONS.iter().zip(&answers) {
            let found = said(with(KEY, &spool, args));
            assert!(found == *answer, "{mode:?} {args:?}: {found:.2000}");
        }
        let (dir, file) = (temp_dir(), |name: &str| format!("sqlite:{name}"));
        let dumps = [(&plain, "plain.db"), (&spool, "opened.db")].map(|(spool, name)| {
            let path = dir.path().join(name).display().to_string();
            let until = ["apply", "--until", "2026-11-22T12:49:22Z", "--target", &file(&path)];
            with(KEY, spool, &until).code(0);
            let dump = Command::new("sqlite3").args([&path, ".dump 'shop.%'"]).output().unwrap();
            assert!(dump.stdout.len() > 10_000, "{dump:?}");
            dump.stdout
        });
        assert!(dumps[0] == dumps[1], "{mode:?}: other rows");
        with(KEY, &spool, &["spool", "verify"]).code(0);
        with(KEY, &spool, &["spool", "reindex"]).code(0);
        with(KEY, &spool, &["status"]).code(0);
        spool.run(["spool", "verify"]).code(3);
        // The spool keeps what came, and says nothing that it does not.
        assert!(spool.stored() == encrypted(&stream, mode).as_bytes(), "{mode:?}: not as it came");
        for entry in fs::read_dir(spool.path()).unwrap() {
            let path = entry.unwrap().path();
            let Ok(bytes) = fs::read(&path) else { continue };
            for secret in SECRETS.iter().chain(&[KEY]) {
                let found = memchr::memmem::find(&bytes, secret.as_bytes());
                assert_eq!(found, None, "{mode:?}: {secret} in {}", path.display());
            }
        }
        // Without the key the index tells what it knows, and rows are refused.
        for (number, args) in QUESTIONS.iter().enumerate() {
            if ROWS.contains(&number) {
                let refused = spool.run(*args).code(2).says(&["encrypted", "--key-file"]);
                assert_eq!(refused.text(), "", "{args:?}");
            } else {
                assert!(said(spool.run(*args)) == answers[number], "{mode:?} {args:?}");
            }
        }
        let wrong = format!("x{}", &KEY[1..]);
        for args in [QUESTIONS[0], QUESTIONS[6]] {
            with(&wrong, &spool, args).code(2).says(&["another key", "--key-file", "reindex"]);
        }
    }
}

#[test]
fn without_the_key_nothing_is_passed_over_in_silence() {
    let stream = read("mariadb-incident.jsonl");
    for mode in [Mode::Data, Mode::All] {
        let (spool, _) = spool(&encrypted(&stream, mode), None, 3);
        for args in ["log", "stats"] {
            spool.run([args]).code(3).says(&["encrypted messages", "--key-file"]);
        }
        spool.run(["status"]).code(3);
        for number in [4, 5, 6, 7, 8] {
            let refused = spool.run(QUESTIONS[number]).code(2);
            assert_eq!(refused.text(), "");
            refused.says(&["are encrypted by the producer, and its key is not here", "--key-file"]);
        }
        let (dir, wrong) = (temp_dir(), "fedcba9876543210");
        let target = format!("sqlite:{}", dir.path().join("x.db").display());
        spool.apply(&target, [] as [&str; 0]).code(2).says(&["encrypted", "--key-file"]);
        // A wrong key makes nothing of it, and leaves the index as it is.
        with(wrong, &spool, &["export", "--format", "jsonl"]).code(2).says(&["makes no message"]);
        with(wrong, &spool, &["apply", "--target", &target]).code(2).says(&["makes no message"]);
        with(KEY, &spool, &["export", "--format", "jsonl"]).code(0);
    }
}

#[test]
fn a_capture_or_import_that_has_the_key_sees_what_it_sees_in_plain_text() {
    for (name, mode) in [("mariadb-restarts", Mode::Data), ("mariadb-bootstrap", Mode::All)] {
        let stream = read(&format!("{name}.jsonl"));
        let (_, plain) = spool(&stream, None, 0);
        let (opened, run) = spool(&encrypted(&stream, mode), Some(KEY), 0);
        let told = |run: &Run| {
            let said = run.stderr.lines().last().unwrap().split(" into ");
            said.take(1).collect::<String>()
        };
        assert_eq!(told(&run), told(&plain), "{name} {mode:?}");
        // Whoever goes on with it needs the key; nothing is stored without.
        opened.run(["import", recording(name).to_str().unwrap()]).code(2).says(&["--key-file"]);
        assert!(opened.stored() == encrypted(&stream, mode).as_bytes());
    }
}

#[test]
fn an_encrypted_stream_is_applied_to_a_server_and_taken_back() {
    let stream = read("mariadb-incident.jsonl");
    let server = fresh(MariaDb);
    let (spool, _) = spool(&encrypted(&stream, Mode::All), None, 3);
    let target = server.url();
    with(KEY, &spool, &["apply", "--target", &target]).code(0);
    assert_rows_equal(&server.dump(), &read("mariadb-incident.end.sql"), "the stream");
    let xids = crate::flashback::culprits("mariadb-incident").join(",");
    let back = ["apply", "--target", &target, "--reverse", "--xid", &xids];
    spool.run(back).code(2).says(&["--key-file"]);
    with(KEY, &spool, &back).code(0);
    assert_rows_equal(&server.dump(), &read("mariadb-incident.repaired.sql"), "the repair");
    // What a run has come to is known again without the key.
    spool.run(["status", "--target", &target]).code(0);
}

#[test]
fn spools_of_wholly_encrypted_messages_are_merged_with_the_key_alone() {
    let stream = read("mariadb-transactions.jsonl");
    let table = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).unwrap();
        message["table"].as_str().unwrap_or("").bytes().map(usize::from).sum::<usize>() % 2
    };
    let sealed: Vec<String> = encrypted(&stream, Mode::All).lines().map(str::to_owned).collect();
    let parts = [0, 1].map(|part| {
        let of =
            |(line, sealed): (&str, &String)| (table(line) == part).then(|| format!("{sealed}\n"));
        let stream: String = stream.lines().zip(&sealed).filter_map(of).collect();
        assert!(stream.len() > 1_000, "a part without messages");
        let (spool, _) = spool(&stream, None, 3);
        spool
    });
    let paths = parts.each_ref().map(|part| part.path().display().to_string());
    let args = ["merge", &paths[0], &paths[1]];
    let all = Spool::new();
    all.run(args).code(4).says(&["encrypt=all", "cannot be put in order", "--key-file"]);
    with(KEY, &all, &args).code(0);
    assert!(all.stored() == (sealed.join("\n") + "\n").as_bytes(), "another order");
}

#[test]
fn the_key_comes_from_the_environment_or_a_file_and_is_told_nobody() {
    let row = r#"{"database":"d","table":"t","type":"insert","ts":1,"xid":1,"commit":true,"data":{"id":77}}"#;
    // The stock openssl as the producer.
    let hex: String = KEY.bytes().map(|byte| format!("{byte:02x}")).collect();
    let iv = "000102030405060708090a0b0c0d0e0f";
    let mut openssl = Command::new("openssl")
        .args(["enc", "-aes-256-cbc", "-K", &hex, "-iv", iv, "-base64", "-A"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    openssl.stdin.take().unwrap().write_all(row.as_bytes()).unwrap();
    let bytes = String::from_utf8(openssl.wait_with_output().unwrap().stdout).unwrap();
    let line = format!(
        r#"{{"encrypted":{{"iv":"AAECAwQFBgcICQoLDA0ODw==","bytes":"{}"}}}}"#,
        bytes.trim()
    );
    let (spool, _) = spool(&format!("{line}\n"), None, 3);
    let dir = temp_dir();
    let file = |name, bytes: &str| write(&dir, name, bytes).display().to_string();
    for (name, text) in [
        ("bare", KEY.to_owned()),
        ("line", format!("{KEY}\n")),
        ("dos", format!("{KEY}\r\nmore\n")),
    ] {
        let file = file(name, &text);
        assert_eq!(
            spool.run(["export", "--format", "jsonl", "--key-file", &file]).ok(),
            format!("{row}\n")
        );
        let mut command = spool.command(["export", "--format", "jsonl"]);
        command.env("BINSYNC_KEY_FILE", &file);
        assert_eq!(finish(command, None).ok(), format!("{row}\n"));
    }
    let gone = dir.path().join("gone").display().to_string();
    spool
        .run(["export", "--format", "jsonl", "--key-file", &gone])
        .code(1)
        .says(&["gone", "secret_key"]);
    let short = file("short", "hunter2\n");
    let refused = spool
        .run(["export", "--format", "jsonl", "--key-file", &short])
        .code(2)
        .says(&["7 bytes", "short"]);
    assert!(!refused.stderr.contains("hunter2"));
    let refused = with(KEY, &spool, &["export", "--format", "jsonl", "--key-file", &short]).code(2);
    assert!(!refused.stderr.contains(&KEY[..8]) && refused.stderr.contains("BINSYNC_KEY"));
    with("", &spool, &["export", "--format", "jsonl"]).code(2).says(&["0 bytes", "BINSYNC_KEY"]);
}
