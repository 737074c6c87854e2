//! `demo`: a recorded accident, found and taken back, with the commands one would type.
//!
//! The commands run as they are shown, in this process. What they leave is asked from the SQLite
//! file, and the last word is a comparison, not a claim.

use std::path::{Path, PathBuf};

use clap::Args;

use super::output::{count, counted};
use super::{DONE, FAILED, Global, print, time};
use crate::dest::sqlite;
use crate::error::{Context, Error, Result};
use crate::event::Direction;
use crate::spool::{Counts, Spool, Transaction};

/// A shop's stream, recorded from MariaDB: ordinary work, an accident, ordinary work.
const RECORDING: &[u8] = include_bytes!("../../fixtures/maxwell/mariadb-incident.jsonl.zst");
const FILE: &str = "shop.jsonl.zst";

/// Arguments of `demo`.
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// Keep the files and say where they are
    #[arg(long)]
    keep: bool,
}

/// Runs the command line of these words.
type Run = fn(&[&str]) -> Result<u8>;

/// Runs `demo`, its commands by `run`.
///
/// # Errors
/// When a step fails.
pub fn demo(global: &Global, args: &DemoArgs, run: Run) -> Result<u8> {
    let mut dir = tempfile::Builder::new().prefix("binsync-demo-").tempdir().context("demo")?;
    dir.disable_cleanup(args.keep);
    let spool = spool_dir(&global.spool, dir.path())?;
    let file = dir.path().join(FILE);
    std::fs::write(&file, RECORDING).context(file.display())?;
    // So that the commands can be short, and are true.
    std::env::set_current_dir(dir.path()).context(dir.path().display())?;
    let outcome = Demo { spool, run }.show();
    // A folder that is somebody's working directory cannot be removed everywhere.
    let _ = std::env::set_current_dir("/");
    if args.keep {
        say(&format!("\nThe files are in {}", dir.path().display()))?;
    }
    outcome
}

/// The default folder is not touched; another one has to be new.
fn spool_dir(asked: &Path, dir: &Path) -> Result<PathBuf> {
    if asked == Path::new("./spool") {
        return Ok(dir.join("spool"));
    }
    let used = asked.read_dir().is_ok_and(|mut entries| entries.next().is_some());
    if used {
        return Err(Error::usage(format!(
            "{}: not empty, the demo makes a spool of its own",
            asked.display()
        ))
        .help("name a new folder with --spool, or none"));
    }
    std::path::absolute(asked).context(asked.display())
}

fn say(text: &str) -> Result<()> {
    print(&format!("{text}\n")).map(drop)
}

struct Demo {
    spool: PathBuf,
    run: Run,
}

/// The two transactions of the accident, and when it was over.
struct Accident {
    culprits: [Transaction; 2],
    began: i64,
    over: i64,
}

impl Demo {
    fn show(&self) -> Result<u8> {
        say(
            "A shop's database, recorded from MariaDB by Maxwell. No server is needed to replay it.",
        )?;
        self.step("Store the stream (a live one: binsync capture)", &format!("import {FILE}"))?;
        self.step(
            "\"All orders are gone, every balance is 0!\" What was it?",
            "log --biggest --type update,delete",
        )?;
        let accident = self.accident()?;
        let xids = accident.culprits.each_ref().map(|t| t.xid.unwrap_or_default().to_string());
        let xids = xids.join(",");
        say(&format!("   The two transactions at the top, {xids}, are the accident."))?;
        self.step(
            "The SQL that takes them back, to be read before anything is done",
            &format!("render --reverse --xid {xids} -o undo.sql"),
        )?;
        show_sql(Path::new("undo.sql"))?;
        let [before, after] = [accident.began, accident.over].map(time::utc);
        let shop = "--target sqlite:shop.db";
        self.step("The shop just before", &format!("apply {shop} --until {before}"))?;
        state("before")?;
        self.step("Go on: the damage", &format!("apply {shop} --until {after}"))?;
        state("damaged")?;
        self.step("Go on: people keep working", &format!("apply {shop}"))?;
        state("today")?;
        self.step(
            "Take back the two, and only them",
            &format!("apply {shop} --reverse --xid {xids}"),
        )?;
        state("repaired")?;
        say("\nIs it right? The same stream into another file, without the two:")?;
        let other = "--target sqlite:without.db";
        self.run(&format!("apply {other} --until {before}"))?;
        self.run(&format!("apply {other} --name later --since {after}"))?;
        compare()
    }

