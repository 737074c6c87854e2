//! A seeded stream in the shape of sysbench's write-only test as Maxwell publishes it: 4 tables of 50,000 rows, then
//! 60,000 transactions of 2 updates, 1 delete and 1 insert. Deterministic, and true: every `old` and every deleted row
//! is what the table held. The same changes are written as SQL, for the source server of the peers.

use std::{
    fs::File,
    io::{BufWriter, Result, Write},
    path::Path,
};

const TABLES: usize = 4;

/// Rows of each table, and transactions after they are loaded.
#[derive(Clone, Copy)]
pub struct Size {
    pub rows: usize,
    pub transactions: usize,
}

pub const FULL: Size = Size { rows: 50_000, transactions: 60_000 };

/// Rows of one load statement, and of one binlog event: they share a position.
const ROWS_PER_LOAD: usize = 60 * ROWS_PER_EVENT;
const ROWS_PER_EVENT: usize = 43;

struct Random {
    state: u64,
    rows: usize,
}

impl Random {
    /// xorshift64*
    fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// Like sysbench's special distribution: three in four ids lie in one hundredth of the range, around its middle.
    fn hot_id(&mut self) -> usize {
        if self.below(4) < 3 {
            return self.rows / 2 - self.rows / 200 + self.below(self.rows / 100);
        }
        (0..12).map(|_| self.below(self.rows)).sum::<usize>() / 12 + 1
    }

    fn digits(&mut self, groups: usize) -> String {
        let group = |random: &mut Random| format!("{:011}", random.next() % 100_000_000_000);
        (0..groups).map(|_| group(self)).collect::<Vec<_>>().join("-")
    }
}

struct Row {
    k: usize,
    c: String,
    pad: String,
}

impl Row {
    fn new(random: &mut Random) -> Row {
        Row { k: random.hot_id(), c: random.digits(10), pad: random.digits(5) }
    }
}

struct Writer {
    stream: BufWriter<File>,
    sql: BufWriter<File>,
    position: usize,
    xid: usize,
    ts: usize,
}

impl Writer {
    fn row(
        &mut self,
        kind: &str,
        table: usize,
        id: usize,
        row: &Row,
        old: &str,
        place: Option<usize>,
    ) -> Result<()> {
        let place =
            place.map_or("\"commit\":true".to_owned(), |offset| format!("\"xoffset\":{offset}"));
        let Row { k, c, pad } = row;
        writeln!(
            self.stream,
            "{{\"database\":\"sbtest\",\"table\":\"sbtest{table}\",\"type\":\"{kind}\",\"ts\":{},\"xid\":{},{place},\"position\":\"bin.000001:{}\",\"server_id\":3310,\"schema_id\":96,\"primary_key\":[{id}],\"primary_key_columns\":[\"id\"],\"data\":{{\"id\":{id},\"k\":{k},\"c\":\"{c}\",\"pad\":\"{pad}\"}}{old}}}",
            self.ts, self.xid, self.position
        )
    }

    fn definition(&mut self, kind: &str, table: &str, def: &str, sql: &str) -> Result<()> {
        self.position += 330;
        writeln!(self.sql, "{sql};{}", if table.is_empty() { " USE sbtest;" } else { "" })?;
        writeln!(
            self.stream,
            "{{\"type\":\"{kind}\",\"database\":\"sbtest\",{table}{def}\"ts\":{}000,\"sql\":\"{sql}\",\"position\":\"bin.000001:{}\",\"schema_id\":92}}",
            self.ts, self.position
        )
    }
}

/// Writes the stream and the SQL that a source would have run to cause it.
pub fn generate(stream: &Path, sql: &Path, size: Size) -> Result<()> {
    let mut random = Random { state: 0x00C0_FFEE, rows: size.rows };
    let (stream, sql) = (BufWriter::new(File::create(stream)?), BufWriter::new(File::create(sql)?));
    let mut out = Writer { stream, sql, position: 6_122_100, xid: 380_038, ts: 1_795_351_925 };
    out.definition(
        "database-create",
        "",
        "\"charset\":\"utf8mb4\",",
        "CREATE DATABASE sbtest CHARACTER SET utf8mb4",
    )?;
    for table in 1..=TABLES {
        define(&mut out, table)?;
    }
    let mut tables = Vec::new();
    for table in 1..=TABLES {
        tables.push(load(&mut out, &mut random, table)?);
    }
    for number in 0..size.transactions {
        if number % 2500 == 0 {
            out.ts += 1;
        }
        change(&mut out, &mut random, &mut tables)?;
    }
    out.stream.flush()?;
    out.sql.flush()
}

