//! Random work on a real source, decided by a seed, and what a producer publishes of it.

mod alter;
mod random;
mod statements;
mod tables;
mod values;

use super::{
    content::Content,
    maxwell::{Producer, Switches, session},
    servers::{Kind, Server, source},
};
use mysql::{Conn, prelude::Queryable};
use random::Random;
use std::collections::VecDeque;
use tables::Table;

const SESSIONS: usize = 3;
const TRANSACTIONS: usize = 300;

/// A value is there already, is missing, or does not fit: the statement changes nothing.
const REFUSALS: [u16; 12] =
    [1048, 1062, 1169, 1264, 1292, 1305, 1406, 1451, 1452, 1690, 1761, 1762];

/// What a seed made of a source.
pub struct Stream {
    /// The producer's messages, one a line.
    pub lines: String,
    /// The binlog file that they are of: its name and content.
    pub file: String,
    pub binlog: Vec<u8>,
    /// The source's dump at the end.
    pub end: String,
    /// Where the first tables are made and filled, and the mixed work begins.
    pub filled: String,
    /// Are definitions changed during the mixed work?
    pub alters: bool,
    /// Are rows changed by foreign keys without being in the stream?
    pub hides_cascades: bool,
}

/// The source's tables at a time: whatever has happened is older, whatever comes is not.
pub struct Moment {
    /// Seconds since 1970.
    pub time: u64,
    pub content: Content,
}

/// One client and what is left of its transaction.
struct Session {
    client: Conn,
    script: VecDeque<String>,
    /// Groups of tables it alone may touch until it ends.
    groups: Vec<usize>,
}

struct Workload<'a> {
    kind: Kind,
    random: Random,
    producer: Producer<'a>,
    sessions: Vec<Session>,
    tables: Vec<Table>,
    family: Vec<Table>,
    clock: u64,
}

/// How source and producer are set.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// `binlog_row_image` of the mixed work.
    pub image: &'static str,
    pub switches: Switches,
}

impl Settings {
    /// Whole rows, and everything told.
    pub const USUAL: Settings = Settings { image: "FULL", switches: Switches::ALL };
}

/// Runs the seed's work on the source of that kind.
pub fn stream(kind: Kind, seed: u64, settings: Settings) -> Stream {
    let server = source(kind);
    let mut random = Random::new(seed);
    let (alters, families) = (random.percent(50), random.below(3));
    // They take away keys too.
    let alters = alters && settings.switches.nulls;
    let mut work = Workload::start(&server, seed, random, families, settings);
    for session in 0..SESSIONS {
        work.run(session, &format!("SET binlog_row_image={}", settings.image));
    }
    let filled = work.producer.position();
    for number in 0..TRANSACTIONS {
        work.step_until_a_transaction_begins();
        if alters && number % 16 == 15 {
            work.alter(number);
        }
    }
    (0..SESSIONS).for_each(|session| work.finish(session));
    let hides_cascades = kind == Kind::MariaDb && families == 2;
    let (file, binlog) = work.producer.binlog();
    let (lines, end) = (work.producer.lines(), server.dump());
    Stream { lines, file, binlog, end, filled, alters, hides_cascades }
}

/// Runs the seed's work on a source, its rows only, and looks at the tables so many times meanwhile: the producer's
/// messages, and what was seen. What foreign keys do by themselves is left out.
pub fn watched(server: &Server, seed: u64, looks: usize) -> (String, Vec<Moment>) {
    let mut random = Random::new(seed);
    let families = random.below(2);
    let mut work = Workload::start(server, seed, random, families, Settings::USUAL);
    let mut left = TRANSACTIONS;
    let moments = (0..looks).map(|number| {
        let share = left / (looks - number);
        let some = work.random.below(2 * share).min(left);
        left -= some;
        (0..some).for_each(|_| work.step_until_a_transaction_begins());
        (0..SESSIONS).for_each(|session| work.finish(session));
        work.clock += 1;
        Moment { time: work.clock, content: Content::of(server) }
    });
    let moments = moments.collect();
    (0..left).for_each(|_| work.step_until_a_transaction_begins());
    (0..SESSIONS).for_each(|session| work.finish(session));
    (work.producer.lines(), moments)
}

fn open(mut client: Conn) -> Session {
    for setting in [
        "USE w",
        "SET time_zone='+00:00', sql_mode='STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO'",
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    ] {
        client.query_drop(setting).unwrap();
    }
    Session { client, script: VecDeque::new(), groups: vec![] }
}

