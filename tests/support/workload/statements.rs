//! What a transaction does to a table. The statements are made blindly: those that the server refuses (a value that
//! is there already, a missing parent) change nothing and are passed over.

use super::{random::Random, tables::Table};

/// Some statements that belong together.
pub(super) fn action(table: &Table, random: &mut Random) -> Vec<String> {
    match random.below(22) {
        0..4 => vec![insert(table, random)],
        4..7 => vec![update(table, random)],
        7 => vec![update_many(table, random)],
        8 | 9 => vec![delete(table, random)],
        10 => vec![delete_many(table, random)],
        11 => vec![move_key(table, random)],
        12 => shift_keys(table),
        13 | 14 => reinsert(table, random),
        15 => again_and_again(table, random),
        16 => come_and_go(table, random),
        17 => undone_in_part(table, random),
        _ => rotate(table, random),
    }
}

/// A row of the first filling.
pub(super) fn fill(table: &Table, random: &mut Random) -> String {
    let key = key(table, random);
    format!("INSERT IGNORE {}", insert_keys(table, &[key], random))
}

fn condition(table: &Table, values: &[String]) -> String {
    let pairs = table.keys().iter().zip(values);
    pairs
        .map(|(column, value)| format!("{}={value}", column.name))
        .collect::<Vec<_>>()
        .join(" AND ")
}

fn key(table: &Table, random: &mut Random) -> Vec<String> {
    table.keys().iter().map(|column| column.literal(random)).collect()
}

/// The key as values that are equal under many collations.
fn key_pair(table: &Table, random: &mut Random) -> (Vec<String>, Vec<String>) {
    let pairs = table.keys().iter().map(|column| column.values.unwrap().pair(random));
    pairs.unzip()
}

/// `WHERE`, for one row, if it is there; in tables without a key it may be one of several.
fn place(table: &Table, random: &mut Random) -> String {
    let key = key(table, random);
    let limit = if table.indexes.is_empty() || table.columns[0].nullable { " LIMIT 1" } else { "" };
    format!("WHERE {}{limit}", condition(table, &key).replace("=NULL", " IS NULL"))
}

fn insert_keys(table: &Table, keys: &[Vec<String>], random: &mut Random) -> String {
    let names: Vec<_> = table.own().map(|column| column.name.as_str()).collect();
    let row = |key: &Vec<String>, random: &mut Random| {
        let rest = table.own().skip(key.len()).map(|column| column.literal(random));
        let values: Vec<_> = key.iter().cloned().chain(rest).collect();
        format!("({})", values.join(","))
    };
    let rows: Vec<_> = keys.iter().map(|key| row(key, random)).collect();
    format!("INTO {} ({}) VALUES {}", table.name, names.join(","), rows.join(","))
}

fn insert(table: &Table, random: &mut Random) -> String {
    let number = if random.percent(30) { 1 + random.below(6) } else { 1 };
    let keys: Vec<_> = (0..number).map(|_| key(table, random)).collect();
    let rows = insert_keys(table, &keys, random);
    match random.below(8) {
        0 => format!("REPLACE {rows}"),
        1 => format!("INSERT {rows} ON DUPLICATE KEY UPDATE v=v+1"),
        2 | 3 => format!("INSERT IGNORE {rows}"),
        // The same row twice: in a table without a key both stay.
        4 if table.indexes.is_empty() => {
            let start = rows.find(" VALUES ").unwrap() + " VALUES ".len();
            format!("INSERT {rows},{}", rows[start..].to_owned())
        }
        _ => format!("INSERT {rows}"),
    }
}

/// `column=value` for one or two columns that are not the key.
fn assignments(table: &Table, random: &mut Random) -> String {
    let free: Vec<_> = table.own().skip(table.key).collect();
    let mut chosen: Vec<String> = Vec::new();
    for _ in 0..1 + random.below(2) {
        let column = free[random.below(free.len())];
        let value = match column.name.as_str() {
            "v" if random.percent(60) => "v+1".to_owned(),
            _ => column.literal(random),
        };
        chosen.push(format!("{}={value}", column.name));
    }
    chosen.join(", ")
}

fn update(table: &Table, random: &mut Random) -> String {
    format!("UPDATE {} SET {} {}", table.name, assignments(table, random), place(table, random))
}

fn update_many(table: &Table, random: &mut Random) -> String {
    let value = match table.unique.first() {
        Some(first) if first == "u" && random.percent(40) => {
            return format!("UPDATE {} SET u=u+1 ORDER BY u DESC LIMIT 6", table.name);
        }
        _ => assignments(table, random),
    };
    format!("UPDATE {} SET {value} WHERE v % 3 = {}", table.name, random.below(3))
}

