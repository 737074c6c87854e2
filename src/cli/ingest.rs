//! `capture`: its arguments; and summaries, of `import` and `merge` too.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::{Args, ValueEnum};

use super::output::{Output, count, counted};
use super::pulse::{MetricsArgs, Pulse, Who};
use super::server::amqp::amqp;
use super::server::{TlsArgs, server};
use super::{DIFFERS, DONE, Global, duration, stop_flag};
use crate::capture::several::{self, Passing};
use crate::capture::{self, Watch};
use crate::error::{Error, Result};
use crate::event::printable;
use crate::source::amqp::Amqp;
use crate::source::exchange::{self, Exchange};
use crate::source::mark::Marks;
use crate::source::queue::{Config, Declare, Kind, Password};
use crate::spool::{Inbox, Recovery, SpoolWriter, Summary, WriterOptions};

const CAPTURE_EXAMPLES: &str = "\
Examples:
  binsync capture --queue maxwell --amqp-url amqp://joe:secret@mq.example:5672/%2f
  binsync capture --declare --bind maxwell:'#'        make queue 'binsync', bind it, drain it
  binsync capture --queue a --queue b --declare --bind a=maxwell:1 --bind b=maxwell:1
  binsync capture --queue maxwell --exit-when-idle 5s until nothing comes for five seconds

A message is acknowledged when it is on disk. SIGINT and SIGTERM end a capture in good order;
after a kill, what was not acknowledged comes again and is recognised.";

/// Arguments of `capture`.
#[derive(Args)]
#[command(after_help = CAPTURE_EXAMPLES)]
pub struct CaptureArgs {
    /// Queue to drain; several are merged in the source's order, by their binlog positions
    #[arg(long, value_name = "Q", env = "BINSYNC_QUEUE", default_value = "binsync")]
    queue: Vec<String>,
    /// Several queues: write a mark here each second (binsync.mark at the source), by which it is
    /// known how far a silent queue is; each queue must be bound to it (binsync.#)
    #[arg(long, value_name = "URL", env = "BINSYNC_MARK", hide_env_values = true)]
    mark: Option<String>,
    /// Several queues without --mark: one that has been empty for this long has nothing earlier
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration::parse, conflicts_with = "mark")]
    settle: std::time::Duration,
    /// The broker; amqps:// for TLS, the vhost / is written %2f
    ///
    /// With ?ssl-ca=FILE the broker's certificate is signed by one of that file; ssl-cert=FILE and
    /// ssl-key=FILE are the client's own (PEM), and its login where the URL names no user.
    #[arg(
        long,
        value_name = "URL",
        env = "BINSYNC_AMQP_URL",
        hide_env_values = true,
        default_value = "amqp://guest:guest@127.0.0.1:5672/%2f"
    )]
    amqp_url: String,
    /// File that holds the broker's password
    #[arg(long, value_name = "FILE", env = "BINSYNC_PASSWORD_FILE")]
    password_file: Option<PathBuf>,
    /// Make what is not there: the queue (durable, for one consumer at a time) and its exchanges
    ///
    /// An exchange is a durable topic; what no binding of it takes goes to a queue of its own,
    /// EXCHANGE.rest (start Maxwell with rabbitmq_declare_exchange=false then). What is there stays as
    /// it is, and what differs is said.
    #[arg(long)]
    declare: bool,
    /// Bind the declared queue to an exchange; one of several: QUEUE=EXCHANGE:KEY
    ///
    /// A pattern, such as shop.#, or a weight, such as 1: then the queues share the tables, by a hash
    /// of their names (RabbitMQ's plugin rabbitmq_consistent_hash_exchange).
    #[arg(long, value_name = "[QUEUE=]EXCHANGE:KEY", requires = "declare", value_parser = binding)]
    bind: Vec<Binding>,
    /// Kind of the declared queue
    #[arg(long, value_name = "TYPE", requires = "declare", default_value = "quorum")]
    queue_type: QueueType,
    /// The queue has x-single-active-consumer; needed only where the broker does not tell
    #[arg(long)]
    shared: bool,
    /// End when nothing has come for this long, such as 5s
    #[arg(long, value_name = "TIME", env = "BINSYNC_EXIT_WHEN_IDLE", value_parser = duration::parse)]
    exit_when_idle: Option<std::time::Duration>,
    /// Take the table definitions from this database first
    #[arg(long, value_name = "URL", env = "BINSYNC_SCHEMA_FROM", hide_env_values = true)]
    pub schema_from: Option<String>,
    #[command(flatten)]
    metrics: MetricsArgs,
    #[command(flatten)]
    tls: TlsArgs,
}

