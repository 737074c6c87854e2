//! `doctor`: what is lost or will not run, before it is.

use clap::Args;

use super::target::{ProgressArgs, looks};
use super::{DIFFERS, DONE, Global, print, stdio};
use crate::dest::Catalog;
use crate::doctor::sample::Sample;
use crate::doctor::{Part, State, count, not_checked, tables, target};
use crate::error::{ErrorKind, Result};
use crate::replay::Definitions;
use crate::spool::Spool;

mod json;
mod text;

const DOCTOR_EXAMPLES: &str = "\
Examples:
  binsync doctor
  binsync doctor --target mysql://joe:secret@db2.example

The last 10,000 messages of the spool tell of the producer, the stored definitions of the tables.
Nothing is written, and no message is taken from a queue. A statement is not held against the
target: `binsync apply --dry-run` does that.

  problem      something is lost, or will not run; `next` says what mends it: status 3
  note         to be known; it cannot be mended here, or not everybody needs it
  not checked  not asked, or nothing told it";

/// Arguments of `doctor`.
#[derive(Args, Debug)]
#[command(after_help = DOCTOR_EXAMPLES)]
pub struct DoctorArgs {
    #[command(flatten)]
    target: ProgressArgs,
}

/// Runs `binsync doctor`.
///
/// # Errors
/// When the call is wrong, or the spool cannot be read.
pub fn doctor(global: &Global, args: &DoctorArgs) -> Result<u8> {
    let place = args.target.place()?;
    let spool = match Spool::open(&global.spool) {
        // Before the first message a target can be looked at all the same.
        Err(error) if error.kind() == ErrorKind::Usage && place.is_some() => Err(error),
        opened => Ok(opened?),
    };
    let (mut checks, mut largest, mut known) = (Vec::new(), 0, None);
    match &spool {
        Ok(spool) => {
            let definitions = Definitions::load(spool)?;
            let sample = Sample::take(spool, &definitions)?;
            checks.extend(sample.checks(spool)?);
            checks.extend(tables::checks(spool, &definitions)?);
            largest = sample.largest;
            known = Some((spool, definitions));
        }
        Err(error) => {
            let none = |part| not_checked(part, error.message());
            checks.extend([Part::Producer, Part::Tables].into_iter().flat_map(none));
        }
    }
    match place {
        None => checks.extend(not_checked(Part::Target, &"no --target is named".into())),
        Some(place) => {
            let logs_cascades = known.as_ref().and_then(|(_, known)| known.logs_cascades);
            let mut opened = place.open(looks(logs_cascades), true);
            let catalog = match &mut opened {
                Ok(target) => Ok(&mut **target as &mut dyn Catalog),
                Err(error) => Err(&*error),
            };
            let known = known.as_ref().map(|(spool, definitions)| (*spool, definitions));
            checks.extend(target::checks(known, largest, catalog)?);
        }
    }
    print(&match global.json {
        true => stdio::pretty(&json::json(&checks)),
        false => text::text(&checks),
    })?;
    Ok(match count(&checks, State::Problem) {
        0 => DONE,
        _ => DIFFERS,
    })
}
