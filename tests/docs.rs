//! What the documentation shows is what happens: its commands are run, in their order, and what they print is compared.
//!
//! In an indented block a line that begins with `$ ` is a command, and what follows is what it prints, stdout and stderr.
//! `…` stands for any text, on a line of its own for any lines; a command with it is an abbreviation, and is not run.
//! `<!-- $ command -->` is run unseen; a block right behind it that begins with no command is what it prints.
//! `mysql://root@127.0.0.1` and the stock client `mariadb` reach a server of the test.

use crate::support::{Fresh, MariaDb, cli::finish, folder::Folder, fresh};
use std::{env, fs, os::unix::fs::PermissionsExt, path::Path};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const SERVER: &str = "mysql://root@127.0.0.1";

#[derive(Debug)]
struct Step {
    line: usize,
    command: String,
    unseen: bool,
    shown: Vec<String>,
}

/// The commands of a text, and what it says that they print.
fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    // Whether an indented line belongs to the last step.
    let mut open = false;
    for (number, line) in text.lines().enumerate() {
        let step = |command: &str, unseen| {
            let command = command.trim().to_owned();
            Step { line: number + 1, command, unseen, shown: Vec::new() }
        };
        let unseen = line.strip_prefix("<!-- $ ").and_then(|rest| rest.strip_suffix(" -->"));
        match (unseen, line.strip_prefix("    ")) {
            (Some(command), _) => {
                steps.push(step(command, true));
                open = true;
            }
            (_, Some(inside)) => match inside.strip_prefix("$ ") {
                Some(command) => {
                    steps.push(step(command, false));
                    open = true;
                }
                None if open => steps.last_mut().unwrap().shown.push(inside.to_owned()),
                None => {}
            },
            _ if line.is_empty() && open => steps.last_mut().unwrap().shown.push(String::new()),
            _ => open = false,
        }
    }
    for step in &mut steps {
        let end = step.shown.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
        step.shown.truncate(end);
        let begin = step.shown.iter().position(|line| !line.is_empty()).unwrap_or(0);
        step.shown.drain(..begin);
    }
    steps
}

fn line_matches(shown: &str, real: &str) -> bool {
    let parts: Vec<&str> = shown.split('…').collect();
    let [first, rest @ ..] = &parts[..] else { return false };
    let Some((last, between)) = rest.split_last() else { return shown == real };
    let Some(mut real) = real.strip_prefix(first) else { return false };
    for part in between {
        let Some((_, behind)) = real.split_once(part) else { return false };
        real = behind;
    }
    real.ends_with(last)
}

fn matches(shown: &[String], real: &[String]) -> bool {
    match (shown, real) {
        ([], []) => true,
        ([line, rest @ ..], _) if line.trim() == "…" => {
            (0..=real.len()).any(|skipped| matches(rest, &real[skipped..]))
        }
        ([line, rest @ ..], [first, others @ ..]) => {
            line_matches(line.trim_end(), first) && matches(rest, others)
        }
        _ => false,
    }
}

/// A tab goes to the next eighth column, as on a terminal.
fn untabbed(line: &str) -> String {
    let mut out = String::new();
    for c in line.trim_end().chars() {
        match c {
            '\t' => out.push_str(&" ".repeat(8 - out.chars().count() % 8)),
            c => out.push(c),
        }
    }
    out
}

/// Someone who types the commands, with a server once one needs it.
struct Reader {
    folder: Folder,
    server: Option<Fresh>,
}

impl Reader {
    fn new() -> Reader {
        Reader { folder: Folder::new(), server: None }
    }

    /// Where the server is, for a command that needs one; it is started when first asked for.
    fn server(&mut self) -> String {
        let bin = self.folder.bin().join("mariadb");
        let server = self.server.get_or_insert_with(|| fresh(MariaDb));
        let path = env::var("PATH").unwrap();
        let client = server.client("mariadb");
        let words: Vec<String> =
            client.get_args().map(|arg| format!("'{}'", arg.to_str().unwrap())).collect();
        let script = format!("#!/bin/sh\nPATH='{path}' exec mariadb {} \"$@\"\n", words.join(" "));
        fs::write(&bin, script).unwrap();
        fs::set_permissions(&bin, fs::Permissions::from_mode(0o755)).unwrap();
        format!("{SERVER}:{}", server.port)
    }

    fn run(&mut self, command: &str) -> Vec<String> {
        let needed = command.contains(SERVER) || command.contains("mariadb ");
        let at = if needed { self.server() } else { SERVER.to_owned() };
        let shell = self.folder.shell(&format!("{{ {}\n}} 2>&1", command.replace(SERVER, &at)));
        let said = finish(shell, None).text().replace(&at, SERVER);
        said.lines().map(untabbed).collect()
    }
}

/// Runs what a file shows; returns how many outputs were compared.
fn check(name: &str) -> usize {
    let text = fs::read_to_string(Path::new(ROOT).join(name)).unwrap();
    let (mut reader, mut wrong, mut compared) = (Reader::new(), String::new(), 0);
    for step in steps(&text) {
        let Step { line, command, unseen, shown } = step;
        if command.contains('…') {
            assert!(shown.is_empty(), "{name}:{line}: an abbreviation prints nothing");
            continue;
        }
        let real = reader.run(&command);
        if unseen && shown.is_empty() {
            continue;
        }
        compared += 1;
        if !matches(&shown, &real) {
            let real: String = real.iter().map(|line| format!("    {line}\n")).collect();
            let shown: String = shown.iter().map(|line| format!("    {line}\n")).collect();
            wrong += &format!("{name}:{line}: $ {command}\nshows\n{shown}and prints\n{real}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    compared
}

#[test]
fn the_readme_shows_what_happens() {
    assert!(check("README.md") > 5);
}

#[test]
fn after_an_accident_what_is_shown_happens() {
    assert!(check("docs/incident.md") > 10);
}

#[test]
fn running_it_is_as_shown() {
    assert!(check("docs/operations.md") > 0);
}

#[test]
fn an_elision_stands_for_any_text() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    for (shown, real, same) in [
        ("a\n…\nd", "a\nb\nc\nd", true),
        ("a\n…", "a", true),
        ("a … c", "a b c", true),
        ("a … c", "a b d", false),
        ("a … c … e", "a b c d e", true),
        ("…c", "ab\nc", false),
        ("a", "a\nb", false),
        ("", "a", false),
    ] {
        assert_eq!(matches(&lines(shown), &lines(real)), same, "{shown:?} {real:?}");
    }
}
