//! `doctor` as text, for a terminal of 80 columns.

use crate::cli::output::counted;
use crate::cli::words;
use crate::doctor::{Check, State, count};
use crate::event::printable;

/// Columns of a terminal.
const WIDTH: usize = 80;
/// Where the words begin.
const INDENT: usize = 29;
/// More are counted.
const SHOWN: usize = 5;

pub(super) fn text(checks: &[Check]) -> String {
    let (mut text, mut part) = (String::new(), None);
    for check in checks {
        if part.replace(check.part) != Some(check.part) {
            text += check.part.name();
            text.push('\n');
        }
        text += &one(check);
    }
    let many = |state, noun| counted(count(checks, state) as u64, noun);
    let not = count(checks, State::NotChecked);
    text + &format!(
        "\n{}, {}, {not} not checked\n",
        many(State::Problem, "problem"),
        many(State::Note, "note")
    )
}

fn one(check: &Check) -> String {
    let head = format!("  {:<14} {:<11}", check.name, check.state.name());
    let mut said = words::text(&check.what);
    if !check.on.is_empty() {
        let on: Vec<&str> = check.on.iter().take(SHOWN).map(String::as_str).collect();
        said = format!("{}: {said}", on.join(", "));
        if check.on.len() > SHOWN {
            said += &format!(" ({} more: --json)", check.on.len() - SHOWN);
        }
    }
    let mut lines: Vec<String> = said.split('\n').flat_map(wrapped).collect();
    if let Some(next) = &check.next {
        lines.extend(format!("next: {}", words::text(next)).split('\n').flat_map(wrapped));
    }
    let mut text = head;
    for (n, line) in lines.iter().enumerate() {
        if n > 0 {
            text.push('\n');
            text.push_str(&" ".repeat(INDENT - 1));
        }
        text.push(' ');
        text.push_str(line);
    }
    text.trim_end().to_owned() + "\n"
}

/// A line in lines that fit, safe to look at. A word that is longer by itself stays whole, so that
/// it can be copied.
fn wrapped(line: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in printable(line).split_whitespace() {
        let last = lines.last_mut().filter(|last| {
            let length = last.chars().count() + 1 + word.chars().count();
            last.is_empty() || length <= WIDTH - INDENT
        });
        match last {
            Some(last) if last.is_empty() => last.push_str(word),
            Some(last) => {
                last.push(' ');
                last.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}