/// Kinds of queues.
#[derive(Clone, Copy, ValueEnum)]
enum QueueType {
    /// On one node
    Classic,
    /// Kept by several nodes; no delivery limit that is met, x-single-active-consumer
    Quorum,
}

impl From<QueueType> for Kind {
    fn from(kind: QueueType) -> Self {
        match kind {
            QueueType::Classic => Self::Classic,
            QueueType::Quorum => Self::Quorum,
        }
    }
}

/// Runs `binsync capture`.
pub fn capture(global: &Global, args: CaptureArgs) -> Result<u8> {
    let configs = configs(&args)?;
    let passing = match &args.mark {
        Some(url) => Passing::Marked(Marks::at(server("--mark", url, None, &args.tls)?)?),
        None => Passing::Empty(args.settle),
    };
    match &args.schema_from {
        Some(url) => super::schema::add(global, &server("--schema-from", url, None, &args.tls)?)?,
        None if args.tls.any() && args.mark.is_none() => {
            return Err(Error::usage("the --ssl flags are for --schema-from and --mark").help(
                "the broker is reached by TLS with an amqps:// URL, which takes ?ssl-ca=FILE",
            ));
        }
        None => DONE,
    };
    let stop = stop_flag()?;
    let output = Output::lasting("captured", global.quiet);
    let mut spool = open(&global.spool, &output)?;
    let (gauges, lines) = (output.gauges(), output.is_unwatched());
    let pulse = Pulse::start(Who::Capture, &global.spool, gauges, &args.metrics, lines)?;
    let idle = args.exit_when_idle;
    let captured = match one(&configs).filter(|_| args.mark.is_none() && !Inbox::any(spool.dir())) {
        Some(queue) => {
            capture::capture(&mut spool, queue.clone(), idle, &stop, &output).map(|_| false)
        }
        None => several::capture_several(&mut spool, configs, &passing, idle, &stop, &output),
    };
    drop(pulse);
    let lost = matches!(captured, Ok(true));
    let code = close(spool, &global.spool, "captured", &output, captured.map(drop))?;
    Ok(if lost { DIFFERS } else { code })
}

/// The queue, where it is one alone.
fn one(configs: &[Config]) -> Option<&Config> {
    configs.first().filter(|_| configs.len() == 1)
}

/// What is asked of the broker for each queue; nothing is asked yet.
fn configs(args: &CaptureArgs) -> Result<Vec<Config>> {
    super::secret::readable("--amqp-url", &args.amqp_url)?;
    let (url, tls) = amqp(&args.amqp_url)?;
    let password = args.password_file.clone().map(|file| {
        let read = move || super::secret::read(&file);
        Arc::new(read) as Password
    });
    if let Some(password) = &password {
        password()?;
    }
    let bindings = bindings(args);
    let exchanges = exchange::exchanges(&bindings, &args.queue)?;
    let (mut configs, reached): (Vec<Config>, _) = (Vec::new(), Arc::new(AtomicBool::new(false)));
    for queue in &args.queue {
        if configs.iter().any(|config| config.queue == *queue) {
            return Err(Error::usage(format!("--queue {queue} is given twice")));
        }
        let config = Config {
            url: url.clone(),
            password: password.clone(),
            tls: tls.clone(),
            queue: queue.clone(),
            declare: args.declare.then(|| declare(args, queue, &bindings, &exchanges)),
            shared: args.shared,
            largest: 0,
            tells_empty: false,
            patient: false,
            reached: reached.clone(),
        };
        Amqp::check(&config)?;
        configs.push(config);
    }
    let strange = |queue: &&String| !args.queue.contains(queue);
    if let Some(queue) = args.bind.iter().filter_map(|bind| bind.queue.as_ref()).find(strange) {
        return Err(Error::usage(format!("--bind {queue}=…: that queue is not among --queue")));
    }
    Ok(configs)
}

/// Each queue with each of its bindings.
fn bindings(args: &CaptureArgs) -> Vec<exchange::Binding<'_>> {
    let of = |queue: &String, bind: &Binding| match &bind.queue {
        Some(named) => named == queue,
        // What is left over is bound to nothing else.
        None => *queue != exchange::rest(&bind.exchange),
    };
    let all = args.queue.iter().flat_map(|queue| args.bind.iter().map(move |bind| (queue, bind)));
    let all = all.filter(|(queue, bind)| of(queue, bind));
    all.map(|(queue, bind)| (&**queue, &*bind.exchange, &*bind.key)).collect()
}

