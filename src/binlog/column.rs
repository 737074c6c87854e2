//! The types of columns, and what a TABLE_MAP says beside of each.

use super::bytes::{Broken, Bytes, Read};
use types::*;

/// The numbers of the types of columns.
pub(super) mod types {
    pub(in super::super) const TINY: u8 = 1;
    pub(in super::super) const SHORT: u8 = 2;
    pub(in super::super) const LONG: u8 = 3;
    pub(in super::super) const FLOAT: u8 = 4;
    pub(in super::super) const DOUBLE: u8 = 5;
    pub(in super::super) const OLD_TIMESTAMP: u8 = 7;
    pub(in super::super) const LONGLONG: u8 = 8;
    pub(in super::super) const INT24: u8 = 9;
    pub(in super::super) const DATE: u8 = 10;
    pub(in super::super) const OLD_TIME: u8 = 11;
    pub(in super::super) const OLD_DATETIME: u8 = 12;
    pub(in super::super) const YEAR: u8 = 13;
    pub(in super::super) const VARCHAR: u8 = 15;
    pub(in super::super) const BIT: u8 = 16;
    pub(in super::super) const TIMESTAMP: u8 = 17;
    pub(in super::super) const DATETIME: u8 = 18;
    pub(in super::super) const TIME: u8 = 19;
    /// MariaDB's COMPRESSED columns.
    pub(in super::super) const BLOB_COMPRESSED: u8 = 140;
    pub(in super::super) const VARCHAR_COMPRESSED: u8 = 141;
    pub(in super::super) const VECTOR: u8 = 242;
    pub(in super::super) const JSON: u8 = 245;
    pub(in super::super) const DECIMAL: u8 = 246;
    pub(in super::super) const ENUM: u8 = 247;
    pub(in super::super) const SET: u8 = 248;
    pub(in super::super) const BLOB: u8 = 252;
    pub(in super::super) const VAR_STRING: u8 = 253;
    pub(in super::super) const STRING: u8 = 254;
    pub(in super::super) const GEOMETRY: u8 = 255;
}

/// A column as the event tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Its type: ENUM and SET are told from CHAR.
    pub(super) kind: u8,
    /// What its type says beside: a length, digits, or how many bytes a length or value has.
    pub(super) size: u16,
    /// The second of two such numbers: digits behind the point.
    pub(super) scale: u8,
    pub(super) nullable: bool,
}

/// Reads what is said beside of a column of that type.
pub(super) fn shape(kind: u8, sizes: &mut Bytes<'_>) -> Read<Shape> {
    let plain = |size: u16| Shape { kind, size, scale: 0, nullable: false };
    Ok(match kind {
        TINY | SHORT | LONG | LONGLONG | INT24 | DATE | YEAR => plain(0),
        OLD_TIMESTAMP | OLD_TIME | OLD_DATETIME => plain(0),
        FLOAT | DOUBLE => plain(sizes.byte()?.into()),
        TIMESTAMP | DATETIME | TIME => match sizes.byte()? {
            digits @ 0..=6 => plain(digits.into()),
            _ => return Err("a second has more than six digits".into()),
        },
        DECIMAL => {
            let (digits, scale) = (sizes.byte()?, sizes.byte()?);
            if digits == 0 || digits > 65 || scale > 30 || scale > digits {
                return Err("a DECIMAL has digits that none can have".into());
            }
            Shape { scale, ..plain(digits.into()) }
        }
        BIT => {
            let (bits, bytes) = (u16::from(sizes.byte()?), u16::from(sizes.byte()?));
            match bytes * 8 + bits {
                all @ 0..=64 => plain(all),
                _ => return Err("a BIT has more than 64 bits".into()),
            }
        }
        VARCHAR | VAR_STRING | VARCHAR_COMPRESSED => plain(sizes.u16()?),
        BLOB | BLOB_COMPRESSED | JSON | GEOMETRY | VECTOR => match sizes.byte()? {
            length @ 1..=4 => plain(length.into()),
            _ => return Err("a length of a value has no 1 to 4 bytes".into()),
        },
        STRING => {
            let (first, second) = (sizes.byte()?, sizes.byte()?);
            match first {
                ENUM if matches!(second, 1 | 2) => Shape { kind: ENUM, ..plain(second.into()) },
                SET if matches!(second, 1 | 2 | 3 | 4 | 8) => {
                    Shape { kind: SET, ..plain(second.into()) }
                }
                ENUM | SET => return Err("an ENUM or SET of no possible size".into()),
                // Two bits of the length hide in the type.
                _ => plain(u16::from(second) | u16::from((first & 0x30) ^ 0x30) << 4),
            }
        }
        other => return Err(Broken(format!("the column type {other} is not known"))),
    })
}
