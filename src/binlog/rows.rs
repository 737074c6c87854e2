//! Row events: which columns their images have, and the images one after the other.

use super::bytes::{Bytes, Read};
use super::header::kind;
use super::layout::Layout;
use super::table::bit;

/// What an event does to its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Insert,
    Update,
    Delete,
}

impl Change {
    /// What a kind of event does to rows, and whether MariaDB has packed them; `None` for any other.
    pub(super) fn of(kind: u8) -> Option<(Self, bool)> {
        Some(match kind {
            kind::WRITE_V1 | kind::WRITE => (Self::Insert, false),
            kind::UPDATE_V1 | kind::UPDATE => (Self::Update, false),
            kind::DELETE_V1 | kind::DELETE => (Self::Delete, false),
            kind::WRITE_COMPRESSED_V1 | kind::WRITE_COMPRESSED => (Self::Insert, true),
            kind::UPDATE_COMPRESSED_V1 | kind::UPDATE_COMPRESSED => (Self::Update, true),
            kind::DELETE_COMPRESSED_V1 | kind::DELETE_COMPRESSED => (Self::Delete, true),
            _ => return None,
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// Where the number of the table's map stands, and what follows the event's own header.
pub(super) fn split(body: &[u8], post_header: usize) -> Read<(u64, Bytes<'_>)> {
    let mut bytes = Bytes::new(body);
    let id = bytes.low_first(if post_header == 6 { 4 } else { 6 })?;
    bytes.take(2)?;
    // Of the second version: more about the event, behind its length.
    if post_header == 10 {
        let len = usize::from(bytes.u16()?);
        bytes.take(len.checked_sub(2).ok_or("a length is shorter than itself")?)?;
    }
    Ok((id, bytes))
}

/// The row images of an event.
pub(super) struct Rows<'a> {
    change: Change,
    /// Which columns the first image of a row has, and the second of an update.
    present: [&'a [u8]; 2],
    images: Bytes<'a>,
    columns: usize,
}

/// One image: where the token of each column stands in a text; `None` where it lacks the column.
pub(super) type Image = Vec<Option<(usize, usize)>>;

impl<'a> Rows<'a> {
    /// Reads what stands before the images; `bytes` are those of [`split`].
    pub(super) fn new(change: Change, mut bytes: Bytes<'a>, columns: usize) -> Read<Self> {
        let (present, len) = present(&mut bytes, change)?;
        if len != columns {
            return Err("the rows have another number of columns than their table".into());
        }
        Ok(Self { change, present, images: bytes, columns })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// Writes the next row's fields `primary_key` to `old`; `text` and `images` are room to work in.
    pub(super) fn next(
        &mut self,
        layout: &Layout,
        text: &mut String,
        out: &mut String,
    ) -> Read<()> {
        text.clear();
        if self.columns != layout.columns.len() {
            return Err("the rows have another number of columns than their table".into());
        }
        let first = self.image(0, layout, text)?;
        let image = match self.change {
            Change::Update => self.image(1, layout, text)?,
            Change::Insert | Change::Delete => first.clone(),
        };
        let token = |found: (usize, usize)| text.get(found.0..found.1).unwrap_or_default();
        let value = |place: usize| image[place].or(first[place]);
        out.push_str(",\"primary_key\":[");
        for (n, place) in layout.key.iter().enumerate() {
            out.push_str(if n > 0 { "," } else { "" });
            out.push_str(value(*place).map_or("null", token));
        }
        out.push_str("],\"primary_key_columns\":");
        out.push_str(&layout.key_names);
        let seen = |place: &usize| !layout.columns[*place].hidden;
        let places = || (0..self.columns).filter(seen);
        let mut write = |name: &str, fields: &mut dyn Iterator<Item = (usize, (usize, usize))>| {
            let _ = std::fmt::Write::write_fmt(out, format_args!(",\"{name}\":{{"));
            for (n, (place, found)) in fields.enumerate() {
                out.push_str(if n > 0 { "," } else { "" });
                out.push_str(&layout.columns[place].field);
                out.push_str(token(found));
            }
            out.push('}');
        };
        // What only the former image has says which row it is: it comes behind the others.
        let now = places().filter_map(|place| Some((place, image[place]?)));
        let only_before = places().filter(|place| image[*place].is_none());
        let only_before = only_before.filter_map(|place| Some((place, first[place]?)));
        write("data", &mut now.chain(only_before));
        if self.change == Change::Update {
            let former = |place: usize| {
                let (before, now) = (first[place]?, image[place]?);
                (token(before) != token(now)).then_some((place, before))
            };
            let mut changed = places().filter_map(former).peekable();
            if changed.peek().is_some() {
                write("old", &mut changed);
            }
        }
        Ok(())
    }

    /// Reads one image: which of its columns are NULL, then the values of the others.
    fn image(&mut self, which: usize, layout: &Layout, text: &mut String) -> Read<Image> {
        let present = self.present[which];
        let has = |place: usize| bit(present, place);
        let count = (0..self.columns).filter(|place| has(*place)).count();
        let nulls = self.images.take(count.div_ceil(8))?;
        let (mut image, mut n) = (Vec::with_capacity(self.columns), 0);
        for (place, column) in layout.columns.iter().enumerate() {
            if !has(place) {
                image.push(None);
                continue;
            }
            let begin = text.len();
            match bit(nulls, n) {
                true => text.push_str("null"),
                false => column.kind.write(text, &mut self.images)?,
            }
            image.push(Some((begin, text.len())));
            n += 1;
        }
        Ok(image)
    }
}

/// The number of columns, and which of them the images have.
fn present<'a>(bytes: &mut Bytes<'a>, change: Change) -> Read<([&'a [u8]; 2], usize)> {
    let columns = bytes.packed_len()?;
    let len = columns.div_ceil(8);
    let first = bytes.take(len)?;
    let second = if change == Change::Update { bytes.take(len)? } else { first };
    if [first, second].iter().any(|present| present.iter().all(|byte| *byte == 0)) {
        return Err("a row has no columns".into());
    }
    Ok(([first, second], columns))
}

/// Unpacks the images of an event that MariaDB has compressed, and gives the body of one that is not.
pub(super) fn unpack(body: &[u8], post_header: usize, change: Change) -> Read<Vec<u8>> {
    let (_, mut bytes) = split(body, post_header)?;
    present(&mut bytes, change)?;
    let head = body.len() - bytes.len();
    let images = super::packed::unpack(bytes.rest())?;
    Ok([&body[..head], &images].concat())
}
