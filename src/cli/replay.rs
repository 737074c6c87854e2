//! `apply` and `render`.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;

use super::output::{Output, count, counted};
use super::select::SelectArgs;
use super::{DIFFERS, DONE, Global, print, secret, stop_flag};
use crate::capture::Watch as _;
use crate::error::{Context as _, Error, Result};
use crate::replay::apply::{self, Job, Report};
use crate::replay::cut::Cut;
use crate::replay::{Definitions, Selection, check_reversible, render};
use crate::spool::Spool;
use crate::target::mysql::Mysql;
use crate::target::sqlite::Sqlite;
use crate::target::{Direction, Run, Target};

const APPLY_EXAMPLES: &str = "\
Examples:
  binsync apply --target mysql://joe:secret@db2.example --until 2024-01-01T10:00
  binsync apply --target sqlite:look.db --table 'shop.*'
  binsync apply --target mysql://joe@db1.example --reverse --xid 4711 --dry-run

The progress is kept in the target, in the same transactions as the rows: stop it or kill it at
any time, and run the same command again.";

const RENDER_EXAMPLES: &str = "\
Examples:
  binsync render --reverse --xid 4711 > undo.sql
  binsync render --table 'shop.*' --since 2024-01-01T10:00 -o replay.sql
  mariadb < undo.sql

The SQL sets its own character set, time zone and sql_mode; one BEGIN/COMMIT is one transaction of
the source. The last line says that it is complete.";

/// Arguments of `apply`.
#[derive(Args, Debug)]
#[command(after_help = APPLY_EXAMPLES)]
pub struct ApplyArgs {
    /// Where to: mysql://user:password@host:port or sqlite:FILE
    #[arg(long, env = "BINSYNC_TARGET", hide_env_values = true, value_name = "URL")]
    target: String,
    /// File that holds the target's password
    #[arg(long, value_name = "FILE", env = "BINSYNC_PASSWORD_FILE")]
    password_file: Option<PathBuf>,
    /// Take the selected transactions back, last one first
    #[arg(long)]
    reverse: bool,
    /// Say what would be done; write nothing
    #[arg(long)]
    dry_run: bool,
    /// Name of the progress kept in the target; a rerun under the same name goes on
    ///
    /// Default: "apply", for --reverse "undo-" and a number made of the selection.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Whether the source's binlog holds the rows its foreign keys changed (ON DELETE CASCADE …)
    ///
    /// Known from `binsync schema add`; asked for only when the target has such foreign keys.
    #[arg(long, value_name = "YES|NO", value_parser = ["yes", "no"])]
    source_logs_cascades: Option<String>,
    #[command(flatten)]
    select: SelectArgs,
}

/// Arguments of `render`.
#[derive(Args, Debug)]
#[command(after_help = RENDER_EXAMPLES)]
pub struct RenderArgs {
    /// The SQL that takes the selected transactions back, last one first
    #[arg(long)]
    reverse: bool,
    /// Write to a file instead of stdout; it appears only when it is complete
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    select: SelectArgs,
}

fn say_left_out(bootstrap_rows: u64, output: &Output) {
    if bootstrap_rows > 0 {
        output.say(&format!(
            "{} bootstrap rows are not taken back: they are a copy, not a change",
            count(bootstrap_rows)
        ));
    }
}

/// How many messages of the stretch are behind us at a sequence.
fn done(direction: Direction, selection: &Selection, seq: u64) -> u64 {
    match direction {
        Direction::Forward => (seq + 1).saturating_sub(selection.range.start),
        Direction::Reverse => selection.range.end.saturating_sub(seq),
    }
}

fn direction(reverse: bool) -> Direction {
    if reverse { Direction::Reverse } else { Direction::Forward }
}

/// Says what is wrong with the stretch; true when anything is.
fn say_damage(spool: &Spool, cut: &Cut, output: &Output) -> Result<bool> {
    let damaged = spool.damaged(cut.range.clone())?;
    for d in damaged.iter().take(10) {
        output.say(&format!(
            "message {} ({} offset {}) cannot be read and is passed over: {}",
            d.seq, d.segment, d.offset, d.reason
        ));
    }
    if damaged.len() > 10 {
        output.say(&format!("… and {} more such messages", damaged.len() - 10));
    }
    let gaps: Vec<_> =
        spool.gaps()?.into_iter().filter(|gap| cut.range.contains(&gap.seq)).collect();
    for gap in gaps.iter().take(10) {
        output.say(&format!("gap before message {}: {}", gap.seq, gap.detail));
    }
    let bad = spool.bad_frames()?;
    for frame in &bad {
        output.say(&format!(
            "{} offset {}: {} bytes unreadable, messages {} to {} are lost: {}",
            frame.segment,
            frame.offset,
            frame.bytes,
            frame.lost.start,
            frame.lost.end.saturating_sub(1),
            frame.reason
        ));
    }
    Ok(!damaged.is_empty() || !gaps.is_empty() || !bad.is_empty())
}

/// Checks and announcements before the first write of a reverse.
fn before_reverse(
    spool: &Spool,
    definitions: &Definitions,
    selection: &Selection,
    output: &Output,
) -> Result<()> {
    let created = check_reversible(spool, definitions, selection)?;
    if !created.is_empty() {
        output.note(&format!(
            "{} CREATE statements in the stretch are not taken back: their tables stay",
            created.len()
        ));
    }
    Ok(())
}

