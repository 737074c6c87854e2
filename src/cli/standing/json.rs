//! `status --json`.

use serde_json::{Value, json};

use super::findings::{Finding, Standing};
use crate::event::landmark::Landmark;
use crate::replay::runs::RunState;
use crate::spool::Transaction;

pub(super) fn json(standing: &Standing, findings: &[Finding]) -> Value {
    let Standing { spool, id, state, runs, now_ms } = standing;
    let findings: Vec<Value> =
        findings.iter().map(|f| json!({"about": f.about, "what": f.text})).collect();
    let age = |ms: i64| (now_ms - ms).max(0) / 1000;
    json!({
        "spool": {
            "path": spool, "spool": id,
            "first": state.span.0, "next": state.span.1,
            "messages": state.messages, "raw_bytes": state.raw, "bytes": state.stored,
            "segments": state.segments,
            "first_event": state.first.as_ref().map(event),
            "last_event": state.last.as_ref().map(event),
            "last_event_age": state.last.as_ref().map(|t| age(t.ts * 1000)),
            "last_arrival_ms": state.arrival_ms,
            "last_arrival_age": state.arrival_ms.map(age),
            "rate": (state.rate * 10.0).round() / 10.0,
            "resends": state.resends, "damaged": state.damaged.0, "gaps": state.gaps.0,
            "late": state.late,
            "unreadable": state.unreadable.len(),
            "archive": state.archive.as_ref().map(|archive| json!({
                "to": archive.to, "segments": archive.segments.len(),
                "bytes": archive.segments.iter().map(|(copied, _)| copied.bytes).sum::<u64>(),
                "away": archive.segments.iter().filter(|(_, here)| !here).count(),
            })),
            "inboxes": state.waiting.iter().map(|waiting| json!({
                "queue": waiting.queue, "messages": waiting.messages, "since_ms": waiting.since_ms,
            })).collect::<Vec<_>>(),
            "disk_free": state.disk.0, "disk_reserve": state.disk.1,
            "writer": state.writer,
        },
        "runs": runs.iter().map(run).collect::<Vec<_>>(),
        "findings": findings,
    })
}

fn event(t: &Transaction) -> Value {
    json!({
        "seq": t.last, "ts": t.ts, "xid": t.xid,
        "position": t.position.as_ref().map(ToString::to_string),
    })
}

fn run(run: &RunState) -> Value {
    let standing = &run.standing;
    let position = standing.last.as_ref().and_then(Landmark::place).map(|at| at.to_string());
    json!({
        "name": run.run.name, "target": run.target, "asked": run.asked,
        "spool": run.run.spool, "direction": run.run.direction.name(),
        "selection": run.run.selection,
        "seq": standing.seq, "position": position, "ts": run.ts,
        "behind_messages": run.behind.map(|behind| behind.messages),
        "behind_seconds": run.behind.and_then(|behind| behind.seconds),
        "seen_ms": run.seen_ms, "alive": run.alive,
        // Not told where the target was not asked.
        "window_end": run.asked.then_some(standing.window.map(|window| window.end)),
        "statement": run.asked.then_some(standing.statement),
        "skipped": run.asked.then_some(standing.skipped),
        "copying": run.asked.then(|| {
            standing.copying.iter().map(|next| next.table.to_string()).collect::<Vec<_>>()
        }),
    })
}
