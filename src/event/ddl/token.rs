//! A statement's text as the servers read it: words, names, strings and signs.
//!
//! Comments are white space and are left out. One that a server runs (`/*!50100 … */`) is opened
//! where the source has run it, so that what is in it is read like all else.

use std::borrow::Cow;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword or a name, not quoted.
    Word,
    /// A quoted name.
    Name,
    /// A string; it may have been written in double quotes.
    Text {
        /// In double quotes.
        double: bool,
    },
    /// A number.
    Number,
    /// Any other character.
    Sign,
}

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// What it is.
    pub(super) kind: Kind,
    /// What it says: a name or a string without quotes and escapes.
    pub(super) value: String,
    /// White space or a comment stands before it.
    pub(super) apart: bool,
    /// As it is written.
    raw: String,
}

impl Token {
    /// True for that keyword.
    pub(super) fn is(&self, keyword: &str) -> bool {
        self.kind == Kind::Word && self.value.eq_ignore_ascii_case(keyword)
    }

    /// True for that character.
    pub(super) fn is_sign(&self, sign: char) -> bool {
        self.kind == Kind::Sign && self.value.starts_with(sign)
    }

    /// What may be the name of a table or a column.
    pub(super) fn name(&self) -> Option<&str> {
        matches!(self.kind, Kind::Word | Kind::Name).then_some(&*self.value)
    }

    /// A string.
    pub(super) fn text(&self) -> Option<&str> {
        matches!(self.kind, Kind::Text { .. }).then_some(&*self.value)
    }

    /// As it is written to a server whose session is ours, with no line end outside a name.
    pub(super) fn write(&self, out: &mut String) {
        match self.kind {
            Kind::Name => {
                out.push('`');
                out.push_str(&self.value.replace('`', "``"));
                out.push('`');
            }
            Kind::Text { .. } if self.raw.contains(['\n', '\r', '\0', '\u{1a}']) => {
                out.push('\'');
                for c in self.value.chars() {
                    match c {
                        '\n' => out.push_str("\\n"),
                        '\r' => out.push_str("\\r"),
                        '\0' => out.push_str("\\0"),
                        '\u{1a}' => out.push_str("\\Z"),
                        '\'' => out.push_str("''"),
                        '\\' => out.push_str("\\\\"),
                        c => out.push(c),
                    }
                }
                out.push('\'');
            }
            _ => out.push_str(&self.raw),
        }
    }
}

/// What stands in a comment that only some servers run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    /// `/*M!`: MariaDB alone.
    pub(super) mariadb: bool,
    /// From that version on.
    pub(super) version: Option<u32>,
}

/// Why a text cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// A comment that some servers run, and whether the source has is not known.
    Comment(String),
    /// A string, a name or a comment that does not end, or a character that belongs nowhere.
    Broken(&'static str),
}

/// Reads a text. `runs` tells whether the source has run a comment; `ansi`: double quotes enclose
/// a name.
///
/// # Errors
/// When it is not one that a server has read so.
pub(super) fn read(
    sql: &str,
    runs: &dyn Fn(Condition) -> Option<bool>,
    ansi: bool,
) -> Result<Vec<Token>, Unread> {
    let mut reader =
        Reader { sql, at: 0, apart: false, opened: false, ansi, runs, tokens: Vec::new() };
    while reader.at < sql.len() {
        reader.next()?;
    }
    match reader.opened {
        true => Err(Unread::Broken("a comment does not end")),
        false => Ok(reader.tokens),
    }
}

