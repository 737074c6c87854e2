//! TABLE_MAP: which table the row events that follow are about, and the types of its columns.

use super::bytes::{Bytes, Read};
use super::column::{Shape, shape};
use super::metadata::Metadata;

/// The most columns a table of a server can have.
const MAX_COLUMNS: usize = 4096;

/// A TABLE_MAP event.
#[derive(Clone, Debug)]
pub(super) struct Map {
    pub(super) database: String,
    pub(super) table: String,
    pub(super) columns: Vec<Shape>,
    pub(super) metadata: Metadata,
}

impl Map {
    /// Reads the number that row events name it by, which is all that tells of a map that cannot be read.
    pub(super) fn id(bytes: &mut Bytes<'_>, post_header: usize) -> Read<u64> {
        // Old servers have two bytes less.
        let id = bytes.low_first(if post_header == 6 { 4 } else { 6 })?;
        bytes.take(2)?;
        Ok(id)
    }

    pub(super) fn read(body: &[u8], post_header: usize, mariadb: bool) -> Read<Self> {
        let mut bytes = Bytes::new(body);
        Self::id(&mut bytes, post_header)?;
        let database = name(&mut bytes)?;
        let table = name(&mut bytes)?;
        let count = bytes.packed_len()?;
        if count > MAX_COLUMNS {
            return Err("it has more columns than a table can have".into());
        }
        let kinds = bytes.take(count)?;
        let mut sizes = Bytes::new(bytes.packed_bytes()?);
        let nulls = bytes.take(count.div_ceil(8))?;
        let mut columns = Vec::with_capacity(count);
        for (n, &kind) in kinds.iter().enumerate() {
            let nullable = bit(nulls, n);
            columns.push(Shape { nullable, ..shape(kind, &mut sizes)? });
        }
        let metadata = Metadata::read(bytes, &columns, mariadb)?;
        Ok(Self { database, table, columns, metadata })
    }
}

/// The n-th bit, the lowest of the first byte being the first; bits that are not there are not set.
pub(super) fn bit(bits: &[u8], n: usize) -> bool {
    bits.get(n / 8).is_some_and(|byte| byte >> (n % 8) & 1 == 1)
}

/// A name behind its length of one byte, with a zero behind it.
fn name(bytes: &mut Bytes<'_>) -> Read<String> {
    let len = bytes.byte()?;
    let name = bytes.take(len.into())?;
    bytes.take(1)?;
    String::from_utf8(name.to_vec()).map_err(|_| "a name is no UTF-8".into())
}
