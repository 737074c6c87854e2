//! Which events a command takes: by table, kind, transaction, server and the row's values.
//!
//! Time and position are no filter: they cut one stretch of the stream (`replay::cut`).

use crate::error::{Means, Result};
use crate::event::row::Columns;
use crate::event::{Body, Event, Facts, Meta, Op, TableName, typed};

mod globs;
mod pattern;
mod tables;

use globs::Globs;
pub use pattern::{near, split};
pub use tables::Tables;

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
    tables: Option<Globs>,
    excluded: Globs,
    apart: Vec<TableName>,
    routed: Option<Vec<(Tables, bool)>>,
    types: Option<Vec<Type>>,
    xids: Vec<u64>,
    threads: Vec<u64>,
    servers: Vec<u64>,
    gtids: Vec<String>,
    /// In small letters.
    queries: Vec<String>,
    values: Vec<(String, String)>,
    changed: Vec<String>,
}

impl Filter {
    /// Builds the choice; empty lists choose everything.
    ///
    /// Globs are matched against `database.table`, those of statements on a database against
    /// `database.`, so that `shop.*` takes CREATE DATABASE shop and `shop.orders` does not. How
    /// they are typed is told by [`split`].
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
            tables: (!tables.is_empty()).then(|| Globs::read(tables)).transpose()?,
            excluded: Globs::read(excluded)?,
            types: (!types.is_empty()).then(|| types.to_vec()),
            xids: xids.to_vec(),
            ..Self::default()
        })
    }

    /// Only transactions of these connections and servers; empty lists choose everything.
    /// Messages about statements name neither and are taken from every server.
    #[must_use]
    pub fn by_origin(mut self, threads: &[u64], servers: &[u64]) -> Self {
        (self.threads, self.servers) = (threads.to_vec(), servers.to_vec());
        self
    }

    /// Only transactions with these GTIDs, and only rows that were changed by a statement with one of
    /// these texts in it, in any case of letters; empty lists choose everything.
    #[must_use]
    pub fn by_facts(mut self, gtids: &[String], queries: &[String]) -> Self {
        self.gtids = gtids.to_vec();
        self.queries = queries.iter().map(|text| text.to_lowercase()).collect();
        self
    }

    /// Only rows whose image before or after the event has all these values, and only updates
    /// that change one of these columns; empty lists choose everything.
    #[must_use]
    pub fn by_values(mut self, values: Vec<(String, String)>, changed: Vec<String>) -> Self {
        (self.values, self.changed) = (values, changed);
        self
    }

    /// Only tables whose route takes them: the first that has a table tells; `None` chooses all.
    #[must_use]
    pub fn by_routes(mut self, routes: Option<Vec<(Tables, bool)>>) -> Self {
        self.routed = routes;
        self
    }

    /// The same without these tables.
    #[must_use]
    pub fn without(mut self, tables: Vec<TableName>) -> Self {
        self.apart.extend(tables);
        self
    }

    /// True when the message is chosen as far as its coordinates tell; [`Filter::takes_event`]
    /// looks at its values, too.
    pub fn takes(&self, meta: &Meta<'_>) -> bool {
        let Some(kind) = Type::of(meta.op) else {
            return false;
        };
        self.takes_type(kind)
            && !meta.is_housekeeping()
            && self.takes_transaction(meta.xid, meta.thread_id, meta.server_id, &meta.facts)
            && (self.takes_every_table() || self.takes_table(&meta.name()))
    }

    /// True when the message is chosen.
    pub fn takes_event(&self, event: &Event<'_>) -> bool {
        self.takes(&event.meta) && (!self.reads_rows() || self.takes_row(event))
    }

    fn takes_row(&self, event: &Event<'_>) -> bool {
        let Body::Row { data, old } = event.body else {
            return false;
        };
        if !self.takes_query(event.meta.facts.query.as_deref()) {
            return false;
        }
        if self.values.is_empty() && self.changed.is_empty() {
            return true;
        }
        // An image that cannot be read is nobody's choice; messages in the spool have been read.
        let Ok(data) = Columns::parse(data) else {
            return false;
        };
        let old = old.and_then(|old| Columns::parse(old).ok()).unwrap_or_default();
        self.takes_change(event.meta.op, &data, &old)
            && (self.takes_image(&data, None) || self.takes_image(&data, Some(&old)))
    }

    fn takes_query(&self, query: Option<&str>) -> bool {
        let has = |query: &str| {
            let query = query.to_lowercase();
            self.queries.iter().any(|text| query.contains(text))
        };
        self.queries.is_empty() || query.is_some_and(has)
    }

    /// An update that names no former value may have changed every column it has.
    fn takes_change(&self, op: Op, data: &Columns<'_>, old: &Columns<'_>) -> bool {
        let named = |name: &str| self.changed.iter().any(|own| typed::same_name(own, name));
        let unnamed = op == Op::Update && old.0.is_empty();
        let changed = if unnamed { data } else { old };
        self.changed.is_empty() || changed.0.iter().any(|(name, _)| named(name))
    }

    /// True when a row's image has all the values; `old` are the former values laid over it.
    fn takes_image(&self, data: &Columns<'_>, old: Option<&Columns<'_>>) -> bool {
        self.values.iter().all(|(name, wanted)| {
            let former = old.and_then(|old| typed::column(old, name));
            let value = former.or_else(|| typed::column(data, name));
            value.is_some_and(|value| typed::is(value, wanted))
        })
    }

    /// True when not every row is chosen.
    pub fn is_choosy(&self) -> bool {
        self.reads_rows() || self.is_choosy_by_index()
    }

    /// True when rows are left out for what the index tells of them.
    pub fn is_choosy_by_index(&self) -> bool {
        let numbers = [&self.xids, &self.threads, &self.servers];
        !self.takes_every_table()
            || self.types.is_some()
            || numbers.iter().any(|list| !list.is_empty())
            || !self.gtids.is_empty()
    }

    /// True when the choice depends on the rows' values or statements, which no index knows.
    pub fn reads_rows(&self) -> bool {
        !self.values.is_empty() || !self.changed.is_empty() || !self.queries.is_empty()
    }

    /// True when events of that kind are chosen at all. A choice of transactions or values leaves
    /// statements out: they have neither.
    pub fn takes_type(&self, kind: Type) -> bool {
        let rows_only = !self.xids.is_empty() || !self.threads.is_empty() || self.reads_rows();
        self.types.as_ref().is_none_or(|types| types.contains(&kind))
            && !(kind == Type::Ddl && rows_only)
    }

    fn takes_every_table(&self) -> bool {
        self.tables.is_none()
            && self.excluded.patterns.is_empty()
            && self.apart.is_empty()
            && self.routed.is_none()
    }

    /// True when events of that table are chosen; book-keeping never is.
    pub fn takes_table(&self, name: &TableName) -> bool {
        if name.is_housekeeping() {
            return false;
        }
        if self.takes_every_table() {
            return true;
        }
        if self.apart.contains(name) {
            return false;
        }
        let routed = |routes: &Vec<(Tables, bool)>| {
            routes.iter().find(|(tables, _)| tables.takes(name)).is_some_and(|(_, here)| *here)
        };
        if !self.routed.as_ref().is_none_or(routed) {
            return false;
        }
        let name = pattern::full(name);
        self.tables.as_ref().is_none_or(|globs| globs.set.is_match(&name))
            && !self.excluded.set.is_match(&name)
    }

    /// Refuses patterns that match none of these tables; book-keeping may be left out by name,
    /// though no list has it.
    ///
    /// # Errors
    /// As said, with the names that may have been meant (usage).
    pub fn check_tables(&self, tables: &[TableName]) -> Result<()> {
        let taken = self.tables.iter().flat_map(|globs| &globs.patterns);
        let left = self.excluded.patterns.iter().filter(|p| !p.is_of_housekeeping());
        let flagged =
            taken.map(|p| (Means::Table, p)).chain(left.map(|p| (Means::ExcludeTable, p)));
        pattern::check(flagged, tables)
    }

    /// True when a transaction with this number, of this connection and server, and of which that is told,
    /// is chosen.
    pub fn takes_transaction(
        &self,
        xid: Option<u64>,
        thread: Option<u64>,
        server: Option<u64>,
        facts: &Facts<'_>,
    ) -> bool {
        let gtid = || facts.gtid.as_deref().is_some_and(|own| self.gtids.iter().any(|g| g == own));
        let among =
            |list: &[u64], n: Option<u64>| list.is_empty() || n.is_some_and(|n| list.contains(&n));
        among(&self.xids, xid)
            && among(&self.threads, thread)
            && (server.is_none() && xid.is_none() || among(&self.servers, server))
            && (self.gtids.is_empty() || gtid())
    }

    /// The transaction numbers asked for.
    pub fn xids(&self) -> &[u64] {
        &self.xids
    }

    /// The connections asked for.
    pub fn threads(&self) -> &[u64] {
        &self.threads
    }

    /// The servers asked for.
    pub fn servers(&self) -> &[u64] {
        &self.servers
    }

    /// The GTIDs asked for.
    pub fn gtids(&self) -> &[String] {
        &self.gtids
    }

    /// The columns whose values or changes are asked for.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        let values = self.values.iter().map(|(name, _)| name.as_str());
        values.chain(self.changed.iter().map(String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::maxwell::parse;

    fn takes(filter: &Filter, message: &str) -> bool {
        filter.takes_event(&parse(message.as_bytes()).expect("a message"))
    }

    fn by_values(values: &[(&str, &str)], changed: &[&str]) -> Filter {
        let values = values.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        Filter::default().by_values(values, changed.iter().map(|c| (*c).to_owned()).collect())
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
    fn housekeeping_is_never_taken_and_a_table_that_is_called_like_it_is() {
        let row = r#"{"type":"insert","database":"maxwell","table":"bootstrap","data":{}}"#;
        let drop =
            r#"{"type":"database-drop","database":"binsync","ts":1,"sql":"DROP DATABASE binsync"}"#;
        let all = Filter::default();
        let every = Filter::new(&["*".to_owned()], &[], &[], &[]).expect("a filter");
        for filter in [&all, &every] {
            assert!(!takes(filter, row) && !takes(filter, drop));
            assert!(!takes(filter, &row.replace("maxwell", "binsync")));
            assert!(!takes(filter, &drop.replace(r#""ts""#, r#""table":"progress","ts""#)));
            assert!(takes(filter, &row.replace("maxwell", "shop")));
            assert!(takes(filter, &row.replace("bootstrap", "orders")));
        }
        let ours = TableName::new("binsync", "chunk");
        assert!(!all.takes_table(&ours) && !every.takes_table(&ours));
    }

    #[test]
    fn rows_are_chosen_by_the_values_of_one_of_their_images() {
        let update = r#"{"type":"update","database":"d","table":"t","xid":1,"data":{"id":7,"state":"paid","n":1},"old":{"state":"new"}}"#;
        let takes = |values: &[(&str, &str)]| takes(&by_values(values, &[]), update);
        assert!(takes(&[("state", "new")]) && takes(&[("STATE", "paid"), ("id", "7")]));
        assert!(!takes(&[("state", "new"), ("state", "paid")]), "no image has both");
        assert!(!takes(&[("state", "old")]) && !takes(&[("color", "new")]));
        let delete = update.replace("update", "delete").replace(r#","old":{"state":"new"}"#, "");
        assert!(super::tests::takes(&by_values(&[("state", "paid")], &[]), &delete));
        let ddl = r#"{"type":"table-drop","database":"d","table":"t","ts":1,"sql":"DROP TABLE t"}"#;
        assert!(!super::tests::takes(&by_values(&[("state", "paid")], &[]), ddl));
    }

    #[test]
    fn rows_are_chosen_by_their_statement_and_transactions_by_their_gtid() {
        let row = r#"{"type":"insert","database":"d","table":"t","gtid":"0-1-9","query":"INSERT INTO t","data":{}}"#;
        let of = |gtid: &str, query: &str| {
            let some = |text: &str| Vec::from_iter((!text.is_empty()).then(|| text.to_owned()));
            Filter::default().by_facts(&some(gtid), &some(query))
        };
        assert!(takes(&of("0-1-9", "insert into"), row) && takes(&of("", "INTO T"), row));
        assert!(!takes(&of("0-1-8", ""), row) && !takes(&of("", "update"), row));
        let untold = row.replace("query", "other").replace("gtid", "another");
        assert!(!takes(&of("", "insert"), &untold) && !takes(&of("0-1-9", ""), &untold));
        let ddl = r#"{"type":"table-drop","database":"d","table":"t","ts":1,"gtid":"0-1-9","sql":"DROP TABLE t"}"#;
        assert!(takes(&of("0-1-9", ""), ddl) && !takes(&of("", "drop"), ddl));
    }

    #[test]
    fn updates_are_chosen_by_the_columns_they_change() {
        let update = r#"{"type":"update","database":"d","table":"t","data":{"id":7,"a":1,"b":2},"old":{"a":0}}"#;
        assert!(takes(&by_values(&[], &["A"]), update));
        assert!(takes(&by_values(&[], &["b", "a"]), update));
        assert!(!takes(&by_values(&[], &["b"]), update));
        let insert = r#"{"type":"insert","database":"d","table":"t","data":{"a":1}}"#;
        assert!(!takes(&by_values(&[], &["a"]), insert));
    }

    #[test]
    fn rows_are_chosen_by_connection_and_server_and_statements_of_every_server() {
        let row = r#"{"type":"insert","database":"d","table":"t","xid":5,"thread_id":9,"server_id":3,"data":{}}"#;
        let ddl = r#"{"type":"table-drop","database":"d","table":"t","ts":1,"sql":"DROP TABLE t"}"#;
        let of = |threads: &[u64], servers: &[u64]| Filter::default().by_origin(threads, servers);
        assert!(takes(&of(&[9], &[3]), row) && !takes(&of(&[8], &[3]), row));
        assert!(!takes(&of(&[], &[4]), row));
        assert!(takes(&of(&[], &[4]), ddl) && !takes(&of(&[9], &[]), ddl));
    }
}
