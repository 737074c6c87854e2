//! `compare`: arguments, and what is shown of what is found.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::output::Output;
use super::replay::out::Out;
use super::replay::route::RouteArgs;
use super::source::SourceArgs;
use super::target::{Place, ProgressArgs};
use super::{DIFFERS, DONE, Global};
use crate::capture::Watch as _;
use crate::compare::{self, Found, Request};
use crate::dest::script;
use crate::error::{Context as _, Error, Result};
use crate::filter::Filter;
use crate::replay::runs;
use crate::spool::Spool;
use crate::sql::Dialect;

mod shown;

use shown::Shown;

const COMPARE_HELP: &str = "\
Examples:
  binsync compare --source mysql://joe@db1.example --target mysql://joe@db2.example
  binsync compare --source … --target … --table 'shop.*' --rename 'shop.*=store.*' -o mend.sql

The tables of the source against those of the target, while both are written to and the run is at
work: in chunks of the key by checksums, then row by row. A row counts as different if nothing in the
spool has touched it between the two readings; else it is asked again. What differs is shown, and
-o writes the statements that would make the target like the source: nothing is written to a server
but marks at the source (binsync.mark, as `binsync wait` has them). Such a statement does nothing
where the row has changed since. A difference of a row is overlooked once in 4,000,000,000.

Columns that only the target has and generated ones are not compared. Tables without a key, of an
engine without transactions, or not there at the target are named.

Status 3 when a row differs, could not be decided, or a table was not compared.";

/// Arguments of `compare`.
#[derive(Args, Debug)]
#[command(after_help = COMPARE_HELP)]
pub struct CompareArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// The run that writes the target, as `binsync status` lists it
    #[arg(long, value_name = "NAME", default_value = "apply")]
    name: String,
    /// Only tables that match, as 'shop.*' or shop.orders,shop.items
    #[arg(long = "table", value_name = "GLOB")]
    tables: Vec<String>,
    /// Not these tables
    #[arg(long = "exclude-table", value_name = "GLOB")]
    excluded: Vec<String>,
    /// Write the statements that would mend the target to this file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace that file
    #[arg(long, requires = "output")]
    force: bool,
    #[command(flatten)]
    route: RouteArgs,
    #[command(flatten)]
    target: ProgressArgs,
}

/// Runs `binsync compare`.
///
/// # Errors
/// As [`compare::compare`] has them, and when the file cannot be written.
pub fn compare(global: &Global, args: &CompareArgs) -> Result<u8> {
    let output = Output::new("compared", global.quiet).of("rows");
    let source = args.source.server()?;
    let place = args.target.place()?;
    let Some(Place::Server(target)) = &place else {
        return Err(Error::usage("a source is compared with a server")
            .help("name it as --target mysql://user:password@host:port"));
    };
    let route = args.route.route()?;
    let filter = Filter::new(&args.tables, &args.excluded, &[], &[])?;
    let mut spool = Spool::open(&global.spool)?;
    let run = runs::forward(&spool, &args.name, args.target.needed(true)?.as_mut())?;
    let request = Request { source: &source, target, run: &run, filter: &filter, route: &route };
    let mut shown = Shown::new(&output, global.json);
    let Some(path) = &args.output else {
        compare::compare(&request, &mut spool, &mut |found| shown.show(&found))?;
        return Ok(end(&shown, &output));
    };
    Out::open(Some(path), args.force)?.fill(|mut to| {
        let place = path.display();
        to.write_all(head(&request).as_bytes()).context(&place)?;
        compare::compare(&request, &mut spool, &mut |found| {
            if let Found::Difference(difference) = &found {
                to.write_all(difference.sql.as_bytes()).context(&place)?;
            }
            shown.show(&found)
        })?;
        to.write_all(shown.last_line().as_bytes()).context(&place)
    })?;
    Ok(end(&shown, &output))
}

/// What the file begins with.
fn head(request: &Request<'_>) -> String {
    let dialect = Dialect::Mysql;
    format!(
        "{}-- binsync {}: makes the tables of {} like those of {}, which the run {:?} applies\n{}{}",
        script::first_line(dialect),
        env!("CARGO_PKG_VERSION"),
        request.target.place(),
        request.source.place(),
        request.run.name,
        script::checks(dialect, &script::Checks::Off),
        script::settings(dialect),
    )
}

fn end(shown: &Shown<'_>, output: &Output) -> u8 {
    output.clear();
    output.note(&shown.summary());
    if shown.differs() { DIFFERS } else { DONE }
}
