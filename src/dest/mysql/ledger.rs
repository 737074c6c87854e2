//! The progress of runs in a server, and what moves it.

use mysql::prelude::Queryable;

use super::{Mysql, failed, progress, session};
use crate::dest::{
    Catalog as _, Claim, FirstCopy, Ledger, Point, Run, Session, Sessions, Standing, Window,
    taken_over,
};
use crate::error::Result;
use crate::event::ddl::{Statement, Told};
use crate::event::landmark::Landmark;
use crate::event::{Seq, TableName};
use crate::sql::{Dialect, quote};

impl Mysql {
    /// Runs one statement on the progress row; it must touch that row.
    fn step(&mut self, sql: &str, params: impl Into<mysql::Params>) -> Result<()> {
        self.conn().exec_drop(sql, params).map_err(|e| failed("target: progress", &e))?;
        match self.conn().affected_rows() {
            1 => Ok(()),
            _ => Err(taken_over(&self.claim.name)),
        }
    }

    fn close(&mut self, window: Window) -> Result<()> {
        let Claim { name, epoch, seq } = self.claim.clone();
        self.query("BEGIN")?;
        self.step(
            "UPDATE binsync.progress p SET seq=?, window_end=NULL, window_parts=NULL, window_chunk=NULL, \
             skipped=skipped OR EXISTS (SELECT 1 FROM binsync.chunk c WHERE c.name=p.name AND c.skipped) \
             WHERE name=? AND epoch=? AND seq=? AND window_end=?",
            (window.end, &name, epoch, seq, window.end),
        )?;
        self.conn()
            .exec_drop("DELETE FROM binsync.chunk WHERE name=?", (&name,))
            .map_err(|e| failed("target: progress", &e))?;
        self.query("COMMIT")
    }
}

impl Ledger for Mysql {
    fn start(&mut self, run: &Run, first: &Point) -> Result<Standing> {
        self.main = session(&self.server, &self.options, run.direction)?;
        let (epoch, standing) = progress::claim(self.conn(), run, first)?;
        self.claim = Claim { name: run.name.clone(), epoch, seq: standing.seq };
        if standing.statement.is_some() {
            self.lock(&run.name)?;
            self.query("DO RELEASE_ALL_LOCKS()")?;
        }
        Ok(standing)
    }

    fn forget(&mut self, first: Seq) -> Result<()> {
        let claim = self.claim.clone();
        progress::forget(self.conn(), &claim, first)
    }

    fn remove(&mut self, name: &str) -> Result<bool> {
        progress::remove(self.conn(), name)
    }

    fn sessions(&mut self) -> Sessions<'_> {
        let lanes = self.lanes.iter_mut().map(|lane| -> &mut dyn Session { lane });
        Sessions { claim: &mut self.claim, main: &mut self.main, lanes: lanes.collect() }
    }

    fn open_lanes(&mut self) -> Result<()> {
        while self.options.lanes > 1 && self.lanes.len() < self.options.lanes {
            let direction = self.main.direction();
            self.lanes.push(session(&self.server, &self.options, direction)?);
        }
        Ok(())
    }

    fn open_window(&mut self, window: Window, last: Option<&Landmark>) -> Result<()> {
        let Claim { name, epoch, seq } = self.claim.clone();
        let [stands, last_seq, hash, position] = progress::to(&Point { seq, last: last.cloned() });
        self.step(
            &format!(
                "UPDATE binsync.progress SET window_end=?, window_parts=?, window_chunk=?, {} WHERE \
                 name=? AND epoch=? AND seq=? AND window_end IS NULL",
                progress::TO
            ),
            mysql::Params::Positional(vec![
                window.end.into(),
                window.parts.into(),
                window.chunk.into(),
                stands,
                last_seq,
                hash,
                position,
                name.into(),
                epoch.into(),
                seq.into(),
            ]),
        )
    }

    fn close_window(&mut self, window: Window) -> Result<()> {
        if let Err(e) = self.close(window) {
            let _ = self.conn().query_drop("ROLLBACK");
            return Err(e);
        }
        self.claim.seq = window.end;
        Ok(())
    }

    fn ddl(&mut self, ddl: &[Statement], next: &Point) -> Result<()> {
        let name = self.claim.name.clone();
        self.lock(&name)?;
        let done = self.ddl_once(ddl, next);
        if done.is_err() {
            self.main.rollback();
        }
        self.foreign_keys = None;
        self.query("DO RELEASE_ALL_LOCKS()")?;
        done?;
        self.main.renew(self.options.target_binlog)
    }

    fn note(&mut self, told: &Told, now: &str, next: &Point) -> Result<()> {
        self.intend(told.seq, now, next)
    }

    fn settle(&mut self, told: &Told, next: &Point) -> Result<()> {
        let done = self.pass(told.seq, next);
        if done.is_err() {
            self.main.rollback();
        }
        done
    }

    fn first_copy(&mut self) -> Option<&mut dyn FirstCopy> {
        Some(self)
    }

    fn make(&mut self, name: &TableName, like: &TableName) -> Result<()> {
        if self.exists(name)? {
            return Ok(());
        }
        let mut sql = "CREATE DATABASE IF NOT EXISTS ".to_owned();
        quote::identifier(&mut sql, Dialect::Mysql, &name.database);
        self.query(&sql).map_err(|e| e.at(name))?;
        sql = "CREATE TABLE ".to_owned();
        quote::table(&mut sql, Dialect::Mysql, name);
        sql.push_str(" LIKE ");
        quote::table(&mut sql, Dialect::Mysql, like);
        self.query(&sql).map_err(|e| e.at(format!("making {name} for the recovered rows")))
    }
}
