//! The flags of `apply`, and what they say.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, ValueEnum};

use super::super::route::RouteArgs;
use super::super::{AllowArgs, direction};
use crate::cli::config::ConfigArgs;
use crate::cli::pulse::MetricsArgs;
use crate::cli::select::SelectArgs;
use crate::cli::server::{self, TlsArgs};
use crate::cli::target::{self, Place};
use crate::dest::Run;
use crate::dest::mysql::Options;
use crate::error::{Error, Result};
use crate::mysql::server::Server;
use crate::replay::apply::{How, Journal, Mode, OnConflict, OnDdl};
use crate::replay::prepare;
use crate::route::Route;
use crate::spool::Spool;

const APPLY_EXAMPLES: &str = "\
Examples:
  binsync apply --target mysql://joe:secret@db2.example --until 2024-01-01T10:00
  binsync apply --target mysql://joe@db2.example --follow
  binsync apply --target sqlite:look.db --table 'shop.*'
  binsync apply --target mysql://joe@db1.example --reverse --xid 4711 --dry-run
  binsync apply split --follow
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
    /// A sync of the file binsync.toml: from its sources to all its targets, each a run of its own
    #[arg(value_name = "SYNC", conflicts_with_all = ["target", "password_file", "reverse", "base", "dry_run",
        "name", "conflicts", "renames", "maps", "drops", "metrics_file", "metrics_listen", "ssl_mode",
        "ssl_ca", "ssl_cert", "ssl_key", "get_server_public_key"])]
    pub(super) sync: Option<String>,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    /// Where to: mysql://user:password@host:port or sqlite:FILE
    #[arg(
        long,
        env = "BINSYNC_TARGET",
        hide_env_values = true,
        value_name = "URL",
        required_unless_present = "sync"
    )]
    pub(super) target: Option<String>,
    /// File that holds the target's password
    #[arg(long, value_name = "FILE", env = "BINSYNC_PASSWORD_FILE")]
    password_file: Option<PathBuf>,
    #[command(flatten)]
    tls: TlsArgs,
    /// Take the selected transactions back, last one first
    #[arg(long)]
    pub(super) reverse: bool,
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
    pub(super) base: Option<String>,
    /// Say what would be done, table by table; write nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Go on with what a capture adds, until stopped
    #[arg(long, conflicts_with_all = ["reverse", "dry_run", "until"])]
    pub(super) follow: bool,
    /// Name of the progress kept in the target; a rerun under the same name goes on
    ///
    /// Default: "apply", for --reverse "undo-" and a number made of the selection.
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
    /// Connections that write at once; fewer are used while they meet deadlocks
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) lanes: u16,
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
    pub(super) on_conflict: ConflictArg,
    /// Where such rows are written down, a JSON object a line [default: conflicts-NAME.jsonl]
    #[arg(long, value_name = "FILE")]
    pub(super) conflicts: Option<PathBuf>,
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
    pub(super) source_logs_cascades: Option<String>,
    #[command(flatten)]
    pub(super) metrics: MetricsArgs,
    #[command(flatten)]
    pub(super) allow: AllowArgs,
    #[command(flatten)]
    pub(super) route: RouteArgs,
    #[command(flatten)]
    pub(super) select: SelectArgs,
}

/// A conflict policy, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ConflictArg {
    /// End there; a rerun goes on
    Stop,
    /// Leave the row as it is
    Skip,
    /// The stream's final image wins
    Overwrite,
}

/// A DDL policy, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DdlArg {
    /// Run them
    Apply,
    /// Pass over them
    Skip,
    /// End before the first
    Stop,
}

/// What is typed where there is nothing but the flags of `apply`.
#[derive(Parser)]
#[command(name = "apply")]
struct Typed {
    #[command(flatten)]
    args: ApplyArgs,
}

impl ApplyArgs {
    /// A sync that is followed, as `apply SYNC` does it without further flags.
    ///
    /// # Errors
    /// When the environment sets what does not go with it (usage).
    pub(super) fn following(sync: &str, config: &ConfigArgs) -> Result<Self> {
        let typed = Typed::try_parse_from(["apply", "--follow", "--", sync]);
        let typed = typed.map_err(|e| Error::usage(e.to_string()))?;
        Ok(Self { config: config.clone(), ..typed.args })
    }

