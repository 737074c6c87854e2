//! Row events: which columns their images have, and the images one after the other.

use super::bytes::{Bytes, Read};
use super::diff;
use super::header::kind;
use super::layout::{Column, Layout};
use super::table::bit;

/// What an event does to its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Insert,
    Update,
    Delete,
}

/// How the rows of an event are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Whole,
    /// MariaDB has packed them.
    Packed,
    /// Of JSON values MySQL may have written the changes alone.
    Partial,
}

impl Change {
    /// What a kind of event does to rows, and how they are written in it; `None` for any other.
    pub(super) fn of(kind: u8) -> Option<(Self, Form)> {
        use Form::{Packed, Partial, Whole};
        Some(match kind {
            kind::WRITE_V1 | kind::WRITE => (Self::Insert, Whole),
            kind::UPDATE_V1 | kind::UPDATE => (Self::Update, Whole),
            kind::DELETE_V1 | kind::DELETE => (Self::Delete, Whole),
            kind::WRITE_COMPRESSED_V1 | kind::WRITE_COMPRESSED => (Self::Insert, Packed),
            kind::UPDATE_COMPRESSED_V1 | kind::UPDATE_COMPRESSED => (Self::Update, Packed),
            kind::DELETE_COMPRESSED_V1 | kind::DELETE_COMPRESSED => (Self::Delete, Packed),
            kind::PARTIAL_UPDATE => (Self::Update, Partial),
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

/// True for the last event of a statement, by the flags behind the table's number.
pub(super) fn ends_statement(body: &[u8], post_header: usize) -> bool {
    const ENDS: u16 = 1;
    let mut bytes = Bytes::new(body);
    let id = bytes.take(if post_header == 6 { 4 } else { 6 });
    id.and_then(|_| bytes.u16()).is_ok_and(|flags| flags & ENDS != 0)
}

/// The row images of an event.
pub(super) struct Rows<'a> {
    change: Change,
    /// Which columns the first image of a row has, and the second of an update.
    present: [&'a [u8]; 2],
    images: Bytes<'a>,
    columns: usize,
    form: Form,
}

/// One image: where the token of each column stands in a text; `None` where it lacks the column.
pub(super) type Image = Vec<Option<(usize, usize)>>;

impl<'a> Rows<'a> {
    /// Reads what stands before the images; `bytes` are those of [`split`].
    pub(super) fn new(
        (change, form): (Change, Form),
        mut bytes: Bytes<'a>,
        columns: usize,
    ) -> Read<Self> {
        let (present, len) = present(&mut bytes, change)?;
        if len != columns {
            return Err("the rows have another number of columns than their table".into());
        }
        Ok(Self { change, present, images: bytes, columns, form })
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
        let first = self.image(0, None, layout, text)?;
        let image = match self.change {
            Change::Update => self.image(1, Some(&first), layout, text)?,
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
    fn image(
        &mut self,
        which: usize,
        before: Option<&Image>,
        layout: &Layout,
        text: &mut String,
    ) -> Read<Image> {
        let mut changes = match (before, self.form) {
            (Some(before), Form::Partial) => Some(Changes::read(&mut self.images, layout, before)?),
            _ => None,
        };
        let present = self.present[which];
        let has = |place: usize| bit(present, place);
        let count = (0..self.columns).filter(|place| has(*place)).count();
        let nulls = self.images.take(count.div_ceil(8))?;
        let (mut image, mut n) = (Vec::with_capacity(self.columns), 0);
        for (place, column) in layout.columns.iter().enumerate() {
            let change = changes.as_mut().and_then(|changes| changes.of(place, column));
            if !has(place) {
                image.push(None);
                continue;
            }
            let begin = text.len();
            match (bit(nulls, n), change) {
                (true, _) => text.push_str("null"),
                (false, None) => column.kind.write(text, &mut self.images)?,
                (false, Some(before)) => {
                    let token = before.and_then(|(from, to)| text.get(from..to)).map(str::to_owned);
                    let token = token.filter(|token| token != "null");
                    let token = token.ok_or("a JSON value was changed that is not in the log")?;
                    diff::write(text, &token, column.kind.sized(&mut self.images)?)?;
                }
            }
            image.push(Some((begin, text.len())));
            n += 1;
        }
        Ok(image)
    }
}

/// Which JSON columns of an image are told by their changes.
struct Changes<'a, 'b> {
    bits: &'a [u8],
    /// How many JSON columns came before.
    json: usize,
    before: &'b Image,
}

impl<'a, 'b> Changes<'a, 'b> {
    fn read(bytes: &mut Bytes<'a>, layout: &Layout, before: &'b Image) -> Read<Self> {
        const JSON: u64 = 1;
        let of_json = layout.columns.iter().filter(|column| column.kind.is_json()).count();
        let told = bytes.packed()? & JSON != 0;
        let bits = if told { bytes.take(of_json.div_ceil(8))? } else { &[] };
        Ok(Self { bits, json: 0, before })
    }

    /// Where the token before stands, if there is one, of a column that is told so.
    fn of(&mut self, place: usize, column: &Column) -> Option<Option<(usize, usize)>> {
        if !column.kind.is_json() {
            return None;
        }
        self.json += 1;
        bit(self.bits, self.json - 1).then(|| self.before[place])
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
