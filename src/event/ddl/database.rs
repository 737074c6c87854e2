//! CREATE, ALTER and DROP DATABASE: made anew from what they say.

use super::cursor::{Cursor, identifier, refused};
use super::told::Told;
use crate::error::Result;
use crate::event::typed::same_name;
use crate::event::{Op, TableName};

/// The text of a statement on a database, from its tokens.
pub(super) fn text(
    cursor: &mut Cursor<'_>,
    told: &Told,
    names: &dyn Fn(&TableName) -> TableName,
) -> Result<String> {
    let verb = match told.op {
        Op::DatabaseCreate => "CREATE",
        Op::DatabaseAlter => "ALTER",
        _ => "DROP",
    };
    let mut text = verb.to_owned();
    cursor.expect(verb)?;
    if verb == "CREATE" && cursor.word("OR") {
        cursor.expect("REPLACE")?;
        text.push_str(" OR REPLACE");
    }
    text.push_str(" DATABASE ");
    if !cursor.word("DATABASE") && !cursor.word("SCHEMA") {
        return Err(refused(format!("it is no {verb} DATABASE")));
    }
    if verb != "ALTER" && cursor.word("IF") {
        let not = verb == "CREATE";
        if not {
            cursor.expect("NOT")?;
        }
        cursor.expect("EXISTS")?;
        text.push_str(if not { "IF NOT EXISTS " } else { "IF EXISTS " });
    }
    let [name] = &told.tables[..] else {
        return Err(refused("several messages tell of one database"));
    };
    // ALTER DATABASE may leave the name out.
    if verb != "ALTER" || !is_option(cursor) {
        let found = cursor.name()?;
        if !same_name(&found, &name.database) {
            return Err(refused(format!("it names the database {found:?}, its message {name}")));
        }
    }
    identifier(&mut text, &names(name).database);
    let charset = if verb == "DROP" { true } else { options(cursor, &mut text)? };
    if let (false, "CREATE", Some(charset)) = (charset, verb, &told.charset) {
        // The server's own, which at the target may be another.
        if !charset.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(refused(format!("its character set is {charset:?}")));
        }
        text.push_str(&format!(" CHARACTER SET {charset}"));
    }
    cursor.end()?;
    Ok(text)
}

fn is_option(cursor: &Cursor<'_>) -> bool {
    const OPTIONS: [&str; 7] =
        ["DEFAULT", "CHARACTER", "CHARSET", "COLLATE", "COMMENT", "ENCRYPTION", "READ"];
    // A database of such a name would have to be quoted, or be followed by an option.
    OPTIONS.iter().any(|word| cursor.is(word))
}

/// Copies the options; true when there is one for the character set.
fn options(cursor: &mut Cursor<'_>, text: &mut String) -> Result<bool> {
    let mut charset = false;
    while !cursor.at_end() {
        if cursor.sign(',') {
            continue;
        }
        cursor.word("DEFAULT");
        let option = if cursor.word("CHARACTER") {
            cursor.expect("SET")?;
            "CHARACTER SET"
        } else if cursor.word("CHARSET") {
            "CHARACTER SET"
        } else if cursor.word("READ") {
            cursor.expect("ONLY")?;
            "READ ONLY"
        } else {
            let known = ["COLLATE", "COMMENT", "ENCRYPTION"].into_iter();
            let mut known = known.filter(|word| cursor.is(word));
            let option = known.next().ok_or_else(|| cursor.unexpected())?;
            cursor.word(option);
            option
        };
        charset |= matches!(option, "CHARACTER SET" | "COLLATE");
        cursor.sign('=');
        let value = cursor.value()?;
        text.push_str(&format!(" {option} {value}"));
    }
    Ok(charset)
}
