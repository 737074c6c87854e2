//! `spool forget`: the way out of a wrong import.

use std::ops::Range;
use std::path::Path;

use clap::Args;
use serde_json::json;

use super::super::output::counted;
use super::super::stdio::pretty;
use super::super::{DIFFERS, DONE, Global, line, print};
use crate::error::{Error, Result};
use crate::event::printable;
use crate::source::lines::identity;
use crate::spool::{self, Dependents, Seq, Spool};

const FORGET_HELP: &str = "\
Examples:
  binsync spool forget dump.sql --dry-run    what would go, and what depends on it
  binsync spool forget dump.sql              the file is known by its content, whatever its name
  binsync spool forget 3944-5707             messages, as `binsync spool ls` lists the imports

Only imports can be taken out: what came from a queue nobody else has. All other messages keep their
numbers. What a run has applied of the import stays at its target.";

/// Arguments of `spool forget`.
#[derive(Args)]
#[command(after_help = FORGET_HELP)]
pub struct ForgetArgs {
    /// The imported file, the source that `spool ls` shows, or its messages, FIRST-LAST
    #[arg(value_name = "FILE|SOURCE|FIRST-LAST")]
    import: String,
    /// Say what would go, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `spool forget`.
pub(super) fn forget(global: &Global, args: &ForgetArgs) -> Result<u8> {
    let reader = Spool::open(&global.spool)?;
    let stretches = find(&reader, &args.import)?;
    let found = reader.dependents(&stretches)?;
    drop(reader);
    if found.messages == 0 {
        return Err(nothing(&args.import));
    }
    if !global.quiet {
        tell(&found);
    }
    let mut bad = Vec::new();
    if !args.dry_run {
        bad = spool::forget(&global.spool, &stretches)?;
    }
    if global.json {
        let stretches: Vec<[Seq; 2]> = stretches.iter().map(|s| [s.start, s.end - 1]).collect();
        print(&pretty(&json!({
            "dry_run": args.dry_run, "messages": found.messages, "damaged": found.damaged,
            "transactions": found.transactions, "statements": found.statements,
            "stretches": stretches,
        })))?;
    } else if !global.quiet {
        let verb = if args.dry_run { "would take out" } else { "took out" };
        let list: Vec<String> =
            stretches.iter().map(|s| format!("{} to {}", s.start, s.end - 1)).collect();
        line(&format!(
            "{verb} {} ({}): {}, {} damaged",
            counted(found.messages, "message"),
            list.join(", "),
            counted(found.transactions, "transaction"),
            found.damaged
        ));
    }
    bad.iter().for_each(|bad| line(&printable(&bad.to_string())));
    Ok(if bad.is_empty() { DONE } else { DIFFERS })
}

/// The stretches that an import fills.
fn find(spool: &Spool, import: &str) -> Result<Vec<Range<Seq>>> {
    let file = Path::new(import);
    if file.is_file() {
        let identity = identity(file)?;
        return named(spool, import, |source| identity.is(source));
    }
    let number = |text: &str| text.replace(',', "").parse::<Seq>().ok();
    let range = import.split_once('-').and_then(|(first, last)| number(first).zip(number(last)));
    match range {
        Some((first, last)) if first <= last => {
            let stretch = first..last.saturating_add(1);
            Ok(vec![stretch])
        }
        Some(_) => Err(Error::usage(format!("{import}: the last lies before the first"))
            .help("write FIRST-LAST")),
        None => named(spool, import, |source| source == import),
    }
}

fn named(spool: &Spool, import: &str, is: impl Fn(&str) -> bool) -> Result<Vec<Range<Seq>>> {
    let imports = spool.imports()?.into_iter().filter(|(source, _)| is(source));
    let stretches: Vec<Range<Seq>> = imports.map(|(_, range)| range).collect();
    match stretches.is_empty() {
        true => Err(nothing(import)),
        false => Ok(stretches),
    }
}

fn nothing(import: &str) -> Error {
    Error::usage(format!("{}: the spool holds nothing of it", printable(import))).help(
        "`binsync spool ls` lists the imports; one from a pipe has no name, give its messages as \
         FIRST-LAST",
    )
}

/// Says what depends on what goes.
fn tell(found: &Dependents) {
    for t in &found.parted {
        line(&format!("{t}: only a part of its messages is there, the rest stays"));
    }
    if found.statements + found.copies > 0 {
        line(&format!(
            "{} and {} of tables go with it: what comes later is read by the definitions that are \
             left",
            counted(found.statements, "statement"),
            match found.copies {
                1 => "1 copy".to_owned(),
                n => format!("{n} copies"),
            }
        ));
    }
    if found.later_resends > 0 {
        line(&format!(
            "{} behind it marked as sent again: those that repeat one of these count as the first",
            counted(found.later_resends, "message")
        ));
    }
    if found.transactions + found.statements > 0 {
        line(
            "what a run has applied of it stays at its target: take it back there before \
             (apply --reverse), this cannot be said once it is forgotten",
        );
    }
}
