//! The name that a table has at a target, with parts of the name that it has in the stream.

use std::fmt;

use crate::event::TableName;

/// A name with `{database}`, `{table}` and `{source}` in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    database: Vec<Piece>,
    table: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// Of [`PARTS`], by number.
    Part(usize),
}

/// What may stand between braces.
pub const PARTS: [&str; 3] = ["database", "table", "source"];

impl Name {
    /// The name of every table: what it is in the stream.
    pub const SAME: (&str, &str) = ("{database}", "{table}");

    /// A database and a table, either with parts in it.
    ///
    /// # Errors
    /// With what stands between braces and is no part.
    pub fn new(database: &str, table: &str) -> Result<Self, String> {
        Ok(Self { database: pieces(database)?, table: pieces(table)? })
    }

    /// This table, whatever signs its name has; without a name, the table keeps its own.
    pub fn fixed(database: &str, table: Option<&str>) -> Self {
        let text = |text: &str| vec![Piece::Text(text.to_owned())];
        let table = table.map_or_else(|| vec![Piece::Part(1)], text);
        Self { database: text(database), table }
    }

    /// True when two sources never have one name there.
    pub fn tells_source(&self) -> bool {
        self.database.iter().chain(&self.table).any(|piece| *piece == Piece::Part(2))
    }

    /// The table's name there, for a table of the stream of a source.
    pub fn of(&self, name: &TableName, source: &str) -> TableName {
        let parts = [name.database.as_str(), name.table.as_str(), source];
        let fill = |pieces: &[Piece]| -> String {
            let piece = |piece: &Piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Part(n) => parts[*n].to_owned(),
            };
            pieces.iter().map(piece).collect()
        };
        // A statement on a database is about its table without a name.
        let table = if name.table.is_empty() { String::new() } else { fill(&self.table) };
        TableName::new(fill(&self.database), table)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |pieces: &[Piece]| -> String {
            let piece = |piece: &Piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Part(n) => format!("{{{}}}", PARTS[*n]),
            };
            pieces.iter().map(piece).collect()
        };
        write!(f, "{}.{}", text(&self.database), text(&self.table))
    }
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once('{') {
        let (part, after) = after.split_once('}').unwrap_or((after, ""));
        let known = PARTS.iter().position(|known| *known == part);
        pieces.push(Piece::Text(before.to_owned()));
        pieces.push(Piece::Part(known.ok_or_else(|| part.to_owned())?));
        rest = after;
    }
    pieces.push(Piece::Text(rest.to_owned()));
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_filled_in_once() {
        let of = |database: &str, table: &str| {
            let name = Name::new(database, table).expect("a name");
            name.of(&TableName::new("crm", "{source}"), "old").to_string()
        };
        assert_eq!(of("{database}", "{table}"), "crm.{source}");
        assert_eq!(of("log", "{source}_{table}_x"), "log.old_{source}_x");
        assert_eq!(Name::new("a{b}", "t"), Err("b".to_owned()));
        assert_eq!(Name::new("a", "t{"), Err(String::new()));
    }

    #[test]
    fn a_name_that_is_fixed_is_taken_as_it_is() {
        let stream = TableName::new("crm", "t");
        let fixed = Name::fixed("{database}", Some("{x"));
        assert_eq!(fixed.of(&stream, ""), TableName::new("{database}", "{x"));
        assert_eq!(Name::fixed("new", None).of(&stream, ""), TableName::new("new", "t"));
        let database = TableName::new("crm", "");
        assert_eq!(fixed.of(&database, ""), TableName::new("{database}", ""));
    }
}
