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
        let [segment] = segments else { panic!("one segment expected, found {segments:?}") };
        let frames = record_counts(&fs::read(segment).unwrap());
        let name = segment.file_name().unwrap().to_string_lossy().into_owned();
        Trace { log: fs::read_to_string(log).unwrap(), frames, segment: name }
    }

    /// Counts the acks; panics at one that left too early.
    pub fn acks_after_their_sync(&self) -> u64 {
        let (mut written, mut synced, mut acks) = (0, 0, 0);
        // Calls under way, each with the length of the file when it began.
        let mut pending: HashMap<&str, (&str, u64)> = HashMap::new();
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
                pending.insert(thread, (call, written));
                continue;
            }
            let (begun, length) = match call.starts_with("<...") {
                true => pending.remove(thread).unwrap_or(("", 0)),
                false => (call, written),
            };
            let result =
                call.rsplit_once(" = ").and_then(|(_, value)| value.trim().parse::<i64>().ok());
            let Some(result) = result.filter(|_| opened(begun).contains(&self.segment)) else {
                continue;
            };
            if begun.starts_with("fdatasync(") || begun.starts_with("fsync(") {
                assert_eq!(result, 0, "a sync failed");
                synced = length;
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

/// What the first argument is open on: `7</path>` or `9<socket:[1]>`, in hexadecimal under `strace -xx`.
fn opened(call: &str) -> String {
    let decoration = call.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    let text = decoration.map_or("", |(text, _)| text);
    if text.starts_with("\\x") {
        String::from_utf8_lossy(&hex_bytes(text)).into_owned()
    } else {
        text.to_owned()
    }
}

/// Delivery tags of the ack frames among the bytes sent to a socket.
fn ack_tags(call: &str) -> Vec<u64> {
    let socket = opened(call);
    if !socket.starts_with("socket:") && !socket.starts_with("TCP") {
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
            tags.push(u64::from_be_bytes(bytes[place + 4..place + 12].try_into().unwrap()));
        }
    }
    tags
}

/// All the text in quotes: `"\x01\x00…"`, as `strace -xx` prints it.
fn quoted_bytes(call: &str) -> Vec<u8> {
    call.split('"').skip(1).step_by(2).flat_map(hex_bytes).collect()
}

fn hex_bytes(text: &str) -> Vec<u8> {
    text.split("\\x")
        .skip(1)
        .filter_map(|pair| u8::from_str_radix(pair.get(..2)?, 16).ok())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Two frames, of two records and one.
    fn segment() -> Vec<u8> {
        let header = [0x53, 0x2A, 0x4D, 0x18, 2, 0, 0, 0, b'h', b'i'];
        let frames = ["a\nb\n", "c\n"].map(|text| zstd::encode_all(text.as_bytes(), 1).unwrap());
        [&header[..], &frames[0], &header[..], &frames[1]].concat()
    }

    fn trace(order: &[&str]) -> u64 {
        let frames = record_counts(&segment());
        let sizes = [frames[0].0, frames[1].0 - frames[0].0];
        let ack = r"\x01\x00\x01\x00\x00\x00\x0d\x00\x3c\x00\x50\x00\x00\x00\x00\x00\x00\x00";
        let line = |what: &&str| {
            match *what {
            "frame 1" => format!("7  write(3</s/0.zst>, \"\", {0}) = {0}\n", sizes[0]),
            "frame 2" => format!("7  write(3</s/0.zst>, \"\", {0}) = {0}\n", sizes[1]),
            "sync" => "7  fdatasync(3<\\x2f\\x30\\x2e\\x7a\\x73\\x74> <unfinished ...>\n8  write(1</x>, \"\", 1) = 1\n7  <... fdatasync resumed>) = 0\n".into(),
            tag => format!("8  sendto(9<socket:[1]>, \"{ack}\\x0{tag}\\x01\\xce\", 21) = 21\n"),
        }
        };
        let log = order.iter().map(line).collect();
        Trace { log, frames, segment: "0.zst".into() }.acks_after_their_sync()
    }

    #[test]
    fn acks_behind_their_sync_pass_also_while_the_next_frame_is_written() {
        assert_eq!(trace(&["frame 1", "sync", "frame 2", "2", "sync", "3"]), 2);
    }

    #[test]
    #[should_panic(expected = "message 3 was acknowledged when 2 were on disk")]
    fn an_ack_before_its_sync_is_caught() {
        trace(&["frame 1", "sync", "frame 2", "3", "sync"]);
    }
}
