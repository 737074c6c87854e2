//! Statements that change definitions: what the messages say of one, and what of it may be run.
//!
//! The text of a statement comes from a stranger. A [`Statement`] is made by [`Statement::checked`]
//! only: one statement, of the kind its messages say, on the tables they name, every name with its
//! database, no comment left in it. Nothing else reaches a target or a script.

use super::Op;
use super::typed::same_name;

mod alter;
pub mod attributes;
mod clause;
mod cursor;
mod database;
mod define;
mod parts;
mod server;
mod shape;
mod statement;
mod subject;
mod token;
mod told;
mod words;

pub use clause::{Clause, Text};
pub use cursor::by_hand;
pub use define::{Defaults, widest};
pub use server::Server;
pub use statement::Statement;
pub use subject::Subject;
pub use told::Told;

/// True for a statement that sends a message for each of several tables: DROP TABLE and RENAME
/// TABLE. Two others with the same text are two statements, on tables of two databases.
pub fn is_of_several_tables(op: Op, sql: &str) -> bool {
    match op {
        Op::TableDrop => true,
        Op::TableAlter => Text::read(sql).is_none_or(|text| text.begins_with("RENAME")),
        _ => false,
    }
}

/// Which of the tables of such a statement a message is about: their number in the text, the order
/// in which the producer sends them. The number of tables when it is none of them.
pub fn turn(sql: &str, database: &str, table: &str) -> usize {
    const BEFORE: [&str; 6] = ["DROP", "RENAME", "TABLE", "TABLES", "IF", "EXISTS"];
    let Some(text) = Text::read(sql) else { return 0 };
    let named = parts::split(text.tokens());
    let is_it = |tokens: &&[token::Token]| {
        parts::table(parts::skip(tokens, &BEFORE)).is_some_and(|(of, name, _)| {
            same_name(name, table) && of.is_none_or(|of| same_name(of, database))
        })
    };
    named.iter().position(is_it).unwrap_or(named.len())
}

#[cfg(test)]
mod tests;
