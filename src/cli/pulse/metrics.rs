//! Metrics in Prometheus's text form.
//!
//! Each name is told by one kind of process only, and has the spool as a label: a collector of
//! text files takes the same name with the same labels from one file alone.

use std::fmt::Write as _;

use super::look::{Look, Sample, Who};

/// The page.
pub(super) fn text(look: &Look, sample: &Sample) -> String {
    let spool = escaped(&look.dir.to_string_lossy());
    match &look.who {
        Who::Capture => {
            let mut page = Page { labels: format!("spool=\"{spool}\""), text: String::new() };
            capture(&mut page, sample);
            page.text
        }
        Who::Apply(name) => {
            let labels = format!("spool=\"{spool}\",run=\"{}\"", escaped(name));
            let mut page = Page { labels, text: String::new() };
            apply(&mut page, sample);
            page.text
        }
    }
}

fn capture(page: &mut Page, sample: &Sample) {
    let counted = &sample.counted;
    page.counter("capture_messages_total", "Messages stored since the start.", counted.messages);
    page.counter("capture_bytes_total", "Their bytes.", counted.bytes);
    page.counter(
        "capture_passed_total",
        "Redelivered messages that were in the spool already and were not stored again.",
        counted.passed,
    );
    let queues = counted.connections.iter();
    let queues: Vec<_> = queues.map(|(queue, is)| (queue.as_str(), u8::from(*is))).collect();
    page.each("capture_connected", "Whether there is a connection to the queue.", "queue", &queues);
    let Ok((state, end)) = &sample.spool else { return };
    let gauges: [(&str, &str, f64); 11] = [
        ("messages", "Messages in the spool.", state.messages as f64),
        ("next_sequence", "Number of the next message.", end.next as f64),
        ("raw_bytes", "Bytes of the messages.", state.raw as f64),
        ("bytes", "Bytes of the spool's files.", state.stored as f64),
        ("resends", "Messages in the spool that the producer sent again.", state.resends as f64),
        ("damaged", "Messages in the spool that cannot be read.", state.damaged.0 as f64),
        ("gaps", "Gaps in the spool.", state.gaps.0 as f64),
        ("unreadable", "Stretches of the spool that are lost.", state.unreadable.len() as f64),
        ("disk_free_bytes", "Bytes that the disk has left.", state.disk.0 as f64),
        ("disk_reserve_bytes", "Below so many the capture pauses.", state.disk.1 as f64),
        ("messages_per_second", "Messages stored a second, in the last minute.", state.rate),
    ];
    for (name, help, value) in gauges {
        page.gauge(&format!("spool_{name}"), help, value);
    }
    if let Some(last) = &state.last {
        page.gauge("spool_last_event_timestamp_seconds", LAST_EVENT, last.ts as f64);
        let age = (sample.now - last.ts) as f64;
        page.gauge("spool_last_event_age_seconds", "How long ago that was.", age);
    }
    if let Some(ms) = state.arrival_ms {
        let help = "When messages were stored last, seconds since 1970.";
        page.gauge("spool_last_arrival_timestamp_seconds", help, ms as f64 / 1000.0);
    }
}

const LAST_EVENT: &str = "When the source did the last transaction stored, seconds since 1970.";

fn apply(page: &mut Page, sample: &Sample) {
    let counted = &sample.counted;
    page.counter(
        "apply_messages_total",
        "Messages gone through since the start, selected or not.",
        counted.messages,
    );
    if let Some(reached) = counted.reached {
        page.gauge("apply_next_sequence", "Number of the message applied next.", reached as f64);
    }
    if let Some((messages, seconds)) = sample.behind() {
        let help = "Messages of whole transactions in the spool that are not applied yet.";
        page.gauge("apply_behind_messages", help, messages as f64);
        if let Some(seconds) = seconds {
            let help =
                "Time at the source from what was applied last to the spool's last transaction.";
            page.gauge("apply_behind_seconds", help, seconds as f64);
        }
    }
    if let Some(ts) = counted.ts {
        let help = "When the source did what was applied last, seconds since 1970.";
        page.gauge("apply_last_event_timestamp_seconds", help, ts as f64);
        let help = "How long ago that was.";
        page.gauge("apply_last_event_age_seconds", help, (sample.now - ts) as f64);
    }
}

struct Page {
    labels: String,
    text: String,
}

impl Page {
    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, help, "counter");
        let _ = writeln!(self.text, "binsync_{name}{{{}}} {value}", self.labels);
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.head(name, help, "gauge");
        let _ = writeln!(self.text, "binsync_{name}{{{}}} {value}", self.labels);
    }

    /// A gauge for each of several.
    fn each(&mut self, name: &str, help: &str, label: &str, values: &[(&str, u8)]) {
        if values.is_empty() {
            return;
        }
        self.head(name, help, "gauge");
        for (of, value) in values {
            let (labels, of) = (&self.labels, escaped(of));
            let _ = writeln!(self.text, "binsync_{name}{{{labels},{label}=\"{of}\"}} {value}");
        }
    }

    fn head(&mut self, name: &str, help: &str, kind: &str) {
        let _ = writeln!(self.text, "# HELP binsync_{name} {help}");
        let _ = writeln!(self.text, "# TYPE binsync_{name} {kind}");
    }
}

/// A label's value.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::cli::gauges::Gauges;
    use crate::error::Error;

    #[test]
    fn labels_hold_any_name() {
        let gauges = Arc::<Gauges>::default();
        gauges.reached(7, Some(1_795_351_755));
        gauges.reached(9, None);
        let counted = gauges.now();
        let sample = Sample { counted, spool: Err(Error::failed("locked")), now: 1_795_351_760 };
        let who = Who::Apply("a\"\\\nb".into());
        let look = Look::new(who, Path::new("./spool"), gauges);
        let text = text(&look, &sample);
        let line = "binsync_apply_messages_total{spool=\"./spool\",run=\"a\\\"\\\\\\nb\"} 2\n";
        assert!(text.contains(line), "{text}");
        assert!(text.contains("binsync_apply_last_event_age_seconds"), "{text}");
        // What is not known is not told.
        assert!(!text.contains("behind"), "{text}");
    }
}