fn define(out: &mut Writer, table: usize) -> Result<()> {
    let def = format!(
        "\"def\":{{\"database\":\"sbtest\",\"charset\":\"utf8mb4\",\"table\":\"sbtest{table}\",\"primary-key\":[\"id\"],\"columns\":[{{\"type\":\"int\",\"name\":\"id\",\"signed\":true}},{{\"type\":\"int\",\"name\":\"k\",\"signed\":true}},{{\"type\":\"char\",\"name\":\"c\",\"charset\":\"utf8mb4\"}},{{\"type\":\"char\",\"name\":\"pad\",\"charset\":\"utf8mb4\"}}]}},"
    );
    let sql = format!(
        "CREATE TABLE sbtest{table} (id INTEGER NOT NULL AUTO_INCREMENT, k INTEGER DEFAULT '0' NOT NULL, c CHAR(120) DEFAULT '' NOT NULL, pad CHAR(60) DEFAULT '' NOT NULL, PRIMARY KEY (id))"
    );
    out.definition("table-create", &format!("\"table\":\"sbtest{table}\","), &def, &sql)
}

fn load(out: &mut Writer, random: &mut Random, table: usize) -> Result<Vec<Row>> {
    let rows: Vec<Row> = (0..random.rows).map(|_| Row::new(random)).collect();
    for (number, part) in rows.chunks(ROWS_PER_LOAD).enumerate() {
        out.xid += 7;
        write!(out.sql, "INSERT INTO sbtest{table} VALUES ")?;
        for (place, row) in part.iter().enumerate() {
            let id = number * ROWS_PER_LOAD + place + 1;
            if place % ROWS_PER_EVENT == 0 {
                out.position += 8203;
            }
            let offset = (place + 1 < part.len()).then_some(place);
            out.row("insert", table, id, row, "", offset)?;
            write!(
                out.sql,
                "{}({id},{},'{}','{}')",
                if place == 0 { "" } else { "," },
                row.k,
                row.c,
                row.pad
            )?;
        }
        writeln!(out.sql, ";")?;
    }
    Ok(rows)
}

fn change(out: &mut Writer, random: &mut Random, tables: &mut [Vec<Row>]) -> Result<()> {
    out.xid += 26;
    writeln!(out.sql, "BEGIN;")?;
    let (table, id) = (random.below(TABLES), random.hot_id());
    let row = &mut tables[table][id - 1];
    let old = format!(",\"old\":{{\"k\":{}}}", row.k);
    row.k += 1;
    out.position += 416;
    out.row("update", table + 1, id, row, &old, Some(0))?;
    writeln!(out.sql, "UPDATE sbtest{} SET k=k+1 WHERE id={id};", table + 1)?;

    let (table, id) = (random.below(TABLES), random.hot_id());
    let row = &mut tables[table][id - 1];
    let old =
        format!(",\"old\":{{\"c\":\"{}\"}}", std::mem::replace(&mut row.c, random.digits(10)));
    out.position += 652;
    out.row("update", table + 1, id, row, &old, Some(1))?;
    writeln!(out.sql, "UPDATE sbtest{} SET c='{}' WHERE id={id};", table + 1, row.c)?;

    let (table, id) = (random.below(TABLES), random.hot_id());
    let row = &mut tables[table][id - 1];
    out.position += 529;
    out.row("delete", table + 1, id, row, "", Some(2))?;
    *row = Row::new(random);
    out.position += 546;
    out.row("insert", table + 1, id, row, "", None)?;
    writeln!(out.sql, "DELETE FROM sbtest{} WHERE id={id};", table + 1)?;
    writeln!(
        out.sql,
        "INSERT INTO sbtest{} VALUES ({id},{},'{}','{}');\nCOMMIT;",
        table + 1,
        row.k,
        row.c,
        row.pad
    )
}
