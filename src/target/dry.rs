//! A target that is looked at and not written to.

use std::sync::Arc;

use super::{Claim, Ddl, FoundRow, Mark, Run, Session, Sessions, Standing, Target, Window};
use crate::error::Result;
use crate::event::TableName;
use crate::event::def::TableDef;
use crate::plan::Table;
use crate::plan::op::RowOp;

/// Plans against the real target's tables, and throws the row changes away.
pub struct Dry {
    real: Box<dyn Target>,
    claim: Claim,
    session: Nothing,
    lanes: Vec<Box<dyn Session>>,
    changed: bool,
}

impl Dry {
    /// Looks at `real`, which is only asked for its tables; planned as for that many lanes.
    pub fn new(real: Box<dyn Target>, lanes: usize) -> Self {
        let claim = Claim { name: String::new(), epoch: 0, seq: 0 };
        let lane = |_| -> Box<dyn Session> { Box::new(Nothing) };
        let lanes = (0..lanes).filter(|_| lanes > 1).map(lane).collect();
        Self { real, claim, session: Nothing, lanes, changed: false }
    }
}

impl Target for Dry {
    fn start(&mut self, _: &Run, first: u64) -> Result<Standing> {
        self.claim.seq = first;
        Ok(Standing { seq: first, ..Standing::default() })
    }

    fn table(&mut self, name: &TableName, def: Option<&TableDef>) -> Result<Arc<Table>> {
        match def {
            // A DDL statement that was not run may have made or changed it.
            Some(def) if self.changed => Ok(Arc::new(Table::from_def(def))),
            _ => self.real.table(name, def),
        }
    }

    fn makes(&mut self, name: &TableName) -> Result<bool> {
        self.real.makes(name)
    }

    fn sessions(&mut self) -> Sessions<'_> {
        Sessions { claim: &mut self.claim, main: &mut self.session, lanes: &mut self.lanes }
    }

    fn open_lanes(&mut self) -> Result<bool> {
        Ok(!self.lanes.is_empty())
    }

    fn open_window(&mut self, _: Window) -> Result<()> {
        Ok(())
    }

    fn close_window(&mut self, window: Window) -> Result<()> {
        self.claim.seq = window.end;
        Ok(())
    }

    fn ddl(&mut self, _: &Ddl, _: u64) -> Result<()> {
        self.changed = true;
        Ok(())
    }

    fn pace(&mut self, database: &str) -> Option<f64> {
        self.real.pace(database)
    }

    fn keep_alive(&mut self) -> Result<()> {
        self.real.keep_alive()
    }
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

    fn commit(&mut self, _: &Claim, _: Option<u64>) -> Result<()> {
        Ok(())
    }

    fn keep_alive(&mut self) -> Result<()> {
        Ok(())
    }

    fn rollback(&mut self) {}
}
