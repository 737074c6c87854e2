//! MySQL's binary JSON, as compact text in the order of its bytes.

use std::fmt::Write as _;

use super::bytes::{Bytes, Read};
use super::{json, number};

/// MySQL's own limit, and what a value of ours adds.
const MAX_DEPTH: usize = 101;

/// The types of values.
mod tag {
    pub(super) const SMALL_OBJECT: u8 = 0;
    pub(super) const LARGE_OBJECT: u8 = 1;
    pub(super) const SMALL_ARRAY: u8 = 2;
    pub(super) const LARGE_ARRAY: u8 = 3;
    pub(super) const LITERAL: u8 = 4;
    pub(super) const INT16: u8 = 5;
    pub(super) const UINT16: u8 = 6;
    pub(super) const INT32: u8 = 7;
    pub(super) const UINT32: u8 = 8;
    pub(super) const INT64: u8 = 9;
    pub(super) const UINT64: u8 = 10;
    pub(super) const DOUBLE: u8 = 11;
    pub(super) const STRING: u8 = 12;
    pub(super) const OPAQUE: u8 = 15;
}

/// Writes a value. No bytes at all are what an older server stores for a JSON column that was added
/// and never set: its null.
pub(super) fn write(out: &mut String, bytes: &[u8]) -> Read<()> {
    json::column(out, &text(bytes)?);
    Ok(())
}

/// A value as text.
pub(super) fn text(bytes: &[u8]) -> Read<String> {
    let Some((tag, content)) = bytes.split_first() else { return Ok("null".into()) };
    let mut text = String::new();
    // Values may be named more than once: what they come to is bounded by what a server can store.
    let mut writer = Writer { out: &mut text, most: MAX_GROWTH * bytes.len().max(64) };
    writer.value(*tag, content, 0)?;
    Ok(text)
}

/// A byte becomes six letters (`\u0001`) at most; a double of nine bytes no more than that either.
const MAX_GROWTH: usize = 8;

struct Writer<'o> {
    out: &'o mut String,
    most: usize,
}

