//! `apply`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use clap::{Args, ValueEnum};

use super::dry::Findings;
use super::route::{self, RouteArgs};
use super::{AllowArgs, base, direction, done, is_nothing, say_damage, say_left_out, sqlite_file};
use crate::capture::Watch as _;
use crate::cli::output::{Output, count, counted};
use crate::cli::select::SelectArgs;
use crate::cli::server::{self, TlsArgs};
use crate::cli::{DIFFERS, DONE, Global, stop_flag};
use crate::error::{Error, Result};
use crate::event::TableName;
use crate::replay::apply::{
    Applier, How, Job, Journal, Mode, OnConflict, OnDdl, Outcome, Report, follow,
};
use crate::replay::cut::Cut;
use crate::replay::reversible::{late, losses};
use crate::replay::{Definitions, Selection, selected};
use crate::route::Route;
use crate::spool::Spool;
use crate::target::dry::Dry;
use crate::target::mysql::server::Server;
use crate::target::mysql::{Mysql, Options};
use crate::target::sqlite::Sqlite;
use crate::target::{Run, Target};

const APPLY_EXAMPLES: &str = "\
Examples:
  binsync apply --target mysql://joe:secret@db2.example --until 2024-01-01T10:00
  binsync apply --target mysql://joe@db2.example --follow
  binsync apply --target sqlite:look.db --table 'shop.*'
  binsync apply --target mysql://joe@db1.example --reverse --xid 4711 --dry-run
  binsync apply --target sqlite:then.db --until 2024-01-01T10:00 --table shop.orders \
    --base mysql://joe@db1.example

The progress is kept in the target, in the same transactions as the rows: stop it or kill it at
any time, and run the same command again. Between commits of a large window the target holds a
part of its rows; at the end of each it is what the source was then. With --serial that holds for
every commit.";

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
    #[command(flatten)]
    tls: TlsArgs,
    /// Take the selected transactions back, last one first
    #[arg(long)]
    reverse: bool,
    /// With --reverse: take back all that the spool holds, if nothing is selected
    #[arg(long, requires = "reverse")]
    all: bool,
    /// The source: its tables are copied, and what came since --until is taken back in the file
    ///
    /// For tables that the spool does not hold from their creation. The copy is one moment of the
    /// source; it needs a --target sqlite:FILE that does not have the tables yet.
    #[arg(long, env = "BINSYNC_BASE", hide_env_values = true, value_name = "URL", requires = "until",
        conflicts_with_all = ["reverse", "dry_run", "follow", "since", "position", "types", "xids",
            "threads", "servers", "values", "changed", "ddl", "on_conflict"])]
    base: Option<String>,
    /// Say what would be done, table by table; write nothing
    #[arg(long)]
    dry_run: bool,
    /// Go on with what a capture adds, until stopped
    #[arg(long, conflicts_with_all = ["reverse", "dry_run", "until"])]
    follow: bool,
    /// Name of the progress kept in the target; a rerun under the same name goes on
    ///
    /// Default: "apply", for --reverse "undo-" and a number made of the selection.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Connections that write at once; fewer are used while they meet deadlocks
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    lanes: u16,
    /// Row events that are folded together, about: the target is consistent after so many
    #[arg(long, value_name = "ROWS", default_value_t = 64_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    window: u32,
    /// One source transaction after the other, each as it was: slower, never in between
    #[arg(long)]
    serial: bool,
    /// Only the net effect of the whole selection: fastest, consistent only at the end
    #[arg(long, conflicts_with_all = ["serial", "follow"])]
    net: bool,
    /// What to do with a row that is not as the stream has it
    #[arg(long, value_name = "POLICY", value_enum, default_value = "stop")]
    on_conflict: ConflictArg,
    /// Where such rows are written down, a JSON object a line [default: conflicts-NAME.jsonl]
    #[arg(long, value_name = "FILE")]
    conflicts: Option<PathBuf>,
    /// What to do with statements that change definitions
    #[arg(long, value_name = "POLICY", value_enum, default_value = "apply")]
    ddl: DdlArg,
    /// Row changes a second, at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_rows_per_second: Option<u64>,
    /// Keep what is written out of the target's own binlog (its replicas will not get it)
    #[arg(long)]
    no_target_binlog: bool,
    /// Let triggers of the target fire
    #[arg(long)]
    allow_triggers: bool,
    /// Whether the source's binlog holds the rows its foreign keys changed (ON DELETE CASCADE …)
    ///
    /// Known from `binsync schema add`; asked for only when the target has such foreign keys.
    #[arg(long, value_name = "YES|NO", value_parser = ["yes", "no"])]
    source_logs_cascades: Option<String>,
    #[command(flatten)]
    allow: AllowArgs,
    #[command(flatten)]
    route: RouteArgs,
    #[command(flatten)]
    select: SelectArgs,
}

