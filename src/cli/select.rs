//! The selection flags that commands share, and what they take said on stderr.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use super::output::Output;
use super::{DIFFERS, DONE, facts, time};
use crate::capture::Watch as _;
use crate::error::{Error, Result};
use crate::event::BinlogPos;
use crate::filter::{self, Filter, Type};
use crate::replay::Selection;
use crate::replay::cut::{self, Bounds, Cut, position};
use crate::replay::prepare::{self, Ask};
use crate::spool::Spool;

/// The selection in words, where nothing is selected.
const EVERYTHING: &str = "everything";

/// How often the begin of a stretch is looked for.
const POLL: Duration = Duration::from_millis(100);

/// Which part of the spool a command takes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Selection")]
pub struct SelectArgs {
    /// From the first transaction that committed at or after this time
    ///
    /// Written 2024-01-01T10:00[:SS], in the local zone or with an offset (Z, +02:00). Times cut
    /// one stretch of the stream at its transactions; they never filter single rows.
    #[allow(rustdoc::broken_intra_doc_links, reason = "what the terminal shows")]
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// To before the first transaction that committed at or after this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// From one binlog position to before another, as bin.000002:4711..bin.000002:9000
    ///
    /// Either side may be left out.
    #[arg(long, value_name = "FROM..TO")]
    pub position: Option<String>,
    /// Only tables that match, as 'shop.*' or shop.orders,shop.items
    ///
    /// A name that holds commas or wildcards stands between backticks: 'shop.`a,b`'.
    #[arg(long = "table", value_name = "GLOB")]
    pub tables: Vec<String>,
    /// Not these tables
    #[arg(long = "exclude-table", value_name = "GLOB")]
    pub excluded: Vec<String>,
    /// Only these kinds of events
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',', value_enum)]
    pub types: Vec<TypeArg>,
    /// Only the transactions with these numbers
    #[arg(long = "xid", value_name = "N", value_delimiter = ',')]
    pub xids: Vec<u64>,
    /// Only what these connections did (MySQL's thread ids; MariaDB sends none)
    #[arg(long = "thread-id", value_name = "N", value_delimiter = ',')]
    pub threads: Vec<u64>,
    /// Only what came from these servers
    #[arg(long = "server-id", value_name = "N", value_delimiter = ',')]
    pub servers: Vec<u64>,
    /// Only the transactions with these GTIDs
    #[arg(long = "gtid", value_name = "GTID", value_delimiter = ',', value_parser = gtid)]
    pub gtids: Vec<String>,
    /// Only rows that a statement with this text in it changed, in any case; several: one of them
    ///
    /// A text is told by MariaDB's binlogs, by MySQL's where binlog_rows_query_log_events is on, and by
    /// Maxwell with output_row_query: of a long one the first 1,000 letters. Each row is looked at.
    #[arg(long = "query", value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub queries: Vec<String>,
    /// Only rows with this value before or after the event; several: with all of them
    ///
    /// Bytes are written 0x1F2E, NULL is NULL.
    #[arg(long = "where", value_name = "COL=VALUE", value_parser = column_and_value)]
    pub values: Vec<(String, String)>,
    /// Only updates that change this column; several: one of them
    #[arg(long = "changed", value_name = "COL", value_delimiter = ',')]
    pub changed: Vec<String>,
}

/// Reads `COL=VALUE`; the value may hold further equals signs.
pub(super) fn column_and_value(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((column, value)) if !column.is_empty() => Ok((column.to_owned(), value.to_owned())),
        _ => Err("write it as COLUMN=VALUE"),
    }
}

/// A kind of event, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TypeArg {
    /// Inserted rows
    Insert,
    /// Updated rows
    Update,
    /// Deleted rows
    Delete,
    /// Statements that change definitions
    Ddl,
}

impl From<TypeArg> for Type {
    fn from(arg: TypeArg) -> Self {
        match arg {
            TypeArg::Insert => Self::Insert,
            TypeArg::Update => Self::Update,
            TypeArg::Delete => Self::Delete,
            TypeArg::Ddl => Self::Ddl,
        }
    }
}

/// A GTID as servers print it: `UUID:N` or `UUID:TAG:N`, or MariaDB's `DOMAIN-SERVER-N`.
fn gtid(text: &str) -> Result<String, String> {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let text = text.trim();
    let is_one = match text.rsplit_once(':') {
        Some((source, n)) => !source.is_empty() && number(n),
        None => text.split('-').count() == 3 && text.split('-').all(number),
    };
    match is_one {
        true => Ok(text.to_lowercase()),
        false => {
            Err("one transaction is UUID:NUMBER, or DOMAIN-SERVER-NUMBER; not a set".to_owned())
        }
    }
}

impl SelectArgs {
    /// The filter without the cut.
    ///
    /// # Errors
    /// When a glob cannot be read (usage).
    pub fn filter(&self) -> Result<Filter> {
        let types: Vec<Type> = self.types.iter().map(|t| (*t).into()).collect();
        let filter = Filter::new(&self.tables, &self.excluded, &types, &self.xids)?;
        Ok(filter
            .by_origin(&self.threads, &self.servers)
            .by_facts(&self.gtids, &self.queries)
            .by_values(self.values.clone(), self.changed.clone()))
    }