struct Reader<'a> {
    sql: &'a str,
    at: usize,
    apart: bool,
    /// Inside a comment that the source has run.
    opened: bool,
    ansi: bool,
    runs: &'a dyn Fn(Condition) -> Option<bool>,
    tokens: Vec<Token>,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.sql[self.at..]
    }

    fn next(&mut self) -> Result<(), Unread> {
        let rest = self.rest().as_bytes();
        let line = rest[0] == b'#'
            || rest.starts_with(b"--") && rest.get(2).is_none_or(|b| *b <= b' ' || *b == 0x7f);
        match rest[0] {
            b' ' | b'\t'..=b'\r' => {
                self.at += 1;
                self.apart = true;
            }
            _ if line => {
                let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                self.at += end;
                self.apart = true;
            }
            b'/' if rest.starts_with(b"/*") => return self.comment(),
            b'*' if self.opened && rest.starts_with(b"*/") => {
                self.at += 2;
                (self.opened, self.apart) = (false, true);
            }
            b'*' if rest.starts_with(b"*/") => {
                return Err(Unread::Broken("a comment ends that has not begun"));
            }
            quote @ (b'\'' | b'"' | b'`') => return self.quoted(quote),
            b'\\' => return Err(Unread::Broken("a backslash outside of a string")),
            b'$' => return Err(Unread::Broken("a dollar sign where a word begins")),
            0..=0x1f | 0x7f => return Err(Unread::Broken("a control character")),
            b if is_letter(b) => self.word(),
            _ => self.push(Kind::Sign, 1),
        }
        Ok(())
    }

    fn push(&mut self, kind: Kind, len: usize) {
        let raw = self.rest()[..len].to_owned();
        self.token(kind, raw.clone(), raw);
    }

    fn token(&mut self, kind: Kind, value: String, raw: String) {
        self.at += raw.len();
        self.tokens.push(Token { kind, value, apart: std::mem::take(&mut self.apart), raw });
    }

    fn word(&mut self) {
        let rest = self.rest().as_bytes();
        let run = |from: usize| {
            rest[from..].iter().position(|b| !is_letter(*b)).map_or(rest.len(), |n| from + n)
        };
        let mut end = run(0);
        let digits = |range: &[u8]| !range.is_empty() && range.iter().all(u8::is_ascii_digit);
        // After a point a name may begin with a digit, or be one.
        let named = self.tokens.last().is_some_and(|t| t.is_sign('.')) && !self.apart;
        if named || !rest[0].is_ascii_digit() {
            return self.push(Kind::Word, end);
        }
        if digits(&rest[..end]) && rest.get(end) == Some(&b'.') {
            end = run(end + 1);
        }
        let number = &rest[..end];
        let mantissa = number.strip_suffix(b"e").or_else(|| number.strip_suffix(b"E"));
        let plain = |text: &[u8]| text.iter().all(|b| b.is_ascii_digit() || *b == b'.');
        if mantissa.is_some_and(plain)
            && matches!(rest.get(end), Some(b'+' | b'-'))
            && rest.get(end + 1).is_some_and(u8::is_ascii_digit)
        {
            end = run(end + 1);
            return self.push(Kind::Number, end);
        }
        let exponent = |text: &[u8]| match text.iter().position(|b| matches!(b, b'e' | b'E')) {
            Some(n) => plain(&text[..n]) && digits(&text[n + 1..]),
            None => plain(text),
        };
        let hex =
            |text: &[u8]| text.starts_with(b"0x") && text[2..].iter().all(u8::is_ascii_hexdigit);
        let bits = |text: &[u8]| {
            text.starts_with(b"0b") && text[2..].iter().all(|b| matches!(b, b'0' | b'1'))
        };
        let kind = match exponent(number) || hex(number) || bits(number) {
            true => Kind::Number,
            false => Kind::Word,
        };
        self.push(kind, end);
    }

    fn quoted(&mut self, quote: u8) -> Result<(), Unread> {
        let name = quote == b'`' || quote == b'"' && self.ansi;
        let (rest, mark) = (self.rest(), char::from(quote));
        let mut value = String::new();
        let mut chars = rest.char_indices().skip(1).peekable();
        loop {
            let Some((at, c)) = chars.next() else {
                return Err(Unread::Broken("a string or a name does not end"));
            };
            if c == '\\' && !name {
                let Some((_, escaped)) = chars.next() else { continue };
                value.push_str(&unescaped(escaped));
            } else if c != mark {
                value.push(c);
            } else if chars.next_if(|(_, c)| *c == mark).is_some() {
                value.push(mark);
            } else {
                let kind = match name {
                    true => Kind::Name,
                    false => Kind::Text { double: quote == b'"' },
                };
                if name && value.is_empty() {
                    return Err(Unread::Broken("an empty name"));
                }
                let raw = rest[..=at].to_owned();
                self.token(kind, value, raw);
                return Ok(());
            }
        }
    }

    /// A comment is passed over, or opened.
    fn comment(&mut self) -> Result<(), Unread> {
        let rest = &self.sql[self.at..];
        let end = rest[2..].find("*/").map(|n| n + 4);
        let end = end.ok_or(Unread::Broken("a comment does not end"))?;
        self.apart = true;
        let (mariadb, head) = match rest.as_bytes() {
            [_, _, b'!', ..] => (false, 3),
            [_, _, b'M', b'!', ..] => (true, 4),
            _ => {
                self.at += end;
                return Ok(());
            }
        };
        let whole = || rest[..end].to_owned();
        let digits = rest[head..].bytes().take_while(u8::is_ascii_digit).count();
        // Versions have five or six digits; and what stands in such a comment in such a comment
        // is read otherwise by each server.
        if self.opened || !matches!(digits, 0 | 5 | 6) {
            return Err(Unread::Comment(whole()));
        }
        let version = rest[head..head + digits].parse().ok();
        match (self.runs)(Condition { mariadb, version }) {
            None => return Err(Unread::Comment(whole())),
            Some(true) => {
                self.opened = true;
                self.at += head + digits;
            }
            // A server that passes one over looks for others in it: then it ends elsewhere.
            Some(false) if rest[2..end].contains("/*") => return Err(Unread::Comment(whole())),
            Some(false) => self.at += end,
        }
        Ok(())
    }
}

