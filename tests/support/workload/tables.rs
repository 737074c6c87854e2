//! Random tables: all the ways to tell a row, or not to.

use super::{
    super::servers::Kind,
    random::Random,
    values::{FEW, SMALL, Values, key_type, other_type},
};

#[derive(Clone)]
pub(super) struct Column {
    pub name: String,
    pub definition: String,
    /// None where the server fills it in.
    pub values: Option<Values>,
    pub nullable: bool,
    /// Of some index, or read by another column: it is not dropped.
    pub used: bool,
}

#[derive(Clone)]
pub(super) struct Table {
    pub name: String,
    /// Tables of a group are changed by one session at a time, those joined by foreign keys among them.
    pub group: usize,
    pub columns: Vec<Column>,
    /// How many of the first columns tell a row; in a keyless table the first column is used like one.
    pub key: usize,
    /// Inside the brackets of CREATE TABLE, after the columns.
    pub indexes: Vec<String>,
    /// Names of columns with a unique index of their own.
    pub unique: Vec<String>,
}

impl Column {
    fn new(name: &str, definition: String, values: Values, nullable: bool) -> Column {
        let definition = format!("{definition}{}", if nullable { " NULL" } else { " NOT NULL" });
        Column { name: name.into(), definition, values: Some(values), nullable, used: false }
    }

    pub(super) fn other(name: &str, random: &mut Random) -> Column {
        let (definition, values) = other_type(random);
        Column::new(name, definition.into(), values, true)
    }

    /// A literal; of a column that may be NULL it sometimes is.
    pub(super) fn literal(&self, random: &mut Random) -> String {
        let values = self.values.expect("a column with values of its own");
        if self.nullable && random.percent(15) { "NULL".into() } else { values.literal(random) }
    }
}

impl Table {
    pub(super) fn random(kind: Kind, name: String, group: usize, random: &mut Random) -> Table {
        let mut table =
            Table { name, group, columns: vec![], key: 1, indexes: vec![], unique: vec![] };
        table.add_key(kind, random);
        table.columns.push(Column::new("v", "INT DEFAULT 0".into(), FEW, false));
        // Most tables without a key have no other index either: their rows may be there several times.
        if !table.indexes.is_empty() || random.percent(30) {
            table.add_indexes(kind, random);
        }
        for number in 0..1 + random.below(4) {
            table.columns.push(Column::other(&format!("c{number}"), random));
        }
        table.add_filled_in(random);
        table
    }

    /// True when a primary key names its rows.
    pub(super) fn has_key(&self) -> bool {
        self.indexes.iter().any(|index| index.starts_with("PRIMARY KEY"))
    }

    /// Other unique indexes: of values, of several columns, and of what no event carries.
    fn add_indexes(&mut self, kind: Kind, random: &mut Random) {
        if random.percent(65) {
            self.add_unique("u", "INT", FEW, true);
        }
        if random.percent(35) {
            let (definition, values) = key_type(kind, random);
            self.add_unique("w", definition, values, random.percent(50));
        }
        if random.percent(20) {
            self.indexes.push(format!("UNIQUE KEY two ({}, v)", self.columns[0].name));
            self.columns[self.key].used = true;
        }
        if random.percent(12) {
            self.add_prefix_index(random);
        }
        // The stock dump program falls over where such an index is the first.
        let primary = self.indexes.first().is_some_and(|index| index.starts_with("PRIMARY"));
        if kind == Kind::MySql && primary && random.percent(10) {
            self.indexes.push("UNIQUE KEY ((v * 1000 + CRC32(k) % 1000))".into());
            self.columns[self.key].used = true;
        }
    }

    fn add_key(&mut self, kind: Kind, random: &mut Random) {
        let (definition, values) = key_type(kind, random);
        let mut column = Column::new("k", definition.into(), values, false);
        column.used = true;
        let index = match random.below(11) {
            0..5 => Some("PRIMARY KEY (k)"),
            5 | 6 => {
                self.key = 2;
                Some(if random.percent(50) { "PRIMARY KEY (k, l)" } else { "PRIMARY KEY (l, k)" })
            }
            7 => Some("UNIQUE KEY (k)"),
            8 => {
                column = Column { used: true, ..Column::new("k", definition.into(), values, true) };
                Some("UNIQUE KEY (k)")
            }
            _ => None,
        };
        self.columns.push(column);
        if self.key == 2 {
            let (definition, values) = key_type(kind, random);
            let second = Column::new("l", definition.into(), values, false);
            self.columns.push(Column { used: true, ..second });
        }
        self.indexes.extend(index.map(str::to_owned));
    }

