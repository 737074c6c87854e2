//! `render`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use clap::{Args, ValueEnum};

use super::out::{Noted, Out};
use super::route::RouteArgs;
use super::{AllowArgs, direction, done, say_left_out};
use crate::capture::Watch as _;
use crate::cli::output::{Output, counted};
use crate::cli::select::SelectArgs;
use crate::cli::{DIFFERS, DONE, Global, facts, size, stop_flag, words};
use crate::error::{Error, Result};
use crate::event::Seq;
use crate::replay::apply::Report;
use crate::replay::prepare::{Fact, Prepared, Request, prepare};
use crate::replay::render::{self, Folder, Outcome, Single, Split, What};
use crate::replay::selected;
use crate::spool::Spool;
use crate::sql::{Dialect, Form, Images, Insert};

const RENDER_EXAMPLES: &str = "\
Examples:
  binsync render --reverse --xid 4711 > undo.sql
  binsync render --table 'shop.*' --since 2024-01-01T10:00 -o replay.sql
  mariadb < undo.sql
  binsync render --reverse --xid 4711 --split table -o undo
  binsync render --reverse --type delete --insert-mode ignore > missing-rows.sql
  binsync render --dialect sqlite | sqlite3 look.db

The SQL sets its own character set, time zone and sql_mode; one BEGIN/COMMIT is one transaction of
the source. The last line says that it is complete. A DELETE of several rows leaves their order to
the server: --rows 1 keeps it, for a table with a foreign key to itself.";

/// Bytes beside the statement in a packet: the protocol's own, and the comment, which some clients
/// send too.
const BESIDE: usize = 4096;

/// Arguments of `render`.
#[derive(Args, Debug)]
#[command(after_help = RENDER_EXAMPLES)]
pub struct RenderArgs {
    /// The SQL that takes the selected transactions back, last one first
    #[arg(long)]
    reverse: bool,
    /// Write to a file instead of stdout, with --split to a folder; it appears only when it is
    /// complete
    ///
    /// Pipes and devices are written to; - is stdout. A folder must be empty or not there yet.
    #[arg(short, long, value_name = "FILE|DIR")]
    output: Option<PathBuf>,
    /// Replace the file that is there
    #[arg(long, requires = "output", conflicts_with = "split")]
    force: bool,
    /// A file for each table or for each transaction, their names in the order of application
    #[arg(long, value_name = "BY", value_enum, requires = "output")]
    split: Option<SplitArg>,
    /// Only the net effect of the whole selection, for each row one change, in one transaction
    ///
    /// Definitions do not tell unique indexes other than the primary key: where such a value moves
    /// from row to row, the server refuses the script; render without --net then.
    #[arg(long, conflicts_with = "split")]
    net: bool,
    /// Rows of one INSERT or DELETE, at most; an UPDATE has one
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rows: u32,
    /// What becomes of an inserted row whose key is there already
    ///
    /// Rows of a table without a primary key are inserted plainly, whatever is said here.
    #[arg(long, value_name = "MODE", value_enum, default_value = "insert")]
    insert_mode: InsertArg,
    /// How much of a row an UPDATE or DELETE names
    #[arg(long, value_name = "IMAGE", value_enum, default_value = "minimal")]
    image: ImageArg,
    /// Whose SQL is written; in SQLite tables are called "db.table" and made where they are missing
    #[arg(long, value_name = "DIALECT", value_enum, default_value = "mysql")]
    dialect: DialectArg,
    /// The largest statement that server and client take (max_allowed_packet), 64K to 1G
    #[arg(long, value_name = "SIZE", default_value = "16M", value_parser = packet)]
    max_packet: usize,
    #[command(flatten)]
    allow: AllowArgs,
    #[command(flatten)]
    route: RouteArgs,
    #[command(flatten)]
    select: SelectArgs,
}

fn packet(text: &str) -> Result<usize, String> {
    let size = size::parse(text)?;
    let range = 64 << 10..=1 << 30;
    range.contains(&size).then_some(size).ok_or_else(|| "it is 64K to 1G".to_owned())
}

/// What files are made for, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SplitArg {
    /// The changes of each table; with foreign keys off, since they lead from file to file
    Table,
    /// Each transaction, and each DDL statement
    Transaction,
}

/// An insert mode, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum InsertArg {
    /// The script stops there
    Insert,
    /// The old row stays
    Ignore,
    /// The old row goes
    Replace,
    /// The old row takes the new one's values
    Upsert,
}

/// An image, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ImageArg {
    /// The columns that change; the key, and going back the values that are taken back
    Minimal,
    /// All columns, so that only a row that is exactly as it was is changed
    Full,
}

/// A dialect, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DialectArg {
    /// MySQL and MariaDB
    Mysql,
    /// The sqlite3 client
    Sqlite,
}

