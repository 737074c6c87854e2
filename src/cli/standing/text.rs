//! `status` as text.

use std::fmt::Write as _;

use super::findings::{Finding, Standing};
use crate::cli::duration::rough;
use crate::cli::output::{count, counted, megabytes};
use crate::event::time::utc;
use crate::event::{Direction, printable};
use crate::replay::runs::RunState;

pub(super) fn text(standing: &Standing, findings: &[Finding]) -> String {
    let mut text = spool(standing);
    if standing.runs.is_empty() {
        text += "\nno runs\n";
    }
    let mut target = None;
    for run in &standing.runs {
        let at = run.target.as_deref().unwrap_or("the target");
        if target.replace(at) != Some(at) {
            let seen = if run.asked { "" } else { ", as it was seen last" };
            let _ = writeln!(text, "\nruns at {}{seen}", printable(at));
        }
        text += &one(run, standing);
    }
    if !findings.is_empty() {
        text += "\nto be seen to\n";
    }
    for finding in findings {
        let shown: Vec<_> = finding.text.split('\n').map(printable).collect();
        let _ = writeln!(text, "  {}: {}", finding.about, shown.join("\n  "));
    }
    text
}

fn spool(standing: &Standing) -> String {
    let Standing { spool, id, state, now_ms, .. } = standing;
    let age = |ms: i64| rough((now_ms - ms) / 1000);
    let mut lines = vec![format!("spool {id} in {}", printable(spool))];
    let (first, next) = state.span;
    lines.push(format!(
        "  holds    {}, {} to {}, {}; in {}, {}",
        counted(state.messages, "message"),
        count(first),
        count(next.saturating_sub(1)),
        megabytes(state.raw),
        counted(state.segments, "segment"),
        megabytes(state.stored),
    ));
    lines.extend(state.first.as_ref().map(|t| format!("  from     {t}")));
    lines.extend(state.last.as_ref().map(|t| format!("  to       {t}, {} ago", age(t.ts * 1000))));
    lines.extend(state.arrival_ms.map(|ms| {
        let rate = match state.rate {
            few @ 0.1..10.0 => format!("{few:.1}"),
            many => count(many.round() as u64),
        };
        format!("  stored   {} ago; {rate} messages/s in the last minute", age(ms))
    }));
    let late = match state.late {
        0 => String::new(),
        late => format!(" ({} late)", count(late)),
    };
    lines.push(format!(
        "  marks    {}, {} damaged, {}{late}, {} unreadable",
        counted(state.resends, "re-send"),
        count(state.damaged.0),
        counted(state.gaps.0, "gap"),
        count(state.unreadable.len() as u64),
    ));
    lines.extend(state.archive.as_ref().map(|archive| {
        let away = archive.segments.iter().filter(|(_, here)| !here).count();
        let bytes = archive.segments.iter().map(|(copied, _)| copied.bytes).sum();
        format!(
            "  archive  {}, {}, {away} of them not here; in {}",
            counted(archive.segments.len() as u64, "segment"),
            megabytes(bytes),
            printable(&archive.to)
        )
    }));
    lines.extend(state.waiting.iter().map(|waiting| {
        let queue = printable(&waiting.queue);
        let since = waiting
            .since_ms
            .map_or(String::new(), |ms| format!(", the first came {} ago", age(ms)));
        format!("  inbox    {queue}: {} to be merged{since}", counted(waiting.messages, "message"))
    }));
    let (free, reserve) = state.disk;
    lines.push(format!("  disk     {} left, reserve {}", megabytes(free), megabytes(reserve)));
    lines.push(match state.writer {
        Some(process) => format!("  writer   process {process}"),
        None => "  writer   none".to_owned(),
    });
    lines.join("\n") + "\n"
}

fn one(run: &RunState, standing: &Standing) -> String {
    let selection = match run.run.selection.is_empty() {
        true => String::new(),
        false => format!(", {}", printable(&run.run.selection)),
    };
    let alive = match run.alive {
        Some(true) => "; running",
        Some(false) => "; not running",
        None => "",
    };
    let name = printable(&run.run.name);
    let mut text = format!("  {name}: {}{selection}{alive}\n", run.run.direction.name());
    if !run.ours {
        let _ = writeln!(text, "    of another spool, {}", printable(&run.run.spool));
        return text;
    }
    let place = match (run.run.direction, &run.standing.last) {
        (Direction::Reverse, _) => format!("message {}, going back", count(run.standing.seq)),
        (Direction::Forward, Some(last)) => printable(&last.to_string()).into_owned(),
        (Direction::Forward, None) if run.standing.seq <= standing.state.span.0 => {
            "the begin of the spool".to_owned()
        }
        (Direction::Forward, None) => format!("message {}", run.standing.seq - 1),
    };
    let time = run.ts.map_or(String::new(), |ts| format!(" of {}", utc(ts)));
    let behind = run.behind.map_or(String::new(), |behind| match behind.messages {
        0 => ", not behind".to_owned(),
        messages => {
            let time = behind.seconds.map_or(String::new(), |s| format!(", {}", rough(s)));
            format!(", behind by {}{time}", counted(messages, "message"))
        }
    });
    let seen = run.seen_ms.map_or(String::new(), |ms| {
        format!("; it moved {} ago", rough((standing.now_ms - ms) / 1000))
    });
    let _ = writeln!(text, "    at {place}{time}{behind}{seen}");
    let copying = &run.standing.copying;
    if let Some(next) = copying.first() {
        let left = counted(copying.len() as u64, "table");
        let _ = writeln!(text, "    first copy: {left} left, {} is next", next.table);
    }
    text
}
