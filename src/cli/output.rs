//! What the user sees on stderr while a command runs: messages, and how far it is.
//!
//! On a terminal a bar with rate and time left, elsewhere a plain line every few seconds; with
//! `--quiet` neither, only messages that matter. What goes on for long has no such lines: it is told
//! by [`super::pulse`]. Data goes to stdout and is not written here.

use std::cell::RefCell;
use std::io::{IsTerminal, stderr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::gauges::Gauges;
use super::{line, signals, words};
use crate::capture::Watch;
use crate::error::Words;

/// How often a plain line is written.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Progress and messages of one run.
pub struct Output {
    verb: &'static str,
    quiet: bool,
    /// What stands before each message, where several runs tell side by side.
    label: Option<String>,
    bar: Option<ProgressBar>,
    lines: bool,
    gauges: Arc<Gauges>,
    state: RefCell<State>,
}

/// An error is told on a clean screen.
impl Drop for Output {
    fn drop(&mut self) {
        self.clear();
    }
}

struct State {
    /// What is counted.
    noun: &'static str,
    started: Instant,
    line_at: Instant,
    messages: u64,
    bytes: u64,
    done: u64,
    total: Option<u64>,
    /// Seconds from the source's change to ours.
    lag: Option<i64>,
}

impl Output {
    /// Output of a command whose progress reads `VERB 1,234 messages …`.
    pub fn new(verb: &'static str, quiet: bool) -> Self {
        let mut output = Self::plain(verb, quiet);
        let drawn = !quiet && stderr().is_terminal() && !is_dumb();
        let bar = drawn.then(ProgressBar::new_spinner);
        if let Some(bar) = &bar {
            bar.set_style(style("{spinner} {msg}"));
            bar.enable_steady_tick(Duration::from_millis(200));
            signals::watch(bar.clone());
        }
        (output.lines, output.bar) = (!quiet && bar.is_none(), bar);
        output
    }

    /// Output without a bar and without lines.
    fn plain(verb: &'static str, quiet: bool) -> Self {
        let now = Instant::now();
        let state = State {
            noun: "messages",
            started: now,
            line_at: now,
            messages: 0,
            bytes: 0,
            done: 0,
            total: None,
            lag: None,
        };
        let gauges = Arc::default();
        Self {
            verb,
            quiet,
            label: None,
            bar: None,
            lines: false,
            gauges,
            state: RefCell::new(state),
        }
    }

    /// The same for one of several runs side by side: no bar, and each message has the label before it;
    /// a line every few seconds where `lines`.
    pub fn labelled(verb: &'static str, quiet: bool, label: String, lines: bool) -> Self {
        let mut output = Self::plain(verb, quiet);
        (output.label, output.lines) = (Some(label), lines && !quiet);
        output
    }

    /// The same for a run that goes on until it is stopped: no line every few seconds.
    pub fn lasting(verb: &'static str, quiet: bool) -> Self {
        let mut output = Self::new(verb, quiet);
        output.lines = false;
        output
    }

    /// The same, where it is not messages that are counted.
    #[must_use]
    pub fn of(self, noun: &'static str) -> Self {
        self.state.borrow_mut().noun = noun;
        self
    }

    /// What it counts.
    pub fn gauges(&self) -> Arc<Gauges> {
        self.gauges.clone()
    }

    /// Nobody watches, and somebody may read what was written.
    pub fn is_unwatched(&self) -> bool {
        !self.quiet && self.bar.is_none()
    }

    /// The last line: what was done.
    pub fn finish(&self, summary: &str) {
        self.clear();
        if !self.quiet {
            self.line(summary);
        }
    }

    /// `done` of `total` messages of a stretch are behind us.
    pub fn reached(&self, done: u64, total: u64) {
        self.state.borrow_mut().messages = done;
        self.position(done, Some(total));
    }

    /// So many messages of a live spool are applied, the last of that time at the source.
    pub fn following(&self, messages: u64, ts: Option<i64>) {
        {
            let mut state = self.state.borrow_mut();
            state.messages = messages;
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            let now = now.map_or(0, |now| now.as_secs() as i64);
            state.lag = ts.map(|ts| now.saturating_sub(ts).max(0)).or(state.lag);
        }
        self.show();
    }

    /// Takes the bar off the screen.
    pub fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self, text: &str) {
        match &self.label {
            Some(label) => line(&format!("{label}: {text}")),
            None => line(text),
        }
    }

    fn show(&self) {
        let mut state = self.state.borrow_mut();
        match &self.bar {
            Some(bar) => bar.set_message(state.text(self.verb)),
            None if self.lines && state.line_at.elapsed() >= LINE_EVERY => {
                state.line_at = Instant::now();
                let left = state.left().map_or(String::new(), |s| format!(", {s} s left"));
                self.line(&format!("{}{left}", state.text(self.verb)));
            }
            None => {}
        }
    }
}

impl State {
    fn text(&self, verb: &str) -> String {
        let seconds = self.started.elapsed().as_secs_f64().max(0.001);
        let rate = count((self.messages as f64 / seconds) as u64);
        let bytes = match self.bytes {
            0 => String::new(),
            bytes => format!("{}, ", megabytes(bytes)),
        };
        let lag = self.lag.map_or(String::new(), |s| format!(", {s} s behind the source"));
        format!("{verb} {} {}, {bytes}{rate}/s{lag}", count(self.messages), self.noun)
    }

    /// Seconds left, by the part of the input that has been read.
    fn left(&self) -> Option<u64> {
        let total = self.total.filter(|_| self.done > 0)?;
        let per_byte = self.started.elapsed().as_secs_f64() / self.done as f64;
        Some((per_byte * total.saturating_sub(self.done) as f64) as u64)
    }
}

impl Watch for Output {
    fn say(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| line(message)),
            None => self.line(message),
        }
    }

    fn tell(&self, words: &Words) {
        self.say(&words::text(words));
    }

    fn note(&self, message: &str) {
        if !self.quiet {
            self.say(message);
        }
    }

    fn connected(&self, queue: &str, is: bool) {
        self.gauges.connected(queue, is);
    }

    fn passed(&self, messages: u64) {
        self.gauges.passed(messages);
    }

    fn stored(&self, messages: u64, bytes: u64) {
        self.gauges.stored(messages, bytes);
        let mut state = self.state.borrow_mut();
        state.messages += messages;
        state.bytes += bytes;
        drop(state);
        self.show();
    }

    fn position(&self, done: u64, total: Option<u64>) {
        let first = {
            let mut state = self.state.borrow_mut();
            let first = state.total.is_none() && total.is_some();
            (state.done, state.total) = (done, total);
            first
        };
        if let (Some(bar), Some(total)) = (&self.bar, total) {
            if first {
                bar.set_style(style("{bar:30} {percent}% {msg}, {eta} left"));
            }
            bar.set_length(total);
            bar.set_position(done);
        }
        self.show();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// True when what stands on stdout may be coloured.
pub fn is_coloured() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stdout().is_terminal() && !is_dumb() && !unwanted
}

/// A terminal that shows text and nothing else.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// `1234567` as `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.char_indices() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 message`, `2 messages`.
pub fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(number))
}

/// Bytes as `12.3 MB`.
pub fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three_digits() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1000), "1,000");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1, "gap"), "1 gap");
        assert_eq!(counted(0, "gap"), "0 gaps");
    }
}
