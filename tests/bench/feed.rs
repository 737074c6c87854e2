//! A small live stream: each transaction notes when it was published and books on one of a thousand accounts.

use std::time::{SystemTime, UNIX_EPOCH};

const ACCOUNTS: usize = 1000;

/// What the source holds after what was published so far.
pub struct Feed {
    /// When each transaction was published, in microseconds; the first has the id 1.
    pub published: Vec<u64>,
    /// Balance and last touch of each account; the first has the id 1.
    pub accounts: Vec<(u64, u64)>,
    position: usize,
}

impl Feed {
    pub fn new() -> Feed {
        Feed { published: Vec::new(), accounts: vec![(0, 0); ACCOUNTS], position: 1000 }
    }

    /// The tables and the accounts.
    pub fn beginning(&mut self) -> Vec<String> {
        let mut messages = vec![
            self.definition("database-create", "\"charset\":\"utf8mb4\"", "CREATE DATABASE feed"),
            self.table("arrivals", &["id", "published"]),
            self.table("accounts", &["id", "balance", "touched"]),
        ];
        for id in 1..=ACCOUNTS {
            let data = format!("{{\"id\":{id},\"balance\":0,\"touched\":0}}");
            let place = if id < ACCOUNTS { format!("\"xoffset\":{}", id - 1) } else { commit() };
            messages.push(self.row("accounts", "insert", 1, id, &data, &place));
        }
        messages
    }

    /// The messages of the next transaction, published now.
    pub fn next(&mut self) -> [String; 2] {
        let now = now();
        self.published.push(now);
        let id = self.published.len();
        let data = format!("{{\"id\":{id},\"published\":{now}}}");
        let arrival = self.row("arrivals", "insert", id + 1, id, &data, "\"xoffset\":0");

        let place = id * 7919 % ACCOUNTS;
        let (balance, touched) = self.accounts[place];
        self.accounts[place] = (balance + 1, now);
        let data =
            format!("{{\"id\":{},\"balance\":{},\"touched\":{now}}}", place + 1, balance + 1);
        let old = format!("{},\"old\":{{\"balance\":{balance},\"touched\":{touched}}}", commit());
        [arrival, self.row("accounts", "update", id + 1, place + 1, &data, &old)]
    }

    /// What a source's own row for the order of several queues looks like.
    pub fn mark(&mut self) -> String {
        let number = self.position;
        let data = format!("{{\"id\":1,\"number\":{number}}},{}", commit());
        let mark = self.row("mark", "update", number, 1, &data, "\"old\":{\"number\":0}");
        mark.replace("\"database\":\"feed\"", "\"database\":\"binsync\"")
    }

    fn table(&mut self, table: &str, columns: &[&str]) -> String {
        let join =
            |each: fn(&&str) -> String| columns.iter().map(each).collect::<Vec<_>>().join(",");
        let def =
            join(|name| format!("{{\"type\":\"bigint\",\"name\":\"{name}\",\"signed\":true}}"));
        let def = format!(
            "\"table\":\"{table}\",\"def\":{{\"database\":\"feed\",\"charset\":\"utf8mb4\",\"table\":\"{table}\",\"primary-key\":[\"id\"],\"columns\":[{def}]}}"
        );
        let columns = join(|name| format!("{name} BIGINT NOT NULL"));
        let sql = format!("CREATE TABLE {table} ({columns}, PRIMARY KEY (id))");
        self.definition("table-create", &def, &sql)
    }

    fn definition(&mut self, kind: &str, def: &str, sql: &str) -> String {
        self.position += 300;
        format!(
            "{{\"type\":\"{kind}\",\"database\":\"feed\",{def},\"ts\":{},\"sql\":\"{sql}\",\"position\":\"bin.000001:{}\",\"schema_id\":1}}",
            now() / 1000,
            self.position
        )
    }

    /// `rest` is the row's place in its transaction, and whatever else it has.
    fn row(
        &mut self,
        table: &str,
        kind: &str,
        xid: usize,
        id: usize,
        data: &str,
        rest: &str,
    ) -> String {
        self.position += 200;
        format!(
            "{{\"database\":\"feed\",\"table\":\"{table}\",\"type\":\"{kind}\",\"ts\":{},\"xid\":{xid},\"position\":\"bin.000001:{}\",\"server_id\":1,\"schema_id\":1,\"primary_key\":[{id}],\"primary_key_columns\":[\"id\"],\"data\":{data},{rest}}}",
            now() / 1_000_000,
            self.position
        )
    }
}

fn commit() -> String {
    "\"commit\":true".to_owned()
}

/// Microseconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64
}
