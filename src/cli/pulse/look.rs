//! How a run is at a moment, from its counts and the spool.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::cli::duration::rough;
use crate::cli::gauges::{Counted, Gauges};
use crate::cli::output::{count, counted, megabytes};
use crate::cli::words;
use crate::error::{Error, Result};
use crate::event::time::utc;
use crate::spool::{End, Spool, State};

/// What runs.
#[derive(Clone, Debug)]
pub enum Who {
    /// A capture.
    Capture,
    /// An apply of that name.
    Apply(String),
}

/// How a run is at a moment.
pub(super) struct Sample {
    pub(super) counted: Counted,
    /// The spool, or why it cannot be asked.
    pub(super) spool: Result<(State, End)>,
    /// Seconds since 1970.
    pub(super) now: i64,
}

/// What is looked at.
pub(super) struct Look {
    pub(super) who: Who,
    pub(super) dir: PathBuf,
    gauges: Arc<Gauges>,
    spool: Option<Spool>,
    /// How many messages there were at the last line.
    messages: u64,
}

impl Look {
    /// Nothing was looked at yet.
    pub(super) fn new(who: Who, dir: &Path, gauges: Arc<Gauges>) -> Self {
        Self { who, dir: dir.to_owned(), gauges, spool: None, messages: 0 }
    }

    /// A line with a time, so long after the last one.
    pub(super) fn line(&mut self, since: Duration) -> String {
        let sample = self.sample();
        let line = format!("{} {}", utc(sample.now), self.words(&sample, Some(since)));
        self.messages = sample.counted.messages;
        line
    }

    pub(super) fn sample(&mut self) -> Sample {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // First the spool: nothing is in it that was not counted, but for what comes right now.
        let spool = self.state();
        Sample { counted: self.gauges.now(), spool, now: now.as_secs() as i64 }
    }

    fn state(&mut self) -> Result<(State, End)> {
        match &mut self.spool {
            Some(spool) => spool.refresh()?,
            none => *none = Some(Spool::open(&self.dir)?),
        }
        let asked = self.spool.as_ref().map(|spool| Ok((spool.state()?, spool.end()?)));
        asked.unwrap_or_else(|| Err(Error::failed("no spool")))
    }

    /// How it is, in a line; `since`: how long ago the last line was.
    pub(super) fn words(&self, sample: &Sample, since: Option<Duration>) -> String {
        let Counted { messages, bytes, connections, .. } = &sample.counted;
        let mut text = match &self.who {
            Who::Capture => {
                format!("captured {}, {}", counted(*messages, "message"), megabytes(*bytes))
            }
            Who::Apply(name) => format!("{name}: applied {}", counted(*messages, "message")),
        };
        if let Some(since) = since {
            let rate = (messages - self.messages) as f64 / since.as_secs_f64().max(0.001);
            text += &format!(", {}/s lately", count(rate.round() as u64));
        }
        let last = match &sample.spool {
            Ok((state, _)) => state.last.as_ref().map(|last| last.ts),
            Err(e) => {
                text += &format!("; the spool cannot be asked: {}", words::text(e.message()));
                None
            }
        };
        match sample.behind() {
            Some((0, _)) => text += "; not behind",
            Some((messages, seconds)) => {
                let time = seconds.map_or(String::new(), |s| format!(", {}", rough(s)));
                text += &format!("; behind by {}{time}", counted(messages, "message"));
            }
            None => {}
        }
        if let Some(ts) = last {
            text += &format!("; last event {} ago", rough(sample.now - ts));
        }
        for (to, _) in connections.iter().filter(|(_, is)| !**is) {
            text += &format!("; not connected to {to}");
        }
        text
    }
}

impl Sample {
    /// How far the run is behind the spool's last whole transaction: messages, and seconds where
    /// both times are known.
    pub(super) fn behind(&self) -> Option<(u64, Option<i64>)> {
        let (reached, (state, end)) = (self.counted.reached?, self.spool.as_ref().ok()?);
        let messages = end.open.unwrap_or(end.next).saturating_sub(reached);
        let last = state.last.as_ref().map(|last| last.ts);
        let seconds = match messages {
            0 => Some(0),
            _ => last.zip(self.counted.ts).map(|(last, ts)| (last - ts).max(0)),
        };
        Some((messages, seconds))
    }
}
