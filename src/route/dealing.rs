//! Which rows of a table go where: the places of a row before an event and those after it.
//!
//! A row goes from the places that it is not at any more, comes to those that it was not at before, and
//! changes at those that it stays at. That one rule deals rows out, moves those whose value changes,
//! writes them everywhere, and leaves them out.

use super::shard::{Lost, Places, Shard};
use crate::error::{Error, Result};
use crate::event::def::TableDef;
use crate::event::row::{self, Columns, Value};
use crate::event::{Body, Event, Nulls, Op, TableName};

/// The places of a table at this target, and which rows go to which.
#[derive(Clone, Debug)]
pub struct Dealing<'r> {
    /// The tables there.
    pub places: Vec<TableName>,
    by: Option<By<'r>>,
}

#[derive(Clone, Debug)]
struct By<'r> {
    shard: &'r Shard,
    /// The numbers of the places.
    numbers: Vec<usize>,
    /// The table of the stream.
    table: TableName,
    /// How many columns a whole row has, where that is known.
    width: Option<usize>,
}

/// What an event is at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// What it is: the row is at the place before and after, as far as it is at all.
    Stays,
    /// The row goes from the place.
    Goes,
    /// The row comes to the place.
    Comes,
}

impl<'r> Dealing<'r> {
    /// Every row goes to each of the places.
    pub(super) fn whole(places: Vec<TableName>) -> Self {
        Self { places, by: None }
    }

    /// The rows are dealt out.
    ///
    /// # Errors
    /// When the table has not the column, and nobody said where its rows go.
    pub(super) fn by(
        shard: &'r Shard,
        places: Vec<(usize, TableName)>,
        table: &TableName,
        def: Option<&TableDef>,
    ) -> Result<Self> {
        if def.is_some_and(|def| def.column(&shard.column).is_none()) {
            let all = shard.places_without().ok_or_else(|| {
                Error::stopped(format!(
                    "{table}: has no column {:?}, by which its rows would be dealt out",
                    shard.column
                ))
                .help(
                    "say with `without` in its route where they go, or give it a route of its own",
                )
            })?;
            let places = places.into_iter().filter(|(n, _)| all.has(*n));
            return Ok(Self::whole(places.map(|(_, place)| place).collect()));
        }
        let width = def.map(|def| def.columns.iter().filter(|c| !c.generated).count());
        let (numbers, places) = places.into_iter().unzip();
        Ok(Self { places, by: Some(By { shard, numbers, table: table.clone(), width }) })
    }

    /// True when each row goes to one place and stays there.
    pub fn is_plain(&self) -> bool {
        self.by.is_none() && self.places.len() == 1
    }

    /// The places, each with what tells which rows go there: a shard, and the place's number in it;
    /// `None`: all.
    pub fn each(&self) -> impl Iterator<Item = (&TableName, Option<(&'r Shard, usize)>)> {
        let only = |n: usize| self.by.as_ref().map(|by| (by.shard, by.numbers[n]));
        self.places.iter().enumerate().map(move |(n, place)| (place, only(n)))
    }

    /// What a row event is at which of the places, by their order.
    ///
    /// # Errors
    /// When the event does not tell where its row goes, or was.
    pub fn turns(&self, event: &Event<'_>, nulls: Nulls) -> Result<Vec<(usize, Turn)>> {
        let Some(by) = &self.by else {
            return Ok((0..self.places.len()).map(|n| (n, Turn::Stays)).collect());
        };
        let (before, after) = by.places(event, nulls)?;
        let turn = |(n, number): (usize, &usize)| {
            let turn = match (before.map(|p| p.has(*number)), after.map(|p| p.has(*number))) {
                (Some(true) | None, Some(true)) | (Some(true), None) => Turn::Stays,
                (Some(false), Some(true)) => Turn::Comes,
                (Some(true), Some(false)) => Turn::Goes,
                _ => return None,
            };
            Some((n, turn))
        };
        Ok(by.numbers.iter().enumerate().filter_map(turn).collect())
    }
}

impl By<'_> {
    /// The places of the row before and after; `None` where it is not there.
    fn places(&self, event: &Event<'_>, nulls: Nulls) -> Result<(Option<Places>, Option<Places>)> {
        let Body::Row { data, old } = &event.body else {
            return Err(Error::failed(format!("{}: not a row event", event.meta.op.name())));
        };
        let column = &self.shard.column;
        let (now, width) = row::find(data, column);
        let now = self.told(now, nulls)?;
        if event.meta.op != Op::Update {
            let places = Some(self.of(now)?);
            let goes = event.meta.op == Op::Delete;
            return Ok(if goes { (places, None) } else { (None, places) });
        }
        let before = match old.and_then(|old| row::find(old, column).0) {
            Some(before) => before,
            None if self.is_unchanged(*old, width, nulls) => now,
            None => return Err(self.untold("an update does not tell what it was before")),
        };
        Ok((Some(self.of(before)?), Some(self.of(now)?)))
    }

