//! What a trap is.

use super::Sprung;
use crate::support::servers::quoted;

#[derive(Clone)]
pub struct Trap {
    /// Also of its database.
    pub name: String,
    /// Statements, as all that follow, parted by `; `.
    pub setup: String,
    /// What is to be taken back.
    pub damage: String,
    /// The part of the damage that is not taken back.
    pub instead: String,
    /// What happened after the damage and has to stay.
    pub since: String,
    /// Chooses of the damage what is taken back.
    pub select: Vec<&'static str>,
    /// More arguments of `apply`, which `render` does not have.
    pub apply: Vec<&'static str>,
    pub ends: Ends,
}

/// The words are in the message.
#[derive(Clone)]
pub enum Ends {
    /// As if there had been no damage.
    Same,
    /// Refused before the first byte, by `apply` and by `render`.
    Refused(Vec<&'static str>),
    /// No row change tells of it.
    Nothing,
    /// The target's tables cannot take the rows back: `apply` says why, the stock client stops.
    Unfit(Vec<&'static str>),
    /// The same of a single row, which no dry run can tell.
    Fails(Vec<&'static str>),
    /// The rows were changed since and stay as they are; the dry run says the first of the words of them, and `apply`
    /// ends there with the others.
    Kept(&'static str, Vec<&'static str>),
}

pub fn trap(name: &str, setup: &str, damage: &str) -> Trap {
    let empty = String::new;
    Trap {
        name: name.into(),
        setup: setup.into(),
        damage: damage.into(),
        instead: empty(),
        since: empty(),
        select: vec![],
        apply: vec![],
        ends: Ends::Same,
    }
}

impl Trap {
    pub fn instead(self, sql: &str) -> Trap {
        Trap { instead: sql.into(), ..self }
    }

    pub fn since(self, sql: &str) -> Trap {
        Trap { since: sql.into(), ..self }
    }

    pub fn select(self, args: &[&'static str]) -> Trap {
        Trap { select: args.into(), ..self }
    }

    pub fn apply(self, args: &[&'static str]) -> Trap {
        Trap { apply: args.into(), ..self }
    }

    pub fn refused(self, words: &[&'static str]) -> Trap {
        Trap { ends: Ends::Refused(words.into()), ..self }
    }

    pub fn nothing(self) -> Trap {
        Trap { ends: Ends::Nothing, ..self }
    }

    pub fn unfit(self, words: &[&'static str]) -> Trap {
        Trap { ends: Ends::Unfit(words.into()), ..self }
    }

    pub fn fails(self, words: &[&'static str]) -> Trap {
        Trap { ends: Ends::Fails(words.into()), ..self }
    }

    pub fn kept(self, looked: &'static str, words: &[&'static str]) -> Trap {
        Trap { ends: Ends::Kept(looked, words.into()), ..self }
    }

    pub fn database(&self) -> String {
        let name = quoted(&self.name);
        format!("CREATE DATABASE {name} CHARACTER SET utf8mb4; USE {name}")
    }
}

/// Begins every trap: what it makes depends on no setting of the server, and not on the time.
pub const PREAMBLE: &str = "SET NAMES utf8mb4; SET time_zone='+00:00', \
    sql_mode='ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION', timestamp=1700000000";

pub fn statements(sql: &str) -> impl Iterator<Item = &str> {
    sql.split("; ").filter(|statement| !statement.is_empty())
}

/// Parts of every trap as one script for the stock client.
pub fn script(sprung: &[Sprung], parts: fn(&Trap) -> [&String; 3]) -> String {
    let mut all = String::new();
    for (trap, _) in sprung {
        let database = trap.database();
        let sql = [PREAMBLE, &database].into_iter().chain(parts(trap).map(String::as_str));
        for statement in sql.flat_map(statements) {
            all.push_str(statement);
            all.push_str(";\n");
        }
    }
    all
}
