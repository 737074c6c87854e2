//! A target that is looked at and not written to.
//!
//! Going forward its tables are asked for; going back also its rows, whether they are as the
//! changes that are taken back left them.

use std::collections::HashMap;
use std::sync::Arc;

use super::{
    Claim, FoundRow, Mark, Needs, Point, Run, Session, Sessions, Standing, Target, Window,
};
use crate::error::Result;
use crate::event::ddl::{Statement, Told};
use crate::event::def::{ForeignKey, TableDef};
use crate::event::{Direction, TableName};
use crate::plan::Table;
use crate::plan::op::RowOp;

/// Plans against the real target's tables, and throws the row changes away.
pub struct Dry {
    claim: Claim,
    session: Looking,
    lanes: Vec<Box<dyn Session>>,
    changed: bool,
    /// Tables for recovered rows that are not there, and what they will be like.
    rescue: HashMap<TableName, TableName>,
}

impl Dry {
    /// Looks at `real`, which is only asked; planned as for that many lanes.
    pub fn new(real: Box<dyn Target>, lanes: usize) -> Self {
        let claim = Claim { name: String::new(), epoch: 0, seq: 0 };
        let lane = |_| -> Box<dyn Session> { Box::new(Nothing) };
        let lanes = (0..lanes).filter(|_| lanes > 1).map(lane).collect();
        let session = Looking { real, rows: false };
        Self { claim, session, lanes, changed: false, rescue: HashMap::new() }
    }
}

impl Target for Dry {
    fn start(&mut self, run: &Run, first: &Point) -> Result<Standing> {
        self.session.rows = run.direction == Direction::Reverse;
        let standing = self.session.real.standing(run)?;
        let standing =
            standing.unwrap_or_else(|| Standing { seq: first.seq, ..Standing::default() });
        self.claim.seq = standing.seq;
        // What was begun inside a window shows in the rows.
        Ok(Standing { window: None, chunks: HashMap::new(), ..standing })
    }

    fn table(&mut self, name: &TableName, def: Option<&TableDef>) -> Result<Arc<Table>> {
        match def {
            // A DDL statement that was not run may have made or changed it.
            Some(def) if self.changed => return Ok(Arc::new(Table::from_def(def))),
            _ => {}
        }
        let Some(like) = self.rescue.get(name) else { return self.session.real.table(name, def) };
        let (database, table) = (like.database.clone(), like.table.clone());
        let def = def.map(|def| TableDef { database, table, ..def.clone() });
        let table = self.session.real.table(like, def.as_ref())?;
        Ok(Arc::new(Table { name: name.clone(), ..Table::clone(&table) }))
    }

    fn rescue(&mut self, name: &TableName, like: &TableName) -> Result<()> {
        if !self.session.real.has(name)? {
            self.rescue.insert(name.clone(), like.clone());
        }
        Ok(())
    }

    fn standing(&mut self, run: &Run) -> Result<Option<Standing>> {
        self.session.real.standing(run)
    }

    fn known_as(&mut self, name: &TableName) -> Result<TableName> {
        self.session.real.known_as(name)
    }

    fn place(&self) -> Option<String> {
        self.session.real.place()
    }

    fn is_written(&self) -> bool {
        false
    }

    fn check_rights(&mut self, needs: &Needs<'_>) -> Result<()> {
        self.session.real.check_rights(needs)
    }

    fn exists(&mut self, name: &TableName) -> Result<bool> {
        self.session.real.exists(name)
    }

    fn identities(&mut self, names: &[TableName]) -> Result<Vec<(TableName, String)>> {
        self.session.real.identities(names)
    }

    fn holds_keyless_rows(&mut self, name: &TableName) -> Result<bool> {
        self.session.real.holds_keyless_rows(name)
    }

    fn foreign_keys(&mut self) -> Result<Vec<ForeignKey>> {
        self.session.real.foreign_keys()
    }

    fn makes(&mut self, name: &TableName) -> Result<bool> {
        self.session.real.makes(name)
    }

    fn sessions(&mut self) -> Sessions<'_> {
        Sessions { claim: &mut self.claim, main: &mut self.session, lanes: &mut self.lanes }
    }

    fn open_lanes(&mut self) -> Result<bool> {
        Ok(!self.lanes.is_empty())
    }

    fn close_window(&mut self, window: Window) -> Result<()> {
        self.claim.seq = window.end;
        Ok(())
    }

    fn acts(&self) -> bool {
        self.session.real.acts()
    }

    fn refuses(&mut self, ddl: &Statement) -> Result<()> {
        self.session.real.refuses(ddl)
    }

    fn settled(&mut self, told: &Told, _: Option<&Point>) -> Result<bool> {
        self.session.real.settled(told, None)
    }

    fn ddl(&mut self, _: &Statement, _: &Point) -> Result<()> {
        self.changed = true;
        Ok(())
    }

    fn pace(&mut self, database: &str) -> Option<f64> {
        self.session.real.pace(database)
    }

    fn keep_alive(&mut self) -> Result<()> {
        self.session.real.keep_alive()
    }
}

/// The session that looks at rows.
struct Looking {
    real: Box<dyn Target>,
    /// Rows are compared, not only tables.
    rows: bool,
}

impl Session for Looking {
    fn begin(&mut self, _: &Claim, _: Mark) -> Result<()> {
        Ok(())
    }

    fn write(&mut self, ops: &[RowOp<'_, '_>]) -> Result<u64> {
        self.look(ops)
    }

    fn look(&mut self, ops: &[RowOp<'_, '_>]) -> Result<u64> {
        match self.rows {
            true => self.real.sessions().main.look(ops),
            false => Ok(0),
        }
    }

    fn savepoint(&mut self) -> Result<()> {
        Ok(())
    }

    fn rewind(&mut self) -> Result<()> {
        Ok(())
    }

    fn find(&mut self, op: &RowOp<'_, '_>) -> Result<Option<FoundRow>> {
        self.real.sessions().main.find(op)
    }

    fn commit(&mut self, _: &Claim, _: Option<&Point>) -> Result<()> {
        Ok(())
    }

    fn keep_alive(&mut self) -> Result<()> {
        self.real.keep_alive()
    }

    fn rollback(&mut self) {}
}

/// A session that does nothing.
struct Nothing;

impl Session for Nothing {
    fn begin(&mut self, _: &Claim, _: Mark) -> Result<()> {
        Ok(())
    }

    fn write(&mut self, _: &[RowOp<'_, '_>]) -> Result<u64> {
        Ok(0)
    }

    fn savepoint(&mut self) -> Result<()> {
        Ok(())
    }

    fn rewind(&mut self) -> Result<()> {
        Ok(())
    }

    fn find(&mut self, _: &RowOp<'_, '_>) -> Result<Option<FoundRow>> {
        Ok(None)
    }

    fn commit(&mut self, _: &Claim, _: Option<&Point>) -> Result<()> {
        Ok(())
    }

    fn rollback(&mut self) {}
}
