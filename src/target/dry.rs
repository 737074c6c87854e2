//! A target that is looked at and not written to.

use std::sync::Arc;

use super::{Ddl, Run, Target};
use crate::error::Result;
use crate::event::TableName;
use crate::event::def::TableDef;
use crate::plan::Table;
use crate::sql::{Dialect, Statements};

/// Plans against the real target's tables, and throws the statements away.
pub struct Dry {
    real: Box<dyn Target>,
    changed: bool,
}

impl Dry {
    /// Looks at `real`, which is only asked for its tables.
    pub fn new(real: Box<dyn Target>) -> Self {
        Self { real, changed: false }
    }
}

impl Target for Dry {
    fn dialect(&self) -> Dialect {
        self.real.dialect()
    }

    fn start(&mut self, _: &Run, first: u64) -> Result<u64> {
        Ok(first)
    }

    fn table(&mut self, name: &TableName, def: Option<&TableDef>) -> Result<Arc<Table>> {
        match def {
            // A DDL statement that was not run may have made or changed it.
            Some(def) if self.changed => Ok(Arc::new(Table::from_def(def))),
            _ => self.real.table(name, def),
        }
    }

    fn execute(&mut self, _: &Statements) -> Result<()> {
        Ok(())
    }

    fn commit(&mut self, _: u64) -> Result<()> {
        Ok(())
    }

    fn ddl(&mut self, _: &Ddl, _: u64) -> Result<()> {
        self.changed = true;
        Ok(())
    }
}
