//! One value of a row: from the servers' bytes to a JSON token.

use std::fmt::Write as _;
use std::io::Read as _;

use super::bytes::{Bytes, Read};
use super::charset::Charset;
use super::{json, jsonb, number, shape};

/// How the values of a column are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Integer {
        bytes: usize,
        unsigned: bool,
    },
    Float,
    Double,
    Decimal {
        digits: usize,
        scale: usize,
    },
    Bit {
        bytes: usize,
    },
    Year,
    Date,
    Time {
        digits: usize,
    },
    DateTime {
        digits: usize,
    },
    Timestamp {
        digits: usize,
    },
    /// The times of servers before MySQL 5.6 and MariaDB 10.1.
    OldTime,
    OldDateTime,
    OldTimestamp,
    Enum {
        bytes: usize,
        labels: Vec<String>,
    },
    Set {
        bytes: usize,
        labels: Vec<String>,
    },
    /// A text behind a length of so many bytes.
    Text {
        length: usize,
        charset: Charset,
    },
    /// Bytes behind their length; of BINARY(n) the zeros at the end are cut, and put back.
    Binary {
        length: usize,
        width: usize,
    },
    /// MySQL's JSON.
    Json {
        length: usize,
    },
    /// MariaDB's JSON, which is text.
    JsonText {
        length: usize,
        charset: Charset,
    },
    Geometry {
        length: usize,
    },
    /// MariaDB's COMPRESSED columns: the value, behind its length, is packed.
    Packed {
        length: usize,
        charset: Option<Charset>,
    },
}

/// The longest value of a column, 4 GiB, is longer than any packet: what unpacks to more than a
/// packet may have is none.
const MAX_UNPACKED: u64 = 1 << 30;

impl Type {
    /// True for MySQL's JSON.
    pub(super) fn is_json(&self) -> bool {
        matches!(self, Self::Json { .. })
    }

    /// The bytes of the next value of a JSON column.
    pub(super) fn sized<'a>(&self, bytes: &mut Bytes<'a>) -> Read<&'a [u8]> {
        match self {
            Self::Json { length } => sized(bytes, *length),
            _ => Err("it is no JSON".into()),
        }
    }

    /// Writes the next value as a JSON token.
    pub(super) fn write(&self, out: &mut String, bytes: &mut Bytes<'_>) -> Read<()> {
        match self {
            &Self::Integer { bytes: len, unsigned } => integer(out, bytes, len, unsigned)?,
            Self::Float => json::float(out, f32::from_bits(bytes.u32()?)),
            Self::Double => json::double(out, f64::from_bits(bytes.u64()?)),
            &Self::Decimal { digits, scale } => {
                let value = bytes.take(number::decimal_size(digits, scale))?;
                number::decimal(out, value, digits, scale)?;
            }
            &Self::Bit { bytes: len } => {
                let _ = write!(out, "{}", bytes.high_first(len)?);
            }
            Self::Year => match bytes.byte()? {
                0 => out.push('0'),
                year => {
                    let _ = write!(out, "{}", 1900 + u32::from(year));
                }
            },
            Self::Enum { bytes: len, labels } => label(out, bytes.low_first(*len)?, labels)?,
            Self::Set { bytes: len, labels } => set(out, bytes.low_first(*len)?, labels)?,
            Self::Text { length, charset } => text(out, sized(bytes, *length)?, *charset),
            Self::Binary { length, width } => {
                let value = sized(bytes, *length)?;
                match value.len() < *width {
                    true => json::base64(out, &[value, &vec![0; width - value.len()]].concat()),
                    false => json::base64(out, value),
                }
            }
            Self::Json { length } => jsonb::write(out, sized(bytes, *length)?)?,
            Self::JsonText { length, charset } => json_text(out, sized(bytes, *length)?, *charset)?,
            Self::Geometry { length } => geometry(out, sized(bytes, *length)?),
            Self::Packed { length, charset } => {
                let value = unpacked(sized(bytes, *length)?)?;
                match charset {
                    Some(charset) => text(out, &value, *charset),
                    None => json::base64(out, &value),
                }
            }
            _ => self.write_time(out, bytes)?,
        }
        Ok(())
    }

    /// The types that are strings of digits.
    fn write_time(&self, out: &mut String, bytes: &mut Bytes<'_>) -> Read<()> {
        out.push('"');
        match *self {
            Self::Date => number::date(out, bytes.low_first(3)?),
            Self::Time { digits } => number::time(out, bytes, digits)?,
            Self::DateTime { digits } => number::datetime(out, bytes, digits)?,
            Self::Timestamp { digits } => number::timestamp(out, bytes, digits)?,
            Self::OldTime => number::old_time(out, bytes.low_first(3)?),
            Self::OldDateTime => number::old_datetime(out, bytes.low_first(8)?),
            Self::OldTimestamp => number::seconds_since_1970(out, bytes.low_first(4)?, true)?,
            _ => return Err("it is no time".into()),
        }
        out.push('"');
        Ok(())
    }
}

