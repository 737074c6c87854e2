//! Statements that change definitions, between transactions.

use super::{
    super::servers::Kind,
    random::Random,
    tables::{Column, Table},
};

/// A statement, and the tables as they are if the server takes it.
pub(super) fn change(
    kind: Kind,
    tables: &[Table],
    number: usize,
    random: &mut Random,
) -> (String, Vec<Table>) {
    let mut after = tables.to_vec();
    let place = random.below(tables.len());
    let new_name = format!("t{number}");
    let table = &mut after[place];
    let statement = match random.below(13) {
        0..3 => add_column(table, number, random),
        3 | 4 => match drop_column(table, random) {
            Some(statement) => statement,
            None => add_column(table, number, random),
        },
        5 => {
            let old = std::mem::replace(&mut table.name, new_name.clone());
            match random.percent(50) {
                true => format!("RENAME TABLE {old} TO {new_name}"),
                false => format!("ALTER TABLE {old} RENAME TO {new_name}"),
            }
        }
        6 if place > 0 => {
            let (a, b) = (after[0].name.clone(), after[place].name.clone());
            (after[0].name, after[place].name) = (b.clone(), a.clone());
            format!("RENAME TABLE {a} TO swap, {b} TO {a}, swap TO {b}")
        }
        7 | 8 => add_unique(table, random),
        9 => {
            let chosen = table.own().last().expect("a column");
            let (old, name) = (chosen.name.clone(), format!("n{number}"));
            rename_column(table, &old, &name)
        }
        10 => {
            let columns =
                table.columns[..1].iter().chain(table.columns.iter().filter(|one| one.name == "v"));
            let columns: Vec<_> =
                columns.map(|one| Column { used: one.name == "k", ..one.clone() }).collect();
            let statement = format!("CREATE TABLE {new_name} AS SELECT k, v FROM {}", table.name);
            let (group, key) = (number + 100, 1);
            after.push(Table {
                name: new_name,
                group,
                columns,
                key,
                indexes: vec![],
                unique: vec![],
            });
            statement
        }
        11 if tables.len() > 4 => format!("DROP TABLE {}", after.remove(place).name),
        _ if random.percent(50) => {
            let copy = Table { name: new_name, group: number + 100, ..table.clone() };
            let statement = format!("CREATE TABLE {} LIKE {}", copy.name, table.name);
            after.push(copy);
            statement
        }
        _ => {
            let made = Table::random(kind, new_name, number + 100, random);
            let statement = made.create();
            after.push(made);
            statement
        }
    };
    (statement, after)
}

fn add_column(table: &mut Table, number: usize, random: &mut Random) -> String {
    let name = format!("a{number}");
    let column = Column::other(&name, random);
    let place = match random.below(3) {
        0 => " FIRST".to_owned(),
        1 => format!(" AFTER {}", table.columns[0].name),
        _ => String::new(),
    };
    let (definition, column) = match random.below(4) {
        0 => ("INT NOT NULL DEFAULT 5".to_owned(), None),
        1 => ("DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP".to_owned(), None),
        _ => (column.definition.clone(), Some(column)),
    };
    let filled = Column {
        name: name.clone(),
        definition: definition.clone(),
        values: None,
        nullable: false,
        used: false,
    };
    table.columns.push(column.unwrap_or(filled));
    format!("ALTER TABLE {} ADD COLUMN {name} {definition}{place}", table.name)
}

fn drop_column(table: &mut Table, random: &mut Random) -> Option<String> {
    let free = |one: &Column| !one.used && one.name != "v";
    let all: Vec<_> = (0..table.columns.len()).filter(|n| free(&table.columns[*n])).collect();
    let place = *all.get(random.below(all.len().max(1)))?;
    let column = table.columns.remove(place);
    Some(format!("ALTER TABLE {} DROP COLUMN {}", table.name, column.name))
}

/// The server refuses where values are there twice. (Over a TEXT, MariaDB would add a hidden column to the events.)
fn add_unique(table: &mut Table, random: &mut Random) -> String {
    let short =
        |one: &Column| !["TEXT", "BLOB", "JSON"].iter().any(|kind| one.definition.contains(kind));
    let all: Vec<_> = (0..table.columns.len()).filter(|n| short(&table.columns[*n])).collect();
    let column = &mut table.columns[all[random.below(all.len())]];
    column.used = true;
    let columns =
        if random.percent(50) { column.name.clone() } else { format!("v, {}", column.name) };
    table.indexes.push(format!("UNIQUE KEY ({columns})"));
    format!("ALTER TABLE {} ADD UNIQUE KEY ({columns})", table.name)
}

fn rename_column(table: &mut Table, old: &str, name: &str) -> String {
    let column = table.columns.iter_mut().find(|one| one.name == old).expect("the column");
    if column.used || column.name == "v" {
        return format!("ALTER TABLE {} MODIFY COLUMN v BIGINT NOT NULL DEFAULT 0", table.name);
    }
    column.name = name.to_owned();
    format!("ALTER TABLE {} CHANGE COLUMN {old} {name} {}", table.name, column.definition)
}
