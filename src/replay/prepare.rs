//! The recipe of a run, the same for all: select, read the definitions, hold the rules of the route
//! against the tables, find what is wrong with the stretch and what cannot be taken back.
//!
//! A request is plain data, whoever fills it. What is found on the way is handed out as [`Fact`]s in
//! the order of the steps, before a later step may refuse.

use std::path::Path;

use super::base::{self, Copied, Wanted};
use super::cut::{self, Bounds, Cut};
use super::reversible::{Found, Loss, losses, refusal};
use super::selected::{self, Selected};
use super::{Definitions, Selection, origin};
use crate::dest::Run;
use crate::dest::sqlite::Sqlite;
use crate::error::{Error, ErrorKind, Means, Result, Words};
use crate::event::def::ForeignKey;
use crate::event::{Direction, TableName};
use crate::filter::Filter;
use crate::mysql::server::Server;
use crate::route::Route;
use crate::spool::{Spool, Trouble};

/// What is asked of the stream.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Where the stretch begins and ends.
    pub bounds: Bounds,
    /// What is taken of it.
    pub filter: Filter,
    /// Both in words, as [`Selection::words`].
    pub words: String,
    /// What is to come is taken too: tables may not be there yet, nor anything selected.
    pub followed: bool,
}

/// A run that is to be prepared.
pub struct Request<'r> {
    /// What it takes.
    pub ask: Ask,
    /// Forward or back.
    pub direction: Direction,
    /// Where its rows go.
    pub route: &'r Route,
    /// What a reverse may leave as it is, by what lets it.
    pub allowed: Vec<Means>,
    /// Whether the source logs the rows its foreign keys change, where the caller knows; else the
    /// spool's snapshots tell it, or nothing does.
    pub logs_cascades: Option<bool>,
    /// The tables are copied first, and what came since is taken back.
    pub base: Option<Base<'r>>,
}

/// Where tables are copied from, and where to.
pub struct Base<'r> {
    /// The source.
    pub server: &'r Server,
    /// The SQLite file that gets them.
    pub file: &'r Path,
    /// The progress row of the copy and of the run.
    pub run: &'r Run,
}

/// All that a run begins with.
pub struct Prepared {
    /// What it takes.
    pub selection: Selection,
    /// The definitions.
    pub definitions: Definitions,
    /// The selected rows, where they are taken back.
    pub rows: Option<Selected>,
}