/// A conflict policy, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ConflictArg {
    /// End there; a rerun goes on
    Stop,
    /// Leave the row as it is
    Skip,
    /// The stream's final image wins
    Overwrite,
}

/// A DDL policy, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DdlArg {
    /// Run them
    Apply,
    /// Pass over them
    Skip,
    /// End before the first
    Stop,
}

impl ApplyArgs {
    fn how(&self) -> How {
        How {
            mode: match (self.looks(), self.serial, self.net) {
                (true, ..) => Mode::Look,
                (_, true, _) => Mode::Serial,
                (_, _, true) => Mode::Net,
                _ => Mode::Windows,
            },
            window: self.window as usize,
            on_ddl: match self.ddl {
                DdlArg::Apply => OnDdl::Apply,
                DdlArg::Skip => OnDdl::Skip,
                DdlArg::Stop => OnDdl::Stop,
            },
            on_conflict: match self.on_conflict {
                _ if self.looks() => OnConflict::Skip,
                ConflictArg::Stop => OnConflict::Stop,
                ConflictArg::Skip => OnConflict::Skip,
                ConflictArg::Overwrite => OnConflict::Overwrite,
            },
            most_rows: self.max_rows_per_second,
        }
    }

    /// Refuses to take back everything that was not asked for.
    fn check_reverse(&self) -> Result<()> {
        if !self.reverse || self.all || !self.select.is_everything() {
            return Ok(());
        }
        Err(Error::usage("--reverse without a selection would take back all that the spool holds")
            .help(
                "select it, as with --xid, --table or --since (`binsync log --biggest` lists what \
                 there is), or say --all",
            ))
    }

    /// Refuses a place for conflicts where no file can be, before there are any.
    fn check_journal(&self) -> Result<()> {
        let Some(path) = &self.conflicts else { return Ok(()) };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if path.is_dir() || folder.is_some_and(|folder| !folder.is_dir()) {
            return Err(Error::usage(format!(
                "--conflicts {}: no file can be there",
                path.display()
            ))
            .help("name a file in a folder that is there"));
        }
        Ok(())
    }

    /// True, and said, when rows were to be overwritten and some may be left that are not as the
    /// stream has them: those that earlier runs of the name have passed over, and those that a
    /// table has lost that was made anew.
    fn leaves_rows(&self, outcome: &Outcome, run: &Run, journal: &Path, output: &Output) -> bool {
        let asked = self.on_conflict == ConflictArg::Overwrite && !self.looks();
        if !asked || !(outcome.skipped_before || outcome.made_anew) {
            return false;
        }
        let listed = match journal.exists() {
            true => format!(" ({} lists them)", journal.display()),
            false => String::new(),
        };
        let nothing = match outcome.row_events() + outcome.ddl {
            0 => "nothing was left to overwrite: ",
            _ => "",
        };
        output.say(&format!(
            "{nothing}rows that the run {:?} has passed over before{listed}, or that the target has \
             lost since, stay as they are. Under another --name a run begins anew, and overwrites \
             them",
            run.name
        ));
        true
    }

    /// The dry run of a reverse compares the target's rows.
    fn looks(&self) -> bool {
        self.dry_run && self.reverse
    }

    fn options(&self, definitions: &Definitions) -> Options {
        Options {
            logs_cascades: match self.source_logs_cascades.as_deref() {
                Some(answer) => Some(answer == "yes"),
                // Whoever lets such rows be lost takes it that they are not logged.
                None => definitions.logs_cascades.or(self.allow.allow_cascades.then_some(false)),
            },
            lanes: if self.serial { 1 } else { self.lanes.into() },
            target_binlog: !self.no_target_binlog,
            allow_triggers: self.allow_triggers,
        }
    }

    fn server(&self, flag: &str, url: &str) -> Result<Server> {
        server::server(flag, url, self.password_file.as_deref(), &self.tls)
    }

    fn place(&self) -> Result<Place> {
        if server::is_server(&self.target) {
            return Ok(Place::Server(self.server("--target", &self.target)?));
        }
        let Some(file) = sqlite_file(&self.target)? else {
            return Err(Error::usage("--target is no database URL")
                .help("write it as mysql://user:password@host:port or sqlite:FILE"));
        };
        match self.tls.any() && self.base.is_none() {
            true => {
                Err(Error::usage("a file is reached without TLS").help("leave the --ssl flags out"))
            }
            false => Ok(Place::File(file)),
        }
    }

