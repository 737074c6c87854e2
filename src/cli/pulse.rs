//! How a capture, or an apply that follows, is: told once a minute where nobody watches, and at any
//! time to the service manager, in a file, and over HTTP.
//!
//! All of it is done on threads of their own, from counts and from the spool's index: what fails
//! there does not touch the run.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use super::gauges::Gauges;
use super::line;
use super::notify::notify;
use crate::error::Result;

mod file;
mod look;
mod metrics;
mod serve;

use file::MetricsFile;
use look::Look;
pub use look::Who;

/// How often the metrics are made anew.
const EVERY: Duration = Duration::from_secs(5);
/// How often a line is written.
const LINE_EVERY: Duration = Duration::from_secs(60);

/// Where metrics go, in Prometheus's text form.
#[derive(Args, Clone, Debug, Default)]
pub struct MetricsArgs {
    /// Write metrics to this file every 5 s, for a collector of text files
    #[arg(long, value_name = "FILE")]
    metrics_file: Option<PathBuf>,
    /// Serve metrics over HTTP at this address, such as 127.0.0.1:9187
    #[arg(long, value_name = "ADDR:PORT")]
    metrics_listen: Option<String>,
}

impl MetricsArgs {
    /// True when metrics are asked for.
    pub(super) fn any(&self) -> bool {
        self.metrics_file.is_some() || self.metrics_listen.is_some()
    }
}

/// Tells until it is dropped.
pub struct Pulse {
    stop: Option<Sender<()>>,
}

impl Pulse {
    /// Begins. `lines`: nobody watches, and somebody may read what is written.
    ///
    /// # Errors
    /// When the metrics cannot be written or served there.
    pub fn start(
        who: Who,
        spool: &Path,
        gauges: Arc<Gauges>,
        args: &MetricsArgs,
        lines: bool,
    ) -> Result<Self> {
        let page = Arc::new(Mutex::new(String::new()));
        let file = args.metrics_file.clone().map(MetricsFile::new).transpose()?;
        if let Some(address) = &args.metrics_listen {
            serve::serve(address, page.clone())?;
        }
        let look = Look::new(who, spool, gauges);
        let told = args.any() || std::env::var_os("NOTIFY_SOCKET").is_some();
        let page = told.then_some((page, file));
        let lines = lines.then_some(LINE_EVERY);
        Ok(Self::begin(look, page, lines, line))
    }

    fn begin(
        mut look: Look,
        mut page: Option<(Arc<Mutex<String>>, Option<MetricsFile>)>,
        lines: Option<Duration>,
        say: impl Fn(&str) + Send + 'static,
    ) -> Self {
        let every = page.as_ref().map(|_| EVERY).into_iter().chain(lines).min();
        let (stop, stopped) = channel();
        thread::spawn(move || {
            let mut line_at = Instant::now();
            loop {
                if let Some((page, file)) = &mut page {
                    tell(&mut look, page, file.as_mut());
                }
                if lines.is_some_and(|every| line_at.elapsed() >= every) {
                    say(&look.line(line_at.elapsed()));
                    line_at = Instant::now();
                }
                match stopped.recv_timeout(every.unwrap_or(LINE_EVERY)) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
                }
            }
        });
        Self { stop: Some(stop) }
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        notify("STOPPING=1");
        // It is not waited for: what it does may hang, and is left where the process ends.
        drop(self.stop.take());
    }
}

/// Makes the page anew, and tells the service manager.
fn tell(look: &mut Look, page: &Mutex<String>, file: Option<&mut MetricsFile>) {
    let sample = look.sample();
    let text = metrics::text(look, &sample);
    if let Some(file) = file {
        file.write(&text);
    }
    *page.lock().unwrap_or_else(PoisonError::into_inner) = text;
    notify(&format!("STATUS={}", look.words(&sample, None)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Context as _;
    use crate::spool::{Batch, SpoolWriter, WriterOptions};

    #[test]
    fn a_line_comes_also_when_nothing_else_does() -> Result<()> {
        let dir = tempfile::tempdir().context("temp")?;
        a_spool(dir.path())?;
        let (gauges, (send, said)) = (Arc::<Gauges>::default(), channel());
        gauges.stored(1200, 3_400_000);
        gauges.connected("q", false);
        let look = Look::new(Who::Capture, dir.path(), gauges);
        let every = Duration::from_millis(20);
        let pulse =
            Pulse::begin(look, None, Some(every), move |text| drop(send.send(text.to_owned())));
        let next = || said.recv_timeout(Duration::from_secs(20)).context("no line");
        let (first, second) = (next()?, next()?);
        assert!(first[..20].ends_with('Z') && first.starts_with("20"), "{first}");
        assert!(first[20..].starts_with(" captured 1,200 messages, 3.4 MB, "), "{first}");
        assert!(second.contains("3.4 MB, 0/s lately; last event "), "{second}");
        assert!(second.ends_with("not connected to q"), "{second}");
        drop(pulse);
        Ok(())
    }

    /// A spool with one row in it.
    fn a_spool(dir: &Path) -> Result<()> {
        let (mut writer, _) = SpoolWriter::open(dir, WriterOptions::default())?;
        let mut batch = Batch::default();
        batch.push(ROW.as_bytes());
        writer.append(&batch)?;
        writer.finish().map(drop)
    }

    const ROW: &str = r#"{"type":"insert","database":"d","table":"t","ts":1795351755,"xid":1,"commit":true,"data":{"id":1}}"#;

    #[test]
    fn an_apply_tells_how_far_it_is_behind() -> Result<()> {
        let dir = tempfile::tempdir().context("temp")?;
        a_spool(dir.path())?;
        let gauges = Arc::<Gauges>::default();
        let mut look = Look::new(Who::Apply("a".into()), dir.path(), gauges.clone());
        let mut line = || look.line(Duration::from_secs(1))[21..].to_owned();
        assert!(line().starts_with("a: applied 0 messages, 0/s lately; last event "));
        gauges.reached(1, Some(1_795_351_750));
        assert!(line().contains("; behind by 1 message, 5 s; last event "));
        gauges.reached(2, Some(1_795_351_755));
        assert!(line().starts_with("a: applied 1 message, 1/s lately; not behind; last event "));
        Ok(())
    }
}