/// Runs `apply`.
///
/// # Errors
/// As the target, the spool and the selection have them.
pub fn apply(global: &Global, args: &ApplyArgs) -> Result<u8> {
    let output = Output::new("applied", global.quiet);
    let spool = Spool::open(&global.spool)?;
    let direction = direction(args.reverse);
    let words = args.select.words(args.reverse);
    let (selection, cut) = args.select.select(&spool, words.clone(), &output)?;
    let definitions = Definitions::load(&spool)?;
    let damaged = say_damage(&spool, &cut, &output)?;
    if args.reverse {
        before_reverse(&spool, &definitions, &selection, &output)?;
    }
    let default = match direction {
        Direction::Forward => "apply".to_owned(),
        Direction::Reverse => {
            format!("undo-{:08x}", xxhash_rust::xxh3::xxh3_64(words.as_bytes()) as u32)
        }
    };
    let run = Run {
        name: args.name.clone().unwrap_or(default),
        spool: spool.id().to_owned(),
        direction,
        selection: words,
    };
    let cascades = match args.source_logs_cascades.as_deref() {
        Some(answer) => Some(answer == "yes"),
        None => definitions.logs_cascades,
    };
    let target = secret::with_password(&args.target, args.password_file.as_deref())?;
    let mut open = || -> Result<Box<dyn Target>> { open_target(&target, cascades, args.dry_run) };
    let stop = stop_flag()?;
    let job =
        Job { spool: &spool, definitions: &definitions, selection: &selection, run, stop: &stop };
    let total = selection.range.end - selection.range.start;
    let outcome = apply::apply(&job, &mut open, &mut |report| match report {
        Report::Trouble(text) => output.say(text),
        Report::Reached(seq) => output.reached(done(direction, &selection, seq), total),
    });
    output.clear();
    let outcome = outcome?;
    say_left_out(outcome.bootstrap_rows_left_out, &output);
    if args.dry_run {
        for (table, rows) in &outcome.rows {
            if !print(&format!("{table}  {}\n", counted(*rows, "row event")))? {
                break;
            }
        }
    }
    if outcome.row_events() + outcome.ddl == 0 && !selection.range.is_empty() {
        output.note("nothing was left to do: the progress in the target stands behind the stretch");
    }
    output.finish(&format!(
        "{} {} as {}, {}",
        if args.dry_run { "would apply" } else { "applied" },
        counted(outcome.row_events(), "row event"),
        counted(outcome.statements, "statement"),
        counted(outcome.ddl, "DDL statement")
    ));
    Ok(if damaged { DIFFERS } else { DONE })
}

fn open_target(url: &str, cascades: Option<bool>, dry_run: bool) -> Result<Box<dyn Target>> {
    let target: Box<dyn Target> = match url.split_once(':') {
        Some(("sqlite", file)) if !file.is_empty() => Box::new(Sqlite::open(file.as_ref())?),
        Some(("mysql" | "mariadb", rest)) => {
            Box::new(Mysql::open(&format!("mysql:{rest}"), cascades)?)
        }
        _ => {
            return Err(Error::usage("--target is no database URL")
                .help("write it as mysql://user:password@host:port or sqlite:FILE"));
        }
    };
    Ok(match dry_run {
        true => Box::new(crate::target::dry::Dry::new(target)),
        false => target,
    })
}

/// A file that takes no more after a signal, so that the unfinished one is removed.
struct Stoppable<'a> {
    to: &'a mut dyn std::io::Write,
    stop: &'a AtomicBool,
}

impl std::io::Write for Stoppable<'_> {
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
    let (selection, cut) = args.select.select(&spool, args.select.words(true), &output)?;
    let definitions = Definitions::load(&spool)?;
    let damaged = say_damage(&spool, &cut, &output)?;
    if args.reverse {
        before_reverse(&spool, &definitions, &selection, &output)?;
    }
    let direction = direction(args.reverse);
    let total = selection.range.end - selection.range.start;
    let mut report = |seq| output.reached(done(direction, &selection, seq), total);
    let mut to = |out: &mut dyn std::io::Write| {
        render::render(&spool, &definitions, &selection, direction, out, &mut report)
    };
    let outcome = match &args.output {
        None => to(&mut std::io::stdout().lock()),
        Some(path) => {
            let dir = path.parent().filter(|p| !p.as_os_str().is_empty());
            let mut file = tempfile::NamedTempFile::new_in(dir.unwrap_or(".".as_ref()))
                .context(path.display())?;
            let stop = stop_flag()?;
            let outcome = to(&mut Stoppable { to: &mut file, stop: stop.as_ref() })?;
            file.flush().context(path.display())?;
            file.as_file().sync_all().context(path.display())?;
            file.persist(path).context(path.display())?;
            Ok(outcome)
        }
    };
    output.clear();
    let outcome = outcome?;
    say_left_out(outcome.bootstrap_rows_left_out, &output);
    output.finish(&format!(
        "rendered {} in {}, {}",
        counted(outcome.rows, "row event"),
        counted(outcome.transactions, "transaction"),
        counted(outcome.ddl, "DDL statement")
    ));
    Ok(if damaged { DIFFERS } else { DONE })
}
