//! `log`: the transactions of the spool, as a table or as JSON lines.
//!
//! Read from the index; the stream itself only where the selection asks for values. What is wrong
//! with the stream stands in its place among the transactions and is counted on stderr.

use std::ops::Range;

use clap::Args;

use super::output::{Output, counted};
use super::select::SelectArgs;
use super::{DIFFERS, DONE, Global};
use crate::capture::Watch as _;
use crate::error::Result;
use crate::event::printable;
use crate::filter::Filter;
use crate::read::{self, biggest::biggest};
use crate::spool::{Damaged, GapKind, Seq, Spool, Trouble};

/// How many transactions `--biggest` shows.
const BIGGEST: usize = 20;

mod page;

use page::{Note, Page};

const JSON_HELP: &str = "\
With --json, one object a line. \"kind\" tells which:
  rows, ddl, incomplete   a transaction; incomplete: its commit never came
      first_seq, last_seq, ts, time, xid, position, thread_id, server_id, gtid,
      commit_ts (microseconds), query (the begin of the first statement), epoch,
      tables: [{database, table, insert, update, delete}],
      and on ddl: type, sql
  damaged                 a stored message that cannot be read
  gap                     something is missing from the stream
  bad-frame               an unreadable stretch of a segment
  epoch                   binlog positions begin anew
  bootstrap               the producer began to copy a table
      each with first_seq, last_seq and reason
What the stream does not tell is null. ts is in seconds, the start of the statement.";

/// Arguments of `log`.
#[derive(Args, Debug)]
#[command(after_long_help = JSON_HELP)]
pub struct LogArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// Only the 20 transactions with the most rows, biggest first
    #[arg(long)]
    biggest: bool,
}

/// Runs `log`.
///
/// # Errors
/// As the spool and the selection have them.
pub fn log(global: &Global, args: &LogArgs) -> Result<u8> {
    let output = Output::new("read", global.quiet);
    let spool = Spool::open(&global.spool)?;
    let (selection, cut) = args.select.select(&spool, args.select.words(true), false, &output)?;
    output.clear();
    let range = &selection.range;
    // Behind the last whole transaction there may be something to tell, too.
    let told = match cut.open == Some(range.end) {
        true => range.start..spool.end()?.next,
        false => range.clone(),
    };
    let notes = Notes::read(&spool, &told)?;
    let mut page = Page::new(global.json);
    page.head();
    if args.biggest {
        for transaction in biggest(&spool, range, &selection.filter, BIGGEST)? {
            page.transaction(&spool, &transaction)?;
        }
    } else {
        in_order(&spool, range, &selection.filter, &notes.list, &mut page)?;
    }
    page.flush()?;
    if page.is_empty() {
        output.note("nothing in the stretch is selected");
    }
    let resends = spool.resends(told)?;
    if resends > 0 {
        output.say(&format!(
            "passed over {} that the producer sent again",
            counted(resends, "message")
        ));
    }
    if notes.troubles.is_empty() {
        return Ok(DONE);
    }
    output.say(&notes.troubles.join(", "));
    Ok(DIFFERS)
}

fn in_order(
    spool: &Spool,
    range: &Range<Seq>,
    filter: &Filter,
    notes: &[Note],
    page: &mut Page,
) -> Result<()> {
    let mut notes = notes.iter().peekable();
    for transaction in read::transactions(spool, range.clone(), filter)? {
        let transaction = transaction?;
        while let Some(note) = notes.next_if(|n| n.first_seq <= transaction.last) {
            page.note(note)?;
        }
        page.transaction(spool, &transaction)?;
        if !page.is_open() {
            return Ok(());
        }
    }
    notes.try_for_each(|note| page.note(note))
}

/// Says what is wrong with a stretch, and gives the exit status that tells so.
pub(super) fn say_troubles(spool: &Spool, range: &Range<Seq>, output: &Output) -> Result<u8> {
    let troubles = Notes::read(spool, range)?.troubles;
    if troubles.is_empty() {
        return Ok(DONE);
    }
    output.say(&format!("{}; `binsync log` shows where", troubles.join(", ")));
    Ok(DIFFERS)
}

