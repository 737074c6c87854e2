//! What is found while a run is prepared, said on stderr.

use super::output::{Output, count, counted};
use super::time;
use crate::capture::Watch as _;
use crate::error::Words;
use crate::event::{Direction, printable};
use crate::replay::base::Copied;
use crate::replay::cut::Cut;
use crate::replay::prepare::{Fact, LEAVE_NONE};
use crate::spool::{Transaction, TransactionKind, Trouble};

/// How many troubles are told one by one.
const TOLD: usize = 20;

/// Says it; true when something differs by it.
pub(super) fn say(fact: &Fact<'_>, output: &Output) -> bool {
    match fact {
        Fact::NoTable(error) => output.tell(&(Words::from("so far, ") + error.words())),
        Fact::Bounds(bounds) => {
            for (flag, instant) in [("--since", bounds.since), ("--until", bounds.until)] {
                if let Some(instant) = instant {
                    output.note(&format!("{flag} {}", time::utc(instant)));
                }
            }
        }
        Fact::Cut(cut) => say_cut(cut, output),
        Fact::Troubles(troubles) => say_troubles(troubles, output),
        Fact::Nothing { transactions, direction } => {
            output.clear();
            match (transactions, direction) {
                (0, Direction::Reverse) => {
                    output.say(&format!("there is nothing to take back: {LEAVE_NONE}"));
                }
                (0, Direction::Forward) => output.finish("nothing was done"),
                _ => output.say("nothing in the stretch is selected: nothing was done"),
            }
        }
        Fact::Copying(text) => output.note(text),
        Fact::Copied(copied) => say_copied(copied, output),
        Fact::Created(n) => output.note(&format!(
            "{n} CREATE statements in the stretch are not taken back: their tables stay"
        )),
        Fact::Lost(loss) => output.tell(&(Words::from("not taken back: ") + loss.words())),
    }
    fact.differs()
}

fn say_cut(cut: &Cut, output: &Output) {
    if let Some(pruned) = &cut.pruned {
        output.note(&format!("what is left begins at message {}: {pruned}", count(pruned.begin)));
    }
    match (&cut.first, &cut.last, &cut.around) {
        (Some(first), Some(last), _) => output
            .note(
                &format!("{}, from {first} to {last}", counted(cut.transactions, "transaction"),),
            ),
        (.., Some((first, last))) => output.say(&format!(
            "no transaction lies in the stretch asked for: those of the spool are from {first} to \
             {last}"
        )),
        _ => output.note("the spool has no transaction that has ended"),
    }
    if let Some(last) = &cut.last {
        missing(last).into_iter().for_each(|what| output.note(what));
    }
    if let Some(first) = &cut.outsider {
        output.note(&format!(
            "{} outside the stretch {} a time inside it (times are those of statements, not of \
             commits); the first: {}",
            counted(cut.outside, "selected transaction"),
            if cut.outside == 1 { "has" } else { "have" },
            first,
        ));
    }
    if cut.open.is_some() && cut.open == Some(cut.range.end) {
        output.note("the last transaction has not ended yet, it is left for the next run");
    }
}

/// What the stream does not tell, and what cannot be done without it.
fn missing(last: &Transaction) -> Vec<&'static str> {
    let alone = last.kind == TransactionKind::Alone;
    let mut all = Vec::new();
    if alone {
        all.push(
            "the stream tells no transactions: each row stands for itself, a stretch may begin or \
             end inside a transaction of the source, and --xid finds nothing (Maxwell: \
             output_commit_info=true)",
        );
    }
    match last.position {
        Some(_) => {}
        None if alone => all.push(
            "the stream carries no binlog positions: re-sends and gaps are not seen, and \
             --position cannot cut (Maxwell: output_binlog_position)",
        ),
        None => all.push(
            "the stream carries no binlog positions: re-sends are recognised only by consecutive \
             transactions with the same content, gaps are not seen, and --position cannot cut \
             (Maxwell: output_binlog_position)",
        ),
    }
    all
}

fn say_troubles(troubles: &[Trouble], output: &Output) {
    for trouble in troubles.iter().take(TOLD) {
        output.say(&printable(&trouble.to_string()));
    }
    if troubles.len() > TOLD {
        let more = count((troubles.len() - TOLD) as u64);
        output.say(&format!("… and {more} more of the kind; `binsync log` shows all"));
    }
}

fn say_copied(copied: &Copied, output: &Output) {
    for table in &copied.made {
        output.note(&format!("{table} was made since then and is left out"));
    }
    if copied.unseen {
        output.say(
            "the source's binlog does not reach back to --until any more: whether a table was \
             emptied by TRUNCATE since then is not known",
        );
    }
    match copied.selection.range.end - copied.selection.range.start {
        0 => output.note("nothing is left that came since"),
        n => output.note(&format!("taking back what came since: {}", counted(n, "message"))),
    }
}
