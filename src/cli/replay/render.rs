//! `render`.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;

use super::{AllowArgs, direction, done, say_damage, say_left_out};
use crate::cli::output::{Output, counted};
use crate::cli::select::SelectArgs;
use crate::cli::{DIFFERS, DONE, Global, stop_flag};
use crate::error::{Context as _, Result};
use crate::replay::reversible::{late, losses};
use crate::replay::{Definitions, render};
use crate::spool::Spool;

const RENDER_EXAMPLES: &str = "\
Examples:
  binsync render --reverse --xid 4711 > undo.sql
  binsync render --table 'shop.*' --since 2024-01-01T10:00 -o replay.sql
  mariadb < undo.sql

The SQL sets its own character set, time zone and sql_mode; one BEGIN/COMMIT is one transaction of
the source. The last line says that it is complete.";

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
    allow: AllowArgs,
    #[command(flatten)]
    select: SelectArgs,
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
    let differs = match args.reverse {
        false => say_damage(&spool, &cut, &output)?,
        true => {
            let logged = definitions.logs_cascades;
            let mut found = losses(&spool, &definitions, &selection, &[], logged)?;
            found.losses.extend(late(&cut, &selection.filter));
            args.allow.check(&found, &output)?
        }
    };
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
    Ok(if differs { DIFFERS } else { DONE })
}
