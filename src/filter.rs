//! Which events a command takes, by table, kind and transaction number.
//!
//! Time and position are no filter: they cut one stretch of the stream (`replay::cut`).

use globset::{Glob, GlobSet, GlobSetBuilder};

use crate::error::{Error, Result};
use crate::event::{Meta, Op, TableName};

/// A kind of event that can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Inserted rows, those of a bootstrap among them.
    Insert,
    /// Updated rows.
    Update,
    /// Deleted rows.
    Delete,
    /// Statements that change definitions.
    Ddl,
}

impl Type {
    /// The kind of a message; `None` for what no command writes.
    pub fn of(op: Op) -> Option<Self> {
        match op {
            Op::Insert | Op::BootstrapInsert => Some(Self::Insert),
            Op::Update => Some(Self::Update),
            Op::Delete => Some(Self::Delete),
            op if op.is_ddl() => Some(Self::Ddl),
            _ => None,
        }
    }
}

/// A choice of events. The default takes all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    tables: Option<GlobSet>,
    excluded: GlobSet,
    types: Option<Vec<Type>>,
    xids: Vec<u64>,
}

impl Filter {
    /// Builds the choice; empty lists choose everything.
    ///
    /// Globs are matched against `database.table`, those of statements on a database against
    /// `database.`, so that `shop.*` takes CREATE DATABASE shop and `shop.orders` does not.
    ///
    /// # Errors
    /// When a glob cannot be read (usage).
    pub fn new(
        tables: &[String],
        excluded: &[String],
        types: &[Type],
        xids: &[u64],
    ) -> Result<Self> {
        Ok(Self {
            tables: (!tables.is_empty()).then(|| globs(tables)).transpose()?,
            excluded: globs(excluded)?,
            types: (!types.is_empty()).then(|| types.to_vec()),
            xids: xids.to_vec(),
        })
    }

    /// True when the message is chosen.
    pub fn takes(&self, meta: &Meta<'_>) -> bool {
        let Some(kind) = Type::of(meta.op) else {
            return false;
        };
        if !self.takes_type(kind) || meta.is_housekeeping() {
            return false;
        }
        if !self.xids.is_empty() && !meta.xid.is_some_and(|xid| self.xids.contains(&xid)) {
            return false;
        }
        (self.tables.is_none() && self.excluded.is_empty()) || self.takes_table(&meta.name())
    }

    /// True when events of that kind are chosen at all.
    pub fn takes_type(&self, kind: Type) -> bool {
        self.types.as_ref().is_none_or(|types| types.contains(&kind))
    }

    /// True when events of that table are chosen.
    pub fn takes_table(&self, name: &TableName) -> bool {
        let name = format!("{}.{}", name.database, name.table);
        self.tables.as_ref().is_none_or(|set| set.is_match(&name)) && !self.excluded.is_match(&name)
    }

    /// True when rows of the transaction with that number are chosen.
    pub fn takes_xid(&self, xid: Option<u64>) -> bool {
        self.xids.is_empty() || xid.is_some_and(|xid| self.xids.contains(&xid))
    }

    /// The transaction numbers asked for.
    pub fn xids(&self) -> &[u64] {
        &self.xids
    }
}

fn globs(patterns: &[String]) -> Result<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(Glob::new(pattern).map_err(|e| {
            Error::usage(format!("table glob {pattern:?}: {}", e.kind()))
                .help("write it as database.table, with * and ? as wildcards, as in 'shop.*'")
        })?);
    }
    set.build().map_err(|e| Error::usage(format!("table globs: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::maxwell::parse;

    fn takes(filter: &Filter, message: &str) -> bool {
        filter.takes(&parse(message.as_bytes()).expect("a message").meta)
    }

    #[test]
    fn tables_are_chosen_by_database_and_name() {
        let create = r#"{"type":"database-create","database":"shop","ts":1,"sql":"x"}"#;
        let row = r#"{"type":"insert","database":"shop","table":"orders","data":{}}"#;
        let of = |on: &[&str], off: &[&str]| {
            let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
            Filter::new(&own(on), &own(off), &[], &[]).expect("globs")
        };
        assert!(takes(&of(&["shop.*"], &[]), create));
        assert!(!takes(&of(&["shop.orders"], &[]), create));
        assert!(takes(&of(&["shop.ord*"], &[]), row));
        assert!(!takes(&of(&["*"], &["*.orders"]), row));
        assert!(!takes(&of(&["blog.*"], &[]), row));
    }

    #[test]
    fn the_producers_housekeeping_is_never_taken() {
        let row = r#"{"type":"insert","database":"maxwell","table":"bootstrap","data":{}}"#;
        assert!(!takes(&Filter::default(), row));
    }
}
