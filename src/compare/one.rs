//! One table: what differs at first is looked at again, and what still does is judged.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::columns::{End, Pair};
use super::found::{Columns, Compared, Difference, Differing, Found, Kind};
use super::judge::{Judge, Judged, Rows};
use super::keys::{self, Key};
use super::side::{Side, Tokens};
use super::{mend, value, walk};
use crate::error::Result;
use crate::event::TableName;
use crate::plan::Table;

/// Rows that are judged at once.
const JUDGED: usize = 1_000;

/// What is wrong with a row, in the order of [`Judged::differing`].
const KINDS: [Kind; 3] = [Kind::Surplus, Kind::Changed, Kind::Missing];

type Each<'e> = &'e mut dyn FnMut(Found) -> Result<()>;

/// A table that is compared.
pub(super) struct One<'a> {
    pair: &'a Pair,
    /// What changes its rows by foreign keys.
    parents: Vec<TableName>,
    table: Arc<Table>,
    judge: Judge<'a>,
    /// Rows that differed twice.
    open: Vec<Key>,
    compared: Compared,
}

impl<'a> One<'a> {
    pub(super) fn new(pair: &'a Pair, judge: Judge<'a>, source: &mut Side) -> Result<Self> {
        let compared = Compared {
            table: pair.source.clone(),
            target: pair.target.clone(),
            rows: 0,
            differing: [0; 3],
            undecided: 0,
        };
        let (parents, table) = (source.parents(&pair.source)?, mend::table(pair));
        Ok(Self { pair, parents, table, judge, open: Vec::new(), compared })
    }

    /// Compares it.
    pub(super) fn compare(
        mut self,
        sources: &mut [Side; 2],
        target: &mut Side,
        each: Each<'_>,
    ) -> Result<Compared> {
        let rows = walk::walk(self.pair, sources, target, &mut |source, target, keys, rows| {
            each(Found::Looked(rows))?;
            self.look(source, target, keys, each)
        })?;
        self.settle(&mut sources[1], target, each)?;
        Ok(Compared { rows, ..self.compared })
    }

    /// Looks again at rows that differed: one of the ends may have been behind.
    fn look(
        &mut self,
        source: &mut Side,
        target: &mut Side,
        keys: Vec<Key>,
        each: Each<'_>,
    ) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let among = |end: End| keys::among(self.pair, end, keys.iter());
        let differing = walk::differing(self.pair, source, target, &among)?;
        self.open.extend(differing);
        match self.open.len() >= JUDGED {
            true => self.settle(source, target, each),
            false => Ok(()),
        }
    }

    /// Judges what is open.
    fn settle(&mut self, source: &mut Side, target: &mut Side, each: Each<'_>) -> Result<()> {
        let keys = std::mem::take(&mut self.open);
        if keys.is_empty() {
            return Ok(());
        }
        let Judged { differing, undecided } =
            self.judge.judge(self.pair, &self.parents, (source, target), keys)?;
        for ((kind, rows), count) in KINDS.iter().zip(differing).zip(&mut self.compared.differing) {
            *count += rows.len() as u64;
            for rows in rows {
                let sql = mend::statement(self.pair, &self.table, &rows)?;
                each(Found::Difference(difference(self.pair, *kind, &rows, sql)))?;
            }
        }
        self.compared.undecided += undecided.len() as u64;
        for key in undecided {
            let (table, place) = (self.pair.source.clone(), self.pair.place());
            each(Found::Undecided { table, place, key: shown(self.pair, &key) })?;
        }
        Ok(())
    }
}

/// A key of which there is no row at hand.
fn shown(pair: &Pair, key: &Key) -> Columns {
    use crate::event::def::Kind::{Binary, Bit, Decimal, Integer, Year};
    let parts = pair.key.iter().zip(key).map(|(&at, value)| {
        let column = &pair.columns[at].source;
        let text = String::from_utf8_lossy(value).into_owned();
        let text = match column.kind {
            Integer | Decimal | Year | Bit => text,
            Binary => serde_json::Value::from(STANDARD.encode(value)).to_string(),
            _ => serde_json::Value::from(text).to_string(),
        };
        (column.name.clone(), text)
    });
    parts.collect()
}

fn difference(pair: &Pair, kind: Kind, rows: &Rows, sql: String) -> Difference {
    let name = |at: usize| pair.columns[at].source.name.clone();
    let of = |row: &Option<Tokens>, at: usize| row.as_ref().map(|row| row[at].clone());
    let one = rows.source.as_ref().or(rows.target.as_ref());
    let key: Columns =
        pair.key.iter().filter_map(|&at| Some((name(at), one?[at].clone()))).collect();
    let places = match (&rows.source, &rows.target) {
        (Some(source), Some(target)) => value::differing(pair, source, target),
        _ => (0..pair.columns.len()).collect(),
    };
    let columns = places.into_iter();
    let columns = columns.map(|at| Differing {
        name: name(at),
        source: of(&rows.source, at),
        target: of(&rows.target, at),
    });
    let (table, place) = (pair.source.clone(), pair.place());
    Difference { table, place, key, columns: columns.collect(), kind, sql }
}
