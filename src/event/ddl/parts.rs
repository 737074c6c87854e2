//! Parts of a statement's tokens: names, groups in parentheses, what stands between commas.

use super::token::Token;

/// The name that the tokens begin with, and what follows.
pub(super) fn word(tokens: &[Token]) -> Option<(&str, &[Token])> {
    let (first, rest) = tokens.split_first()?;
    Some((first.name()?, rest))
}

/// The name of a table, with its database where it is written, and what follows.
pub(super) fn table(tokens: &[Token]) -> Option<(Option<&str>, &str, &[Token])> {
    let (first, rest) = word(tokens)?;
    match rest {
        [point, second, rest @ ..] if point.is_sign('.') => {
            Some((Some(first), second.name()?, rest))
        }
        rest => Some((None, first, rest)),
    }
}

/// What follows these words, each of which may be missing.
pub(super) fn skip<'a>(mut tokens: &'a [Token], words: &[&str]) -> &'a [Token] {
    for word in words {
        if tokens.first().is_some_and(|t| t.is(word)) {
            tokens = &tokens[1..];
        }
    }
    tokens
}

/// The inside of the parenthesis that `tokens` begins with.
pub(super) fn group(tokens: &[Token]) -> Option<&[Token]> {
    if !tokens.first()?.is_sign('(') {
        return None;
    }
    let mut depth = 0usize;
    for (i, token) in tokens.iter().enumerate() {
        depth += usize::from(token.is_sign('('));
        depth -= usize::from(token.is_sign(')'));
        if depth == 0 {
            return Some(&tokens[1..i]);
        }
    }
    None
}

/// Splits at the commas outside parentheses.
pub(super) fn split(tokens: &[Token]) -> Vec<&[Token]> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0i32);
    for (i, token) in tokens.iter().enumerate() {
        depth += i32::from(token.is_sign('('));
        depth -= i32::from(token.is_sign(')'));
        if depth == 0 && token.is_sign(',') {
            parts.push(&tokens[start..i]);
            start = i + 1;
        }
    }
    parts.push(&tokens[start..]);
    parts
}

/// True for a column's definition, not for an index, a constraint, a period or LIKE.
pub(super) fn is_column(tokens: &[Token]) -> bool {
    const NOT_COLUMNS: [&str; 11] = [
        "PRIMARY",
        "KEY",
        "UNIQUE",
        "INDEX",
        "CONSTRAINT",
        "FOREIGN",
        "FULLTEXT",
        "SPATIAL",
        "CHECK",
        "PERIOD",
        "LIKE",
    ];
    tokens.first().is_some_and(|first| !NOT_COLUMNS.iter().any(|word| first.is(word)))
}
