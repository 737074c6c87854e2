//! What is wrong with a file: all of it, each with line, column and key.

use std::path::Path;

use crate::error::Error;
use crate::event::printable;

/// The mistakes found in a text so far.
pub(super) struct Mistakes<'t> {
    text: &'t str,
    found: Vec<(usize, String)>,
}

impl<'t> Mistakes<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, found: Vec::new() }
    }

    /// Adds one that stands at this byte.
    pub(super) fn add(&mut self, at: usize, what: impl Into<String>) {
        let found = (at, what.into());
        if !self.found.contains(&found) {
            self.found.push(found);
        }
    }

    /// All of them as an error (usage), in the order of the text; `None` without any.
    pub(super) fn error(mut self, file: &Path) -> Option<Error> {
        self.found.sort();
        let lines: Vec<String> = self
            .found
            .iter()
            .map(|(at, what)| format!("  {}: {}", place(file, self.text, *at), printable(what)))
            .collect();
        let many = match lines.len() {
            0 => return None,
            1 => "1 mistake".to_owned(),
            n => format!("{n} mistakes"),
        };
        let file = file.display();
        Some(Error::usage(format!("{file}: {many}, nothing was done\n{}", lines.join("\n"))))
    }
}

/// `FILE:LINE:COLUMN` of a byte; columns are counted in characters.
pub(super) fn place(file: &Path, text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("{}:{line}:{column}", file.display())
}

/// The word of a list that was meant by one that is not in it, as a question; else the list.
pub(super) fn meant<'k>(word: &str, known: impl Iterator<Item = &'k str> + Clone) -> String {
    let wanted = word.to_lowercase();
    let near = known
        .clone()
        .map(|known| (strsim::damerau_levenshtein(&wanted, &known.to_lowercase()), known))
        .filter(|(distance, _)| *distance <= (word.chars().count() / 3).max(1))
        .min();
    let all: Vec<&str> = known.collect();
    match near {
        Some((_, near)) => format!("did you mean {near:?}?"),
        None if all.is_empty() => "there is none".to_owned(),
        None => format!("there is {}", all.join(", ")),
    }
}
