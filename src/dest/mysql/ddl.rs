//! DDL exactly once: an intent with a fingerprint before, a look at the outcome afterwards.

use mysql::prelude::Queryable;

use super::{Mysql, failed, progress, tables};
use crate::dest::{Mark, Point, Session, Settled};
use crate::error::{Error, Result, Words};
use crate::event::ddl::{Statement, Told, by_hand};
use crate::event::{Op, Seq, TableName, printable};

/// What an intent begins with that is not the first of several; a fingerprint begins with a name,
/// which has no line end.
const PART: &str = "part ";

/// Which of several an intent tells of, and the fingerprint in it.
fn begun_part(intent: &str) -> (usize, &str) {
    let part = intent.strip_prefix(PART).and_then(|rest| rest.split_once('\n'));
    let part = part.and_then(|(n, before)| Some((n.parse().ok()?, before)));
    part.unwrap_or((0, intent))
}

impl Mysql {
    /// Runs what a statement of the stream is here. The intent tells which of them was begun: those
    /// before it are done.
    pub(super) fn ddl_once(&mut self, all: &[Statement], next: &Point) -> Result<()> {
        let Some(seq) = all.first().map(|ddl| ddl.told().seq) else { return Ok(()) };
        let run = self.claim.name.clone();
        let begun = progress::intent(self.conn(), &run, seq)?;
        let (from, mut before) = match begun.as_deref().map(begun_part) {
            Some((part, before)) => (part, Some(before.to_owned())),
            None => (0, None),
        };
        for (part, ddl) in all.iter().enumerate().skip(from) {
            self.one(ddl, part, before.take(), next)?;
        }
        self.pass(seq, next)
    }

    /// Runs one of them, unless it was begun and is done; `before`: how its tables were then.
    fn one(
        &mut self,
        ddl: &Statement,
        part: usize,
        before: Option<String>,
        next: &Point,
    ) -> Result<()> {
        let (told, place) = (ddl.told(), ddl.told().place());
        let now = self.fingerprint(&ddl.changes().collect::<Vec<_>>())?;
        let begin = match before {
            None => {
                let intent = match part {
                    0 => now,
                    part => format!("{PART}{part}\n{now}"),
                };
                self.intend(told.seq, &intent, next)?;
                true
            }
            Some(before) if before == now => true,
            Some(before) => {
                match self.check(told) {
                    Ok(()) => false,
                    // The server went down in the middle: what is left goes the same way.
                    Err(_) if told.op == Op::DatabaseDrop => true,
                    Err(e) => {
                        return Err(Error::stopped(
                            Words::from(format!(
                                "{place}: was begun before and neither left its tables as they \
                                 were nor as the source had them\nbefore: {before}\nnow: {now}\n"
                            )) + e.words(),
                        )
                    .help("bring the tables to either state by hand, then run the same command again"));
                    }
                }
            }
        };
        if begin {
            self.run_ddl(ddl).map_err(|e| e.at(&place).or_help(by_hand()))?;
            self.check(told).map_err(|e| e.at(&place))?;
        }
        Ok(())
    }

    fn fingerprint(&mut self, names: &[TableName]) -> Result<String> {
        tables::fingerprint(self.conn(), names).map_err(|e| failed("target", &e))
    }

    /// Keeps how the tables of a statement are that is to run.
    pub(super) fn intend(&mut self, seq: Seq, now: &str, next: &Point) -> Result<()> {
        let claim = self.claim.clone();
        self.main.begin(&claim, Mark::Step)?;
        let replace = "REPLACE INTO binsync.intent (name, seq, fingerprint) VALUES (?,?,?)";
        self.conn()
            .exec_drop(replace, (&claim.name, seq, now))
            .map_err(|e| failed("target: progress", &e))?;
        // The statement may have run when this spool is not there any more.
        let here = Point { seq: claim.seq, last: next.last.clone() };
        self.main.commit(&claim, Some(&here))
    }

    /// Moves the progress behind a statement that is done.
    pub(super) fn pass(&mut self, seq: Seq, next: &Point) -> Result<()> {
        let claim = self.claim.clone();
        self.main.begin(&claim, Mark::Step)?;
        self.conn()
            .exec_drop("DELETE FROM binsync.intent WHERE name=?", (&claim.name,))
            .map_err(|e| failed(&format!("message {seq}: progress"), &e))?;
        self.main.commit(&claim, Some(next))?;
        self.claim.seq = next.seq;
        Ok(())
    }