    /// True when a column that `old` does not name has the value that it had. What changed is named
    /// there where the images are whole; MINIMAL ones name nothing, and have not all columns. Where
    /// NULLs are left out neither do whole ones have, and a former NULL is not named.
    fn is_unchanged(&self, old: Option<&str>, width: usize, nulls: Nulls) -> bool {
        let whole = self.width.is_some_and(|columns| width >= columns);
        match nulls {
            Nulls::LeftOut => {
                let names = old.and_then(|old| Columns::parse(old).ok());
                !self.shard.takes_null()
                    && (whole || names.is_some_and(|names| !names.0.is_empty()))
            }
            Nulls::Shown | Nulls::Unknown => whole,
        }
    }

    fn of(&self, value: Value<'_>) -> Result<Places> {
        self.shard.places(value).map_err(|lost| match lost {
            Lost::Null => self.nowhere("is NULL", "say with `null`"),
            Lost::NoInteger => {
                self.nowhere("is no integer", "mend it at the source, or say with `values`")
            }
            Lost::NoPlace => self.nowhere("has a value without a place", "say with `others`"),
        })
    }

    fn nowhere(&self, is: &str, say: &str) -> Error {
        let Self { table, shard, .. } = self;
        Error::stopped(format!("{table}: {:?}, by which rows are dealt out, {is}", shard.column))
            .help(format!("{say} in its route where such rows go; then run the same command again"))
    }