fn delete(table: &Table, random: &mut Random) -> String {
    format!("DELETE FROM {} {}", table.name, place(table, random))
}

fn delete_many(table: &Table, random: &mut Random) -> String {
    format!("DELETE FROM {} WHERE v % 5 = {} LIMIT 5", table.name, random.below(5))
}

/// The same row under another key, or under one that is equal and looks different.
fn move_key(table: &Table, random: &mut Random) -> String {
    let (from, alike) = key_pair(table, random);
    let to = if random.percent(50) { alike } else { key(table, random) };
    let set = condition(table, &to).replace(" AND ", ", ");
    let limit = if table.indexes.is_empty() { " LIMIT 1" } else { "" };
    format!("UPDATE {} SET {set} WHERE {}{limit}", table.name, condition(table, &from))
}

/// Each row takes the key of the next.
fn shift_keys(table: &Table) -> Vec<String> {
    let key = &table.columns[0];
    match key.definition.starts_with("INT") {
        true => vec![format!(
            "UPDATE {} SET {key}={key}+1 WHERE {key} > 20 ORDER BY {key} DESC",
            table.name,
            key = key.name
        )],
        false => vec![],
    }
}

fn reinsert(table: &Table, random: &mut Random) -> Vec<String> {
    let (key, alike) = key_pair(table, random);
    let delete = format!("DELETE FROM {} WHERE {}", table.name, condition(table, &key));
    vec![delete, format!("INSERT {}", insert_keys(table, &[alike], random))]
}

fn again_and_again(table: &Table, random: &mut Random) -> Vec<String> {
    let place = place(table, random);
    let change = |random: &mut Random| {
        format!("UPDATE {} SET v=v+1, {} {place}", table.name, assignments(table, random))
    };
    (0..3 + random.below(6)).map(|_| change(random)).collect()
}

/// A row that is there only inside the transaction, or moves, or ends as another.
fn come_and_go(table: &Table, random: &mut Random) -> Vec<String> {
    let (key, alike) = key_pair(table, random);
    let here = condition(table, &key);
    let mut all = vec![format!("INSERT {}", insert_keys(table, &[key], random))];
    if random.percent(50) {
        let set = condition(table, &alike).replace(" AND ", ", ");
        all.push(format!("UPDATE {} SET {set}, v=7 WHERE {here}", table.name));
    }
    all.push(format!("DELETE FROM {} WHERE {here}", table.name));
    if random.percent(50) {
        all.push(format!("INSERT {}", insert_keys(table, &[alike], random)));
    }
    all
}

fn undone_in_part(table: &Table, random: &mut Random) -> Vec<String> {
    let mut all = vec![update(table, random), "SAVEPOINT here".to_owned()];
    all.extend([insert(table, random), delete(table, random)]);
    all.push("ROLLBACK TO SAVEPOINT here".to_owned());
    all
}

/// Two or three rows pass a unique value around, through NULL, or through one that nobody has.
fn rotate(table: &Table, random: &mut Random) -> Vec<String> {
    if table.unique.is_empty() {
        return vec![update(table, random)];
    }
    let name = &table.unique[random.below(table.unique.len())];
    let column = table.columns.iter().find(|column| column.name == *name).unwrap();
    let free = match column.nullable && random.percent(50) {
        true => "NULL",
        false if column.definition.starts_with("INT") => "999",
        false => return vec![update(table, random)],
    };
    let rows: Vec<_> = (0..2 + random.below(2)).map(|_| place(table, random)).collect();
    let set = |value: &str, row: &str| format!("UPDATE {} SET {name}={value} {row}", table.name);
    let take = |(n, row): (usize, &String)| {
        let row = row.trim_end_matches(" LIMIT 1");
        format!("SET @u{n}=(SELECT {name} FROM {} {row} LIMIT 1)", table.name)
    };
    let mut all: Vec<_> = rows.iter().enumerate().map(take).collect();
    all.push(set(free, &rows[0]));
    all.extend((1..rows.len()).map(|n| set(&format!("@u{}", n - 1), &rows[n])));
    all.push(set(&format!("@u{}", rows.len() - 1), &rows[0]));
    all
}

/// A statement for the rows of the shared table that belong to that session.
pub(super) fn shared(session: usize, sessions: usize, random: &mut Random) -> String {
    let id = random.below(12) * sessions + session;
    match random.below(6) {
        0 | 1 => format!("INSERT INTO shared (k,v) VALUES ({id},{})", random.below(9)),
        2 => format!("DELETE FROM shared WHERE k={id}"),
        _ => format!("UPDATE shared SET v=v+1 WHERE k={id}"),
    }
}