impl<'a> Workload<'a> {
    /// Tables are made and filled.
    fn start(
        server: &'a Server,
        seed: u64,
        random: Random,
        families: usize,
        settings: Settings,
    ) -> Workload<'a> {
        let mut producer = Producer::new(server);
        let mut first = session(server);
        let clock = 1_700_000_000 + seed % 1000 * 10_000;
        producer.run(&mut first, &format!("SET timestamp={clock}")).unwrap();
        producer.run(&mut first, "CREATE DATABASE w").unwrap();
        let mut work = Workload {
            kind: server.kind,
            random,
            producer,
            sessions: (0..SESSIONS).map(|_| open(session(server))).collect(),
            tables: vec![],
            family: vec![],
            clock,
        };
        work.producer.switches = settings.switches;
        work.make_tables(families, settings.switches.nulls);
        work
    }

    /// Where NULLs are left out, updates of tables without a key are refused: there are none.
    fn make_tables(&mut self, families: usize, keyless: bool) {
        for number in 0..3 + self.random.below(3) {
            let name = format!("t{number}");
            let table = loop {
                let table = Table::random(self.kind, name.clone(), number, &mut self.random);
                if keyless || table.has_key() {
                    break table;
                }
            };
            self.tables.push(table);
        }
        let acting = [
            "ON DELETE CASCADE",
            "ON DELETE SET NULL",
            "ON DELETE CASCADE ON UPDATE CASCADE",
            "ON DELETE SET NULL ON UPDATE CASCADE",
        ];
        self.family = match families {
            0 => vec![],
            1 => Table::family(50, ["", ""]),
            _ => Table::family(50, [(); 2].map(|()| self.random.pick(&acting))),
        };
        let all: Vec<_> = self.tables.iter().chain(&self.family).cloned().collect();
        self.run(0, &format!("SET timestamp={}", self.clock));
        self.run(0, &Table::shared(99).create());
        for table in all {
            self.run(0, &table.create());
            for _ in 0..25 {
                let action = statements::fill(&table, &mut self.random);
                self.run(0, &action);
            }
        }
    }

    /// Runs a statement of a session; false when the server refused it.
    fn run(&mut self, session: usize, statement: &str) -> bool {
        match self.producer.run(&mut self.sessions[session].client, statement) {
            Ok(()) => true,
            Err(mysql::Error::MySqlError(error)) if REFUSALS.contains(&error.code) => false,
            Err(error) => panic!("{statement}: {error}"),
        }
    }

    /// Goes on with any session, until one with nothing left to do takes a new transaction.
    fn step_until_a_transaction_begins(&mut self) {
        loop {
            let session = self.random.below(SESSIONS);
            if self.sessions[session].script.is_empty() {
                return self.begin(session);
            }
            self.step(session);
        }
    }

    fn step(&mut self, session: usize) {
        if let Some(statement) = self.sessions[session].script.pop_front() {
            self.run(session, &statement);
        }
        if self.sessions[session].script.is_empty() {
            self.sessions[session].groups.clear();
        }
    }

    fn finish(&mut self, session: usize) {
        while !self.sessions[session].script.is_empty() {
            self.step(session);
        }
    }

    fn begin(&mut self, session: usize) {
        self.clock += self.random.below(3) as u64;
        let mut script = VecDeque::from([format!("SET timestamp={}", self.clock)]);
        let alone = self.random.percent(25);
        if !alone {
            script.push_back("BEGIN".into());
        }
        let mut groups = Vec::new();
        for _ in 0..if alone { 1 } else { 1 + self.random.below(4) } {
            match self.free_table(&groups) {
                Some(table) if self.random.percent(90) => {
                    script.extend(statements::action(&table, &mut self.random));
                    groups.push(table.group);
                }
                _ => script.push_back(statements::shared(session, SESSIONS, &mut self.random)),
            }
        }
        if !alone {
            let end = if self.random.percent(12) { "ROLLBACK" } else { "COMMIT" };
            script.push_back(end.into());
        }
        self.sessions[session].script = script;
        self.sessions[session].groups = groups;
    }

    /// A table that no other session is busy with.
    fn free_table(&mut self, own: &[usize]) -> Option<Table> {
        let others: Vec<_> = self.sessions.iter().flat_map(|one| &one.groups).copied().collect();
        let free = |table: &&Table| own.contains(&table.group) || !others.contains(&table.group);
        let all: Vec<_> = self.tables.iter().chain(&self.family).filter(free).collect();
        (!all.is_empty()).then(|| all[self.random.below(all.len())].clone())
    }

    /// Changes a definition while no transaction is open.
    fn alter(&mut self, number: usize) {
        (0..SESSIONS).for_each(|session| self.finish(session));
        let (statement, after) = alter::change(self.kind, &self.tables, number, &mut self.random);
        self.run(0, &format!("SET timestamp={}", self.clock));
        match self.producer.run(&mut self.sessions[0].client, &statement) {
            Ok(()) => self.tables = after,
            // Twice the same value, or an index over a type that cannot have one.
            Err(mysql::Error::MySqlError(_)) => {}
            Err(error) => panic!("{statement}: {error}"),
        }
    }
}
