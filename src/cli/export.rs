//! `export`: the selected events for other programs.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use super::inspect::say_troubles;
use super::output::{Output, counted};
use super::select::SelectArgs;
use super::{DIFFERS, DONE, Global, print, stop_flag, time};
use crate::capture::Watch as _;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Direction, Event};
use crate::filter::Filter;
use crate::read::export::{self, Format, Writer};
use crate::read::position::Position;
use crate::select;
use crate::spool::{Record, Seq, Spool};

const HELP: &str = "\
Examples:
  binsync export --format csv --flatten --table shop.orders > orders.csv
  binsync export --format es-bulk | curl -H 'Content-Type: application/x-ndjson' \\
      --data-binary @- http://search.example:9200/changes/_bulk
  binsync export --format jsonl --follow --name feed | feeder

jsonl gives the producer's own messages, one a line; they can be imported again. The _id of es-bulk
is the message's number in the spool: exported again, it replaces what is there. Under a --name an
export goes on where the last one ended; what was written last may come a second time after a
crash. The name is kept in the folder export of the spool.

CSV has the values as they are: a spreadsheet takes text that begins with = + - @ for a formula and
runs it. --csv-safe leads such text by an apostrophe; numbers stay as they are.";

/// How often a new message is looked for, and how often the position is saved.
const POLL: Duration = Duration::from_millis(200);

/// Arguments of `export`.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub struct ExportArgs {
    /// How the events are written
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: FormatArg,
    /// The row's columns side by side with the other fields, as data.NAME and old.NAME
    #[arg(long)]
    flatten: bool,
    /// Lead text in CSV that a spreadsheet would take for a formula by an apostrophe
    #[arg(long)]
    csv_safe: bool,
    /// Wait for more at the end
    #[arg(long, conflicts_with = "until")]
    follow: bool,
    /// Go on where the export of that name ended
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    select: SelectArgs,
}

/// A format, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    /// The producer's messages, one a line
    Jsonl,
    /// Comma-separated, with a head line
    Csv,
    /// For Elasticsearch's _bulk
    EsBulk,
}

/// Runs `export`.
///
/// # Errors
/// As the spool and the selection have them.
pub fn export(global: &Global, args: &ExportArgs) -> Result<u8> {
    let output = Output::new("exported", global.quiet);
    let format = match args.format {
        FormatArg::Jsonl => Format::Jsonl,
        FormatArg::Csv => Format::Csv,
        FormatArg::EsBulk => Format::EsBulk,
    };
    let by_columns = format == Format::Csv && args.flatten;
    if by_columns && (args.follow || args.name.is_some()) {
        return Err(Error::usage(
            "flattened CSV has a column for each of the rows' columns, so all rows have to be \
             there before it begins",
        )
        .help("leave out --follow and --name, or --flatten"));
    }
    if args.csv_safe && format != Format::Csv {
        return Err(Error::usage("--csv-safe is for CSV").help("add --format csv, or leave it out"));
    }
    let mut spool = Spool::open(&global.spool)?;
    let stop = stop_flag()?;
    if args.follow {
        args.select.check_open()?;
        if !args.select.wait(&mut spool, &stop, &output)? {
            return Ok(DONE);
        }
    }
    let (selection, _) =
        args.select.select(&spool, args.select.words(false), args.follow, &output)?;
    spool.check_key(&selection.range)?;
    let safe = if args.csv_safe { "safe " } else { "" };
    let what = format!("{format:?} {safe}flatten={} {}", args.flatten, selection.words);
    let position =
        args.name.as_ref().map(|name| Position::open(&spool, name, &what)).transpose()?;
    let mut columns = Vec::new();
    let mut run = Run {
        output,
        position,
        stop,
        saved: Instant::now(),
        events: 0,
        unreadable: false,
        open: true,
    };
    if by_columns {
        let range = selection.range.clone();
        let mut add = |_: &mut String, _: &Record<'_>, event: &Event<'_>| {
            export::add_columns(&mut columns, event)
        };
        run.each(&spool, range, &selection.filter, &mut add, |run, _, _| Ok(!run.is_stopped()))?;
        run.events = 0;
    }
    let writer = Writer::new(format, args.flatten, columns).safe(args.csv_safe);
    let resumed = run.position.as_ref().map_or(0, Position::next);
    if resumed == 0 {
        run.open = print(&writer.head())?;
    }
    let first = selection.range.start;
    let mut range = selection.range.start.max(resumed)..selection.range.end;
    loop {
        run.write(&writer, &spool, range.clone(), &selection.filter)?;
        if !args.follow || !run.open || run.is_stopped() {
            break;
        }
        thread::sleep(POLL);
        let last = spool.landmark(range.end)?;
        spool.refresh()?;
        if let Some(last) = last {
            spool.recognise(&last, "this export")?;
        }
        let end = spool.end()?;
        range = range.end.max(range.start)..end.open.unwrap_or(end.next);
        spool.check_key(&range)?;
    }
    run.output.finish(&format!("exported {}", counted(run.events, "event")));
    let status = say_troubles(&spool, &(first..range.end), &run.output)?;
    if run.is_stopped() && !args.follow {
        return Err(Error::stopped("stopped by a signal, before the end").help(match args.name {
            Some(_) => "run the same command again, it goes on",
            None => "run the same command again, it begins anew; with --name it goes on",
        }));
    }
    Ok(if run.unreadable { DIFFERS } else { status })
}