    /// Runs the text. All its names have their database, so the session needs none.
    fn run_ddl(&mut self, ddl: &Statement) -> Result<()> {
        let ms = ddl.told().ts_ms;
        let seconds = format!("{}.{:03}", ms.div_euclid(1000), ms.rem_euclid(1000));
        self.query(&format!("SET timestamp={seconds}"))?;
        self.conn().query_drop(ddl.text()).map_err(|e| failed("target", &e))
    }

    /// Holds the target's tables against what the source had after the statement.
    fn check(&mut self, told: &Told) -> Result<()> {
        for name in &told.names() {
            if name.table.is_empty() {
                self.check_database(told, &name.database)?;
                continue;
            }
            let wanted = told.columns_left(name);
            let found =
                tables::column_names(self.conn(), name).map_err(|e| failed("target", &e))?;
            // What the source had is not told of a table that is older than what was recorded.
            let untold =
                told.after.is_empty() && matches!(told.op, Op::TableCreate | Op::TableAlter);
            if found != wanted && (!untold || found.is_empty()) {
                return Err(Error::stopped(format!(
                    "{name}: the target has the columns {found:?}, the source has {wanted:?}"
                ))
                .help(
                    "bring the table to the source's definition, then run the same command again",
                ));
            }
        }
        Ok(())
    }

    /// A database is not dropped at one stroke: its tables go first.
    fn check_database(&mut self, told: &Told, name: &str) -> Result<()> {
        let dropped = told.op == Op::DatabaseDrop;
        match dropped
            && tables::has_database(self.conn(), name).map_err(|e| failed("target", &e))?
        {
            true => Err(Error::stopped(format!("{}: it is still there", printable(name)))),
            false => Ok(()),
        }
    }

    /// As [`crate::dest::Catalog::settled`].
    pub(super) fn is_settled(&mut self, run: &str, told: &Told) -> Result<Settled> {
        let now = self.fingerprint(&told.names())?;
        let before = progress::intent(self.conn(), run, told.seq)?;
        let changed = before.as_ref().is_some_and(|before| *before != now);
        if (changed || told.shows()) && self.check(told).is_ok() {
            return Ok(Settled::Done);
        }
        // What shows by itself needs no note, and a run that wrote nothing gives its name free.
        let keeps = before.is_none() && !told.shows();
        Ok(Settled::Open(keeps.then_some(now)))
    }

    /// Refuses a statement that names what the target lacks: a collation, a character set, an engine.
    pub(super) fn lacks(&mut self, ddl: &Statement) -> Result<()> {
        // MariaDB has some collations for every character set, under a part of the name.
        let collations = "COLLATIONS WHERE COLLATION_NAME IN (?, SUBSTRING(?, LOCATE('_', ?) + 1))";
        let charsets = "CHARACTER_SETS WHERE CHARACTER_SET_NAME IN (?, ?, ?)";
        let engines = "ENGINES WHERE SUPPORT IN ('YES', 'DEFAULT') AND ENGINE IN (?, ?, ?)";
        for (what, view, wanted) in [
            ("collation", collations, ddl.collations()),
            ("character set", charsets, ddl.charsets()),
            ("storage engine", engines, ddl.engines()),
        ] {
            for name in wanted {
                let alias =
                    matches!(&**name, "utf8" | "default" | "binary") || name.starts_with("utf8_");
                let sql = format!("SELECT COUNT(*) FROM information_schema.{view}");
                let found: Option<u64> = self
                    .conn()
                    .exec_first(sql, (name, name, name))
                    .map_err(|e| failed("target", &e))?;
                if found == Some(0) && !alias {
                    let place = ddl.told().place();
                    return Err(Error::stopped(format!(
                        "{place}: the target has no {what} {name}"
                    ))
                    .help(by_hand()));
                }
            }
        }
        Ok(())
    }

    pub(super) fn lock(&mut self, name: &str) -> Result<()> {
        // Held while a DDL statement runs: a start after a crash waits until the dead client's
        // statement has ended, which no row lock would tell.
        let lock = format!("binsync.{:016x}", xxhash_rust::xxh3::xxh3_64(name.as_bytes()));
        let got: Option<Option<i64>> = self
            .conn()
            .exec_first("SELECT GET_LOCK(?, 600)", (lock,))
            .map_err(|e| failed("target", &e))?;
        match got {
            Some(Some(1)) => Ok(()),
            _ => Err(Error::stopped("a DDL statement of an earlier run is still running")
                .help("wait for it to end, then run the same command again")),
        }
    }
}
