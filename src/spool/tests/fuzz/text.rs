//! Messages, definitions and statements that somebody made up.

use fastrand::Rng;

use super::cases::cases;
use crate::event::cipher::Key;
use crate::event::ddl::{Text, turn};
use crate::event::def::TableDef;
use crate::event::history::History;
use crate::event::row::{Columns, look};
use crate::event::{Body, Event, maxwell, typed};

/// What messages are made of, and what is set into their place.
const PIECES: [&str; 28] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    ",",
    ":",
    "null",
    "true",
    "-0",
    "1e999",
    "18446744073709551616",
    "\\u0000",
    "\\ud800",
    "\u{202e}",
    "\u{0}",
    "é",
    "`",
    "--",
    "/*!50000 ",
    "*/",
    "'",
    ";",
    "\"data\":{}",
    "\"xid\":",
    "\"encrypted\":{\"iv\":\"AAECAwQFBgcICQoLDA0ODw==\",\"bytes\":\"AAAA\"}",
    "\"def\":{\"columns\":[{}]}",
];

const MESSAGES: [&str; 6] = [
    r#"{"database":"d","table":"t","type":"update","ts":5,"xid":9,"xoffset":2,"commit":true,"position":"b.000001:77","server_id":1,"thread_id":4,"primary_key":[5],"primary_key_columns":["id"],"data":{"id":5,"s":"x","j":{"a":[1,2]}},"old":{"id":4}}"#,
    r#"{"type":"table-create","database":"d","table":"t","ts":1,"position":"b.000001:9","sql":"CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, e ENUM('a','b''c') DEFAULT 'a', KEY (e)) ENGINE=InnoDB","def":{"database":"d","table":"t","charset":"utf8mb4","primary-key":["id"],"columns":[{"type":"int","name":"id","signed":true},{"type":"enum","name":"e","enum-values":["a","b''c"]}]}}"#,
    r#"{"type":"table-alter","database":"d","table":"t","ts":2,"position":"b.000001:19","sql":"/*!40000 ALTER */ TABLE `t` ADD COLUMN (c BINARY(4), d DATETIME(6) ON UPDATE CURRENT_TIMESTAMP(6)), RENAME TO u","old":{"database":"d","table":"t","columns":[]},"def":{"database":"d","table":"u","columns":[]}}"#,
    r#"{"type":"table-drop","database":"d","table":"t","ts":3,"sql":"DROP TABLE IF EXISTS a.b, `t` /* x */"}"#,
    r#"{"type":"bootstrap-insert","database":"d","table":"t","ts":4,"data":{"id":1,"f":1.10}}"#,
    r#"{"encrypted":{"iv":"AAECAwQFBgcICQoLDA0ODw==","bytes":"bm90IGEgYmxvY2sgb2YgQUVTIGF0IGFsbCEhISEhISE="}}"#,
];

/// A text without meaning.
pub(super) fn hostile(rng: &mut Rng) -> String {
    (0..rng.usize(..6)).map(|_| PIECES[rng.usize(..PIECES.len())]).collect()
}

/// A message that is changed somewhere.
pub(super) fn message(rng: &mut Rng) -> Vec<u8> {
    let mut bytes = MESSAGES[rng.usize(..MESSAGES.len())].as_bytes().to_vec();
    for _ in 0..rng.usize(..5) {
        let (from, to) = (rng.usize(..=bytes.len()), rng.usize(..=bytes.len()));
        let part = from.min(to)..from.max(to).min(from.min(to) + 30);
        match rng.u8(..5) {
            0 => drop(bytes.drain(part)),
            1 => {
                let part = bytes[part].to_vec();
                bytes.splice(to..to, part);
            }
            2 if to < bytes.len() => bytes[to] = rng.u8(..),
            3 => {
                let deep = PIECES[rng.usize(..4)].repeat([2, 130, 5_000][rng.usize(..3)]);
                bytes.splice(to..to, deep.bytes());
            }
            _ => {
                let piece = hostile(rng);
                bytes.splice(to..to, piece.bytes());
            }
        }
    }
    bytes
}

#[test]
fn no_message_does_harm_whatever_it_says() {
    let key = Key::new("0123456789abcdef").expect("a key");
    cases("messages", |number| {
        let mut rng = Rng::with_seed(number);
        let message = message(&mut rng);
        if let Some(opened) = key.open(&message) {
            assert!(maxwell::parse(&opened).is_ok());
        }
        let _ = maxwell::parse_meta(&message);
        let Ok(event) = maxwell::parse(&message) else { return Ok(()) };
        assert!(maxwell::parse_stored(&message).is_ok());
        read(&event)
    });
}

/// Reads all that an event holds.
fn read(event: &Event<'_>) -> crate::error::Result<()> {
    match &event.body {
        Body::Row { data, old } => {
            for (name, value) in Columns::parse(data)?.0 {
                typed::fold(value);
                typed::is(value, &name);
            }
            look(data, *old);
        }
        Body::Ddl { sql, def, .. } => {
            turn(sql, &event.meta.database, &event.meta.table);
            if let Some(text) = Text::read(sql) {
                text.clauses();
                text.like();
                text.foreign_keys(&event.meta.name());
            }
            let mut history = History::default();
            // A statement may be refused; its definition was read with the message.
            let _ = history.add_ddl(1, event);
            def.map(TableDef::parse).transpose()?;
        }
        Body::Nothing => {}
    }
    Ok(())
}