/// What is found on the way.
pub enum Fact<'f> {
    /// A pattern matches no table so far.
    NoTable(Error),
    /// The stretch is looked for from here to there.
    Bounds(&'f Bounds),
    /// The stretch.
    Cut(&'f Cut),
    /// What is wrong with it, if anything.
    Troubles(&'f [Trouble]),
    /// Nothing of it is selected.
    Nothing {
        /// Its transactions.
        transactions: u64,
        /// Forward or back.
        direction: Direction,
    },
    /// How far the copy is.
    Copying(String),
    /// The tables are copied.
    Copied(&'f Copied),
    /// So many statements made tables or databases, which stay.
    Created(usize),
    /// This is not taken back, as allowed.
    Lost(&'f Loss),
}

impl Fact<'_> {
    /// True when what is done will not be all that was asked for, or is not known to be.
    pub fn differs(&self) -> bool {
        match self {
            Self::Troubles(troubles) => !troubles.is_empty(),
            Self::Copied(copied) => copied.unseen,
            Self::Lost(_) => true,
            _ => false,
        }
    }
}

/// What may have been meant by a stretch without rows.
pub const LEAVE_NONE: &str = "TRUNCATE and DROP leave no row changes";

/// Finds the stretch, and holds what is asked against it.
///
/// # Errors
/// When a pattern matches no table, or a transaction, connection, server or column cannot be meant
/// (usage), and as [`cut::cut`].
pub fn select(
    spool: &Spool,
    ask: &Ask,
    tell: &mut dyn FnMut(Fact<'_>),
) -> Result<(Selection, Cut)> {
    let Ask { bounds, filter, words, followed } = ask;
    match origin::check_tables(spool, filter) {
        Err(e) if *followed && e.kind() == ErrorKind::Usage => tell(Fact::NoTable(e)),
        checked => checked?,
    }
    tell(Fact::Bounds(bounds));
    let cut = cut::cut(spool, bounds, filter)?;
    tell(Fact::Cut(&cut));
    cut::check_xids(spool, &cut.range, filter)?;
    origin::check(spool, &cut.range, filter)?;
    let (range, filter, words) = (cut.range.clone(), filter.clone(), words.clone());
    Ok((Selection { range, filter, words }, cut))
}

/// Prepares a run; `None`, which is told, where nothing is selected. `foreign_keys` gives those of
/// the target that change rows; it is asked where rows are taken back, with what is known of whether
/// the source logs such changes.
///
/// # Errors
/// When a step refuses; nothing is written, but for a copy.
pub fn prepare(
    spool: &mut Spool,
    request: &Request<'_>,
    foreign_keys: &mut dyn FnMut(Option<bool>) -> Result<Vec<ForeignKey>>,
    tell: &mut dyn FnMut(Fact<'_>),
) -> Result<Option<Prepared>> {
    if let Some(from) = &request.base {
        return copied(spool, request, from, tell).map(Some);
    }
    let (ask, direction) = (&request.ask, request.direction);
    let (selection, cut) = select(spool, ask, tell)?;
    spool.check_key(&cut.range)?;
    let back = direction.is_reverse();
    // Going back they are among what cannot be taken back.
    if !back {
        tell(Fact::Troubles(&spool.troubles(&cut.range)?));
    }
    if !back {
        check_used(spool, ask, request.route, tell)?;
    }
    // Rows to be taken back are looked for below, where a stretch has any.
    let any = ask.followed || back && cut.transactions > 0 || selected::any(spool, &selection)?;
    if !any {
        tell(Fact::Nothing { transactions: cut.transactions, direction });
        return Ok(None);
    }
    let definitions = definitions(spool, request)?;
    let rows = back.then(|| selected::rows(spool, &selection)).transpose()?;
    check_route(spool, request, &definitions, rows.as_ref())?;
    if let Some(rows) = &rows {
        let keys = foreign_keys(definitions.logs_cascades)?;
        let mut found = losses(spool, &definitions, &selection, rows, &keys)?;
        found.losses.extend(late(&cut, &selection.filter));
        allowed(&found, &request.allowed, tell)?;
    }
    Ok(Some(Prepared { selection, definitions, rows }))
}

/// Copies the tables first: what came since is the selection, and is whole.
fn copied(
    spool: &mut Spool,
    request: &Request<'_>,
    from: &Base<'_>,
    tell: &mut dyn FnMut(Fact<'_>),
) -> Result<Prepared> {
    let ask = &request.ask;
    tell(Fact::Bounds(&ask.bounds));
    let until = base::time(&ask.bounds)?;
    let wanted = Wanted { spool: spool.dir(), until, filter: &ask.filter, run: from.run };
    let mut file = Sqlite::open(from.file)?;
    let copied =
        base::copy(&wanted, from.server, &mut file, &mut |text| tell(Fact::Copying(text)))?;
    tell(Fact::Copied(&copied));
    // A capture that was behind the source has been waited for.
    spool.refresh()?;
    let definitions = definitions(spool, request)?;
    check_used(spool, ask, request.route, tell)?;
    check_route(spool, request, &definitions, None)?;
    Ok(Prepared { selection: copied.selection, definitions, rows: None })
}

/// The definitions, with what the caller knows of the source.
///
/// # Errors
/// When the spool cannot be read.
pub fn definitions(spool: &Spool, request: &Request<'_>) -> Result<Definitions> {
    let mut definitions = Definitions::load(spool)?;
    definitions.logs_cascades = request.logs_cascades.or(definitions.logs_cascades);
    Ok(definitions)
}

/// Refuses rules that no table of the stream is concerned by; what is to come may have one.
///
/// # Errors
/// As said (usage).
fn check_used(
    spool: &Spool,
    ask: &Ask,
    route: &Route,
    tell: &mut dyn FnMut(Fact<'_>),
) -> Result<()> {
    let taken = |name: &TableName| !name.table.is_empty() && ask.filter.takes_table(name);
    let tables: Vec<TableName> = spool.tables()?.into_iter().filter(taken).collect();
    match route.check_used(&tables) {
        Err(e) if ask.followed => tell(Fact::NoTable(e)),
        checked => checked?,
    }
    Ok(())
}

/// Holds the rules against the tables that are selected, going back those of the selected rows.
///
/// # Errors
/// When a rule concerns none of them, or two go to one (usage).
fn check_route(
    spool: &Spool,
    Request { ask, route, .. }: &Request<'_>,
    definitions: &Definitions,
    back: Option<&Selected>,
) -> Result<()> {
    if route.is_empty() {
        return Ok(());
    }
    let taken = |name: &TableName| !name.table.is_empty() && ask.filter.takes_table(name);
    let tables: Vec<TableName> = match back {
        // A table that was renamed since goes where it stands now, which is in the stream, too.
        Some(rows) => rows.keys().cloned().collect(),
        None => spool.tables()?.into_iter().filter(taken).collect(),
    };
    for def in tables.iter().flat_map(|table| definitions.history.of(table)) {
        route.tables(&def.name()).iter().try_for_each(|place| route.def(def, place).map(drop))?;
    }
    if back.is_some() {
        route.check_used(&tables)?;
    }
    route.check(&tables, |table, column| {
        let mut defs = definitions.history.of(table).peekable();
        defs.peek().is_none() || defs.any(|def| def.column(column).is_some())
    })
}

/// What the cut itself lacks; transactions named by number are all there.
fn late(cut: &Cut, filter: &Filter) -> Option<Loss> {
    if !filter.xids().is_empty() {
        return None;
    }
    if let Some(pruned) = &cut.pruned {
        return Some(Loss::Incomplete(format!("of the stretch asked for, {pruned}")));
    }
    let first = cut.first.as_ref().filter(|_| cut.late)?;
    Some(Loss::Incomplete(format!(
        "the spool begins only at {first}, behind the begin of the stretch asked for"
    )))
}

/// Tells what is not taken back.
///
/// # Errors
/// When some of it is not allowed, or there is nothing to take back (usage).
fn allowed(found: &Found, allowed: &[Means], tell: &mut dyn FnMut(Fact<'_>)) -> Result<()> {
    if !found.created.is_empty() {
        tell(Fact::Created(found.created.len()));
    }
    let is_allowed = |loss: &Loss| loss.allowed_by().is_some_and(|by| allowed.contains(&by));
    let refused: Vec<&Loss> = found.losses.iter().filter(|loss| !is_allowed(loss)).collect();
    if !refused.is_empty() {
        let mut by: Vec<Means> = refused.iter().filter_map(|loss| loss.allowed_by()).collect();
        by.sort_unstable();
        by.dedup();
        let narrow = Words::from((
            "narrow the stretch with {}, {} or {}, or leave tables out with {}",
            [Means::Since, Means::Until, Means::Position, Means::ExcludeTable],
        ));
        let on = ", or take the rest back all the same with ";
        return Err(refusal(&refused).help(match by[..] {
            [] => narrow,
            _ => narrow + on + Words::joined(by.into_iter().map(Words::from), " "),
        }));
    }
    if !found.rows {
        return Err(Error::usage("no row change is selected: there is nothing to take back")
            .help("`" + Means::Log + "` lists what there is; " + LEAVE_NONE));
    }
    found.losses.iter().for_each(|loss| tell(Fact::Lost(loss)));
    Ok(())
}

/// The progress row of a run: without a `name` a reverse has one made of what it takes, so that a
/// rerun goes on by itself. `copied`: what it takes back came since a copy.
pub fn run(
    spool: &Spool,
    words: String,
    direction: Direction,
    copied: bool,
    name: Option<String>,
) -> Run {
    let words = if copied { format!("copied, as of {words}") } else { words };
    let hash = xxhash_rust::xxh3::xxh3_64(words.as_bytes()) as u32;
    let default = || match (direction, copied) {
        (Direction::Forward, _) => "apply".to_owned(),
        (Direction::Reverse, false) => format!("undo-{hash:08x}"),
        (Direction::Reverse, true) => format!("as-of-{hash:08x}"),
    };
    let name = name.unwrap_or_else(default);
    Run { name, spool: spool.id().to_owned(), direction, selection: words }
}
