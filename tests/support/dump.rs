//! When two dumps are the same: their text is, leaving out `AUTO_INCREMENT=` counters, the order of rows and the order
//! of databases. (Dumps are ordered by key, so a row's place says nothing that the row does not.)

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// Statements of each database, rows sorted after the definitions.
type Databases = BTreeMap<String, Vec<String>>;

/// Cuts a dump into statements: a line that ends in `;` ends one (text values hold no raw line break, names may).
fn statements(dump: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut open = String::new();
    for line in dump.lines() {
        if open.is_empty() && (line.is_empty() || line.starts_with("/*M!999999")) {
            continue;
        }
        if !open.is_empty() {
            open.push('\n');
        }
        open.push_str(line);
        if line.ends_with(';') {
            all.push(std::mem::take(&mut open));
        }
    }
    assert!(open.is_empty(), "a dump ends inside a statement: {open:.200}");
    all
}

fn without_counter(statement: &str) -> String {
    let Some(start) = statement.find(" AUTO_INCREMENT=") else {
        return statement.to_owned();
    };
    let digits = start + " AUTO_INCREMENT=".len();
    let end = statement[digits..]
        .find(|c: char| !c.is_ascii_digit())
        .map_or(statement.len(), |n| digits + n);
    format!("{}{}", &statement[..start], &statement[end..])
}

fn is_row(statement: &str) -> bool {
    statement.starts_with("INSERT INTO ")
}

fn databases(dump: &str) -> Databases {
    let mut all = Databases::new();
    let mut current = String::new();
    for statement in statements(dump) {
        if statement.starts_with("USE `") {
            current = statement;
            continue;
        }
        let database =
            if statement.starts_with("CREATE DATABASE ") { String::new() } else { current.clone() };
        let kept = if is_row(&statement) { statement } else { without_counter(&statement) };
        all.entry(database).or_default().push(kept);
    }
    for list in all.values_mut() {
        // Session comments carry no content.
        list.retain(|statement| !statement.starts_with("/*!40101 SET"));
        list.sort_by(|a, b| (is_row(a), a).cmp(&(is_row(b), b)));
    }
    all
}

/// Only the rows, sorted, each with its database: what must be equal where schemas may differ.
pub fn rows_only(dump: &str) -> Vec<String> {
    let all = databases(dump);
    all.iter()
        .flat_map(|(base, list)| {
            list.iter().filter(|row| is_row(row)).map(move |row| format!("{base} {row}"))
        })
        .collect()
}

fn lines(dump: &str) -> Vec<String> {
    databases(dump)
        .iter()
        .flat_map(|(base, list)| list.iter().map(move |statement| format!("{base} {statement}")))
        .collect()
}

/// How two lists of sorted lines differ, as multisets; empty when they do not.
fn difference(found: &[String], expected: &[String]) -> Vec<String> {
    let mut count: BTreeMap<&String, i64> = BTreeMap::new();
    for line in found {
        *count.entry(line).or_default() += 1;
    }
    for line in expected {
        *count.entry(line).or_default() -= 1;
    }
    let shown = |line: &str| line.chars().take(300).collect::<String>();
    let differing = count.into_iter().filter(|(_, times)| *times != 0);
    differing
        .map(|(line, times)| {
            format!(
                "{} {}",
                if times > 0 { "only found:   " } else { "only expected:" },
                shown(line)
            )
        })
        .collect()
}

#[track_caller]
fn assert_equal(found: &[String], expected: &[String], what: &str) {
    let lines = difference(found, expected);
    if lines.is_empty() {
        return;
    }
    let mut text = format!(
        "{what}: {} lines differ ({} found, {} expected)\n",
        lines.len(),
        found.len(),
        expected.len()
    );
    for line in lines.iter().take(20) {
        writeln!(text, "{line}").unwrap();
    }
    panic!("{text}");
}

/// The two dumps are the same: schemas and rows.
#[track_caller]
pub fn assert_same_dump(found: &str, expected: &str, what: &str) {
    assert_equal(&lines(found), &lines(expected), what);
}

/// The rows are the same; indexes and other definitions may differ.
#[track_caller]
pub fn assert_rows_equal(found: &str, expected: &str, what: &str) {
    assert_equal(&rows_only(found), &rows_only(expected), what);
}

/// A database's part of a dump of several.
pub fn of_database<'a>(dump: &'a str, name: &str) -> &'a str {
    let start = dump.find(&format!("USE `{name}`;\n")).expect("the database is in the dump");
    let end = dump[start..].find("\nCREATE DATABASE ").map_or(dump.len(), |n| start + n);
    &dump[start..end]
}

/// A dump without its rows: the tables, empty.
pub fn schema_only(dump: &str) -> String {
    statements(dump)
        .into_iter()
        .filter(|statement| !is_row(statement))
        .collect::<Vec<_>>()
        .join("\n")
        + "\n"
}

/// Is this the dump of a state in the list?
pub fn is_one_of(found: &str, states: &[String]) -> bool {
    let found = lines(found);
    let set: BTreeSet<Vec<String>> = states.iter().map(|state| lines(state)).collect();
    set.contains(&found)
}

#[test]
fn a_dump_equals_itself_in_another_order_and_with_another_counter() {
    let a = "USE `x`;\nCREATE TABLE `t` (\n `a` int\n) AUTO_INCREMENT=3 X;\nINSERT INTO `t` VALUES (1);\nINSERT INTO `t` VALUES (2);\n";
    let b = "USE `x`;\nCREATE TABLE `t` (\n `a` int\n) AUTO_INCREMENT=12 X;\nINSERT INTO `t` VALUES (2);\nINSERT INTO `t` VALUES (1);\n";
    assert_same_dump(a, b, "reordered");
    assert_eq!(difference(&lines(a), &lines(&b.replace("(2)", "(1)"))).len(), 2);
}

/// The same tables without any key, as a schema dump.
pub fn without_keys(schema: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in schema.lines() {
        let bare = line.trim_start();
        if ["PRIMARY KEY", "UNIQUE KEY", "KEY"].iter().any(|key| bare.starts_with(key)) {
            continue;
        }
        if line.starts_with(')') {
            let last = lines.last_mut().expect("a column");
            *last = last.trim_end_matches(',').to_owned();
        }
        lines.push(line.replace(" AUTO_INCREMENT,", ","));
    }
    lines.join("\n") + "\n"
}
