//! Reads an strace of a capture: is what each acknowledgement covers synced before the acknowledgement is sent?
//! Knows only AMQP's ack frame and zstd's framing, nothing of the tool.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

/// Class 60, method 80.
const BASIC_ACK: [u8; 4] = [0, 60, 0, 80];

pub struct Trace {
    log: String,
    /// Of the one segment: (offset behind a frame, records up to there).
    frames: Vec<(u64, u64)>,
    segment: String,
}

impl Trace {
    /// The capture must have begun with an empty spool and filled one segment.
    pub fn read(log: &Path, segments: &[PathBuf]) -> Trace {
        let [segment] = segments else {
            panic!("one segment expected, found {segments:?}")
        };
        let frames = record_counts(&fs::read(segment).unwrap());
        let name = segment.file_name().unwrap().to_string_lossy().into_owned();
        Trace {
            log: fs::read_to_string(log).unwrap(),
            frames,
            segment: name,
        }
    }

    /// Counts the acks; panics at one that left too early.
    pub fn acks_after_their_sync(&self) -> u64 {
        let (mut written, mut synced, mut acks) = (0, 0, 0);
        let mut pending: HashMap<&str, &str> = HashMap::new();
        for line in self.log.lines() {
            let Some((thread, call)) = line.split_once(' ') else {
                continue;
            };
            let call = call.trim_start();
            if !call.starts_with("<...") {
                for tag in ack_tags(call) {
                    acks += 1;
                    assert!(
                        tag <= self.records_in(synced),
                        "message {tag} was acknowledged when {} were on disk",
                        self.records_in(synced)
                    );
                }
            }
            if call.ends_with("<unfinished ...>") {
                pending.insert(thread, call);
                continue;
            }
            let begun = if call.starts_with("<...") {
                pending.remove(thread).unwrap_or("")
            } else {
                call
            };
            let result = call
                .rsplit_once(" = ")
                .and_then(|(_, value)| value.trim().parse::<i64>().ok());
            let Some(result) = result.filter(|_| on_file(begun, &self.segment)) else {
                continue;
            };
            if begun.starts_with("fdatasync(") || begun.starts_with("fsync(") {
                assert_eq!(result, 0, "a sync failed");
                synced = written;
            } else if begun.contains("write") {
                written += result as u64;
            }
        }
        acks
    }

    fn records_in(&self, length: u64) -> u64 {
        self.frames
            .iter()
            .take_while(|(end, _)| *end <= length)
            .last()
            .map_or(0, |(_, records)| *records)
    }
}

/// The decorated descriptor (`7</path>`) names that file, or the file it is renamed from.
fn on_file(call: &str, name: &str) -> bool {
    let path = call
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'))
        .map_or("", |(path, _)| path);
    path.contains(name)
}

/// Delivery tags of the ack frames among the bytes sent to a socket.
fn ack_tags(call: &str) -> Vec<u64> {
    if !call
        .split(',')
        .next()
        .is_some_and(|first| first.contains("<socket:") || first.contains("<TCP"))
    {
        return Vec::new();
    }
    let bytes = quoted_bytes(call);
    let mut tags = Vec::new();
    for place in memchr::memmem::find_iter(&bytes, &BASIC_ACK) {
        // type 1, channel (2), size (4) = 13, then class, method, tag (8), flags (1), end 0xCE
        if place >= 7
            && bytes[place - 7] == 1
            && bytes[place - 4..place] == [0, 0, 0, 13]
            && bytes.len() >= place + 12
        {
            tags.push(u64::from_be_bytes(
                bytes[place + 4..place + 12].try_into().unwrap(),
            ));
        }
    }
    tags
}

/// All the text in quotes: `"\x01\x00…"`, as `strace -xx` prints it.
fn quoted_bytes(call: &str) -> Vec<u8> {
    let quoted = call.split('"').skip(1).step_by(2);
    quoted
        .flat_map(|hex| {
            hex.split("\\x")
                .skip(1)
                .filter_map(|pair| u8::from_str_radix(pair, 16).ok())
        })
        .collect()
}

/// Where each frame of a segment ends, and the records (lines) up to there.
fn record_counts(segment: &[u8]) -> Vec<(u64, u64)> {
    let mut counts = Vec::new();
    let mut records = 0;
    for frame in super::spool_frames(segment) {
        let plain = zstd::decode_all(&segment[frame.clone()]).unwrap();
        records += plain.iter().filter(|byte| **byte == b'\n').count() as u64;
        counts.push((frame.end as u64, records));
    }
    counts
}
