//! The spool held against the source's own binlog: is it behind, does it hold these tables, did
//! something happen that no stream tells?

use std::collections::HashSet;

use super::stretch::Stretch;
use crate::error::{Error, Means, Result, Words};
use crate::event::{BinlogPos, Direction, TableName};
use crate::source::copy::{Base, Did};
use crate::spool::Spool;

/// A table as the binlog's events name it.
fn logged(name: &TableName) -> String {
    format!("{}.{}", name.database, name.table)
}

/// What the snapshot has of these tables that the spool has not, as the reason to stop; `None`
/// when there is nothing.
///
/// # Errors
/// When the server's binlog cannot be read, or is not the one recorded.
pub(super) fn behind(
    base: &mut Base,
    tables: &[TableName],
    stretch: &Stretch,
    place: &BinlogPos,
) -> Result<Option<Error>> {
    let Some(last) = stretch.last.position.as_ref().filter(|_| !stretch.is_whole) else {
        return Ok(None);
    };
    let names: Vec<String> = tables.iter().map(logged).collect();
    let mut missing = None;
    // Positions of another base name are refused by the stretch's own check.
    if last.base != place.base {
        return Ok(None);
    }
    base.read_log(last, place, &mut |at, did| {
        let is_new = at > last && missing.is_none();
        let touches = match did {
            Did::Rows(name) => names.iter().any(|n| n == name),
            Did::Statement(sql) => tables.iter().any(|table| is_about(sql, table)),
            Did::Hidden => true,
        };
        if is_new && touches {
            let what = match did {
                Did::Rows(name) => format!("rows of {name}"),
                Did::Statement(sql) => sql.to_owned(),
                Did::Hidden => "a transaction that may be of these tables".to_owned(),
            };
            missing = Some((at.to_string(), what));
        }
        Ok(())
    })?;
    Ok(missing.map(|(at, what)| {
        Error::stopped(format!(
            "the spool is behind the source: it ends at {last}, the copy has what came at {at}: {}",
            crate::event::printable(&what)
        ))
        .help("let a capture run until it has caught up, then run the same command again")
    }))
}

/// Refuses what the binlog tells and the stream does not: a TRUNCATE, changes logged as
/// statements, tables the producer leaves out. True when the binlog does not reach back so far.
///
/// # Errors
/// As said, or when the server's binlog cannot be read or is not the one recorded.
pub(super) fn check(
    spool: &Spool,
    base: &mut Base,
    tables: &[TableName],
    stretch: &Stretch,
) -> Result<bool> {
    let (Some(before), Some(last)) = (&stretch.before.position, &stretch.last.position) else {
        return Ok(false);
    };
    let unseen = !base.has_log(before)?;
    let from = if unseen { last } else { before };
    let mut changed: HashSet<String> = HashSet::new();
    let behind = BinlogPos { offset: last.offset + 1, ..last.clone() };
    base.read_log(from, &behind, &mut |at, did| {
        match did {
            Did::Rows(name) if at > before => {
                changed.insert(name.to_owned());
            }
            Did::Statement(sql) if at > before => {
                if let Some(table) = tables.iter().find(|t| is_untold(sql) && is_about(sql, t)) {
                    return Err(untold(table, at, sql));
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    for transaction in spool.transactions(stretch.range(), Direction::Forward) {
        for (name, counts) in transaction?.tables {
            if counts.rows() > 0 {
                changed.remove(&logged(&name));
            }
        }
    }
    match tables.iter().find(|name| changed.contains(&logged(name))) {
        Some(name) => Err(Error::stopped(
            Words::from(format!("{name}: the source's binlog has changes of it since "))
                + Means::Until
                + ", the spool has none: the producer leaves the table out",
        )
        .help("leave it out with " + Means::ExcludeTable)),
        None => Ok(unseen),
    }
}

fn untold(table: &TableName, at: &BinlogPos, sql: &str) -> Error {
    Error::stopped(
        Words::from(format!("{table}: the stream does not tell the rows of a statement since "))
            + Means::Until
            + format!(" ({at}): {}", crate::event::printable(sql)),
    )
    .help("choose a time after it, or leave the table out with " + Means::ExcludeTable)
}

/// The statement's words, lower case, without comments and quotes; after `use db;` where the
/// server puts that before it.
fn words(sql: &str) -> impl Iterator<Item = String> {
    let sql = sql.strip_prefix("use ").and_then(|s| s.split_once("; ")).map_or(sql, |(_, s)| s);
    let mut text = String::new();
    let mut rest = sql;
    while let Some((before, comment)) = rest.split_once("/*") {
        text.push_str(before);
        text.push(' ');
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    let apart = |c: char| c.is_whitespace() || "`.,;()'\"=".contains(c);
    let words: Vec<String> =
        text.split(apart).filter(|w| !w.is_empty()).map(str::to_lowercase).collect();
    words.into_iter()
}

/// True when a statement changes rows, or makes or changes tables, and names this one.
fn is_about(sql: &str, table: &TableName) -> bool {
    let acts = match words(sql).next().as_deref() {
        // Indexes change no rows and no columns.
        Some("create" | "drop") => words(sql).any(|word| word == "table" || word == "database"),
        Some("alter" | "rename") => true,
        _ => is_untold(sql),
    };
    let name = table.table.to_lowercase();
    acts && words(sql).any(|word| word == name || words(&name).any(|part| part == word))
}

/// True for a statement that makes, changes or removes a table or database, and is in the stream.
pub(in crate::replay) fn defines(sql: &str) -> bool {
    let verb = words(sql).next().unwrap_or_default();
    ["create", "alter", "drop", "rename"].contains(&&*verb)
        && !sql.to_uppercase().contains("TEMPORARY")
        && words(sql).any(|word| ["table", "database", "schema"].contains(&&*word))
}

/// True when the stream has nothing of what the statement does to rows.
fn is_untold(sql: &str) -> bool {
    let verb = words(sql).next().unwrap_or_default();
    ["truncate", "insert", "update", "delete", "replace", "load"].contains(&&*verb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_about_a_table_are_told_from_others() {
        let orders = TableName::new("shop", "Orders");
        for sql in [
            "use `shop`; TRUNCATE TABLE orders /* xid=7 */",
            "/* app */ truncate `shop`.`orders`",
            "use `shop`; ALTER TABLE ORDERS ADD a INT",
        ] {
            assert!(is_about(sql, &orders), "{sql}");
        }
        for sql in [
            "BEGIN",
            "GRANT ALL ON shop.orders TO a",
            "TRUNCATE shop.items",
            "use `shop`; CREATE INDEX i ON orders (a)",
        ] {
            assert!(!is_about(sql, &orders), "{sql}");
        }
        assert!(is_untold("use `shop`; /* x */ TRUNCATE orders"));
        assert!(!is_untold("use `shop`; ALTER TABLE orders ADD a INT"));
        assert!(defines("use `shop`; ALTER TABLE orders ADD a INT") && defines("drop database d"));
        for sql in
            ["BEGIN", "DROP /*!40005 TEMPORARY */ TABLE t", "CREATE USER a", "TRUNCATE TABLE t"]
        {
            assert!(!defines(sql), "{sql}");
        }
    }

    #[test]
    fn odd_names_are_found_by_one_of_their_parts() {
        assert!(is_about("TRUNCATE `a`.`b c(d)`", &TableName::new("a", "b c(d)")));
    }
}