    pub(super) fn how(&self) -> How {
        How {
            mode: match (self.serial, self.net) {
                (true, _) => Mode::Serial,
                (_, true) => Mode::Net,
                _ => Mode::Windows,
            },
            window: self.window as usize,
            on_ddl: match self.ddl {
                DdlArg::Apply => OnDdl::Apply,
                DdlArg::Skip => OnDdl::Skip,
                DdlArg::Stop => OnDdl::Stop,
            },
            on_conflict: match self.on_conflict {
                ConflictArg::Stop => OnConflict::Stop,
                ConflictArg::Skip => OnConflict::Skip,
                ConflictArg::Overwrite => OnConflict::Overwrite,
            },
            most_rows: self.max_rows_per_second,
            patient: false,
        }
    }

    /// Refuses to take back everything that was not asked for.
    pub(super) fn check_reverse(&self) -> Result<()> {
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
    pub(super) fn check_journal(&self) -> Result<()> {
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

    /// Metrics are of an apply that goes on.
    pub(super) fn check_metrics(&self) -> Result<()> {
        match self.follow || !self.metrics.any() {
            true => Ok(()),
            false => Err(Error::usage("--metrics-file and --metrics-listen are for --follow")
                .help("leave them out, or go on with what is captured")),
        }
    }

    /// The dry run of a reverse compares the target's rows.
    pub(super) fn looks(&self) -> bool {
        self.dry_run && self.reverse
    }

    /// The name of the conflict journal is that of the run, if none is said.
    pub(super) fn journal(&self, run: &Run, conflicts: Option<PathBuf>) -> Journal {
        let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        let name =
            || format!("conflicts-{}.jsonl", run.name.chars().map(plain).collect::<String>());
        Journal::new(conflicts.unwrap_or_else(|| name().into()))
    }

    /// Whether the source logs what its foreign keys change, where that is said.
    pub(super) fn logs_cascades(&self) -> Option<bool> {
        self.source_logs_cascades.as_deref().map(|answer| answer == "yes")
    }

    /// How a server is written to, by what is known of the source.
    pub(super) fn options(&self, logs_cascades: Option<bool>) -> Options {
        Options {
            // Whoever lets such rows be lost takes it that they are not logged.
            logs_cascades: logs_cascades.or(self.allow.allow_cascades.then_some(false)),
            lanes: if self.serial { 1 } else { self.lanes.into() },
            target_binlog: !self.no_target_binlog,
            allow_triggers: self.allow_triggers,
        }
    }

    fn server(&self, flag: &str, url: &str) -> Result<Server> {
        server::server(flag, url, self.password_file.as_deref(), &self.tls)
    }

    /// Where the target is.
    pub(super) fn place(&self) -> Result<Place> {
        // With --base the flags are for that.
        let none = TlsArgs::default();
        let target = self.target.as_deref().unwrap_or_default();
        let of_base = self.base.is_some() && !server::is_server(target);
        let tls = if of_base { &none } else { &self.tls };
        target::place(target, self.password_file.as_deref(), tls)
    }

    /// The source that tables are copied from, and the file that gets them.
    pub(super) fn base<'p>(&self, place: &'p Place) -> Result<Option<(Server, &'p Path)>> {
        let Some(url) = &self.base else { return Ok(None) };
        let source = self.server("--base", url)?;
        match place {
            Place::File(file) => Ok(Some((source, file))),
            Place::Server(_) => Err(Error::usage("--base fills an SQLite file")
                .help("write the target as --target sqlite:FILE")),
        }
    }

    /// The progress row.
    pub(super) fn run(&self, spool: &Spool, route: &Route, name: Option<String>) -> Run {
        let (back, copied) = (self.reverse || self.base.is_some(), self.base.is_some());
        let words = [vec![self.select.words(back)], route.words()].concat().join(" ");
        prepare::run(spool, words, direction(back), copied, name)
    }
}
