//! `compare`: arguments, and what is shown of what is found.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::config::ConfigArgs;
use super::output::Output;
use super::replay::out::Out;
use super::replay::route::RouteArgs;
use super::source::SourceArgs;
use super::target::{Place, ProgressArgs, looks};
use super::{DIFFERS, DONE, Global, sync};
use crate::capture::Watch as _;
use crate::compare::{self, Found, Request};
use crate::dest::script;
use crate::error::{Context as _, Error, Result};
use crate::filter::Filter;
use crate::mysql::server::Server;
use crate::replay::runs;
use crate::spool::Spool;
use crate::sql::Dialect;

mod shown;

use shown::Shown;

const COMPARE_HELP: &str = "\
Examples:
  binsync compare --source mysql://joe@db1.example --target mysql://joe@db2.example
  binsync compare --source … --target … --table 'shop.*' --rename 'shop.*=store.*' -o mend.sql
  binsync compare split

The tables of the source against those of the target, while both are written to and the run is at
work: in chunks of the key by checksums, then row by row. A row counts as different if nothing in the
spool has touched it between the two readings; else it is asked again. What differs is shown, and
-o writes the statements that would make the target like the source: nothing is written to a server
but marks at the source (binsync.mark, as `binsync wait` has them). Such a statement does nothing
where the row has changed since. A difference of a row is overlooked once in 4,000,000,000.

Columns that only the target has and generated ones are not compared. Tables without a key, of an
engine without transactions, or not there at the target are named.

Of a sync all runs are compared, each source with its target, by the routes of the file: a row
that is in the wrong place is surplus there, and missing where it belongs. Tables that are merged
are named.

Status 3 when a row differs, could not be decided, or a table was not compared.";

/// Arguments of `compare`.
#[derive(Args, Debug)]
#[command(after_help = COMPARE_HELP)]
pub struct CompareArgs {
    /// A sync of the file binsync.toml: all its runs
    #[arg(value_name = "SYNC", conflicts_with_all = ["source", "target", "name", "tables", "excluded", "renames",
        "maps", "drops", "password_file", "ssl_mode", "ssl_ca", "ssl_cert", "ssl_key", "get_server_public_key"])]
    sync: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
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
    if let Some(name) = &args.sync {
        return of_sync(global, args, name);
    }
    let output = Output::new("compared", global.quiet).of("rows");
    let source = args.source.server()?;
    let place = args.target.place()?;
    let target = place.as_ref().map_or_else(|| Err(no_server()), server)?;
    let route = args.route.route()?;
    let filter = Filter::new(&args.tables, &args.excluded, &[], &[])?;
    let mut spool = Spool::open(&global.spool)?;
    let run = runs::forward(&spool, &args.name, args.target.needed(true)?.as_mut())?;
    let request = Request { source: &source, target, run: &run, filter: &filter, route: &route };
    one(global, args, &request, &mut spool, &output)
}

/// Compares what the runs of a sync write.
fn of_sync(global: &Global, args: &CompareArgs, name: &str) -> Result<u8> {
    sync::check_spool(global)?;
    let config = args.config.read()?;
    let sync = config.sync(name)?;
    let pairs = sync::pairs(&config, sync);
    if args.output.is_some() && pairs.len() > 1 {
        return Err(Error::usage("-o: the statements of a file are for one server")
            .help("compare each with --source and --target"));
    }
    let mut differs = false;
    for (source, target) in pairs {
        let label = sync::label(sync, source, target);
        let at = |e: Error| e.at(&label);
        let place = sync::place(target)?;
        let (from, to) = (sync::server(source)?, server(&place).map_err(at)?);
        let route = sync::route(sync, source, target);
        let filter = Filter::default().by_routes(route.taken());
        let mut spool = sync::open(source)?;
        let mut open = place.open(looks(None), true).map_err(at)?;
        let run =
            runs::forward(&spool, &sync::run_name(sync, source), open.as_mut()).map_err(at)?;
        let request =
            Request { source: &from, target: to, run: &run, filter: &filter, route: &route };
        let output = Output::labelled("compared", global.quiet, label.clone(), false).of("rows");
        output.note(&format!("the run {:?}", run.name));
        differs |= one(global, args, &request, &mut spool, &output).map_err(at)? == DIFFERS;
    }
    Ok(if differs { DIFFERS } else { DONE })
}

fn server(place: &Place) -> Result<&Server> {
    match place {
        Place::Server(server) => Ok(server),
        Place::File(_) => Err(no_server()),
    }
}

fn no_server() -> Error {
    Error::usage("a source is compared with a server")
        .help("name it as --target mysql://user:password@host:port")
}

/// Compares what one run writes.
fn one(
    global: &Global,
    args: &CompareArgs,
    request: &Request<'_>,
    spool: &mut Spool,
    output: &Output,
) -> Result<u8> {
    let mut shown = Shown::new(output, global.json);
    let Some(path) = &args.output else {
        compare::compare(request, spool, &mut |found| shown.show(&found))?;
        return Ok(end(&shown, output));
    };
    Out::open(Some(path), args.force)?.fill(|mut to| {
        let place = path.display();
        to.write_all(head(request).as_bytes()).context(&place)?;
        compare::compare(request, spool, &mut |found| {
            if let Found::Difference(difference) = &found {
                to.write_all(difference.sql.as_bytes()).context(&place)?;
            }
            shown.show(&found)
        })?;
        to.write_all(shown.last_line().as_bytes()).context(&place)
    })?;
    Ok(end(&shown, output))
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
