//! What the program says, command by command: each `*.txt` beside this file is run in a folder of its own, and the whole
//! text is compared.
//!
//! `$ ` leads a command for `sh`, `> ` what it wrote to stdout, `! ` to stderr, `~` tells that a last line has no end, `= `
//! the status if that is not 0, and `# ` leads a remark. `just golden` writes the texts anew; `git diff` then shows what
//! has changed.

use crate::support::{cli::finish, folder::Folder};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// What is of the machine, the run or the release: in a shape `9` is any digit, `~` any letter or digit.
const SHAPES: [(&str, &str); 6] = [
    ("9999-99-99T99:99:99.999Z", "ARRIVAL"),
    ("spool ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~", "spool ID"),
    ("\"spool\": \"~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\"", "\"spool\": \"ID\""),
    (".tmp~~~~~~", ".tmpNAME"),
    (concat!("binsync ", env!("CARGO_PKG_VERSION")), "binsync VERSION"),
    (concat!("binsync-", env!("CARGO_PKG_VERSION")), "binsync-VERSION"),
];

fn has_shape(text: &[u8], shape: &[u8]) -> bool {
    text.len() >= shape.len()
        && shape.iter().zip(text).all(|(shape, byte)| match shape {
            b'9' => byte.is_ascii_digit(),
            b'~' => byte.is_ascii_alphanumeric(),
            _ => shape == byte,
        })
}

/// The text without what differs from run to run.
fn plain(text: &str, folder: &Folder) -> String {
    let here = folder.here().display().to_string();
    let (text, mut out, mut at) = (text.replace(&here, "HERE"), String::new(), 0);
    while let Some(next) = text[at..].chars().next() {
        let rest = &text.as_bytes()[at..];
        match SHAPES.iter().find(|(shape, _)| has_shape(rest, shape.as_bytes())) {
            Some((shape, name)) => {
                out.push_str(name);
                at += shape.len();
            }
            None => {
                out.push(next);
                at += next.len_utf8();
            }
        }
    }
    out
}

/// Runs a command: its lines of the transcript.
fn run(folder: &Folder, command: &str) -> String {
    let run = finish(folder.shell(command), None);
    let mut said = format!("$ {command}\n");
    for (lead, text) in [(">", run.text()), ("!", run.stderr)] {
        let text = plain(&text, folder).replace('\r', "\\r");
        let whole = text.is_empty() || text.ends_with('\n');
        for line in text.lines() {
            let _ = writeln!(said, "{lead} {line}");
        }
        if !whole {
            let _ = writeln!(said, "~ no line end");
        }
    }
    if run.code != 0 {
        let _ = writeln!(said, "= {}", run.code);
    }
    said
}

/// A transcript's parts: each command with what it said, and each remark.
fn parts(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for line in text.lines() {
        match (parts.last_mut(), line.starts_with("$ ") || line.starts_with("# ")) {
            (Some(part), false) => *part += &format!("{line}\n"),
            _ => parts.push(format!("{line}\n")),
        }
    }
    parts
}

fn place(group: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{group}.txt"))
}

fn commands(group: &str) -> Vec<String> {
    let text = fs::read_to_string(place(group)).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect()
}

fn check(group: &str) {
    let (folder, shown) = (Folder::new(), fs::read_to_string(place(group)).unwrap());
    let shown = parts(&shown);
    let real: Vec<String> = shown
        .iter()
        .map(|part| match part.lines().next().and_then(|line| line.strip_prefix("$ ")) {
            Some(command) => run(&folder, command),
            None => part.clone(),
        })
        .collect();
    if std::env::var_os("BINSYNC_TEST_GOLDEN").is_some_and(|what| what == "write") {
        return fs::write(place(group), real.concat()).unwrap();
    }
    let wrong: String = shown
        .iter()
        .zip(&real)
        .filter(|(shown, real)| shown != real)
        .map(|(shown, real)| format!("golden/{group}.txt shows\n{shown}and now it is\n{real}\n"))
        .collect();
    assert!(wrong.is_empty(), "{wrong}");
}

macro_rules! groups {
    ($($name:ident),*) => {
        const GROUPS: &[&str] = &[$(stringify!($name)),*];
        $(#[test]
        fn $name() {
            check(stringify!($name));
        })*
    };
}

groups!(
    apply, config, doctor, export, help, history, importing, log, render, search, spool, stats,
    status, values
);

#[test]
fn each_subcommand_is_in_a_transcript() {
    let there = fs::read_dir(place("x").parent().unwrap()).unwrap();
    let there: BTreeSet<String> = there
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".txt").map(str::to_owned))
        .collect();
    assert_eq!(there, GROUPS.iter().map(|&group| group.to_owned()).collect());
    let all: Vec<String> = GROUPS.iter().flat_map(|group| commands(group)).collect();
    assert!(all.len() >= 80, "{}", all.len());
    let mut calls = BTreeMap::<&str, usize>::new();
    for word in all.iter().flat_map(|line| line.split_whitespace()) {
        *calls.entry(word).or_default() += 1;
    }
    let help = crate::support::binsync(["help"]).ok();
    let (_, listed) = help.split_once("Commands:\n").unwrap();
    for line in listed.lines().take_while(|line| !line.is_empty()) {
        if let Some(name) = line.strip_prefix("  ").filter(|line| !line.starts_with(' ')) {
            let name = name.split_whitespace().next().unwrap();
            assert!(calls.get(name).is_some_and(|&calls| calls > 1), "{name} is not called");
        }
    }
}
