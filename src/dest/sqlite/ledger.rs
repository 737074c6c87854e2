//! The progress of runs in a file, and what moves it.

use rusqlite::Connection;

use super::fault::failed;
use super::value::stored;
use super::{Sqlite, ddl, schema};
use crate::dest::{Claim, Ledger, Mark, Point, Run, Session as _, Sessions, Standing, Window};
use crate::error::{Error, Result};
use crate::event::ddl::{Statement, Told};
use crate::event::landmark::Landmark;
use crate::event::{Seq, TableName};

impl Sqlite {
    /// Does something to the tables in one transaction, after which the run stands at `next`.
    fn step(&mut self, next: &Point, act: impl FnOnce(&Connection) -> Result<()>) -> Result<()> {
        let (session, claim) = (&mut self.session, &mut self.claim);
        let done = session
            .begin(claim, Mark::Step)
            .and_then(|()| act(&session.conn))
            .and_then(|()| session.commit(claim, Some(next)));
        match done {
            Ok(()) => claim.seq = next.seq,
            Err(_) => session.rollback(),
        }
        session.tables.clear();
        session.absent.clear();
        done
    }
}

/// A window is one transaction in a file.
fn no_chunks() -> Error {
    Error::failed("an SQLite file takes no chunks")
}

impl Ledger for Sqlite {
    fn start(&mut self, run: &Run, first: &Point) -> Result<Standing> {
        let session = &mut self.session;
        session.rollback();
        session.direction = run.direction;
        session.run("BEGIN IMMEDIATE")?;
        session.in_transaction = true;
        let claimed = schema::claim(&session.conn, &session.file, run, first)
            .and_then(|claimed| session.run("COMMIT").map(|()| claimed));
        if claimed.is_err() {
            session.rollback();
        }
        let (epoch, standing) = claimed?;
        session.in_transaction = false;
        self.claim = Claim { name: run.name.clone(), epoch, seq: standing.seq };
        Ok(standing)
    }

    fn forget(&mut self, first: Seq) -> Result<()> {
        let delete = "DELETE FROM binsync_progress WHERE name=?1 AND epoch=?2 AND seq=?3";
        let values = (&self.claim.name, stored(self.claim.epoch)?, stored(first)?);
        let done = self.session.conn.execute(delete, values);
        done.map(|_| ()).map_err(|e| failed(&self.session.file, &e))
    }

    fn remove(&mut self, name: &str) -> Result<bool> {
        let removed = schema::remove(&self.session.conn, name);
        removed.map_err(|e| failed(&self.session.file, &e))
    }

    fn sessions(&mut self) -> Sessions<'_> {
        Sessions { claim: &mut self.claim, main: &mut self.session, lanes: Vec::new() }
    }

    fn open_lanes(&mut self) -> Result<()> {
        Ok(())
    }

    fn open_window(&mut self, _: Window, _: Option<&Landmark>) -> Result<()> {
        Err(no_chunks())
    }

    fn close_window(&mut self, _: Window) -> Result<()> {
        Err(no_chunks())
    }

    fn ddl(&mut self, ddl: &[Statement], next: &Point) -> Result<()> {
        self.step(next, |conn| {
            let mut each = ddl.iter();
            each.try_for_each(|ddl| ddl::run(conn, ddl).map_err(|e| e.at(ddl.told().place())))
        })
    }

    fn note(&mut self, _: &Told, _: &str, _: &Point) -> Result<()> {
        // What was done by hand shows by itself, or not at all.
        Ok(())
    }

    fn settle(&mut self, _: &Told, next: &Point) -> Result<()> {
        self.step(next, |_| Ok(()))
    }

    fn make(&mut self, _: &TableName, _: &TableName) -> Result<()> {
        // It is made for its first row.
        Ok(())
    }
}