impl RenderArgs {
    fn form(&self) -> Form {
        let dialect = match self.dialect {
            DialectArg::Mysql => Dialect::Mysql,
            DialectArg::Sqlite => Dialect::Sqlite,
        };
        Form {
            insert: match self.insert_mode {
                InsertArg::Insert => Insert::Plain,
                InsertArg::Ignore => Insert::Ignore,
                InsertArg::Replace => Insert::Replace,
                InsertArg::Upsert => Insert::Upsert,
            },
            images: match self.image {
                ImageArg::Minimal => Images::Minimal,
                ImageArg::Full => Images::Full,
            },
            packet: self.max_packet - BESIDE,
            ..Form::new(dialect, direction(self.reverse), self.rows as usize)
        }
    }
}

/// Runs `render`.
///
/// # Errors
/// As the spool and the selection have them; a file that is not complete is not left behind.
pub fn render(global: &Global, args: &RenderArgs) -> Result<u8> {
    let output = Output::new("rendered", global.quiet);
    let mut spool = Spool::open(&global.spool)?;
    let route = args.route.route()?;
    let words = [vec![args.select.words(true)], route.words()].concat().join(" ");
    let request = Request {
        ask: args.select.ask(words, false)?,
        direction: direction(args.reverse),
        route: &route,
        allowed: args.allow.allowed(),
        logs_cascades: None,
        base: None,
    };
    let mut differs = false;
    let mut tell = |fact: Fact<'_>| {
        differs |= facts::say(&fact, &output);
        if let (Fact::Cut(cut), true) = (fact, args.reverse && args.select.is_everything()) {
            output.say(&format!(
                "nothing is selected: the SQL takes back all that the spool holds, {}",
                counted(cut.transactions, "transaction")
            ));
        }
    };
    let prepared = prepare(&mut spool, &request, &mut |_| Ok(Vec::new()), &mut tell)?;
    let Some(Prepared { selection, definitions, rows }) = prepared else {
        return Ok(args.select.nothing(differs));
    };
    let rows = rows.map_or_else(|| selected::rows(&spool, &selection), Ok)?;
    // Before signals are listened to: a pipe waits here for its reader. No file is made yet.
    let place = match &args.output {
        Some(path) if args.split.is_some() => Place::Folder(path),
        path => Place::One(Out::open(path.as_deref(), args.force)?),
    };
    let stop = stop_flag()?;
    let what = What {
        definitions: &definitions,
        selection: &selection,
        rows: &rows,
        route: &route,
        direction: request.direction,
        form: args.form(),
        split: args.split.map(|split| match split {
            SplitArg::Table => Split::Table,
            SplitArg::Transaction => Split::Transaction,
        }),
        stop: &stop,
    };
    let gone = Arc::new(AtomicBool::new(false));
    let outcome = match place {
        Place::Folder(path) => folder(&spool, &what, path, &output),
        Place::One(out) => script(args, &spool, &what, out, &gone, &output),
    };
    output.clear();
    let outcome = match outcome {
        Err(_) if gone.load(Ordering::Relaxed) => return Ok(DONE),
        Err(_) if stop.load(Ordering::Relaxed) => {
            return Err(Error::stopped("stopped by a signal: the SQL is not complete")
                .help("run the same command again; an end mark is the last line of what is"));
        }
        outcome => outcome?,
    };
    say_left_out(outcome.bootstrap_rows_left_out, &output);
    let counts = outcome.counts;
    output.finish(&format!(
        "rendered {} in {}, {}",
        counted(counts.rows, "row event"),
        counted(counts.transactions, "transaction"),
        counted(counts.ddl, "DDL statement")
    ));
    Ok(if differs { DIFFERS } else { DONE })
}

fn reached(what: &What<'_>, output: &Output, seq: Seq) {
    let range = &what.selection.range;
    output.reached(done(what.direction, what.selection, seq), range.end - range.start);
}

/// Where it goes.
enum Place<'a> {
    One(Out),
    Folder(&'a Path),
}

/// One script.
fn script(
    args: &RenderArgs,
    spool: &Spool,
    what: &What<'_>,
    place: Out,
    gone: &Arc<AtomicBool>,
    output: &Output,
) -> Result<Outcome> {
    place.fill(|to| {
        let mut out = Noted { to, gone: gone.clone() };
        if !args.net {
            let mut sink = Single::new(&mut out, render::head(spool, what));
            return render::render(spool, what, &mut sink, &mut |seq| reached(what, output, seq));
        }
        let mut report = |report| match report {
            Report::Note(words) => output.note(&words::text(&words)),
            Report::Keyless(table) => {
                output.note(&format!("{table} has no key: rows are found by their content"));
            }
            Report::Reached(seq, _) => reached(what, output, seq),
            // A script is no target.
            Report::Copied(..) => {}
        };
        render::net(spool, what, &(Arc::new(Mutex::new(out)) as _), &mut report)
    })
}

/// A folder of scripts.
fn folder(spool: &Spool, what: &What<'_>, path: &Path, output: &Output) -> Result<Outcome> {
    let mut folder = Folder::new(path, render::head(spool, what))?;
    let outcome = render::render(spool, what, &mut folder, &mut |seq| reached(what, output, seq))?;
    output.note(&format!("{} in {}", counted(folder.files, "file"), path.display()));
    Ok(outcome)
}
