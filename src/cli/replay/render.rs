//! `render`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use clap::{Args, ValueEnum};
use tempfile::NamedTempFile;

use super::route::{self, RouteArgs};
use super::{AllowArgs, direction, done, say_damage, say_left_out};
use crate::capture::Watch as _;
use crate::cli::output::{Output, counted};
use crate::cli::select::SelectArgs;
use crate::cli::{DIFFERS, DONE, Global, size, stop_flag};
use crate::error::{Context as _, Error, Result};
use crate::replay::apply::Report;
use crate::replay::render::{self, Folder, Outcome, Single, Split, What};
use crate::replay::reversible::{late, losses};
use crate::replay::{Definitions, selected};
use crate::spool::Spool;
use crate::sql::{Dialect, Form, Guard, Images, Insert};

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
    #[arg(short, long, value_name = "FILE|DIR")]
    output: Option<PathBuf>,
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
            ..Form::new(
                dialect,
                if self.reverse { Guard::Values } else { Guard::Key },
                self.rows as usize,
            )
        }
    }

    fn split(&self) -> Option<Split> {
        self.split.map(|split| match split {
            SplitArg::Table => Split::Table,
            SplitArg::Transaction => Split::Transaction,
        })
    }
}

/// A file that takes no more after a signal, so that the unfinished one is removed.
struct Stoppable<W> {
    to: W,
    stop: Arc<AtomicBool>,
}

impl<W: Write> Write for Stoppable<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(std::io::Error::other("stopped by a signal"));
        }
        self.to.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}

/// Runs `render`.
///
/// # Errors
/// As the spool and the selection have them; a file that is not complete is not left behind.
pub fn render(global: &Global, args: &RenderArgs) -> Result<u8> {
    let output = Output::new("rendered", global.quiet);
    let spool = Spool::open(&global.spool)?;
    let route = args.route.route()?;
    let words = [vec![args.select.words(true)], route.words()].concat().join(" ");
    let (selection, cut) = args.select.select(&spool, words, &output)?;
    let definitions = Definitions::load(&spool)?;
    let rows = selected::rows(&spool, &selection)?;
    let back = args.reverse.then_some(&rows);
    route::check(&route, &spool, &definitions, &selection.filter, back)?;
    let differs = match args.reverse {
        false => say_damage(&spool, &cut, &output)?,
        true => {
            let logged = definitions.logs_cascades;
            let mut found = losses(&spool, &definitions, &selection, &rows, &[], logged)?;
            found.losses.extend(late(&cut, &selection.filter));
            args.allow.check(&found, &output)?
        }
    };
    let what = What {
        definitions: &definitions,
        selection: &selection,
        rows: &rows,
        route: &route,
        direction: direction(args.reverse),
        form: args.form(),
        split: args.split(),
    };
    let outcome = match (&args.output, what.split) {
        (None, _) => {
            let gone = Arc::new(AtomicBool::new(false));
            let done = script(args, &spool, &what, Piped { gone: gone.clone() }, &output);
            if done.is_err() && gone.load(Ordering::Relaxed) {
                output.clear();
                return Ok(DONE);
            }
            done
        }
        (Some(path), None) => file(args, &spool, &what, path, &output),
        (Some(path), Some(_)) => folder(&spool, &what, path, &output),
    };
    output.clear();
    let outcome = outcome?;
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

fn reached(what: &What<'_>, output: &Output, seq: u64) {
    let range = &what.selection.range;
    output.reached(done(what.direction, what.selection, seq), range.end - range.start);
}

/// stdout; a reader that went away has seen enough.
struct Piped {
    gone: Arc<AtomicBool>,
}

impl Piped {
    fn noted<T>(&self, done: std::io::Result<T>) -> std::io::Result<T> {
        if done.as_ref().is_err_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe) {
            self.gone.store(true, Ordering::Relaxed);
        }
        done
    }
}

impl Write for Piped {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.noted(std::io::stdout().write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.noted(std::io::stdout().flush())
    }
}

/// One script.
fn script(
    args: &RenderArgs,
    spool: &Spool,
    what: &What<'_>,
    mut out: impl Write + Send + 'static,
    output: &Output,
) -> Result<Outcome> {
    if args.net {
        let stop = stop_flag()?;
        let mut report = |report| match report {
            Report::Note(text) => output.note(&text),
            Report::Keyless(table) => {
                output.note(&format!("{table} has no key: rows are found by their content"));
            }
            Report::Reached(seq, _) => reached(what, output, seq),
        };
        return render::net(spool, what, &(Arc::new(Mutex::new(out)) as _), &stop, &mut report);
    }
    let mut sink = Single::new(&mut out, render::head(spool, what));
    render::render(spool, what, &mut sink, &mut |seq| reached(what, output, seq))
}

/// One script in a file.
fn file(
    args: &RenderArgs,
    spool: &Spool,
    what: &What<'_>,
    path: &Path,
    output: &Output,
) -> Result<Outcome> {
    let dir = path.parent().filter(|p| !p.as_os_str().is_empty());
    let file = NamedTempFile::new_in(dir.unwrap_or(".".as_ref())).context(path.display())?;
    let to = file.reopen().context(path.display())?;
    let outcome = script(args, spool, what, Stoppable { to, stop: stop_flag()? }, output)?;
    file.as_file().sync_all().context(path.display())?;
    file.persist(path).context(path.display())?;
    Ok(outcome)
}

/// A folder of scripts.
fn folder(spool: &Spool, what: &What<'_>, path: &Path, output: &Output) -> Result<Outcome> {
    let stop = stop_flag()?;
    let go_on = || match stop.load(Ordering::Relaxed) {
        true => Err(Error::failed(format!("{}: stopped by a signal", path.display()))),
        false => Ok(()),
    };
    let mut folder = Folder::new(path, render::head(spool, what), &go_on)?;
    let outcome = render::render(spool, what, &mut folder, &mut |seq| reached(what, output, seq))?;
    output.note(&format!("{} in {}", counted(folder.files, "file"), path.display()));
    Ok(outcome)
}