/// The notes of a stretch, in its order, and how many are about something wrong.
struct Notes {
    list: Vec<Note>,
    troubles: Vec<String>,
}

impl Notes {
    fn read(spool: &Spool, range: &Range<Seq>) -> Result<Self> {
        let at = |kind, seq, reason: String| Note {
            kind,
            first_seq: seq,
            last_seq: seq,
            reason,
            place: None,
        };
        let kind = |d: &Damaged| if d.is_encrypted() { "encrypted" } else { "damaged" };
        let found = spool.troubles(range)?;
        let count = |is: fn(&Trouble) -> bool, noun| {
            let count = found.iter().filter(|trouble| is(trouble)).count() as u64;
            (count > 0).then(|| counted(count, noun))
        };
        let encrypted =
            count(|t| matches!(t, Trouble::Damaged(d) if d.is_encrypted()), "encrypted message");
        let mut troubles: Vec<String> = [
            count(|t| matches!(t, Trouble::Damaged(d) if !d.is_encrypted()), "damaged message"),
            encrypted.map(|count| count + " (--key-file gives the key)"),
            count(|t| matches!(t, Trouble::Gap(_)), "gap"),
            count(|t| matches!(t, Trouble::Unreadable(_)), "unreadable stretch"),
        ]
        .into_iter()
        .flatten()
        .collect();
        let mut list = Vec::new();
        for trouble in found {
            match trouble {
                Trouble::Damaged(d) => list.push(Note {
                    place: Some(format!("{} offset {}", d.segment, d.offset)),
                    ..at(kind(&d), d.seq, format!("{} ({} bytes)", d.reason, d.len))
                }),
                Trouble::Gap(gap) => {
                    let kind = match gap.kind {
                        GapKind::XoffsetJump => "rows are missing",
                        GapKind::NoCommit => "a transaction has no commit",
                        GapKind::PositionBack => "the position goes back",
                        GapKind::Late => "late",
                        GapKind::MaybeTwice => "stored twice, perhaps",
                    };
                    list.push(at("gap", gap.seq, format!("{kind}: {}", gap.detail)));
                }
                Trouble::Unreadable(bad) => list.push(Note {
                    kind: "bad-frame",
                    first_seq: bad.lost.start,
                    last_seq: bad.lost.end.saturating_sub(1).max(bad.lost.start),
                    reason: format!("{} ({} bytes)", bad.reason, bad.bytes),
                    place: Some(format!("{} offset {}", bad.segment, bad.offset)),
                }),
                Trouble::Index(_) => troubles.push(printable(&trouble.to_string()).into_owned()),
            }
        }
        let epochs = spool.epochs()?.into_iter().filter(|e| e.number > 1);
        list.extend(
            epochs.filter(|e| range.contains(&e.first_seq)).map(|e| {
                at("epoch", e.first_seq, format!("epoch {} begins: {}", e.number, e.reason))
            }),
        );
        let copies = spool.bootstraps()?.into_iter().filter(|b| range.contains(&b.start));
        list.extend(copies.map(|b| {
            let end = if b.complete_ts.is_some() { "" } else { ", not complete" };
            at("bootstrap", b.start, format!("a copy of {}{end}", b.table))
        }));
        list.sort_by_key(|note| note.first_seq);
        Ok(Self { list, troubles })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::TableName;
    use crate::spool::{Counts, Transaction};

    #[test]
    fn a_transaction_shows_its_rows_by_table_and_kind() {
        let table = |name: &str, insert, update, delete| {
            (TableName::new("shop", name), Counts { insert, update, delete })
        };
        let tables = vec![table("orders", 12, 3, 1), table("c\n", 0, 900, 0)];
        let transaction = Transaction::with_rows(tables);
        assert_eq!(page::rows(&transaction), "shop.orders +12 ~3 -1, shop.c\\x0A ~900");
    }
}