    fn step(&self, title: &str, command: &str) -> Result<()> {
        say(&format!("\n{title}"))?;
        self.run(command)
    }

    fn run(&self, command: &str) -> Result<()> {
        say(&format!("$ binsync {command}"))?;
        let spool = self.spool.display().to_string();
        let words = ["binsync", "--quiet", "--spool", &spool].into_iter().chain(command.split(' '));
        match (self.run)(&words.collect::<Vec<_>>())? {
            DONE => Ok(()),
            status => Err(Error::failed(format!("binsync {command}: status {status}"))),
        }
    }

    /// Finds the accident as one would by looking at the list: the most deleted and the most
    /// updated rows.
    fn accident(&self) -> Result<Accident> {
        let spool = Spool::open(&self.spool)?;
        let end = spool.end()?.next;
        let all: Vec<Transaction> =
            spool.transactions(1..end, Direction::Forward).collect::<Result<_>>()?;
        let most = |rows: fn(&Counts) -> u64| {
            let total = |t: &&Transaction| t.tables.iter().map(|(_, c)| rows(c)).sum::<u64>();
            all.iter().max_by_key(total)
        };
        let found = most(|c| c.delete).zip(most(|c| c.update));
        let (a, b) = found.ok_or_else(|| Error::failed("the recording is empty"))?;
        let last = a.last.max(b.last);
        let next = all.iter().find(|t| t.first > last);
        Ok(Accident {
            culprits: [a.clone(), b.clone()],
            began: a.ts.min(b.ts),
            over: next.map_or(i64::MAX, |t| t.ts),
        })
    }
}

/// The first statements of the rollback.
fn show_sql(path: &Path) -> Result<()> {
    let text = std::fs::read_to_string(path).context(path.display())?;
    let lines = text.lines().skip_while(|line| !line.starts_with("-- 2"));
    for line in lines.take(4) {
        let short: String = line.chars().take(96).collect();
        let dots = if short.len() < line.len() { "…" } else { "" };
        say(&format!("   {short}{dots}"))?;
    }
    say(&format!("   … {} in all", counted(text.lines().count() as u64, "line")))
}

/// Says how the shop stands.
fn state(when: &str) -> Result<()> {
    let answer = sqlite::ask(
        Path::new("shop.db"),
        "SELECT (SELECT count(*) FROM \"shop.orders\"), count(*), \
         sum(CAST(balance AS REAL) = 0), (SELECT count(*) FROM \"shop.audit_log\") \
         FROM \"shop.customers\"",
    )?;
    let numbers: Vec<u64> = answer.iter().flatten().filter_map(|n| n.parse().ok()).collect();
    let [orders, customers, broke, log] = numbers[..] else {
        return Err(Error::failed("shop.db: no answer"));
    };
    say(&format!(
        "   {when}: {}, {}, {} of them with balance 0, {} in the audit log",
        counted(orders, "order"),
        counted(customers, "customer"),
        count(broke),
        counted(log, "line")
    ))
}

/// Compares every table of the two files, row by row.
fn compare() -> Result<u8> {
    let names =
        "SELECT name FROM sqlite_master WHERE type='table' AND name LIKE 'shop.%' ORDER BY 1";
    let files = [Path::new("shop.db"), Path::new("without.db")];
    let [tables, others] = files.map(|file| sqlite::ask(file, names));
    let (tables, mut different) = (tables?, Vec::new());
    if tables != others? {
        different.push("the list of tables".to_owned());
    }
    let mut total = 0;
    for table in tables.iter().flatten() {
        let rows = |file| -> Result<Vec<Vec<String>>> {
            let mut rows = sqlite::ask(file, &format!("SELECT * FROM \"{table}\""))?;
            rows.sort();
            Ok(rows)
        };
        let (repaired, expected) = (rows(files[0])?, rows(files[1])?);
        total += repaired.len() as u64;
        if repaired != expected {
            different.push(table.clone());
        }
    }
    if different.is_empty() {
        let (tables, rows) = (counted(tables.len() as u64, "table"), counted(total, "row"));
        say(&format!("   {tables}, {rows}: all equal.\n\nThe rows are back."))?;
        return Ok(DONE);
    }
    say(&format!("   NOT equal: {}", different.join(", ")))?;
    Ok(FAILED)
}
