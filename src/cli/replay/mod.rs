//! `apply` and `render`, and what both say of a stretch.

use std::path::PathBuf;

use super::output::{Output, count};
use crate::capture::Watch as _;
use clap::Args;

use crate::error::{Error, Result};
use crate::event::printable;
use crate::event::{Direction, Seq};
use crate::replay::cut::Cut;
use crate::replay::reversible::{Found, Loss, refusal};
use crate::replay::{Selection, selected};
use crate::spool::Spool;

pub mod apply;
mod base;
mod dry;
mod out;
pub mod render;
mod route;

fn say_left_out(bootstrap_rows: u64, output: &Output) {
    if bootstrap_rows > 0 {
        output.say(&format!(
            "{} bootstrap rows are not taken back: they are a copy, not a change",
            count(bootstrap_rows)
        ));
    }
}

/// How many messages of the stretch are behind us at a sequence.
fn done(direction: Direction, selection: &Selection, seq: Seq) -> u64 {
    match direction {
        Direction::Forward => (seq + 1).saturating_sub(selection.range.start),
        Direction::Reverse => selection.range.end.saturating_sub(seq),
    }
}

/// The file of a target that is one, `sqlite:FILE`; none of another kind. What others write there
/// too, as `//`, stands for several places, and no file is made at one that was not meant.
///
/// # Errors
/// When it names no file (usage).
fn sqlite_file(target: &str) -> Result<Option<PathBuf>> {
    let Some(file) = target.strip_prefix("sqlite:") else { return Ok(None) };
    let name = file.trim_start_matches('/');
    let parameters = file.split_once('?').is_some_and(|(_, rest)| rest.contains('='));
    let (what, help) = match file {
        _ if name.is_empty() || file.ends_with('/') => {
            ("no file is named", "write it as sqlite:FILE".to_owned())
        }
        _ if file.starts_with("//") => (
            "where the file is is not clear",
            format!("write sqlite:{name} for a file here, sqlite:/{name} for one at the root"),
        ),
        _ if parameters => {
            let name = file.split_once('?').map_or(file, |(name, _)| name);
            ("there are no parameters", format!("write sqlite:{name}"))
        }
        ":memory:" => {
            ("that database would be gone at once", "name a file, as sqlite:look.db".to_owned())
        }
        _ if file.starts_with("file:") => (
            "a file's name is written as it is, not as a URI",
            format!("write sqlite:{}", file.trim_start_matches("file:")),
        ),
        file => return Ok(Some(file.into())),
    };
    Err(Error::usage(format!("--target {target}: {what}")).help(help))
}

fn direction(reverse: bool) -> Direction {
    if reverse { Direction::Reverse } else { Direction::Forward }
}

/// What may have been meant by a stretch without rows.
const LEAVE_NONE: &str = "TRUNCATE and DROP leave no row changes";

/// True, and said, when there is nothing to do: no message of the stretch is selected. Rows to be
/// taken back are looked for elsewhere, where a stretch has any.
///
/// # Errors
/// When the spool cannot be read.
fn is_nothing(
    spool: &Spool,
    selection: &Selection,
    cut: &Cut,
    reverse: bool,
    output: &Output,
) -> Result<bool> {
    if reverse && cut.transactions > 0 || selected::any(spool, selection)? {
        return Ok(false);
    }
    output.clear();
    match cut.transactions {
        0 if reverse => output.say(&format!("there is nothing to take back: {LEAVE_NONE}")),
        0 => output.finish("nothing was done"),
        _ => output.say("nothing in the stretch is selected: nothing was done"),
    }
    Ok(true)
}

/// How many troubles are told one by one.
const TOLD: usize = 20;

/// Says what is wrong with the stretch; true when anything is.
fn say_damage(spool: &Spool, cut: &Cut, output: &Output) -> Result<bool> {
    let troubles = spool.troubles(&cut.range)?;
    for trouble in troubles.iter().take(TOLD) {
        output.say(&printable(&trouble.to_string()));
    }
    if troubles.len() > TOLD {
        let more = count((troubles.len() - TOLD) as u64);
        output.say(&format!("… and {more} more of the kind; `binsync log` shows all"));
    }
    Ok(!troubles.is_empty())
}

/// What a reverse goes on in spite of.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "What cannot be taken back")]
struct AllowArgs {
    /// Go on although statements (ALTER, DROP …) in the stretch stay as they are
    #[arg(long, requires = "reverse")]
    allow_ddl: bool,
    /// Go on although foreign keys deleted or changed rows that the source did not log
    #[arg(long, requires = "reverse")]
    allow_cascades: bool,
    /// Go on although the spool does not hold all of the stretch (gaps, unreadable messages, updates
    /// without former values)
    #[arg(long, requires = "reverse")]
    allow_incomplete: bool,
}

impl AllowArgs {
    fn allows(&self, loss: &Loss) -> bool {
        match loss {
            Loss::Statement { .. } => self.allow_ddl,
            Loss::Cascade { .. } => self.allow_cascades,
            Loss::Incomplete(_) | Loss::Unnamed { .. } => self.allow_incomplete,
            Loss::Images { .. } => false,
        }
    }

    /// Says what cannot be taken back; true when there is anything.
    ///
    /// # Errors
    /// When some of it is not allowed, or there is nothing to take back (usage).
    fn check(&self, found: &Found, output: &Output) -> Result<bool> {
        if !found.created.is_empty() {
            output.note(&format!(
                "{} CREATE statements in the stretch are not taken back: their tables stay",
                found.created.len()
            ));
        }
        let refused: Vec<&Loss> = found.losses.iter().filter(|loss| !self.allows(loss)).collect();
        if refused.is_empty() && !found.rows {
            return Err(Error::usage("no row change is selected: there is nothing to take back")
                .help(format!("`binsync log` lists what there is; {LEAVE_NONE}")));
        }
        if refused.is_empty() {
            found.losses.iter().for_each(|loss| output.say(&format!("not taken back: {loss}")));
            return Ok(!found.losses.is_empty());
        }
        let mut flags: Vec<&str> = refused.iter().filter_map(|loss| loss.flag()).collect();
        flags.sort_unstable();
        flags.dedup();
        let on = match flags.is_empty() {
            true => String::new(),
            false => format!(", or take the rest back all the same with {}", flags.join(" ")),
        };
        Err(refusal(&refused).help(format!(
            "narrow the stretch with --since, --until or --position, or leave tables out with \
             --exclude-table{on}"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_where_its_name_says_or_nowhere() {
        let file = |target: &str| sqlite_file(target).map_err(|e| e.to_string());
        let named =
            [("shop.db", "shop.db"), ("/tmp/x.db", "/tmp/x.db"), ("../a b?.db", "../a b?.db")];
        for (name, path) in named {
            assert_eq!(file(&format!("sqlite:{name}")), Ok(Some(path.into())));
        }
        assert_eq!(file("mysql://u:p@host"), Ok(None));
        for (name, advice) in [
            ("//shop.db", "sqlite:shop.db for a file here, sqlite:/shop.db"),
            ("///tmp/x.db", "sqlite:tmp/x.db for a file here, sqlite:/tmp/x.db"),
            ("", "sqlite:FILE"),
            ("//", "sqlite:FILE"),
            (":memory:", "name a file"),
            ("file:x.db", "write sqlite:x.db"),
            ("x.db?mode=ro", "write sqlite:x.db"),
        ] {
            let error = file(&format!("sqlite:{name}")).expect_err(name);
            assert!(error.contains(advice), "{name}: {error}");
        }
    }
}