fn integer(out: &mut String, bytes: &mut Bytes<'_>, len: usize, unsigned: bool) -> Read<()> {
    let value = bytes.low_first(len)?;
    let unused = 64 - 8 * len;
    let _ = match unsigned {
        true => write!(out, "{value}"),
        false => write!(out, "{}", (value << unused) as i64 >> unused),
    };
    Ok(())
}

/// A value behind its length.
fn sized<'a>(bytes: &mut Bytes<'a>, length: usize) -> Read<&'a [u8]> {
    let len = bytes.low_first(length)?;
    bytes.take(usize::try_from(len).map_err(|_| "a value is longer than its event")?)
}

fn text(out: &mut String, bytes: &[u8], charset: Charset) {
    match charset.text(bytes) {
        Some(text) => json::string(out, &text),
        None => json::raw(out, bytes),
    }
}

/// Text that is JSON, as it is. What is none would make none of the message.
fn json_text(out: &mut String, bytes: &[u8], charset: Charset) -> Read<()> {
    let text = charset.text(bytes).ok_or("a JSON text is none of its character set")?;
    serde_json::from_str::<serde::de::IgnoredAny>(&text).map_err(|_| "a JSON text is no JSON")?;
    if text.trim_ascii() == "null" && text != "null" {
        // With the blanks around it, it could not be told from SQL's NULL.
        return Err("a JSON text is null with blanks around it".into());
    }
    json::column(out, &text);
    Ok(())
}

/// An ENUM's label; its error value is no label, but the number 0.
fn label(out: &mut String, place: u64, labels: &[String]) -> Read<()> {
    let Some(place) = place.checked_sub(1) else {
        out.push('0');
        return Ok(());
    };
    let label = usize::try_from(place).ok().and_then(|place| labels.get(place));
    json::string(out, label.ok_or("an ENUM has fewer labels than its value says")?);
    Ok(())
}

fn set(out: &mut String, bits: u64, labels: &[String]) -> Read<()> {
    if labels.len() < 64 && bits >> labels.len() != 0 {
        return Err("a SET has fewer labels than its value says".into());
    }
    out.push('[');
    let chosen = labels.iter().enumerate().filter(|(n, _)| *n < 64 && bits >> n & 1 == 1);
    for (n, (_, label)) in chosen.enumerate() {
        out.push_str(if n > 0 { "," } else { "" });
        json::string(out, label);
    }
    out.push(']');
    Ok(())
}

fn geometry(out: &mut String, bytes: &[u8]) {
    match shape::text(bytes) {
        Some(text) => json::string(out, &text),
        None => json::raw(out, bytes),
    }
}

/// The value of a COMPRESSED column: a byte that says how it is packed, its length, the packed bytes.
fn unpacked(bytes: &[u8]) -> Read<Vec<u8>> {
    let mut bytes = Bytes::new(bytes);
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let head = bytes.byte()?;
    match head >> 4 {
        0 => Ok(bytes.rest().to_vec()),
        // zlib, without its own header where the fourth bit is set.
        8 => {
            let len = bytes.high_first(usize::from(head & 7))?;
            let mut out = Vec::new();
            let packed = bytes.rest();
            let got = match head & 8 {
                0 => {
                    flate2::read::ZlibDecoder::new(packed).take(MAX_UNPACKED).read_to_end(&mut out)
                }
                _ => flate2::read::DeflateDecoder::new(packed)
                    .take(MAX_UNPACKED)
                    .read_to_end(&mut out),
            };
            match got {
                Ok(got) if got as u64 == len => Ok(out),
                _ => Err("a COMPRESSED value cannot be unpacked".into()),
            }
        }
        _ => Err("a COMPRESSED value is packed in a way that is not known".into()),
    }
}
