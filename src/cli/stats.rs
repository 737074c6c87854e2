//! `stats`: rows per table and kind, drawn over time.

use std::fmt::Write as _;

use clap::Args;
use serde_json::json;

use super::inspect::say_troubles;
use super::output::{Output, count};
use super::select::SelectArgs;
use super::{Global, print, time};
use crate::capture::Watch as _;
use crate::error::Result;
use crate::event::TableName;
use crate::read::stats::{self, KINDS, Series, Stats};
use crate::spool::Spool;

const JSON_HELP: &str = "\
With --json, one object a line: for each table one with \"kind\":\"table\" and its rows in all, and
for each stretch of time in which it changed one with \"kind\":\"time\", ts (its begin) and seconds
(its length). ddl counts the messages about statements.";

/// Columns of the screen where nobody tells.
const WIDTH: usize = 100;
/// Columns for a table's name.
const NAME: usize = 32;
/// Columns for the bars, at least.
const BARS: usize = 10;
/// Bars by height.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Arguments of `stats`.
#[derive(Args, Debug)]
#[command(after_long_help = JSON_HELP)]
pub struct StatsArgs {
    #[command(flatten)]
    select: SelectArgs,
}

/// Runs `stats`.
///
/// # Errors
/// As the spool and the selection have them.
pub fn stats(global: &Global, args: &StatsArgs) -> Result<u8> {
    let output = Output::new("read", global.quiet);
    let spool = Spool::open(&global.spool)?;
    let (selection, _) = args.select.select(&spool, args.select.words(true), false, &output)?;
    output.clear();
    let stats = stats::stats(&spool, &selection.range, &selection.filter)?;
    if stats.tables.is_empty() {
        output.note("nothing in the stretch is selected");
    }
    let width = terminal_size::terminal_size().map_or(WIDTH, |(width, _)| width.0 as usize);
    print(&if global.json { lines(&stats) } else { draw(stats, width) })?;
    say_troubles(&spool, &selection.range, &output)
}

/// One object a line.
fn lines(stats: &Stats) -> String {
    let mut text = String::new();
    for (name, series) in &stats.tables {
        let mut line = |mut object: serde_json::Value, tally: [u64; 4]| {
            object["database"] = json!(name.database);
            object["table"] = json!(name.table);
            KINDS.iter().zip(tally).for_each(|(kind, n)| object[*kind] = json!(n));
            let _ = writeln!(text, "{object}");
        };
        line(json!({"kind": "table"}), series.total.kinds);
        for (stretch, tally) in &series.stretches {
            let ts = stretch * stats.length;
            let object =
                json!({"kind": "time", "ts": ts, "time": time::utc(ts), "seconds": stats.length});
            line(object, tally.kinds);
        }
    }
    text
}

/// A line for each table and kind, tables with most rows first; bars of one table share a scale.
fn draw(mut stats: Stats, width: usize) -> String {
    let name_width = stats.tables.keys().map(|name| shown(name).chars().count()).max();
    let name_width = name_width.unwrap_or(0).min(NAME).min(width / 3);
    let rows = stats.tables.values().flat_map(|series| series.total.kinds);
    let rows_width = rows.map(|n| count(n).len()).max().unwrap_or(0);
    let bars = width.saturating_sub(name_width + rows_width + 14).max(BARS);
    stats.fit(bars as i64);
    let Some((first, last)) = stats.span else {
        return String::new();
    };
    let end = (last + 1) * stats.length;
    let mut text = format!(
        "{} to {}, a column is {}\n",
        time::utc(first * stats.length),
        time::utc(end),
        length(stats.length)
    );
    let mut tables: Vec<(&TableName, &Series)> = stats.tables.iter().collect();
    tables.sort_by_key(|(_, series)| std::cmp::Reverse(series.total.sum()));
    for (name, series) in tables {
        let highest = series.stretches.values().flat_map(|tally| tally.kinds).max().unwrap_or(0);
        let mut label = fit(&shown(name), name_width);
        for (kind, word) in KINDS.iter().enumerate().filter(|(k, _)| series.total.kinds[*k] > 0) {
            let bar = (first..=last).map(|at| {
                let n = series.stretches.get(&at).map_or(0, |tally| tally.kinds[kind]);
                block(n, highest)
            });
            let bar: String = bar.collect();
            let total = count(series.total.kinds[kind]);
            let line = format!("{label:<name_width$}  {word:<6}  {total:>rows_width$}  {bar}");
            text.push_str(line.trim_end());
            text.push('\n');
            label.clear();
        }
    }
    text
}

fn shown(name: &TableName) -> String {
    name.to_string()
}

/// A name cut to so many characters.
fn fit(name: &str, width: usize) -> String {
    match name.chars().count() > width {
        true => name.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
        false => name.to_owned(),
    }
}

/// The bar of a number; what is there is seen, however little.
fn block(n: u64, highest: u64) -> char {
    match n {
        0 => ' ',
        n => BLOCKS[((n - 1) * BLOCKS.len() as u64 / highest.max(1)).min(7) as usize],
    }
}

fn length(seconds: i64) -> String {
    match seconds {
        s if s % 86_400 == 0 => format!("{} d", s / 86_400),
        s if s % 3600 == 0 => format!("{} h", s / 3600),
        s if s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::{Counts, Transaction};

    fn at(ts: i64, table: &str, delete: u64) -> Transaction {
        let counts = Counts { insert: 1, update: 0, delete };
        let tables = vec![(TableName::new("shop", table), counts)];
        Transaction { ts, ..Transaction::with_rows(tables) }
    }

    #[test]
    fn an_accident_stands_out_and_lines_fit_the_terminal() {
        let mut stats = Stats::default();
        for ts in 0..2000 {
            stats.add(&at(ts, "orders", if ts == 1500 { 900 } else { 0 }));
        }
        stats.add(&at(3, &"long_name".repeat(9), 0));
        for width in [40, 80, 200] {
            let text = draw(stats.clone(), width);
            assert!(text.lines().skip(1).all(|line| line.chars().count() <= width), "{text}");
            let delete = text.lines().find(|line| line.contains("delete")).expect("deletes");
            assert_eq!(delete.chars().filter(|c| BLOCKS.contains(c)).collect::<String>(), "█");
        }
        assert!(draw(stats, 80).contains("a column is 1 min"));
    }

    #[test]
    fn bars_show_the_least_and_the_most() {
        let bars: String = [0, 1, 500, 999, 1000].map(|n| block(n, 1000)).iter().collect();
        assert_eq!(bars, " ▁▄█".replace('█', "██"));
    }
}
