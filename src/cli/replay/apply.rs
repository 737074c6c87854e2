//! `apply`.

use crate::cli::output::Output;
use crate::cli::{Global, stop_flag};
use crate::error::Result;
use crate::spool::Spool;

mod args;
mod sync;
mod way;

pub use args::ApplyArgs;
pub use sync::{SyncArgs, sync};
use way::Way;

/// Runs `apply`.
///
/// # Errors
/// As the target, the spool and the selection have them.
pub fn apply(global: &Global, args: &ApplyArgs) -> Result<u8> {
    if let Some(name) = &args.sync {
        return sync::apply(global, args, name);
    }
    let output = match args.follow {
        true => Output::lasting("applied", global.quiet),
        false => Output::new("applied", global.quiet),
    };
    let spool = Spool::open(&global.spool)?;
    spool.settle()?;
    args.check_reverse()?;
    args.check_journal()?;
    args.check_metrics()?;
    let way = Way {
        dir: &global.spool,
        route: args.route.route()?,
        place: args.place()?,
        name: args.name.clone(),
        conflicts: args.conflicts.clone(),
        patient: false,
        copy: None,
    };
    let stop = stop_flag()?;
    way.apply(spool, (global, args), &stop, &output)
}
