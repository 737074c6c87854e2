//! Which rows of a table the stream has touched in a stretch: of those, the two ends may have been
//! read at different times.

use std::collections::HashSet;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::columns::{Both, Pair};
use super::keys::Key;
use crate::error::Result;
use crate::event::def::Kind;
use crate::event::row::{Columns, Value};
use crate::event::{Body, Direction, Event, TableName, typed};
use crate::spool::{Seq, Spool, Trouble};

/// The rows of a table that were touched.
pub(super) enum Touched {
    /// Any may be.
    All,
    /// Those of these keys, in the form that all spellings of a key share.
    Keys(HashSet<Vec<String>>),
}

impl Touched {
    /// Reads a stretch. A statement about the table, a change of one of its `parents`, what is
    /// missing of the stream, and a key that cannot be told touch all rows.
    pub(super) fn read(
        spool: &Spool,
        pair: &Pair,
        parents: &[TableName],
        range: Range<Seq>,
    ) -> Result<Self> {
        if spool.troubles(&range)?.iter().any(Trouble::loses) {
            return Ok(Self::All);
        }
        let names = spool.tables()?;
        let concerns = |name: &TableName| {
            *name == pair.source
                || parents.contains(name)
                || (name.table.is_empty() && name.database == pair.source.database)
        };
        let wanted: Vec<bool> = names.iter().map(concerns).collect();
        // A table that is not known yet may be one of them.
        let may = move |table: u32| wanted.get(table as usize).copied().unwrap_or(true);
        let frames = spool.frames_where(range.clone(), Direction::Forward, move |zone| {
            zone.tables.iter().any(|touched| may(touched.table))
        });
        let mut keys = HashSet::new();
        for frame in frames {
            let frame = frame?;
            for event in frame.events(&range, Direction::Forward) {
                let (_, event) = event?;
                if !concerns(&event.meta.name()) {
                    continue;
                }
                match keys_of(pair, &event) {
                    Some(touched) => keys.extend(touched),
                    None => return Ok(Self::All),
                }
            }
        }
        Ok(Self::Keys(keys))
    }

    /// True when a row of that key may have been touched.
    pub(super) fn has(&self, pair: &Pair, key: &Key) -> bool {
        let Self::Keys(keys) = self else { return true };
        let parts = pair.key.iter().zip(key);
        let folded: Option<Vec<String>> =
            parts.map(|(&at, value)| stored(&pair.columns[at], value)).collect();
        folded.is_none_or(|folded| keys.contains(&folded))
    }
}

/// The keys before and after an event; `None`: any row may be touched.
fn keys_of(pair: &Pair, event: &Event<'_>) -> Option<[Vec<String>; 2]> {
    let Body::Row { data, old } = event.body else { return None };
    if event.meta.name() != pair.source {
        return None;
    }
    let data = Columns::parse(data).ok()?;
    let old = old.map_or_else(|| Some(Columns::default()), |old| Columns::parse(old).ok())?;
    let key = |former: &Columns<'_>| -> Option<Vec<String>> {
        let parts = pair.key.iter().map(|&at| {
            let column = &pair.columns[at];
            let name = &column.source.name;
            sent(column, typed::column(former, name).or(typed::column(&data, name))?)
        });
        parts.collect()
    };
    Some([key(&old)?, key(&Columns::default())?])
}

/// A value of a message in the form that all spellings share; `None`: there is no such form.
fn sent(column: &Both, value: Value<'_>) -> Option<String> {
    match column.source.kind {
        Kind::Integer | Kind::Year | Kind::Bit | Kind::Decimal => typed::number(value.0),
        Kind::Text | Kind::Enum => value.string().map(|_| typed::fold(value)),
        Kind::Temporal => Some(typed::second(&value.string()?).to_owned()),
        Kind::Binary => Some(hex(&STANDARD.decode(value.string()?.as_bytes()).ok()?)),
        _ => None,
    }
}

/// The same of a value that a server has.
fn stored(column: &Both, value: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(value);
    match column.source.kind {
        Kind::Integer | Kind::Year | Kind::Bit | Kind::Decimal => typed::number(&text),
        Kind::Text | Kind::Enum => {
            Some(typed::fold(Value(&serde_json::Value::from(&*text).to_string())))
        }
        Kind::Temporal => Some(typed::second(&text).to_owned()),
        Kind::Binary => Some(hex(value)),
        _ => None,
    }
}

/// The producer cuts the zeros at the end of BINARY(n).
fn hex(bytes: &[u8]) -> String {
    typed::trimmed(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::def::Column;

    #[test]
    fn a_key_of_a_message_is_known_in_a_server() {
        for (kind, message, server) in [
            (Kind::Integer, "7", &b"7"[..]),
            (Kind::Decimal, "1.50", b"1.5000"),
            (Kind::Text, r#""Stra\u00dfe ""#, "strasse".as_bytes()),
            (Kind::Text, r#""\u00e9""#, "É".as_bytes()),
            (Kind::Binary, r#""AQA=""#, &[1, 0, 0, 0]),
            (Kind::Temporal, r#""2024-01-01 00:00:00.5""#, b"2024-01-01 00:00:00.500000"),
        ] {
            let column = |kind| Column { kind, ..Column::default() };
            let both =
                Both { source: column(kind), target: column(kind), same_bytes: false, null: None };
            let (sent, stored) = (sent(&both, Value(message)), stored(&both, server));
            assert!(sent.is_some() && sent == stored, "{sent:?} {stored:?}");
        }
    }
}
