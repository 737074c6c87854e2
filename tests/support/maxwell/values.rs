//! Row images: from the binlog's bytes to JSON values.

use super::{
    definitions::{Column, Table},
    jsonb,
    numbers::{self, big_endian, little_endian, take},
    shapes,
    text::{list, quoted},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use mysql::{Conn, prelude::Queryable};
use mysql_common::binlog::events::TableMapEvent;
use std::collections::HashMap;

pub(super) struct Decoder<'a> {
    /// Asked for the meaning of bytes in rare character sets.
    pub session: &'a mut Conn,
    pub converted: HashMap<(String, Vec<u8>), String>,
}

/// A row's values by the table's columns; `None`: the image lacks the column.
pub(super) type Image = Vec<Option<String>>;

impl Decoder<'_> {
    /// One image, taken from the front of the data.
    pub(super) fn row(
        &mut self,
        table: &Table,
        map: &TableMapEvent<'_>,
        present: &[bool],
        data: &mut &[u8],
    ) -> Image {
        assert_eq!(map.columns_count(), table.columns.len() as u64, "the definition is another's");
        let count = present.iter().filter(|here| **here).count();
        let (nulls, mut n) = (take(data, count.div_ceil(8)), 0);
        let mut image = Vec::new();
        for (place, column) in table.columns.iter().enumerate() {
            if !present[place] {
                image.push(None);
                continue;
            }
            image.push(Some(match nulls[n / 8] >> (n % 8) & 1 {
                1 => "null".to_owned(),
                _ => self.value(column, map.get_column_metadata(place).unwrap_or(&[]), data),
            }));
            n += 1;
        }
        image
    }

    fn value(&mut self, column: &Column, meta: &[u8], data: &mut &[u8]) -> String {
        match column.kind.as_str() {
            "tinyint" => integer(column, take(data, 1)),
            "smallint" => integer(column, take(data, 2)),
            "mediumint" => integer(column, take(data, 3)),
            "int" => integer(column, take(data, 4)),
            "bigint" => integer(column, take(data, 8)),
            "float" => numbers::float(f32::from_bits(little_endian(take(data, 4)) as u32)),
            "double" => numbers::double(f64::from_bits(little_endian(take(data, 8)))),
            "decimal" => {
                let (precision, scale) = (meta[0].into(), meta[1].into());
                let bytes = take(data, numbers::decimal_size(precision, scale));
                numbers::decimal(bytes, precision, scale)
            }
            "bit" => big_endian(take(data, bit_bytes(meta))).to_string(),
            "year" => (1900 + u32::from(take(data, 1)[0])).to_string(),
            "date" => quoted(&numbers::date(little_endian(take(data, 3)))),
            "datetime" => quoted(&numbers::datetime(data, column.digits)),
            "timestamp" => quoted(&numbers::timestamp(data, column.digits)),
            "time" => quoted(&numbers::time(data, column.digits)),
            "enum" => {
                let place = little_endian(take(data, meta[1].into())) as usize;
                // The error value '' has no place among the labels: it becomes null.
                let label = place.checked_sub(1).map(|place| quoted(&column.labels[place]));
                label.unwrap_or_else(|| "null".to_owned())
            }
            "set" => {
                let bits = little_endian(take(data, meta[1].into()));
                let chosen = column.labels.iter().enumerate().filter(|(n, _)| bits >> n & 1 == 1);
                format!("[{}]", list(chosen.map(|(_, label)| quoted(label))))
            }
            "json" if column.charset.is_empty() => jsonb::text(sized(meta, data)),
            "json" => String::from_utf8(sized(meta, data).to_vec()).expect("MariaDB's JSON text"),
            kind if shapes::is(kind) => quoted(&shapes::wkt(sized(meta, data))),
            "char" | "binary" => {
                let bytes = take_string(char_length(meta), data);
                self.text(column, bytes)
            }
            "varchar" | "varbinary" => {
                let bytes = take_string(little_endian(meta), data);
                self.text(column, bytes)
            }
            kind if kind.ends_with("text") || kind.ends_with("blob") => {
                let bytes = sized(meta, data);
                self.text(column, bytes)
            }
            kind => panic!("the tests' producer does not know the type {kind}"),
        }
    }

    fn text(&mut self, column: &Column, bytes: &[u8]) -> String {
        match column.charset.as_str() {
            "" => format!("\"{}\"", STANDARD.encode(bytes)),
            "utf8mb4" | "utf8mb3" | "ascii" => quoted(std::str::from_utf8(bytes).unwrap()),
            charset => quoted(&self.convert(charset, bytes)),
        }
    }

    fn convert(&mut self, charset: &str, bytes: &[u8]) -> String {
        let session = &mut self.session;
        let known = self.converted.entry((charset.to_owned(), bytes.to_vec()));
        let ask = || {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let question = format!("SELECT CONVERT(_{charset} X'{hex}' USING utf8mb4)");
            session.query_first(question).unwrap().unwrap()
        };
        known.or_insert_with(ask).clone()
    }
}

fn integer(column: &Column, bytes: &[u8]) -> String {
    let value = little_endian(bytes);
    if !column.signed {
        return value.to_string();
    }
    let shift = 64 - 8 * bytes.len();
    ((value << shift) as i64 >> shift).to_string()
}

fn bit_bytes(meta: &[u8]) -> usize {
    usize::from(meta[1]) + usize::from(meta[0] > 0)
}

/// The most bytes a CHAR or BINARY column can hold: two bits of it hide in the type.
fn char_length(meta: &[u8]) -> u64 {
    u64::from(meta[1]) | (u64::from(meta[0] & 0x30) ^ 0x30) << 4
}

fn take_string<'a>(most: u64, data: &mut &'a [u8]) -> &'a [u8] {
    let length = little_endian(take(data, if most > 255 { 2 } else { 1 }));
    take(data, length as usize)
}

/// A value behind its length; `meta` says how long that length is.
fn sized<'a>(meta: &[u8], data: &mut &'a [u8]) -> &'a [u8] {
    let length = little_endian(take(data, meta[0].into()));
    take(data, length as usize)
}
