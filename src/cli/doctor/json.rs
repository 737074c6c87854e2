//! `doctor --json`.

use serde_json::{Value, json};

use crate::cli::words;
use crate::doctor::{Check, State, count};

pub(super) fn json(checks: &[Check]) -> Value {
    let all: Vec<Value> = checks.iter().map(one).collect();
    json!({
        "problems": count(checks, State::Problem),
        "notes": count(checks, State::Note),
        "not_checked": count(checks, State::NotChecked),
        "checks": all,
    })
}

fn one(check: &Check) -> Value {
    json!({
        "part": check.part.name(),
        "name": check.name,
        "state": check.state.name(),
        "what": words::text(&check.what),
        "next": check.next.as_ref().map(words::text),
        "on": check.on,
    })
}
