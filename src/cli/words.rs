//! What the library's errors advise, in words of the command line.

use crate::error::{Allow, Error, Next};

/// What may have been meant by a stretch without rows.
pub(super) const LEAVE_NONE: &str = "TRUNCATE and DROP leave no row changes";

/// An error with its next step.
pub(super) fn error(error: &Error) -> String {
    let message = error.message();
    error
        .next_step()
        .map_or(message.to_owned(), |step| format!("{message}\n  next: {}", next(step)))
}

fn next(step: &Next) -> String {
    match step {
        Next::Words(words) => words.clone(),
        Next::All(steps) => steps.iter().map(next).collect::<Vec<_>>().join("; "),
        Next::OtherStretch => format!("`binsync log` lists what there is; {LEAVE_NONE}"),
        Next::Narrow(allow) => narrow(allow),
    }
}

fn narrow(allow: &[Allow]) -> String {
    let flags = allow.iter().map(|what| match what {
        Allow::Cascades => " --allow-cascades",
        Allow::Ddl => " --allow-ddl",
        Allow::Incomplete => " --allow-incomplete",
    });
    let on = match allow {
        [] => String::new(),
        _ => format!(", or take the rest back all the same with{}", flags.collect::<String>()),
    };
    format!(
        "narrow the stretch with --since, --until or --position, or leave tables out with \
         --exclude-table{on}"
    )
}