    fn run(&self, spool: &Spool, route: &Route) -> Run {
        let (back, based) = (self.reverse || self.base.is_some(), self.base.is_some());
        let mut words = [vec![self.select.words(back)], route.words()].concat().join(" ");
        if based {
            words = format!("copied, as of {words}");
        }
        let hash = xxhash_rust::xxh3::xxh3_64(words.as_bytes()) as u32;
        let default = match (back, based) {
            (false, _) => "apply".to_owned(),
            (true, false) => format!("undo-{hash:08x}"),
            (true, true) => format!("as-of-{hash:08x}"),
        };
        Run {
            name: self.name.clone().unwrap_or(default),
            spool: spool.id().to_owned(),
            direction: direction(back),
            selection: words,
        }
    }

    /// Waits for the begin of what is to be followed; false when told to stop.
    fn wait(
        &self,
        spool: &mut Spool,
        place: &Place,
        stop: &AtomicBool,
        output: &Output,
    ) -> Result<bool> {
        self.select.check_open()?;
        // What is wrong with the target is not for later.
        drop(open_target(place, &self.options(&Definitions::load(spool)?), self)?);
        self.select.wait(spool, stop, output)
    }

    /// What is applied, from where; with it the cut, and whether something differs already. What is
    /// wrong with a stretch that is taken back is for [`losses`] to say.
    fn selected(
        &self,
        spool: &Spool,
        run: &Run,
        output: &Output,
    ) -> Result<(Selection, Option<Cut>, bool)> {
        if let Some(url) = &self.base {
            let source = self.server("--base", url)?;
            let (selection, differs) =
                base::copy(spool.dir(), &self.select, run, (&source, &self.target), output)?;
            return Ok((selection, None, differs));
        }
        let (selection, cut) =
            self.select.select(spool, run.selection.clone(), self.follow, output)?;
        let differs = !self.reverse && say_damage(spool, &cut, output)?;
        Ok((selection, Some(cut), differs))
    }
}

/// Runs `apply`.
///
/// # Errors
/// As the target, the spool and the selection have them.
pub fn apply(global: &Global, args: &ApplyArgs) -> Result<u8> {
    let output = Output::new("applied", global.quiet);
    let mut spool = Spool::open(&global.spool)?;
    spool.settle()?;
    args.check_reverse()?;
    args.check_journal()?;
    let route = args.route.route()?;
    let place = args.place()?;
    let run = args.run(&spool, &route);
    let stop = stop_flag()?;
    if args.follow && !args.wait(&mut spool, &place, &stop, &output)? {
        return Ok(DONE);
    }
    let (selection, cut, mut differs) = args.selected(&spool, &run, &output)?;
    if let Some(cut) = cut.as_ref().filter(|_| !args.follow)
        && is_nothing(&spool, &selection, cut, args.reverse, &output)?
    {
        let differs = differs || !args.select.is_everything();
        return Ok(if differs { DIFFERS } else { DONE });
    }
    spool.refresh()?;
    let mut definitions = Definitions::load(&spool)?;
    let options = args.options(&definitions);
    definitions.logs_cascades = options.logs_cascades;
    let back = args.reverse.then(|| selected::rows(&spool, &selection)).transpose()?;
    route::check(&route, &spool, &definitions, &selection.filter, back.as_ref())?;
    let journal = args.conflicts.clone().unwrap_or_else(|| file_name(&run.name).into());
    let journal = Journal::new(journal);
    let findings = Findings::new(global.json, args.reverse);
    let mut open = || open_target(&place, &options, args);
    if let Some(rows) = &back {
        let (keys, logged) = (open()?.foreign_keys()?, options.logs_cascades);
        let mut found = losses(&spool, &definitions, &selection, rows, &keys, logged)?;
        found.losses.extend(cut.as_ref().and_then(|cut| late(cut, &selection.filter)));
        differs |= args.allow.check(&found, &output)?;
    }
    if args.looks() && open()?.standing(&run)?.is_some_and(|standing| standing.window.is_some()) {
        output.say(
            "an earlier run of this name was interrupted: rows that it has written since its last \
             window show as changed; run it again to finish it",
        );
    }
    let how = args.how();
    let job = Job {
        definitions: &definitions,
        selection: &selection,
        route: &route,
        run: &run,
        how: &how,
        journal: if args.dry_run { &findings } else { &journal },
        stop: &stop,
    };
    let mut applier = Applier::new(&mut open);
    let done = go(&spool, &job, args.follow, &mut applier, &output);
    output.clear();
    let database = applier.outcome.tables.keys().next().map(|name| name.database.clone());
    let pace = database.filter(|_| args.dry_run).and_then(|database| applier.pace(&database));
    let outcome = applier.outcome;
    if outcome.conflicts > 0 && !args.dry_run {
        output.say(&format!(
            "{} written to {}",
            counted(outcome.conflicts, "conflict"),
            journal.path().display()
        ));
    }
    done?;
    if args.dry_run {
        findings.tell(&outcome)?;
        tell_pace(args, &outcome, pace, &output);
    }
    tell(args, &outcome, &selection, &output);
    differs |= args.leaves_rows(&outcome, &run, journal.path(), &output);
    Ok(if differs || outcome.conflicts > 0 { DIFFERS } else { DONE })
}

