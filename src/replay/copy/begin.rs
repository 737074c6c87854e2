//! What stands before the first row of a first copy: which tables, whether they can be copied, and the
//! run that begins at a mark.

use std::time::Duration;

use crate::dest::{Changes, FirstCopy, Needs, Point, Run, Target};
use crate::error::{Error, ErrorKind, Result, Words};
use crate::event::ddl::{Server as Version, Statement, Told};
use crate::event::def::{Column, TableDef};
use crate::event::{Direction, Op, TableName, typed};
use crate::mysql::server::Server;
use crate::replay::binder::Binder;
use crate::replay::snapshot::Snapshot;
use crate::replay::{Definitions, alike, mark, statement};
use crate::route::{Moved, Route};
use crate::source::copy::keys::Part;
use crate::source::copy::{Base, Found};
use crate::source::mark::Marker;
use crate::source::told;
use crate::spool::{self, Seq, Spool};

/// Definitions are read again where a statement comes between, so often.
const TRIES: usize = 5;

/// A run that is to begin with a copy.
pub struct Begin<'b> {
    /// The server that is recorded.
    pub source: &'b Server,
    /// The run.
    pub run: &'b Run,
    /// Where its rows go.
    pub route: &'b Route,
}

/// Opens the target, by whether the source logs what its foreign keys do.
type Open<'o> = &'o mut dyn FnMut(Option<bool>) -> Result<Box<dyn Target>>;

/// A table of the source.
struct Table {
    found: Found,
    def: TableDef,
    /// The statement that would make it.
    sql: String,
}

/// Begins the run, with all its tables still to be copied, unless it has begun; so many tables.
/// Stores the source's definitions in the spool, and makes tables that the target lacks.
///
/// # Errors
/// When a mark does not come, or a table cannot be copied, each named; then no run has begun.
pub fn begin(spool: &mut Spool, wanted: &Begin<'_>, open: Open<'_>) -> Result<usize> {
    if open(None)?.standing(wanted.run)?.is_some() {
        return Ok(0);
    }
    let (tables, version, at) = source(spool, wanted)?;
    let definitions = Definitions::load(spool)?;
    let mut target = open(definitions.logs_cascades)?;
    if target.first_copy().is_none() {
        return Err(Error::usage("a first copy goes to a server, and the target is a file"));
    }
    let names: Vec<TableName> = tables.iter().map(|table| table.found.name.clone()).collect();
    check_names(wanted.route, &tables, &names, &definitions, target.as_mut())?;
    let binder = Binder::new(spool, &definitions, wanted.route, Direction::Forward, &[])?;
    let mut checks = Checks { wanted, target: target.as_mut(), definitions: &definitions, at };
    let made = checks.each(&tables, &mut |checks, table| checks.alone(table, version))?.concat();
    checks.rights(&tables, &made)?;
    for statement in &made {
        let made = checks.first()?.create(statement);
        made.map_err(|e| e.at(statement.told().place()))?;
    }
    let mut base = Base::open(wanted.source)?;
    checks.each(&tables, &mut |checks, table| checks.fits(table, &binder, &mut base))?;
    let point = Point { seq: at, last: spool.landmark(at)? };
    checks.first()?.begin(wanted.run, &point, &names)?;
    Ok(names.len())
}

/// The tables as they are at a mark, the source's version, and the place behind that mark.
fn source(spool: &mut Spool, wanted: &Begin<'_>) -> Result<(Vec<Table>, Option<Version>, Seq)> {
    let mut marker = Marker::open(wanted.source)?;
    let mut base = Base::open(wanted.source)?;
    let arrive = |spool: &mut Spool, marker: &mut Marker| {
        mark::ask(marker, spool)?.arrive(spool, marker, Duration::MAX)
    };
    for _ in 0..TRIES {
        let low = arrive(spool, &mut marker)?;
        let told = told::snapshot(wanted.source)?;
        let mut tables = Vec::new();
        for found in base.tables()? {
            if wanted.route.tables(&found.name).is_empty() {
                continue;
            }
            let def = told.tables.iter().find(|def| def.name() == found.name).cloned();
            let sql = base.create_statement(&found.name)?;
            tables.extend(def.map(|def| Table { found, def, sql }));
        }
        if tables.is_empty() {
            return Err(Error::usage(
                "the source has none of the tables of its routes, or its user may see none",
            )
            .help("grant SELECT on them"));
        }
        let high = arrive(spool, &mut marker)?;
        let mut statements = 0;
        spool.each_ddl(&(low..high), |_, _| {
            statements += 1;
            Ok(())
        })?;
        if statements > 0 {
            continue;
        }
        let version = Version::parse(&told.version);
        let mut snapshot = Snapshot::new(&told.version, told.tables, told.foreign_keys);
        snapshot.after = spool.landmark(high)?;
        spool::add_snapshot(spool.dir(), high, &snapshot.to_bytes()?)?;
        return Ok((tables, version, high));
    }
    Err(Error::stopped("statements change the source's tables all the time")
        .help("run the same command again when they do not"))
}

