//! DDL exactly once: an intent with a fingerprint before, a look at the outcome afterwards.

use mysql::prelude::Queryable;

use super::{Mysql, failed, schema};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Op;
use crate::sql::Dialect;
use crate::target::{Ddl, Mark, Point, Session, shown};

impl Mysql {
    pub(super) fn ddl_once(&mut self, ddl: &Ddl, next: &Point) -> Result<()> {
        let now = schema::fingerprint(self.conn(), &ddl.names).map_err(|e| failed("target", &e))?;
        let place = format!("DDL (message {}): {}", ddl.seq, shown(&ddl.sql));
        let name = self.claim.name.clone();
        let intent: Option<String> = self
            .conn()
            .exec_first(
                "SELECT fingerprint FROM binsync.intent WHERE name=? AND seq=?",
                (&name, ddl.seq),
            )
            .map_err(|e| failed(&place, &e))?;
        let run = match intent {
            None => {
                let claim = self.claim.clone();
                self.main.begin(&claim, Mark::Step)?;
                self.conn()
                    .exec_drop(
                        "REPLACE INTO binsync.intent (name, seq, fingerprint) VALUES (?,?,?)",
                        (&name, ddl.seq, &now),
                    )
                    .map_err(|e| failed(&place, &e))?;
                // The statement may have run when this spool is not there any more.
                let here = Point { seq: claim.seq, last: next.last.clone() };
                self.main.commit(&claim, Some(&here))?;
                true
            }
            Some(before) if before == now => true,
            Some(before) => {
                match self.check(ddl) {
                    Ok(()) => false,
                    Err(e) => {
                        return Err(Error::stopped(format!(
                        "{place}: was begun before and neither left its tables as they were nor \
                         as the source had them\nbefore: {before}\nnow: {now}\n{e}"
                    ))
                    .help("bring the tables to either state by hand, then run the same command again"));
                    }
                }
            }
        };
        if run {
            if let Err(e) = self.run_ddl(ddl) {
                self.withdraw(ddl, &now, &e);
                return Err(e.at(&place));
            }
            self.check(ddl).map_err(|e| e.at(&place))?;
        }
        let claim = self.claim.clone();
        self.main.begin(&claim, Mark::Step)?;
        self.conn()
            .exec_drop("DELETE FROM binsync.intent WHERE name=?", (&name,))
            .map_err(|e| failed(&place, &e))?;
        self.main.commit(&claim, Some(next))?;
        self.claim.seq = next.seq;
        Ok(())
    }

    /// Takes the intent of a statement back that the server has refused, and that changed nothing.
    fn withdraw(&mut self, ddl: &Ddl, before: &str, why: &Error) {
        if matches!(why.kind(), ErrorKind::Lost | ErrorKind::Retry) {
            return;
        }
        // If that fails, the next start looks at the intent.
        if schema::fingerprint(self.conn(), &ddl.names).is_ok_and(|now| now == before) {
            let name = self.claim.name.clone();
            let _ = self.conn().exec_drop("DELETE FROM binsync.intent WHERE name=?", (name,));
        }
    }

    fn run_ddl(&mut self, ddl: &Ddl) -> Result<()> {
        match (ddl.op, &ddl.charset) {
            (Op::DatabaseCreate, Some(charset)) => {
                self.conn()
                    .exec_drop("SET character_set_server=?", (charset,))
                    .map_err(|e| failed("target", &e))?;
            }
            (Op::DatabaseCreate | Op::DatabaseDrop, _) => {}
            _ => {
                let mut sql = "USE ".to_owned();
                crate::sql::quote::identifier(&mut sql, Dialect::Mysql, &ddl.database);
                self.query(&sql)?;
            }
        }
        let seconds = format!("{}.{:03}", ddl.ts_ms.div_euclid(1000), ddl.ts_ms.rem_euclid(1000));
        self.query(&format!("SET timestamp={seconds}"))?;
        let done = self.conn().query_drop(&ddl.sql).map_err(|e| failed("target", &e));
        self.query("SET timestamp=DEFAULT")?;
        done
    }

    /// Holds the target's tables against what the source had after the statement.
    fn check(&mut self, ddl: &Ddl) -> Result<()> {
        for name in &ddl.names {
            let wanted: Option<Vec<&str>> =
                ddl.leaves(name).map(|d| d.columns.iter().map(|c| c.name.as_str()).collect());
            if name.table.is_empty() {
                continue;
            }
            let found =
                schema::column_names(self.conn(), name).map_err(|e| failed("target", &e))?;
            let same = match &wanted {
                Some(wanted) => found.iter().map(String::as_str).eq(wanted.iter().copied()),
                None => found.is_empty(),
            };
            if !same {
                return Err(Error::stopped(format!(
                    "{name}: the target has the columns {found:?}, the source has {:?}",
                    wanted.unwrap_or_default()
                ))
                .help(
                    "bring the table to the source's definition, then run the same command again",
                ));
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