    /// Where the stretch begins and ends.
    ///
    /// # Errors
    /// When a time or position cannot be read (usage).
    fn bounds(&self) -> Result<Bounds> {
        let time = |text: &Option<String>| text.as_deref().map(time::parse).transpose();
        let (from, to) = self.places()?;
        Ok(Bounds { since: time(&self.since)?, until: time(&self.until)?, from, to })
    }

    /// Refuses an end where what comes is waited for.
    ///
    /// # Errors
    /// As said (usage).
    pub fn check_open(&self) -> Result<()> {
        match self.bounds()?.to {
            Some(_) => {
                Err(Error::usage("--follow goes on behind every end, and --position has one")
                    .help("leave the end out, as in --position bin.000002:4711.."))
            }
            None => Ok(()),
        }
    }

    /// Waits until the begin of the stretch has come: what comes before it is not taken, however
    /// late. False when `stop` was raised first.
    ///
    /// # Errors
    /// As [`cut::cut`].
    pub fn wait(&self, spool: &mut Spool, stop: &AtomicBool, output: &Output) -> Result<bool> {
        let bounds = self.bounds()?;
        let mut looked = None;
        while !stop.load(Ordering::Relaxed) {
            let (end, began) = (spool.end()?, Instant::now());
            // In a large spool a look takes its time.
            let mut pause = POLL;
            if looked != Some(end) {
                if !cut::cut(spool, &bounds, &Filter::default())?.ahead {
                    return Ok(true);
                }
                if looked.is_none() {
                    output.say("waiting for the capture to come to where the selection begins");
                }
                (looked, pause) = (Some(end), POLL.max(4 * began.elapsed()));
            }
            thread::sleep(pause);
            spool.refresh()?;
        }
        Ok(false)
    }

    fn places(&self) -> Result<(Option<BinlogPos>, Option<BinlogPos>)> {
        let Some(text) = &self.position else {
            return Ok((None, None));
        };
        let (from, to) = text.split_once("..").ok_or_else(|| {
            Error::usage(format!("--position {text:?} is no range"))
                .help("write it as FROM..TO, as in bin.000002:4711..bin.000002:9000")
        })?;
        let place = |text: &str| (!text.is_empty()).then(|| position(text)).transpose();
        let (from, to) = (place(from)?, place(to)?);
        if let (Some(from), Some(to)) = (&from, &to)
            && to < from
        {
            return Err(Error::usage("--position: the end lies before the begin")
                .help("swap the two positions"));
        }
        Ok((from, to))
    }

    /// True when nothing is chosen or left out.
    pub fn is_everything(&self) -> bool {
        self.words(true) == EVERYTHING
    }

    /// The status where nothing is selected: something differs, if only from what was expected.
    pub fn nothing(&self, differs: bool) -> u8 {
        if differs || !self.is_everything() { DIFFERS } else { DONE }
    }

    /// What is asked of the stream, `words` being the selection in words.
    ///
    /// # Errors
    /// When a glob, time or position cannot be read (usage).
    pub fn ask(&self, words: String, followed: bool) -> Result<Ask> {
        Ok(Ask { bounds: self.bounds()?, filter: self.filter()?, words, followed })
    }

    /// The selection, what is found on the way said on stderr.
    ///
    /// # Errors
    /// As [`SelectArgs::ask`] and [`prepare::select`].
    pub fn select(
        &self,
        spool: &Spool,
        words: String,
        followed: bool,
        output: &Output,
    ) -> Result<(Selection, Cut)> {
        prepare::select(spool, &self.ask(words, followed)?, &mut |fact| {
            facts::say(&fact, output);
        })
    }

    /// The selection in words, the same for the same selection; `until` apart, since a progress
    /// row may go on to a later end.
    pub fn words(&self, with_until: bool) -> String {
        let mut words = Vec::new();
        let mut add = |name: &str, values: Vec<String>| {
            if !values.is_empty() {
                let mut values = values;
                values.sort();
                words.push(format!("{name}={}", values.join(",")));
            }
        };
        add("since", self.since.iter().cloned().collect());
        add("until", self.until.iter().filter(|_| with_until).cloned().collect());
        add("position", self.position.iter().cloned().collect());
        add("table", filter::split(&self.tables));
        add("exclude-table", filter::split(&self.excluded));
        add("type", self.types.iter().map(|t| format!("{t:?}").to_lowercase()).collect());
        let numbers = |list: &[u64]| list.iter().map(u64::to_string).collect();
        add("xid", numbers(&self.xids));
        add("thread-id", numbers(&self.threads));
        add("server-id", numbers(&self.servers));
        add("gtid", self.gtids.clone());
        // Quoted: a value may hold what separates words here.
        add("query", self.queries.iter().map(|text| format!("{text:?}")).collect());
        add(
            "where",
            self.values.iter().map(|(name, value)| format!("{name:?}={value:?}")).collect(),
        );
        add("changed", self.changed.iter().map(|name| format!("{name:?}")).collect());
        match words.is_empty() {
            true => EVERYTHING.to_owned(),
            false => words.join(" "),
        }
    }
}
