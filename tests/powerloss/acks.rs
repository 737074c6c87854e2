//! What a run has acknowledged, read from what it sent. Knows AMQP's frames, nothing of the tool.

use super::calls::Step;
use std::collections::HashMap;

/// Class and method.
const CONSUME: [u8; 4] = [0, 60, 0, 20];
const ACK: [u8; 4] = [0, 60, 0, 80];

/// An acknowledgement of all messages of a queue up to the one of that number, which the step sent.
#[derive(Debug)]
pub struct Ack {
    pub step: usize,
    pub queue: String,
    pub tag: u64,
}

pub fn acks(steps: &[Step]) -> Vec<Ack> {
    let mut all = Vec::new();
    let mut streams: HashMap<&str, Vec<u8>> = HashMap::new();
    let mut queues: HashMap<(&str, [u8; 2]), String> = HashMap::new();
    for (step, sent) in steps.iter().enumerate() {
        let Step::Send { socket, bytes } = sent else { continue };
        if bytes.starts_with(b"AMQP") {
            // A name is used again for another connection.
            streams.insert(socket, Vec::new());
        }
        let stream = streams.entry(socket).or_default();
        stream.extend(bytes.strip_prefix(b"AMQP\0\0\x09\x01").unwrap_or(bytes));
        while let Some(frame) = next(stream) {
            let (channel, payload) = ([frame[1], frame[2]], &frame[7..frame.len() - 1]);
            if frame[0] == 1 && payload.starts_with(&CONSUME) {
                let name = &payload[7..7 + usize::from(payload[6])];
                queues.insert((socket, channel), String::from_utf8_lossy(name).into_owned());
            } else if frame[0] == 1 && payload.starts_with(&ACK) {
                let tag = u64::from_be_bytes(payload[4..12].try_into().unwrap());
                let queue = queues[&(socket.as_str(), channel)].clone();
                all.push(Ack { step, queue, tag });
            }
        }
    }
    all
}

/// Takes the next whole frame.
fn next(stream: &mut Vec<u8>) -> Option<Vec<u8>> {
    let size: [u8; 4] = stream.get(3..7)?.try_into().unwrap();
    let end = 8 + u32::from_be_bytes(size) as usize;
    (stream.len() >= end).then(|| stream.drain(..end).collect())
}