/// What is made for a queue.
fn declare(
    args: &CaptureArgs,
    queue: &str,
    bindings: &[exchange::Binding<'_>],
    exchanges: &[Exchange],
) -> Declare {
    let own = bindings.iter().filter(|(of, ..)| *of == queue);
    let own: Vec<_> =
        own.map(|(_, exchange, key)| ((*exchange).to_owned(), (*key).to_owned())).collect();
    let is_own = |exchange: &&Exchange| own.iter().any(|(name, _)| *name == exchange.name);
    let exchanges: Vec<Exchange> = exchanges.iter().filter(is_own).cloned().collect();
    let first = |exchange: &&Exchange| {
        bindings
            .iter()
            .find(|(_, name, _)| *name == exchange.name)
            .is_some_and(|(of, ..)| *of == queue)
    };
    let tells = exchanges.iter().filter(first).map(|exchange| exchange.name.clone()).collect();
    let (kind, marks) = (args.queue_type.into(), args.mark.is_some());
    Declare { kind, bindings: own, exchanges, tells, marks }
}

/// A binding of a queue that is made; of all that are, where none is named.
#[derive(Clone)]
struct Binding {
    queue: Option<String>,
    exchange: String,
    key: String,
}

pub(super) fn open(dir: &Path, output: &Output) -> Result<SpoolWriter> {
    let (spool, recovery) = SpoolWriter::open(dir, WriterOptions::default())?;
    let Recovery { torn, reindexed, bad_frames, .. } = recovery;
    if let Some((file, bytes)) = torn {
        let file = file.display();
        output.say(&format!("the spool ended inside a frame: {bytes} bytes were moved to {file}"));
    }
    if let Some(reason) = reindexed {
        output.say(&format!("the index was built anew: {reason}"));
    }
    for bad in bad_frames {
        output.say(&printable(&bad.to_string()));
    }
    Ok(spool)
}

/// Completes the index, then says what was done, or why it ended early.
pub(super) fn close(
    spool: SpoolWriter,
    dir: &Path,
    verb: &str,
    output: &Output,
    outcome: Result<()>,
) -> Result<u8> {
    let summary = match (&outcome, spool.next()) {
        // Nothing is to be completed.
        (Err(_), 1) => {
            drop(spool);
            Ok(Summary::default())
        }
        _ => spool.finish(),
    };
    output.clear();
    if let (Ok(summary), true) = (&summary, outcome.is_ok() || summary_matters(&summary)) {
        let done = describe(verb, summary, dir);
        match summary.damaged + summary.gaps + summary.encrypted {
            0 => output.finish(&done),
            // The status is no longer 0: that is told with --quiet, too.
            _ => output.say(&done),
        }
        if summary.encrypted > 0 {
            output.say(&format!(
                "{} encrypted by the producer, stored as they came and not read: re-sends and gaps \
                 among them are seen when a command is given the key (--key-file)",
                counted(summary.encrypted, "message")
            ));
        }
        if summary.alone > 0 {
            output.say(&format!(
                "{} came without a transaction (Maxwell tells it with output_commit_info=true): \
                 each stands for itself",
                counted(summary.alone, "row")
            ));
        }
    }
    outcome?;
    let Summary { damaged, encrypted, gaps, .. } = summary?;
    Ok(if damaged + encrypted + gaps > 0 { DIFFERS } else { DONE })
}

fn summary_matters(summary: &Result<Summary>) -> bool {
    summary.as_ref().is_ok_and(|s| s.records > 0)
}

fn describe(verb: &str, summary: &Summary, dir: &Path) -> String {
    let Summary { records, transactions, resends, damaged, gaps, .. } = *summary;
    let stored =
        format!("{} in {}", counted(records, "message"), counted(transactions, "transaction"));
    let marks = format!(
        "{}, {} damaged, {}",
        counted(resends, "re-send"),
        count(damaged),
        counted(gaps, "gap")
    );
    format!("{verb} {stored} ({marks}) into {}", dir.display())
}

fn binding(text: &str) -> Result<Binding, String> {
    let parts = text.split_once(':').filter(|(exchange, _)| !exchange.is_empty());
    let (exchange, key) = parts.ok_or("write EXCHANGE:KEY, such as maxwell:#")?;
    let (queue, exchange) = match exchange.split_once('=') {
        Some((queue, exchange)) => (Some(queue.to_owned()), exchange),
        None => (None, exchange),
    };
    Ok(Binding { queue, exchange: exchange.to_owned(), key: key.to_owned() })
}
