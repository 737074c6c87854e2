//! Where messages come from: files of JSON lines, and a RabbitMQ queue.
//!
//! Both hand out [`Records`], whole messages as bytes. What the bytes say, and where they are
//! kept, is not known here; only the flows in [`crate::capture`] join a source to the spool.

pub mod amqp;
pub mod copy;
pub mod exchange;
pub mod lines;
pub mod management;
pub mod mark;
mod packing;
pub mod queue;
pub mod refusal;
mod settings;
pub mod told;

/// A run of whole messages, their bytes one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// The messages' bytes, nothing between them.
    pub bytes: Vec<u8>,
    /// Where each message ends in `bytes`.
    pub ends: Vec<u32>,
}

impl Records {
    /// Number of messages.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True when there is no message (an empty message is one).
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds a message.
    pub fn push(&mut self, message: &[u8]) {
        self.bytes.extend_from_slice(message);
        self.ends.push(self.bytes.len() as u32);
    }

    /// The messages in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.bytes[start as usize..end as usize])
    }
}