fn go(
    spool: &Spool,
    job: &Job<'_>,
    follow: bool,
    applier: &mut Applier<'_>,
    output: &Output,
) -> Result<()> {
    let range = &job.selection.range;
    let (from, total) = (range.end, range.end - range.start);
    // Told again with each new connection, but once is enough.
    let mut keyless = HashSet::new();
    let mut say_keyless = |table: TableName| {
        if keyless.insert(table.clone()) {
            output.note(&format!(
                "{table} has no key at the target: rows are found by their content"
            ));
        }
    };
    let mut report = |report| match report {
        Report::Note(text) => output.say(&text),
        Report::Keyless(table) => say_keyless(table),
        Report::Reached(seq, _) => {
            output.reached(done(job.run.direction, job.selection, seq), total);
        }
    };
    applier.run(spool, job, &mut report)?;
    if !follow {
        return Ok(());
    }
    output.clear();
    output.note("following what is captured; Ctrl-C ends it");
    let mut report = |report| match report {
        Report::Note(text) => output.say(&text),
        Report::Keyless(table) => say_keyless(table),
        Report::Reached(seq, ts) => output.following(seq.saturating_sub(from), ts),
    };
    follow::follow(spool, job, applier, &mut report)
}

/// Row changes left after folding.
fn written(outcome: &Outcome) -> u64 {
    outcome.tables.values().map(|table| table.written).sum()
}

/// How long the plan takes, by what was tried.
fn tell_pace(args: &ApplyArgs, outcome: &Outcome, pace: Option<f64>, output: &Output) {
    let Some(pace) = pace else { return };
    output.note(&format!(
        "about {:.0} s on one lane, by the pace of a temporary table ({} rows/s), less on more ({})",
        (written(outcome) as f64 / pace).ceil(),
        count(pace as u64),
        counted(args.lanes.into(), "lane"),
    ));
}

/// What was done, or would be.
fn tell(args: &ApplyArgs, outcome: &Outcome, selection: &Selection, output: &Output) {
    say_left_out(outcome.bootstrap_rows_left_out, output);
    if outcome.ddl_skipped > 0 {
        output.say(&format!("{} passed over", counted(outcome.ddl_skipped, "DDL statement")));
    }
    if outcome.row_events() + outcome.ddl == 0 && !selection.range.is_empty() {
        output.note(
            "nothing was left to do: the progress in the target stands behind the selected changes",
        );
    }
    let (verb, how) = match args.dry_run {
        true => ("would apply", counted(written(outcome), "row change")),
        false => ("applied", counted(outcome.statements, "statement")),
    };
    output.finish(&format!(
        "{verb} {} as {how}, {}",
        counted(outcome.row_events(), "row event"),
        counted(outcome.ddl, "DDL statement")
    ));
    if args.looks() && outcome.conflicts > 0 {
        output.say(&format!(
            "{} not as the transactions left them: --on-conflict skip leaves such rows alone, \
             overwrite sets them back all the same",
            match outcome.conflicts {
                1 => "1 row is".to_owned(),
                n => format!("{} rows are", count(n)),
            }
        ));
    }
}

/// The conflict journal's default name; a run's name may hold anything.
fn file_name(run: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    format!("conflicts-{}.jsonl", run.chars().map(plain).collect::<String>())
}

/// Where a target is.
enum Place {
    Server(Server),
    File(PathBuf),
}

fn open_target(place: &Place, options: &Options, args: &ApplyArgs) -> Result<Box<dyn Target>> {
    let (target, lanes): (Box<dyn Target>, usize) = match place {
        Place::File(file) if args.dry_run => (Box::new(Sqlite::look(file)?), 1),
        Place::File(file) => (Box::new(Sqlite::open(file)?), 1),
        Place::Server(server) => (Box::new(Mysql::open(server, options.clone())?), options.lanes),
    };
    // Rows are looked at on one connection.
    let lanes = if args.reverse { 1 } else { lanes };
    Ok(if args.dry_run { Box::new(Dry::new(target, lanes)) } else { target })
}
