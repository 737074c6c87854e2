//! Seeded streams in the shape of sysbench's tests as Maxwell publishes them: tables are loaded, then changed by many
//! small transactions. Deterministic, and true: every `old` and every deleted row is what the table held. The same
//! changes are written as SQL, for the source server of the peers.

mod out;
mod random;

use out::Out;
use random::Random;
use std::io::{Result, Write};

/// The database of all tables; they are called `sbtest1`, `sbtest2` …
pub const DATABASE: &str = "sbtest";

/// What a stream holds.
#[derive(Clone, Copy)]
pub struct Workload {
    pub tables: usize,
    /// Rows of each table when it is loaded.
    pub rows: usize,
    /// Transactions after that.
    pub transactions: usize,
    pub keys: Keys,
    pub change: Change,
}

/// How the changed rows are drawn.
#[derive(Clone, Copy)]
pub enum Keys {
    /// Like sysbench's special distribution: three in four lie in one hundredth of the table.
    Hot,
    Uniform,
}

/// What a transaction does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Two updates, a delete and an insert, as sysbench's write-only test.
    Mixed,
    /// One update of one row.
    Update,
    /// One update or delete of one row, in tables that have no key.
    Keyless,
    /// Every row is deleted.
    Clear,
}

impl Workload {
    fn keyed(self) -> bool {
        self.change != Change::Keyless
    }
}

/// 200,000 rows, and 240,000 changes of few of them.
pub const HOT_KEYS: Workload = Workload {
    tables: 4,
    rows: 50_000,
    transactions: 60_000,
    keys: Keys::Hot,
    change: Change::Mixed,
};

/// The same, with little that folds.
pub const UNIFORM_KEYS: Workload = Workload { keys: Keys::Uniform, ..HOT_KEYS };

/// Nearly everything folds.
pub const HOT_ROWS: Workload = Workload {
    tables: 1,
    rows: 10,
    transactions: 200_000,
    keys: Keys::Uniform,
    change: Change::Update,
};

/// A table without any key.
pub const KEYLESS: Workload = Workload {
    tables: 1,
    rows: 100_000,
    transactions: 10_000,
    keys: Keys::Uniform,
    change: Change::Keyless,
};

/// 200,000 rows, and one transaction that deletes them.
pub const DELETED: Workload = Workload { transactions: 1, change: Change::Clear, ..HOT_KEYS };

/// A row as its table holds it.
pub struct Row {
    pub id: usize,
    k: usize,
    c: String,
    pad: String,
}

/// Writes the stream and the SQL that a source would have run to cause it; returns the tables' rows at the end.
pub fn generate(stream: impl Write, sql: impl Write, workload: Workload) -> Result<Vec<Vec<Row>>> {
    let mut random = Random::new(workload);
    let mut out = Out::new(stream, sql, workload.keyed());
    out.database()?;
    for table in 1..=workload.tables {
        out.table(table)?;
    }
    let mut tables = Vec::new();
    for table in 1..=workload.tables {
        let rows: Vec<Row> = (1..=workload.rows).map(|id| random.row(id)).collect();
        out.load(table, &rows)?;
        tables.push(rows);
    }
    for _ in 0..workload.transactions {
        out.begin()?;
        match workload.change {
            Change::Mixed => mixed(&mut out, &mut random, &mut tables)?,
            Change::Update => update_k(&mut out, &mut random, &mut tables, None)?,
            Change::Keyless => keyless(&mut out, &mut random, &mut tables)?,
            Change::Clear => clear(&mut out, &mut tables)?,
        }
        out.commit()?;
    }
    out.finish()?;
    Ok(tables)
}

/// The SQL that makes the tables as they are at the end, in whatever database is the current one.
pub fn write_end(mut sql: impl Write, tables: &[Vec<Row>], workload: Workload) -> Result<()> {
    for (place, rows) in tables.iter().enumerate() {
        let name = format!("sbtest{}", place + 1);
        writeln!(sql, "{};", out::create_table(&name, workload.keyed()))?;
        write_rows(&mut sql, &name, rows, out::ROWS_PER_LOAD)?;
    }
    sql.flush()
}

/// The SQL that inserts rows into a table, so many with a statement.
pub fn write_rows(sql: &mut impl Write, table: &str, rows: &[Row], most: usize) -> Result<()> {
    rows.chunks(most).try_for_each(|part| out::write_load(sql, table, part))
}

/// A place in the stream: the number of the row event in its transaction, or nothing for the last one.
type Place = Option<usize>;

fn mixed<S: Write, Q: Write>(
    out: &mut Out<S, Q>,
    random: &mut Random,
    tables: &mut [Vec<Row>],
) -> Result<()> {
    update_k(out, random, tables, Some(0))?;

    let (table, place) = random.pick(tables);
    let row = &mut tables[table - 1][place];
    let old = std::mem::replace(&mut row.c, random.c());
    out.update(table, row, &format!("\"c\":\"{old}\""), &format!("c='{}'", row.c), Some(1))?;

    let (table, place) = random.pick(tables);
    let row = &mut tables[table - 1][place];
    out.delete(table, row, Some(2))?;
    *row = random.row(row.id);
    out.insert(table, row, None)
}

fn update_k<S: Write, Q: Write>(
    out: &mut Out<S, Q>,
    random: &mut Random,
    tables: &mut [Vec<Row>],
    place: Place,
) -> Result<()> {
    let (table, picked) = random.pick(tables);
    let row = &mut tables[table - 1][picked];
    row.k += 1;
    out.update(table, row, &format!("\"k\":{}", row.k - 1), "k=k+1", place)
}

fn keyless<S: Write, Q: Write>(
    out: &mut Out<S, Q>,
    random: &mut Random,
    tables: &mut [Vec<Row>],
) -> Result<()> {
    if random.below(2) == 0 {
        return update_k(out, random, tables, None);
    }
    let (table, place) = random.pick(tables);
    let row = tables[table - 1].swap_remove(place);
    out.delete(table, &row, None)
}

fn clear<S: Write, Q: Write>(out: &mut Out<S, Q>, tables: &mut [Vec<Row>]) -> Result<()> {
    let last = tables.iter().map(Vec::len).sum::<usize>() - 1;
    let mut place = 0;
    for (table, rows) in tables.iter_mut().enumerate() {
        for row in rows.drain(..) {
            out.delete(table + 1, &row, (place < last).then_some(place))?;
            place += 1;
        }
    }
    Ok(())
}