impl Writer<'_> {
    fn value(&mut self, tag: u8, content: &[u8], depth: usize) -> Read<()> {
        if depth > MAX_DEPTH {
            return Err("a JSON value is nested too deep".into());
        }
        if self.out.len() > self.most {
            return Err("a JSON value names its parts more than once".into());
        }
        let mut bytes = Bytes::new(content);
        match tag {
            tag::SMALL_OBJECT => self.list(content, 2, true, depth)?,
            tag::LARGE_OBJECT => self.list(content, 4, true, depth)?,
            tag::SMALL_ARRAY => self.list(content, 2, false, depth)?,
            tag::LARGE_ARRAY => self.list(content, 4, false, depth)?,
            tag::LITERAL => self.out.push_str(match bytes.byte()? {
                0 => "null",
                1 => "true",
                2 => "false",
                _ => return Err("a JSON literal is none".into()),
            }),
            tag::INT16 => self.number(bytes.u16()? as i16),
            tag::UINT16 => self.number(bytes.u16()?),
            tag::INT32 => self.number(bytes.u32()? as i32),
            tag::UINT32 => self.number(bytes.u32()?),
            tag::INT64 => self.number(bytes.u64()? as i64),
            tag::UINT64 => self.number(bytes.u64()?),
            tag::DOUBLE => {
                let value = f64::from_bits(bytes.u64()?);
                if !value.is_finite() {
                    return Err("a JSON number is none".into());
                }
                json::double(self.out, value);
            }
            tag::STRING => {
                let len = length(&mut bytes)?;
                let text = std::str::from_utf8(bytes.take(len)?);
                json::string(self.out, text.map_err(|_| "a JSON string is no UTF-8")?);
            }
            tag::OPAQUE => self.opaque(&mut bytes)?,
            _ => return Err("a JSON value has a type that is not known".into()),
        }
        Ok(())
    }

    fn number(&mut self, value: impl std::fmt::Display) {
        let _ = write!(self.out, "{value}");
    }

    /// An object or array: counts, where keys and values stand, the keys, the values. `width` is the
    /// size of its numbers.
    fn list(&mut self, whole: &[u8], width: usize, object: bool, depth: usize) -> Read<()> {
        let mut bytes = Bytes::new(whole);
        let count = bytes.low_first(width)? as usize;
        let size = bytes.low_first(width)? as usize;
        let whole = whole.get(..size).ok_or("a JSON list is longer than its value")?;
        let entry = if object { 2 * width + 3 } else { width + 1 };
        if count.checked_mul(entry).is_none_or(|entries| entries > size) {
            return Err("a JSON list has fewer entries than it says".into());
        }
        let mut bytes = Bytes::new(whole);
        bytes.take(2 * width)?;
        let mut keys = bytes.part(if object { count * (width + 2) } else { 0 })?;
        self.out.push(if object { '{' } else { '[' });
        for n in 0..count {
            self.out.push_str(if n > 0 { "," } else { "" });
            if object {
                let at = keys.low_first(width)? as usize;
                let len = keys.u16()? as usize;
                let key = whole.get(at..).and_then(|rest| rest.get(..len));
                let key = key.and_then(|key| std::str::from_utf8(key).ok());
                json::string(self.out, key.ok_or("a JSON key is none")?);
                self.out.push(':');
            }
            let tag = bytes.byte()?;
            let entry = bytes.take(width)?;
            let inline = match tag {
                tag::LITERAL | tag::INT16 | tag::UINT16 => true,
                tag::INT32 | tag::UINT32 => width == 4,
                _ => false,
            };
            let content = match inline {
                true => entry,
                false => {
                    let at = Bytes::new(entry).low_first(width)? as usize;
                    whole.get(at..).ok_or("a JSON value stands outside of its list")?
                }
            };
            self.value(tag, content, depth + 1)?;
        }
        self.out.push(if object { '}' } else { ']' });
        Ok(())
    }

    /// A value of an SQL type: a DECIMAL is a number, dates and times are text; other bytes are text with
    /// their type, as the server prints them.
    fn opaque(&mut self, bytes: &mut Bytes<'_>) -> Read<()> {
        use super::column::types;
        let kind = bytes.byte()?;
        let len = length(bytes)?;
        let mut value = bytes.part(len)?;
        match kind {
            types::DECIMAL => {
                let (digits, scale) = (value.byte()?.into(), value.byte()?.into());
                if digits > 65 || scale > digits {
                    return Err("a DECIMAL has digits that none can have".into());
                }
                let size = number::decimal_size(digits, scale);
                number::decimal(self.out, value.take(size)?, digits, scale)?;
            }
            types::DATE | types::OLD_TIME | types::OLD_DATETIME | types::OLD_TIMESTAMP => {
                self.out.push('"');
                time(self.out, kind, value.u64()? as i64);
                self.out.push('"');
            }
            _ => {
                use base64::Engine as _;
                let text = base64::engine::general_purpose::STANDARD.encode(value.rest());
                let _ = write!(self.out, "\"base64:type{kind}:{text}\"");
            }
        }
        Ok(())
    }
}

/// A date or time in one number: years times thirteen and months, days, hours, minutes, seconds, and 24
/// bits of microseconds.
fn time(out: &mut String, kind: u8, packed: i64) {
    use super::column::types;
    let size = packed.unsigned_abs();
    let (micros, whole) = (size & 0xff_ffff, size >> 24);
    let (day, clock) = (whole >> 17, whole & 0x1_ffff);
    let month = day >> 5;
    if kind == types::OLD_TIME {
        out.push_str(if packed < 0 { "-" } else { "" });
        let _ = write!(out, "{:02}", (whole >> 12) & 0x3ff);
    } else {
        let _ = write!(out, "{:04}-{:02}-{:02}", month / 13, month % 13, day & 31);
        if kind == types::DATE {
            return;
        }
        let _ = write!(out, " {:02}", clock >> 12);
    }
    let _ = write!(out, ":{:02}:{:02}.{micros:06}", clock >> 6 & 63, clock & 63);
}

/// A length of up to five bytes of seven bits each, the lowest first.
fn length(bytes: &mut Bytes<'_>) -> Read<usize> {
    let mut len = 0u64;
    for n in 0..5 {
        let byte = bytes.byte()?;
        len |= u64::from(byte & 0x7f) << (7 * n);
        if byte & 0x80 == 0 {
            return usize::try_from(len).map_err(|_| "a JSON value is too long".into());
        }
    }
    Err("a JSON length does not end".into())
}
