//! Labels of ENUM and SET. Pure.
//!
//! The producer takes them from the text of a statement or of a type, and leaves the escapes in
//! them: `it's` arrives as `it''s`. Which label is meant is told by those that the column has.

use std::borrow::Cow;

use crate::error::{Error, ErrorKind, Means, Result};
use crate::event::def::Column;
use crate::event::printable;

/// The label of the column that arrived so. One that the column does not have stays as it is: the
/// server refuses it, or takes it for one that its collation holds for the same.
///
/// # Errors
/// When it may be one of several; a conflict when the server would take it for another's number.
pub(super) fn meant<'a>(column: &Column, arrived: Cow<'a, str>) -> Result<Cow<'a, str>> {
    // Servers keep no blanks at the end of a label.
    let own = || column.arguments.iter().map(|label| label.trim_end_matches(' '));
    let arrived = match arrived {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_end_matches(' ')),
        Cow::Owned(text) => text.trim_end_matches(' ').to_owned().into(),
    };
    let text = &*arrived;
    // Escaped or not: what has no such sign is itself, but for labels that lost their own quotes.
    let plain = !text.contains(['\'', '"', '\\']) && !own().any(|l| l.starts_with(['"', '`']));
    if plain && own().any(|label| label == text) {
        return Ok(arrived);
    }
    let mut fitting = own().filter(|label| may_be(text, label));
    match (fitting.next().map(str::to_owned), fitting.next()) {
        (Some(label), None) => Ok(label.into()),
        (Some(label), Some(other)) => Err(Error::stopped(format!(
            "column {:?}: the label that arrived as {:?} may be {:?} or {:?}: the producer sends \
             labels with the escapes of the statement that made them",
            column.name,
            printable(text),
            printable(&label),
            printable(other),
        ))
        .help((
            "look at the source which it is; leave the table out with {}, or the column with \
             {}, and write it by hand",
            [Means::ExcludeTable, Means::DropColumn],
        ))),
        (None, _) if own().next().is_some() && is_number(text) => Err(Error::new(
            ErrorKind::Conflict,
            format!(
                "column {:?}: has no label {:?}, and a server would take it for the number of one",
                column.name,
                printable(text)
            ),
        )),
        (None, _) => Ok(arrived),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// True when the label may have arrived so: as it is, or as one of the ways to write it.
fn may_be(arrived: &str, label: &str) -> bool {
    let written = |label: &str| {
        arrived == label
            || unescaped(arrived, true, true) == label
            || unescaped(arrived, true, false) == label
            || unescaped(arrived, false, true) == label
    };
    // A quote at the begin is taken for one around it, and goes with the last letter.
    let inside = label.strip_prefix(['"', '`']).map(|rest| {
        let mut letters = rest.chars();
        letters.next_back();
        letters.as_str()
    });
    written(label) || inside.is_some_and(written)
}

/// The text of a literal: `''` is one quote, a backslash goes before what it escapes.
fn unescaped(text: &str, doubled: bool, backslash: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' if doubled => {
                letters.next_if_eq(&'\'');
                out.push('\'');
            }
            '\\' if backslash => match letters.next() {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('t') => out.push('\t'),
                Some('b') => out.push('\u{8}'),
                Some('0') => out.push('\0'),
                Some('Z') => out.push('\u{1a}'),
                Some(like @ ('%' | '_')) => out.extend(['\\', like]),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant_of(labels: &[&str], arrived: &str) -> Result<String> {
        let column = Column {
            name: "c".into(),
            arguments: labels.iter().map(|l| (*l).to_owned()).collect(),
            ..Column::default()
        };
        meant(&column, arrived.into()).map(Cow::into_owned)
    }

    #[test]
    fn a_label_is_found_however_it_was_written() {
        let labels =
            ["plain", "it's", r"a\b", "say \"so\"", "n\nl", "\"q\"", "`w`", r"p\%", "''", "x "];
        for (arrived, label) in [
            ("plain", "plain"),
            ("it''s", "it's"),
            (r"it\'s", "it's"),
            ("it's", "it's"),
            (r"a\\b", r"a\b"),
            (r"a\b", r"a\b"),
            ("say \"so\"", "say \"so\""),
            (r#"say \"so\""#, "say \"so\""),
            (r"n\nl", "n\nl"),
            ("q", "\"q\""),
            ("w", "`w`"),
            ("\"q\"", "\"q\""),
            (r"p\%", r"p\%"),
            ("''''", "''"),
            ("x", "x"),
            ("x ", "x"),
            ("nowhere", "nowhere"),
        ] {
            assert_eq!(meant_of(&labels, arrived).expect("a label"), label, "{arrived}");
        }
        assert_eq!(meant_of(&[], "it''s").expect("unknown labels"), "it''s");
    }

    #[test]
    fn what_may_be_two_labels_is_refused() {
        let error = meant_of(&["it's", "it''s"], "it''s").expect_err("two");
        assert!(error.to_string().contains("it''s"), "{error}");
        assert!(meant_of(&["\"q\"", "q"], "q").is_err());
    }

    #[test]
    fn a_number_that_is_no_label_would_be_taken_for_another() {
        assert_eq!(meant_of(&["0", "2"], "2").expect("a label"), "2");
        let error = meant_of(&["0", "2"], "1").expect_err("no label");
        assert_eq!(error.kind(), ErrorKind::Conflict);
    }
}