    /// The value of the column; where NULLs are left out, one that is not there is NULL.
    fn told<'v>(&self, value: Option<Value<'v>>, nulls: Nulls) -> Result<Value<'v>> {
        match value {
            Some(value) => Ok(value),
            None if nulls == Nulls::LeftOut => Ok(Value::NULL),
            None => Err(self.untold("a row image lacks it")),
        }
    }

    fn untold(&self, why: &str) -> Error {
        let Self { table, shard, .. } = self;
        Error::stopped(format!(
            "{table}: where a row goes is told by {:?}, and {why}",
            shard.column
        ))
        .help(
            "binlog_row_image=FULL at the source, and output_nulls=true in Maxwell, for what is to \
             come; store the source's definitions if the table has no such column",
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::super::shard::{By as Dealt, Way};
    use super::*;
    use crate::event::maxwell::parse;

    fn shard() -> Shard {
        Shard {
            column: "corp".to_owned(),
            by: Dealt::Modulo,
            places: 4,
            all: vec!["0".to_owned()],
            none: Vec::new(),
            null: Way::Nowhere,
            without: Way::Stop,
            others: Way::Stop,
        }
    }

    fn def() -> TableDef {
        TableDef::parse(
            r#"{"database":"crm","table":"t","primary-key":["id"],"columns":[{"type":"int","name":"id"},{"type":"int","name":"corp"}]}"#,
        )
        .expect("a definition")
    }

    fn dealing(shard: &Shard) -> Dealing<'_> {
        let places = (0..4).map(|n| (n, TableName::new(format!("crm{n}"), "t"))).collect();
        Dealing::by(shard, places, &TableName::new("crm", "t"), Some(&def())).expect("a dealing")
    }

    fn message(kind: &str, row: &str) -> String {
        format!(r#"{{"type":"{kind}","database":"crm","table":"t","ts":1,{row}}}"#)
    }

    fn turns(kind: &str, row: &str) -> Result<Vec<(usize, Turn)>> {
        let text = message(kind, row);
        dealing(&shard()).turns(&parse(text.as_bytes()).expect("a message"), Nulls::Shown)
    }

    #[test]
    fn a_row_goes_comes_or_stays() {
        use Turn::{Comes, Goes, Stays};
        let is = |kind: &str, row: &str| turns(kind, row).expect("turns");
        assert_eq!(is("insert", r#""data":{"id":1,"corp":5}"#), [(1, Stays)]);
        assert_eq!(is("delete", r#""data":{"id":1,"corp":-1}"#), [(3, Stays)]);
        let update = |old: &str, new: &str| {
            is("update", &format!(r#""data":{{"id":1,"corp":{new}}},"old":{{{old}}}"#))
        };
        assert_eq!(update(r#""id":2"#, "5"), [(1, Stays)]);
        assert_eq!(update(r#""corp":1"#, "5"), [(1, Stays)]);
        assert_eq!(update(r#""corp":2"#, "5"), [(1, Comes), (2, Goes)]);
        assert_eq!(update(r#""corp":2"#, "0"), [(0, Comes), (1, Comes), (2, Stays), (3, Comes)]);
        assert_eq!(update(r#""corp":0"#, "5"), [(0, Goes), (1, Stays), (2, Goes), (3, Goes)]);
        assert_eq!(update(r#""corp":null"#, "5"), [(1, Comes)]);
        assert_eq!(update(r#""corp":5"#, "null"), [(1, Goes)]);
        assert_eq!(update(r#""corp":null"#, "null"), []);
    }

    #[test]
    fn what_is_not_told_is_not_guessed() {
        let said = |kind: &str, row: &str| turns(kind, row).expect_err("refused").to_string();
        assert!(said("insert", r#""data":{"id":1}"#).contains("lacks it"));
        // MINIMAL: the former image has the key, the later one what was set.
        let minimal = said("update", r#""data":{"corp":5},"old":{}"#);
        assert!(minimal.contains("what it was before"), "{minimal}");
        assert!(said("insert", r#""data":{"id":1,"corp":"x"}"#).contains("no integer"));
        let bare = TableDef { columns: def().columns[..1].to_vec(), ..def() };
        let by = shard();
        let without = Dealing::by(&by, Vec::new(), &TableName::new("crm", "t"), Some(&bare));
        assert!(without.expect_err("refused").to_string().contains("has no column"));
        let text = message("insert", r#""data":{"id":1}"#);
        let event = parse(text.as_bytes()).expect("a message");
        assert_eq!(dealing(&by).turns(&event, Nulls::LeftOut).expect("NULL"), []);
        // It may have been NULL, for which there is a place; where NULL stops, it has not.
        let text = message("update", r#""data":{"id":1,"corp":5},"old":{"id":2}"#);
        let event = parse(text.as_bytes()).expect("a message");
        assert!(dealing(&by).turns(&event, Nulls::LeftOut).is_err());
        let stops = Shard { null: Way::Stop, ..shard() };
        assert_eq!(
            dealing(&stops).turns(&event, Nulls::LeftOut).expect("as it was"),
            [(1, Turn::Stays)]
        );
        // Nor is a MINIMAL image whole where nothing tells how wide it is.
        let places = vec![(1, TableName::new("crm1", "t"))];
        let unknown =
            Dealing::by(&by, places, &TableName::new("crm", "t"), None).expect("a dealing");
        assert!(unknown.turns(&event, Nulls::Shown).is_err());
    }

    proptest! {
        /// Whatever is done to rows, each place holds those that belong there, once.
        #[test]
        fn each_row_is_where_it_belongs(steps in prop::collection::vec((0..6_u8, -3..9_i64), 1..60)) {
            let by = shard();
            let dealing = dealing(&by);
            let mut source: HashMap<u8, i64> = HashMap::new();
            let mut places: Vec<HashMap<u8, i64>> = vec![HashMap::new(); 4];
            for (id, corp) in steps {
                let (kind, row) = match source.get(&id).copied() {
                    None => ("insert", format!(r#""data":{{"id":{id},"corp":{corp}}}"#)),
                    Some(was) if was == corp => ("delete", format!(r#""data":{{"id":{id},"corp":{corp}}}"#)),
                    Some(was) => ("update", format!(r#""data":{{"id":{id},"corp":{corp}}},"old":{{"corp":{was}}}"#)),
                };
                if kind == "delete" { source.remove(&id); } else { source.insert(id, corp); }
                let text = message(kind, &row);
                let event = parse(text.as_bytes()).expect("a message");
                for (n, turn) in dealing.turns(&event, Nulls::Shown).expect("turns") {
                    let had = places[n].contains_key(&id);
                    match (turn, kind) {
                        (Turn::Goes, _) | (Turn::Stays, "delete") => {
                            prop_assert!(had);
                            places[n].remove(&id);
                        }
                        (Turn::Comes, _) | (Turn::Stays, "insert") => {
                            prop_assert!(!had);
                            places[n].insert(id, corp);
                        }
                        _ => {
                            prop_assert!(had);
                            places[n].insert(id, corp);
                        }
                    }
                }
            }
            for (n, place) in places.iter().enumerate() {
                let belongs = |corp: i64| corp == 0 || corp.rem_euclid(4) == n as i64;
                let wanted: HashMap<u8, i64> =
                    source.iter().filter(|(_, corp)| belongs(**corp)).map(|(k, v)| (*k, *v)).collect();
                prop_assert_eq!(place, &wanted);
            }
        }
    }
}
