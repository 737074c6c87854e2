//! `apply --base`: the tables from the source, then what came since taken back.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::capture::Watch as _;
use crate::cli::output::{Output, counted};
use crate::cli::select::SelectArgs;
use crate::cli::time;
use crate::error::{Error, Result};
use crate::replay::Selection;
use crate::replay::base::{self, Wanted};
use crate::target::Run;
use crate::target::mysql::server::Server;
use crate::target::sqlite::Sqlite;

/// Makes the copy in the target, unless it is made, and gives what is to be taken back; true with
/// it when not all could be checked.
///
/// # Errors
/// When the call is wrong (usage), and as [`base::copy`].
pub(super) fn copy(
    spool: &std::path::Path,
    select: &SelectArgs,
    run: &Run,
    (source, target): (&Server, &str),
    output: &Output,
) -> Result<(Selection, bool)> {
    let Some(file) = super::sqlite_file(target)? else {
        return Err(Error::usage("--base fills an SQLite file")
            .help("write the target as --target sqlite:FILE"));
    };
    let until = time::parse(select.until.as_deref().unwrap_or_default())?;
    output.note(&format!("--until {}", time::utc(until)));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs() as i64);
    if until > now {
        return Err(Error::usage("--until lies ahead: the source is not there yet"));
    }
    let wanted = Wanted { spool, until, filter: &select.filter()?, run };
    let mut file = Sqlite::open(&file)?;
    let done = base::copy(&wanted, source, &mut file, &mut |text| output.note(&text))?;
    for table in &done.made {
        output.note(&format!("{table} was made since then and is left out"));
    }
    if done.unseen {
        output.say(
            "the source's binlog does not reach back to --until any more: whether a table was \
             emptied by TRUNCATE since then is not known",
        );
    }
    match done.selection.range.end - done.selection.range.start {
        0 => output.note("nothing is left that came since"),
        n => output.note(&format!("taking back what came since: {}", counted(n, "message"))),
    }
    Ok((done.selection, done.unseen))
}