/// An export under way.
struct Run {
    output: Output,
    position: Option<Position>,
    stop: std::sync::Arc<AtomicBool>,
    saved: Instant,
    events: u64,
    unreadable: bool,
    open: bool,
}

impl Run {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Writes the events of a stretch.
    fn write(
        &mut self,
        writer: &Writer,
        spool: &Spool,
        range: Range<Seq>,
        filter: &Filter,
    ) -> Result<()> {
        let mut add = |text: &mut String, record: &Record<'_>, event: &Event<'_>| {
            writer.event(text, record, event, &time::utc(event.meta.ts))
        };
        let next = self.each(spool, range.clone(), filter, &mut add, |run, text, next| {
            run.open = run.open && print(text)?;
            text.clear();
            if run.open && run.saved.elapsed() > POLL {
                run.save(spool, next)?;
            }
            run.output.reached(next.saturating_sub(range.start), range.end - range.start);
            Ok(run.open && !run.is_stopped())
        })?;
        if self.open { self.save(spool, next) } else { Ok(()) }
    }

    fn save(&mut self, spool: &Spool, next: Seq) -> Result<()> {
        self.saved = Instant::now();
        self.position.as_mut().map_or(Ok(()), |position| position.reached(spool, next))
    }

    /// Hands the events of a stretch to `add`, and after each frame the next record to
    /// `frame_done`, which says whether to go on. Returns the first record not seen.
    fn each(
        &mut self,
        spool: &Spool,
        range: Range<Seq>,
        filter: &Filter,
        add: &mut dyn FnMut(&mut String, &Record<'_>, &Event<'_>) -> Result<()>,
        mut frame_done: impl FnMut(&mut Self, &mut String, Seq) -> Result<bool>,
    ) -> Result<Seq> {
        let mut text = String::new();
        for frame in select::frames(spool, filter, range.clone(), Direction::Forward)? {
            let frame = match frame {
                Ok(frame) => frame,
                // Damaged; what cannot be had from the archive now ends it.
                Err(error) if error.kind() == ErrorKind::Failed => {
                    self.output.tell(&error.words());
                    self.unreadable = true;
                    continue;
                }
                Err(error) => return Err(error),
            };
            for record in frame.counted(&range, Direction::Forward) {
                let event = frame.event(&record)?;
                if filter.takes_event(&event) {
                    self.events += 1;
                    add(&mut text, &record, &event)?;
                }
            }
            let next = frame.range().end.min(range.end);
            if !frame_done(self, &mut text, next)? {
                return Ok(next);
            }
        }
        Ok(range.end.max(range.start))
    }
}