fn is_letter(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'$' || b >= 0x80
}

fn unescaped(c: char) -> Cow<'static, str> {
    match c {
        '0' => "\0".into(),
        'n' => "\n".into(),
        'r' => "\r".into(),
        't' => "\t".into(),
        'b' => "\u{8}".into(),
        'Z' => "\u{1a}".into(),
        // Outside of a pattern the two stay as they are.
        '%' => "\\%".into(),
        '_' => "\\_".into(),
        c => c.to_string().into(),
    }
}

/// True when a string stands where only a name can: the source took double quotes for those of
/// names.
pub(super) fn has_ansi_names(tokens: &[Token]) -> bool {
    const BEFORE: [&str; 16] = [
        "TABLE",
        "EXISTS",
        "DATABASE",
        "SCHEMA",
        "COLUMN",
        "ADD",
        "DROP",
        "CHANGE",
        "MODIFY",
        "KEY",
        "INDEX",
        "TO",
        "AFTER",
        "LIKE",
        "REFERENCES",
        "CONSTRAINT",
    ];
    let mut depth = 0i32;
    for (n, token) in tokens.iter().enumerate() {
        match &token.kind {
            Kind::Sign if token.value == "(" => depth += 1,
            Kind::Sign if token.value == ")" => depth -= 1,
            Kind::Text { double: true } => {
                let before = n.checked_sub(1).map(|n| &tokens[n]);
                let named = before.is_some_and(|t| {
                    t.is_sign('.')
                        || t.is("REFERENCES")
                        || depth == 0 && BEFORE.iter().any(|word| t.is(word))
                        || depth == 1
                            && (t.is_sign('(') || t.is_sign(','))
                            && tokens.get(n + 1).is_some_and(|t| t.kind == Kind::Word)
                });
                let pointed = tokens.get(n + 1).is_some_and(|t| t.is_sign('.'));
                if named || pointed {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests;
