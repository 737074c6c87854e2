//! Words looked for wherever they stand: what no statement that defines a table holds, and what a
//! target may lack.

use super::token::{Kind, Token};

/// Words that read or write something else than the tables named.
const NEVER: [&str; 6] = ["SELECT", "INTO", "OUTFILE", "PROCEDURE", "CALL", "GRANT"];

/// Functions that do more than compute, and may stand in a definition at some server.
const FUNCTIONS: [&str; 5] = ["LOAD_FILE", "NEXTVAL", "SETVAL", "LASTVAL", "SLEEP"];

/// Storage engines whose rows are elsewhere.
const ELSEWHERE: [&str; 6] = ["CONNECT", "FEDERATED", "FEDERATEDX", "SPIDER", "S3", "OQGRAPH"];

/// What in the tokens is not for a definition, in words.
pub(super) fn banned(tokens: &[Token]) -> Option<String> {
    let mut depth = 0i32;
    for (n, token) in tokens.iter().enumerate() {
        depth += i32::from(token.is_sign('('));
        depth -= i32::from(token.is_sign(')'));
        if depth < 0 {
            return Some("a parenthesis closes that was not opened".into());
        }
        if let Some(why) = odd(tokens, n, depth) {
            return Some(why);
        }
    }
    (depth != 0).then(|| "a parenthesis does not close".into())
}

fn odd(tokens: &[Token], n: usize, depth: i32) -> Option<String> {
    let token = &tokens[n];
    let after = |skip: usize| tokens.get(n + skip);
    let before = n.checked_sub(1).map(|n| &tokens[n]);
    let next_is = |words: &[&str]| words.iter().any(|w| after(1).is_some_and(|t| t.is(w)));
    if token.kind == Kind::Sign {
        let sign = token.value.as_str();
        return matches!(sign, ";" | "@" | ":" | "?" | "{" | "}").then(|| {
            format!("{sign:?} stands in it: it would be more than one statement, or a variable")
        });
    }
    if token.kind != Kind::Word {
        return None;
    }
    let word = token.value.to_ascii_uppercase();
    let found = |what: &str| Some(format!("{word} stands in it{what}"));
    // The option's value, with or without a sign.
    let value = match after(1) {
        Some(t) if t.is_sign('=') => after(2),
        next => next,
    };
    let pointed = before.is_some_and(|t| t.is_sign('.'));
    match word.as_str() {
        _ if pointed => None,
        w if NEVER.contains(&w) => found(""),
        w if FUNCTIONS.contains(&w) && after(1).is_some_and(|t| t.is_sign('(')) => found(""),
        "NEXT" | "PREVIOUS" if next_is(&["VALUE"]) => found(": it reads a sequence"),
        "TABLE" | "VALUES" if word == "TABLE" || !next_is(&["LESS", "IN"]) => {
            found(" where rows would come from")
        }
        "AS" if depth == 0 && !after(1).is_some_and(|t| t.is_sign('(')) => {
            found(" where rows would come from")
        }
        "DELETE" | "UPDATE" if !before.is_some_and(|t| t.is("ON")) => found(""),
        "WITH" if !next_is(&["PARSER", "VALIDATION"]) => found(match next_is(&["SYSTEM"]) {
            true => ": a system-versioned table, whose former rows cannot be written",
            false => "",
        }),
        "SYSTEM" if next_is(&["VERSIONING"]) => {
            found(" VERSIONING: the former rows of such a table cannot be written")
        }
        "PERIOD" if next_is(&["FOR"]) && after(2).is_some_and(|t| t.is("SYSTEM_TIME")) => {
            found(" FOR SYSTEM_TIME: the former rows of such a table cannot be written")
        }
        "DIRECTORY" | "CONNECTION" if value.is_some_and(|t| t.text().is_some()) => {
            found(": its files or rows would be elsewhere")
        }
        "ENGINE" | "TYPE" => match value.and_then(engine) {
            Some(engine) if ELSEWHERE.iter().any(|e| e.eq_ignore_ascii_case(engine)) => {
                Some(format!("its engine is {engine}, whose rows are elsewhere"))
            }
            _ => None,
        },
        "TABLESPACE" if before.is_some_and(|t| t.is("DISCARD") || t.is("IMPORT")) => {
            found(": its rows are in a file that no message holds")
        }
        "UNION" if value.is_some_and(|t| t.is_sign('(')) => {
            found(": its rows are those of other tables")
        }
        _ => None,
    }
}

fn engine(token: &Token) -> Option<&str> {
    token.name().or(token.text())
}

/// What follows these words, with or without a sign in between.
pub(super) fn values(tokens: &[Token], words: &[&str]) -> Vec<String> {
    let follows = tokens.windows(words.len() + 2).filter_map(|window| {
        let (head, tail) = window.split_at(words.len());
        let named = head.iter().zip(words).all(|(token, word)| token.is(word));
        named.then(|| if tail[0].is_sign('=') { &tail[1] } else { &tail[0] })
    });
    let last = tokens.split_last().and_then(|(value, rest)| {
        let named = rest.len() >= words.len()
            && rest[rest.len() - words.len()..].iter().zip(words).all(|(t, word)| t.is(word));
        named.then_some(value)
    });
    follows.chain(last).map(|token| token.value.to_lowercase()).collect()
}

/// The storage engines named, by the names that a server lists.
pub(super) fn engines(tokens: &[Token]) -> Vec<String> {
    let named = tokens.windows(3).filter(|w| w[0].is("ENGINE") && w[1].is_sign('='));
    let names = named.map(|w| match w[2].value.to_lowercase().as_str() {
        "heap" => "memory".to_owned(),
        "merge" => "mrg_myisam".to_owned(),
        "innobase" => "innodb".to_owned(),
        "ndb" => "ndbcluster".to_owned(),
        name => name.to_owned(),
    });
    names.collect()
}