/// Refuses columns that no table has, and tables that would be one at the target.
fn check_names(
    route: &Route,
    tables: &[Table],
    names: &[TableName],
    definitions: &Definitions,
    target: &mut dyn Target,
) -> Result<()> {
    route.check(names, |name, column| {
        let table = tables.iter().find(|table| table.found.name == *name);
        table.is_some_and(|table| table.def.column(column).is_some())
    })?;
    let named = names.iter().map(|name| (0, name.clone()));
    alike::check(named, &definitions.history, route, &mut |name| target.known_as(name))
}

struct Checks<'c> {
    wanted: &'c Begin<'c>,
    target: &'c mut dyn Target,
    definitions: &'c Definitions,
    at: Seq,
}

impl Checks<'_> {
    fn first(&mut self) -> Result<&mut dyn FirstCopy> {
        self.target.first_copy().ok_or_else(|| Error::failed("the target takes no copy"))
    }

    /// Asks for each table, and refuses all that cannot be copied at once.
    fn each<T>(
        &mut self,
        tables: &[Table],
        ask: &mut dyn FnMut(&mut Self, &Table) -> Result<T>,
    ) -> Result<Vec<T>> {
        let (mut answers, mut refused) = (Vec::new(), Vec::new());
        for table in tables {
            match ask(self, table) {
                Ok(answer) => answers.push(answer),
                Err(e) if matches!(e.kind(), ErrorKind::Lost | ErrorKind::Retry) => return Err(e),
                Err(e) => refused.push(e),
            }
        }
        if refused.is_empty() {
            return Ok(answers);
        }
        let lines = refused.iter().map(|e| Words::from("\n  ") + e.words());
        let what = Words::from(match refused.len() {
            1 => "a table cannot be copied, no row was:".to_owned(),
            n => format!("{n} tables cannot be copied, no row was:"),
        });
        let text = lines.fold(what, |text, line| text + line);
        Err(Error::stopped(text).help(
            "mend it, or leave the table out of its route (`!` before its name) and load it by hand",
        ))
    }

    /// What can be told before anything is made; the statements that make what the target lacks.
    fn alone(&mut self, table: &Table, version: Option<Version>) -> Result<Vec<Statement>> {
        let (name, def) = (&table.found.name, &table.def);
        if !table.found.engine.eq_ignore_ascii_case("InnoDB") {
            return Err(Error::stopped(format!(
                "{name}: is kept by {}, whose rows are not of one moment",
                table.found.engine
            )));
        }
        if table.found.cascades && self.definitions.logs_cascades != Some(true) {
            return Err(Error::stopped(format!(
                "{name}: a foreign key changes its rows, and the source's binlog does not tell which"
            )));
        }
        Part::of_primary_key(def)?;
        let mut lacking = Vec::new();
        for place in self.wanted.route.dealing(name, Some(def))?.places {
            if !self.target.exists(&place)? {
                lacking.push(place);
            } else if !self.first()?.is_empty(&place)? {
                return Err(Error::stopped(format!("{place}: the target has rows in it")));
            }
        }
        if lacking.is_empty() {
            return Ok(Vec::new());
        }
        let told = Told {
            seq: self.at,
            sql: table.sql.clone(),
            op: Op::TableCreate,
            ts_ms: 0,
            charset: None,
            tables: vec![name.clone()],
            before: Vec::new(),
            after: vec![def.clone()],
        };
        let (route, history) = (self.wanted.route, &self.definitions.history);
        let by_hand = |e: Error| {
            Error::stopped(e.message().clone()).at(format!("{name}: the target lacks it"))
        };
        let made = Statement::checked(told, version)
            .and_then(|of| statement::rewritten(of, version, route, history))
            .map_err(by_hand)?
            .there;
        let made: Vec<Statement> = made
            .into_iter()
            .filter(|made| made.told().tables.iter().any(|place| lacking.contains(place)))
            .collect();
        for made in &made {
            self.target.refuses(made)?;
        }
        Ok(made)
    }

    fn rights(&mut self, tables: &[Table], made: &[Statement]) -> Result<()> {
        let all = Changes { insert: true, update: true, delete: true, ..Changes::default() };
        let mut places = Vec::new();
        for place in tables.iter().flat_map(|table| self.wanted.route.tables(&table.found.name)) {
            if self.target.exists(&place)? {
                places.push((place, all));
            }
        }
        let statements = made.iter().map(Statement::told).collect();
        self.target.check_rights(&Needs { tables: places, statements })
    }

    /// Holds a table against those that its rows go to, which are there by now.
    fn fits(&mut self, table: &Table, binder: &Binder<'_>, base: &mut Base) -> Result<()> {
        let (name, def) = (&table.found.name, &table.def);
        let (collations, own) = (base.collations(name)?, base.uniques(name)?);
        for place in self.wanted.route.dealing(name, Some(def))?.places {
            let there =
                binder.table(name, Some(def), &place, |def| self.target.table(&place, def))?;
            let refused = |why: &str| Err(Error::stopped(format!("{place}: {why}")));
            if !there.has_key() {
                return refused("it has no key by which its rows are told apart");
            }
            if !there.transactional {
                return refused("its engine has no transactions");
            }
            let here = self.first()?.collations(&place)?;
            let Moved { names: rules, null, .. } = self.wanted.route.columns(name);
            let routed = |column: &'_ str| {
                let rule = rules.iter().find(|(from, _)| typed::same_name(from, column));
                rule.map_or(Some(column.to_owned()), |(_, to)| to.map(str::to_owned))
            };
            // Rows are written over what has the same key.
            for key in there.uniques.iter().chain([&there.key]) {
                let has = |column: &str| {
                    key.iter().any(|at| typed::same_name(&there.columns[*at].name, column))
                };
                let is_of = |own: &Vec<String>| {
                    own.iter().all(|column| routed(column).is_some_and(|to| has(&to)))
                };
                let filled = null.iter().any(|(column, _)| {
                    let nullable = def.column(column).is_some_and(|c| c.nullable != Some(false));
                    nullable && routed(column).is_some_and(|to| has(&to))
                });
                if filled || !own.iter().any(is_of) {
                    let names: Vec<&str> =
                        key.iter().map(|at| there.columns[*at].name.as_str()).collect();
                    return refused(&format!(
                        "its key ({}) may be the same for two rows of the source",
                        names.join(", ")
                    ));
                }
            }
            let mut keys = there.uniques.iter().chain([&there.key]).flatten();
            let apart = keys.find_map(|at| {
                let column = &there.columns[*at].name;
                let of =
                    |c: &&Column| routed(&c.name).is_some_and(|to| typed::same_name(&to, column));
                let source = collations.get(&def.columns.iter().find(of)?.name)?;
                let here = here.get(column).filter(|here| !tells_as_much(source, here))?;
                Some((column, source, here))
            });
            if let Some((column, source, here)) = apart {
                return refused(&format!(
                    "the key column {column:?} has the collation {here}, and {source} at the \
                     source: what is two values there may be one here"
                ));
            }
        }
        Ok(())
    }
}

/// True for a collation that tells all apart that the other one does.
fn tells_as_much(source: &str, here: &str) -> bool {
    // One of the two was called otherwise by older servers.
    let named = |name: &str| name.replacen("utf8mb3_", "utf8_", 1);
    named(source) == named(here) || here.ends_with("_nopad_bin") || here.ends_with("_0900_bin")
}