    fn add_unique(&mut self, name: &str, definition: &str, values: Values, nullable: bool) {
        let column = Column::new(name, definition.to_owned(), values, nullable);
        self.columns.push(Column { used: true, ..column });
        self.indexes.push(format!("UNIQUE KEY ({name})"));
        self.unique.push(name.into());
    }

    fn add_prefix_index(&mut self, random: &mut Random) {
        let values = Values::Made(|random| format!("'{:02}{}'", random.below(30), random.below(3)));
        let column = Column::new("p", "VARCHAR(10)".into(), values, random.percent(50));
        self.columns.push(Column { used: true, ..column });
        self.indexes.push("UNIQUE KEY (p(2))".into());
    }

    /// Columns that the server fills in.
    fn add_filled_in(&mut self, random: &mut Random) {
        let filled = |name: &str, definition: &str| Column {
            name: name.into(),
            definition: definition.into(),
            values: None,
            nullable: true,
            used: false,
        };
        if random.percent(35) {
            self.columns.push(filled(
                "t",
                "TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP",
            ));
        }
        if self.unique.iter().any(|name| name == "u") && random.percent(40) {
            let stored = random.pick(&["STORED", "VIRTUAL"]);
            self.columns.push(filled("g", &format!("BIGINT GENERATED ALWAYS AS (u * 2) {stored}")));
            if random.percent(50) {
                self.indexes.push("UNIQUE KEY (g)".into());
                self.columns.last_mut().unwrap().used = true;
            }
        } else if random.percent(20) {
            self.columns.push(filled("g", "INT GENERATED ALWAYS AS (v + 1) STORED"));
            self.columns.iter_mut().filter(|one| one.name == "v").for_each(|one| one.used = true);
        }
    }

    /// Rows that several sessions change at once: no index but the key, so that none waits for another.
    pub(super) fn shared(group: usize) -> Table {
        let id = Column { used: true, ..Column::new("k", "INT".into(), SMALL, false) };
        let columns = vec![id, Column::new("v", "INT DEFAULT 0".into(), FEW, false)];
        let indexes = vec!["PRIMARY KEY (k)".to_owned()];
        Table { name: "shared".into(), group, columns, key: 1, indexes, unique: vec![] }
    }

    /// Three generations; `action` is what a foreign key does: "", or "ON DELETE …".
    pub(super) fn family(group: usize, actions: [&str; 2]) -> Vec<Table> {
        let make = |name: &str, parent: Option<(&str, &str)>| {
            let id = Column { used: true, ..Column::new("k", "INT".into(), SMALL, false) };
            let mut table = Table {
                name: name.into(),
                group,
                columns: vec![id, Column::new("v", "INT DEFAULT 0".into(), FEW, false)],
                key: 1,
                indexes: vec!["PRIMARY KEY (k)".into()],
                unique: vec![],
            };
            if let Some((parent, action)) = parent {
                let column = Column::new("parent", "INT".into(), SMALL, true);
                table.columns.push(Column { used: true, ..column });
                table.indexes.push(format!(
                    "CONSTRAINT fk_{name} FOREIGN KEY (parent) REFERENCES {parent} (k) {action}"
                ));
            }
            table
        };
        vec![
            make("parents", None),
            make("children", Some(("parents", actions[0]))),
            make("grandchildren", Some(("children", actions[1]))),
        ]
    }

    pub(super) fn create(&self) -> String {
        let columns = self.columns.iter().map(|one| format!("{} {}", one.name, one.definition));
        let parts: Vec<_> = columns.chain(self.indexes.iter().cloned()).collect();
        format!("CREATE TABLE {} ({})", self.name, parts.join(", "))
    }

    /// The columns that statements give values.
    pub(super) fn own(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.values.is_some())
    }

    pub(super) fn keys(&self) -> &[Column] {
        &self.columns[..self.key]
    }
}
