//! `doctor`: what is lost or will not run, before it is.

use clap::Args;

use super::server::management::management;
use super::target::{ProgressArgs, looks};
use super::{DIFFERS, DONE, Global, print, stdio};
use crate::dest::Catalog;
use crate::doctor::sample::Sample;
use crate::doctor::{Part, State, broker, count, not_checked, tables, target};
use crate::error::{ErrorKind, Result};
use crate::replay::Definitions;
use crate::source::management::Management;
use crate::spool::Spool;

mod json;
mod text;

const DOCTOR_EXAMPLES: &str = "\
Examples:
  binsync doctor
  binsync doctor --target mysql://joe:secret@db2.example
  binsync doctor --queue maxwell --management-url http://joe:secret@mq.example:15672

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
    /// RabbitMQ's management, which is asked about the queues: http://user:password@host:15672/VHOST
    #[arg(long, value_name = "URL", env = "BINSYNC_MANAGEMENT_URL", hide_env_values = true)]
    management_url: Option<String>,
    /// Queue that is looked at, of those that a capture drains
    #[arg(long, value_name = "Q", env = "BINSYNC_QUEUE", default_value = "binsync")]
    queue: Vec<String>,
}

/// Runs `binsync doctor`.
///
/// # Errors
/// When the call is wrong, or the spool cannot be read.
pub fn doctor(global: &Global, args: &DoctorArgs) -> Result<u8> {
    let place = args.target.place()?;
    let address = args.management_url.as_deref().map(management).transpose()?;
    let others = place.is_some() || address.is_some();
    let spool = match Spool::open(&global.spool) {
        // Before the first message the others can be looked at all the same.
        Err(error) if error.kind() == ErrorKind::Usage && others => Err(error),
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
    checks.extend(match address {
        None => not_checked(Part::Broker, &"no --management-url is named".into()),
        Some(address) => broker::checks(&Management::at(address), &args.queue),
    });
    print(&match global.json {
        true => stdio::pretty(&json::json(&checks)),
        false => text::text(&checks),
    })?;
    Ok(match count(&checks, State::Problem) {
        0 => DONE,
        _ => DIFFERS,
    })
}
