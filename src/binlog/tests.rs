//! Whole files: what a stranger makes of them, and what they hold.

use super::header::{HEADER, kind};
use super::*;
use crate::event::maxwell;

#[derive(Default)]
struct Collected {
    messages: Vec<String>,
    reached: u64,
}

impl Sink for Collected {
    fn message(&mut self, message: &str) -> Result<()> {
        self.messages.push(message.to_owned());
        Ok(())
    }

    fn reached(&mut self, offset: u64) -> Result<()> {
        assert!(offset >= self.reached, "it went back");
        self.reached = offset;
        Ok(())
    }
}

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/fixtures/binlog/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// What a file says; every message has to be one that is read, or one that says why it is not.
fn read(log: &[u8], from: u64) -> (Result<Told>, Collected) {
    let mut collected = Collected::default();
    let input = log.get(MAGIC.len()..).unwrap_or_default().to_vec();
    let told = Reader::default().read(
        Box::new(std::io::Cursor::new(input)),
        "bin.000007",
        from,
        &mut collected,
    );
    for message in &collected.messages {
        if let Err(damage) = maxwell::parse(message.as_bytes()) {
            let named = ["are not read", "statement at", "missing at"];
            assert!(named.iter().any(|part| damage.0.contains(part)), "{damage}: {message}");
        }
    }
    (told, collected)
}

fn rows(collected: &Collected) -> Vec<&String> {
    collected.messages.iter().filter(|m| m.contains("\"data\":")).collect()
}

/// The same events without checksums.
fn without_checksums(log: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (log[..4].to_vec(), &log[4..]);
    while rest.len() > HEADER {
        let size = u32::from_le_bytes(rest[9..13].try_into().unwrap()) as usize;
        let mut event = rest[..size].to_vec();
        rest = &rest[size..];
        match event[4] {
            kind::FORMAT => event[size - 5] = 0,
            _ => {
                event.truncate(size - 4);
                event[9..13].copy_from_slice(&(size as u32 - 4).to_le_bytes());
            }
        }
        out.extend_from_slice(&event);
    }
    out
}

/// Logs, and how many of their places are tried: each, or each so many.
const LOGS: [(&str, usize); 2] =
    [("apecloud__mysql-bin.000057", 1), ("blackbeam__json.binlog.000001", 7)];

#[test]
fn a_byte_that_changed_is_no_panic_and_with_checksums_no_wrong_row() {
    for (name, step) in LOGS {
        let whole = fixture(name);
        let (_, right) = read(&whole, 0);
        let bare = without_checksums(&whole);
        for (log, checked) in [(&whole, true), (&bare, false)] {
            for at in (4..log.len()).step_by(step) {
                {
                    let mut log = log.clone();
                    log[at] ^= if checked { 1 } else { 0xff };
                    let (_, seen) = read(&log, 0);
                    if checked {
                        let wrong = rows(&seen).into_iter().find(|row| {
                            // What it is said to be part of may be missing.
                            let body = |m: &str| {
                                m.split_once("\"primary_key\"").map(|(_, b)| b.to_owned())
                            };
                            !right.messages.iter().any(|m| body(m) == body(row))
                        });
                        assert_eq!(wrong, None, "{name}, byte {at}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_log_cut_at_any_place_gives_what_was_committed_before() {
    for (name, step) in LOGS {
        let whole = fixture(name);
        let (told, all) = read(&whole, 0);
        assert!(told.expect("a log").torn.is_none());
        for log in [&whole, &without_checksums(&whole)] {
            let (_, all_of_it) = read(log, 0);
            assert_eq!(rows(&all_of_it).len(), rows(&all).len());
            for end in (4..log.len()).step_by(step) {
                let (_, seen) = read(&log[..end], 0);
                assert_eq!(
                    seen.messages[..],
                    all_of_it.messages[..seen.messages.len()],
                    "{name} {end}"
                );
                // Going on from there gives the rest.
                let (_, rest) = read(log, seen.reached);
                let both = [&seen.messages[..], &rest.messages].concat();
                assert_eq!(both, all_of_it.messages, "{name}, cut at {end}");
            }
        }
    }
}

/// Where each event begins, with its kind.
fn events(log: &[u8]) -> Vec<(usize, u8)> {
    let (mut at, mut found) = (MAGIC.len(), Vec::new());
    while at + HEADER < log.len() {
        found.push((at, log[at + 4]));
        at += u32::from_le_bytes(log[at + 9..at + 13].try_into().unwrap()) as usize;
    }
    found
}

#[test]
fn a_last_commit_that_is_damaged_is_told() {
    let mut log = fixture(LOGS[1].0);
    let events = events(&log);
    let at = events.iter().position(|(_, kind)| *kind == kind::XID).expect("a commit");
    log.truncate(events.get(at + 1).map_or(log.len(), |(next, _)| *next));
    let (_, whole) = read(&log, 0);
    log[events[at].0 + HEADER] ^= 1;
    let (told, seen) = read(&log, 0);
    assert!(!told.expect("a log").kept.is_empty());
    assert!(seen.messages.last().is_some_and(|gap| gap.contains("may be its commit")));
    assert!(rows(&seen).len() < rows(&whole).len());
}

#[test]
fn a_payload_in_a_payload_is_kept_however_deep() {
    let mut log = without_checksums(&fixture(LOGS[0].0));
    log.truncate(events(&log)[1].0);
    let mut event = Vec::new();
    for _ in 0..20_000 {
        let mut outer = vec![0; HEADER];
        outer[4] = kind::PAYLOAD;
        // Nothing stands before what is inside.
        outer.push(0);
        outer[9..13].copy_from_slice(&(HEADER as u32 + 1 + event.len() as u32).to_le_bytes());
        outer.append(&mut event);
        event = outer;
    }
    log.append(&mut event);
    let (told, seen) = read(&log, 0);
    assert_eq!(told.expect("a log").kept.len(), 1);
    assert_eq!(seen.messages.len(), 1);
}
