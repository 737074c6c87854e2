//! What a TABLE_MAP tells beside types: with `binlog_row_metadata` MINIMAL signs and character sets,
//! with FULL names, labels and the primary key too. MariaDB's NO_LOG tells nothing.

use super::bytes::{Bytes, Read};
use super::column::{Shape, types::*};

/// By column; empty where it is not told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    /// UNSIGNED.
    pub(super) unsigned: Vec<bool>,
    /// The number of the collation; 0 for columns that have none.
    pub(super) collations: Vec<u64>,
    pub(super) names: Vec<String>,
    /// Labels of ENUM and SET, in the column's character set.
    pub(super) labels: Vec<Vec<Vec<u8>>>,
    /// The primary key's columns, in its order; `None` where it is not told.
    pub(super) key: Option<Vec<usize>>,
}

/// The tags of its parts.
mod tag {
    pub(super) const SIGNS: u8 = 1;
    pub(super) const DEFAULT_COLLATION: u8 = 2;
    pub(super) const COLLATIONS: u8 = 3;
    pub(super) const NAMES: u8 = 4;
    pub(super) const SET_LABELS: u8 = 5;
    pub(super) const ENUM_LABELS: u8 = 6;
    pub(super) const KEY: u8 = 8;
    pub(super) const KEY_WITH_PREFIXES: u8 = 9;
    pub(super) const DEFAULT_LABEL_COLLATION: u8 = 10;
    pub(super) const LABEL_COLLATIONS: u8 = 11;
}

impl Metadata {
    /// Reads what is left of the event. Parts of another tag are passed over.
    pub(super) fn read(mut bytes: Bytes<'_>, columns: &[Shape], mariadb: bool) -> Read<Self> {
        let places = |is: &dyn Fn(u8) -> bool| -> Vec<usize> {
            (0..columns.len()).filter(|n| is(columns[*n].kind)).collect()
        };
        let texts = places(&|kind| has_collation(kind) || mariadb && kind == GEOMETRY);
        let labelled = places(&|kind| matches!(kind, ENUM | SET));
        let mut told = Self::default();
        let mut keyed = false;
        while !bytes.is_empty() {
            let tag = bytes.byte()?;
            let len = bytes.packed_len()?;
            let mut part = bytes.part(len)?;
            match tag {
                tag::SIGNS => told.signs(part, columns)?,
                tag::DEFAULT_COLLATION => told.default_collations(part, &texts, columns.len())?,
                tag::COLLATIONS => told.own_collations(part, &texts, columns.len())?,
                tag::DEFAULT_LABEL_COLLATION => {
                    told.default_collations(part, &labelled, columns.len())?;
                }
                tag::LABEL_COLLATIONS => told.own_collations(part, &labelled, columns.len())?,
                tag::NAMES => told.names = names(&mut part, columns.len())?,
                tag::SET_LABELS => told.labels(part, columns, SET)?,
                tag::ENUM_LABELS => told.labels(part, columns, ENUM)?,
                tag::KEY | tag::KEY_WITH_PREFIXES => {
                    told.key = Some(key(part, columns.len(), tag == tag::KEY_WITH_PREFIXES)?);
                    keyed = true;
                }
                _ => {}
            }
        }
        // With FULL a table without a part for its key has none.
        if !told.names.is_empty() && !keyed {
            told.key = Some(Vec::new());
        }
        Ok(told)
    }

    fn signs(&mut self, part: Bytes<'_>, columns: &[Shape]) -> Read<()> {
        let bits = part.rest();
        let mut n = 0;
        self.unsigned = vec![false; columns.len()];
        for (place, column) in columns.iter().enumerate() {
            if is_numeric(column.kind) {
                let byte = bits.get(n / 8).ok_or("signs are missing")?;
                self.unsigned[place] = byte << (n % 8) & 0x80 != 0;
                n += 1;
            }
        }
        Ok(())
    }

    fn default_collations(
        &mut self,
        mut part: Bytes<'_>,
        places: &[usize],
        all: usize,
    ) -> Read<()> {
        let default = part.packed()?;
        self.collations.resize(all, 0);
        for place in places {
            self.collations[*place] = default;
        }
        while !part.is_empty() {
            let (n, collation) = (part.packed_len()?, part.packed()?);
            let place = places.get(n).ok_or("a collation is of no column")?;
            self.collations[*place] = collation;
        }
        Ok(())
    }

    fn own_collations(&mut self, mut part: Bytes<'_>, places: &[usize], all: usize) -> Read<()> {
        self.collations.resize(all, 0);
        for place in places {
            self.collations[*place] = part.packed()?;
        }
        Ok(())
    }

    fn labels(&mut self, mut part: Bytes<'_>, columns: &[Shape], kind: u8) -> Read<()> {
        self.labels.resize(columns.len(), Vec::new());
        for (place, column) in columns.iter().enumerate() {
            if column.kind == kind {
                let count = part.packed_len()?;
                // Each takes a byte at least: none is made room for that is not there.
                if count > part.len() {
                    return Err("labels are missing".into());
                }
                let labels = (0..count).map(|_| part.packed_bytes().map(<[u8]>::to_vec));
                self.labels[place] = labels.collect::<Read<_>>()?;
            }
        }
        Ok(())
    }
}

fn names(part: &mut Bytes<'_>, all: usize) -> Read<Vec<String>> {
    let name = |bytes: &[u8]| {
        String::from_utf8(bytes.to_vec()).map_err(|_| "a column's name is no UTF-8".into())
    };
    (0..all).map(|_| part.packed_bytes().and_then(name)).collect()
}

fn key(mut part: Bytes<'_>, all: usize, prefixes: bool) -> Read<Vec<usize>> {
    let mut key = Vec::new();
    while !part.is_empty() {
        let place = part.packed_len()?;
        if place >= all || key.contains(&place) {
            return Err("the primary key has a column that is none".into());
        }
        key.push(place);
        if prefixes {
            part.packed()?;
        }
    }
    Ok(key)
}

/// The types that have a bit for their sign.
fn is_numeric(kind: u8) -> bool {
    matches!(kind, TINY | SHORT | INT24 | LONG | LONGLONG | DECIMAL | FLOAT | DOUBLE | YEAR)
}

fn has_collation(kind: u8) -> bool {
    matches!(kind, STRING | VAR_STRING | VARCHAR | BLOB | VARCHAR_COMPRESSED | BLOB_COMPRESSED)
}
