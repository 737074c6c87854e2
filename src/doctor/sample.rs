//! What the last messages look like.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::event::def::TableDef;
use crate::event::row::{Columns, look};
use crate::event::{Body, Direction, Event, Nulls, maxwell};
use crate::replay::Definitions;
use crate::spool::Spool;

/// So many messages are looked at, from the end.
pub const SAMPLE: u64 = 10_000;

/// Fields of a message whose names the producer writes otherwise where it changes names.
const FIELDS: [(&str, &str); 6] = [
    ("server_id", "serverId"),
    ("thread_id", "threadId"),
    ("schema_id", "schemaId"),
    ("push_ts", "pushTs"),
    ("primary_key", "primaryKey"),
    ("primary_key_columns", "primaryKeyColumns"),
];

/// Messages that tell one thing, and those that tell the other.
#[derive(Clone, Copy, Default)]
pub(super) struct Seen {
    pub(super) good: u64,
    pub(super) bad: u64,
}

impl Seen {
    fn add(&mut self, good: bool) {
        match good {
            true => self.good += 1,
            false => self.bad += 1,
        }
    }
}

/// What was seen of the last messages.
#[derive(Default)]
pub struct Sample {
    /// How many were looked at.
    pub messages: u64,
    /// Bytes of the largest.
    pub largest: usize,
    pub(super) encryption: Seen,
    pub(super) position: Seen,
    pub(super) transaction: Seen,
    pub(super) xoffset: Seen,
    pub(super) nulls: Seen,
    pub(super) names: Seen,
    pub(super) images: Seen,
    pub(super) keys: Seen,
    pub(super) server: Seen,
    pub(super) connection: Seen,
    pub(super) servers: BTreeSet<u64>,
}

impl Sample {
    /// Looks at the last messages of a spool. A frame that cannot be read is passed over: `status`
    /// and the check of the files tell it.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn take(spool: &Spool, definitions: &Definitions) -> Result<Self> {
        let mut sample = Self::default();
        let all = spool.begin()..spool.end()?.next;
        if spool.check_key(&all).is_err() {
            // What they say is not known: all else is left unchecked.
            let (messages, encrypted) = (spool.size()?.0, spool.encrypted()?.max(1));
            sample.encryption = Seen { good: messages.saturating_sub(encrypted), bad: encrypted };
            return Ok(sample);
        }
        for frame in spool.frames(all, Direction::Reverse).flatten() {
            for record in frame.records().rev() {
                if sample.messages == SAMPLE {
                    return Ok(sample);
                }
                sample.messages += 1;
                sample.largest = sample.largest.max(record.bytes.len());
                sample.look(record.seq, record.text, definitions);
            }
        }
        Ok(sample)
    }

    fn look(&mut self, seq: u64, bytes: &[u8], definitions: &Definitions) {
        let event = match maxwell::parse(bytes) {
            Ok(event) => event,
            Err(damage) if damage.is_encrypted() => return self.encryption.add(false),
            // Damaged messages are for `status` to tell.
            Err(_) => return,
        };
        self.encryption.add(true);
        if event.meta.is_housekeeping() || event.meta.op.is_bootstrap() {
            return;
        }
        self.position.add(event.meta.position.is_some());
        if let Body::Row { data, old } = event.body {
            let def = definitions.history.at(&event.meta.name(), seq);
            self.row(&event, def.as_deref(), bytes);
            self.image(data, old, def.as_deref());
        }
    }

    fn row(&mut self, event: &Event<'_>, def: Option<&TableDef>, bytes: &[u8]) {
        let meta = &event.meta;
        self.transaction.add(!meta.is_alone());
        // The row that commits has none, and tells nothing of the others.
        if !meta.is_alone() && !meta.commit {
            self.xoffset.add(meta.xoffset.is_some());
        }
        if def.is_none_or(|def| !def.primary_key.is_empty()) {
            self.keys.add(event.key.is_some());
        }
        self.server.add(meta.server_id.is_some());
        self.servers.extend(meta.server_id);
        self.connection.add(meta.thread_id.is_some());
        let message = std::str::from_utf8(maxwell::without_bom(bytes)).unwrap_or_default();
        for (field, _) in Columns::parse(message).unwrap_or_default().0 {
            if let Some((plain, _)) = FIELDS.iter().find(|(a, b)| field == *a || field == *b) {
                self.names.add(field == *plain);
                break;
            }
        }
    }

    fn image(&mut self, data: &str, old: Option<&str>, def: Option<&TableDef>) {
        let look = look(data, old);
        match look.nulls {
            Nulls::Shown => self.nulls.add(true),
            Nulls::LeftOut => self.nulls.add(false),
            Nulls::Unknown => {}
        }
        let Some(def) = def else { return };
        for (name, _) in Columns::parse(data).unwrap_or_default().0 {
            match def.columns.iter().find(|c| c.name.contains('_') && is_of(&name, &c.name)) {
                Some(column) => self.names.add(column.name == name),
                None => continue,
            }
            break;
        }
        // Which columns are computed, and may be missing, only a whole definition tells.
        if def.complete {
            let columns = def.columns.iter().filter(|column| !column.generated).count();
            self.images.add(look.width >= columns);
        }
    }
}

/// True for a column's name, and for what a naming strategy makes of it.
fn is_of(name: &str, column: &str) -> bool {
    let plain = |text: &str| text.replace('_', "").to_lowercase();
    plain(name) == plain(column)
}
