//! Statements, and what begins and ends transactions.

use super::super::gtid::Gtid;
use super::super::header::{Event, kind};
use super::super::kept;
use super::super::pending::What;
use super::super::query::Query;
use super::super::schema::Said;
use super::super::{PRODUCER, json};
use super::{Open, Reading, TEMPORARY};
use crate::error::{Context, Result};

impl Reading<'_> {
    pub(super) fn begin_gtid(&mut self, event: &Event) -> Result<()> {
        self.abandon()?;
        match Gtid::read(&event.header, &event.body) {
            Ok(gtid) => {
                if gtid.begins {
                    let (thread, stamp) = (gtid.thread, gtid.stamp.clone());
                    self.open = Some(Open { thread, stamp, ..Open::default() });
                }
                self.gtid = gtid;
                Ok(())
            }
            Err(_) => {
                self.gtid = Gtid::default();
                self.keep(event.clone(), true)
            }
        }
    }

    /// Ends a transaction whose commit is not there: another begins.
    pub(super) fn abandon(&mut self) -> Result<()> {
        match self.open.take() {
            Some(open) if open.events.events() > 0 => self.hand_over(open, None, false, None),
            _ => Ok(()),
        }
    }

    pub(super) fn query(&mut self, event: Event) -> Result<()> {
        let compressed = event.header.kind == kind::QUERY_COMPRESSED;
        let Ok(query) = Query::read(&event.body, compressed) else {
            self.doubt();
            return self.keep(event, true);
        };
        let sql = query.sql.trim();
        let (verb, rest) = sql.split_once(char::is_whitespace).unwrap_or((sql, ""));
        match (verb.to_ascii_uppercase().as_str(), rest.trim()) {
            ("BEGIN", _) => self.begin(&query),
            ("COMMIT", "") => match self.open.take() {
                Some(open) => self.hand_over(open, None, true, None),
                None => Ok(()),
            },
            ("ROLLBACK", "") => self.roll_back(&event),
            ("ROLLBACK", _) => {
                self.open.get_or_insert_default().partly = true;
                Ok(())
            }
            ("SAVEPOINT" | "RELEASE", _) => Ok(()),
            ("XA", rest) => self.xa(rest, &query, &event),
            _ if self.gtid.unfinished => {
                self.gtid = Gtid::default();
                Ok(())
            }
            _ => {
                self.statement(&event, &query)?;
                if self.open.is_none() {
                    self.gtid = Gtid::default();
                }
                Ok(())
            }
        }
    }

    pub(super) fn begin(&mut self, query: &Query) -> Result<()> {
        if self.open.as_ref().is_some_and(|open| open.events.events() == 0) {
            self.open = None;
        }
        self.abandon()?;
        let mariadb = self.format.as_ref().is_some_and(|format| format.mariadb);
        let thread = if mariadb { self.gtid.thread } else { Some(query.thread) };
        let stamp = std::mem::take(&mut self.gtid.stamp);
        self.open = Some(Open { thread, stamp, ..Open::default() });
        Ok(())
    }

    /// A transaction that was rolled back is logged where it changed tables that cannot be.
    pub(super) fn roll_back(&mut self, event: &Event) -> Result<()> {
        match self.open.take().map_or(0, |open| open.events.events()) {
            0 => Ok(()),
            events => self.gap(
                event.offset,
                &format!(
                    "a transaction of {events} events was rolled back: what it changed in tables \
                     without transactions has stayed, and is not told from the rest"
                ),
            ),
        }
    }

    pub(super) fn xa(&mut self, rest: &str, query: &Query, event: &Event) -> Result<()> {
        let (verb, name) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        match verb.to_ascii_uppercase().as_str() {
            "START" | "BEGIN" => {
                self.begin(query)?;
                self.open.get_or_insert_default().xa = Some(name.trim().to_owned());
                Ok(())
            }
            // MariaDB logs no start.
            "END" => {
                self.open.get_or_insert_default().xa = Some(name.trim().to_owned());
                Ok(())
            }
            "COMMIT" => {
                let name = name.trim().trim_end_matches("ONE PHASE").trim_end();
                let open = self.open.take().unwrap_or_default();
                if open.xa.as_deref() == Some(name) {
                    return self.hand_over(open, None, true, None);
                }
                // MySQL's commit stands by itself, behind its own GTID.
                let own = std::mem::take(&mut self.gtid.stamp);
                let stamp = if open.stamp.gtid.is_some() { open.stamp } else { own };
                match self.reader.prepared.remove(name) {
                    Some(prepared) => {
                        // Another connection may commit it.
                        let thread = prepared.thread.or(Some(query.thread));
                        let open = Open { thread, stamp, ..prepared };
                        self.hand_over(open, None, true, Some(event.offset))
                    }
                    None => self.gap(
                        event.offset,
                        "an XA transaction is committed that was prepared before what was read",
                    ),
                }
            }
            "ROLLBACK" => {
                self.open = None;
                self.reader.prepared.remove(name.trim());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Rows of XA PREPARE wait until they are committed, perhaps in a later file.
    pub(super) fn prepare(&mut self, event: &Event) -> Result<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        match (event.body.first(), open.xa.clone()) {
            (Some(0), Some(name)) => {
                self.reader.prepared.insert(name, open);
                Ok(())
            }
            _ => self.hand_over(open, None, true, None),
        }
    }

    pub(super) fn statement(&mut self, event: &Event, query: &Query) -> Result<()> {
        self.reader.schema.changes.here = self.here(self.end);
        let said = self.reader.schema.statement(query);
        match said {
            Said::Nothing => Ok(()),
            // Whether it counts is told by the commit.
            Said::Lost if self.open.is_some() => self.keep(event.clone(), false),
            Said::Lost => self.lost_statement(event, query),
            Said::Messages(all) => {
                let all = all.iter().map(|fields| self.defines(event, query, fields));
                let all: Vec<String> = all.collect();
                all.into_iter().try_for_each(|message| self.message(event, message))
            }
        }
    }

    /// The message of a statement that defines something, from its first fields.
    pub(super) fn defines(&self, event: &Event, query: &Query, fields: &str) -> String {
        let mut message = format!("{PRODUCER},{fields},\"ts\":{}000", event.header.time);
        message.push_str(",\"sql\":");
        json::string(&mut message, &query.sql);
        message.push_str(",\"position\":");
        json::string(&mut message, &self.place(event.offset));
        message.push_str(&format!(",\"server_id\":{}", event.header.server));
        let open = self.open.as_ref().map(|open| &open.stamp);
        open.filter(|stamp| stamp.gtid.is_some()).unwrap_or(&self.gtid.stamp).write(&mut message);
        message.push('}');
        message
    }

    /// Hands over a message, or has it wait for the commit of the transaction that is open.
    pub(super) fn message(&mut self, event: &Event, message: String) -> Result<()> {
        let over = self.is_over();
        match &mut self.open {
            Some(open) => {
                let event = Event { body: message.into_bytes(), ..*event };
                open.events.push(&event, What::Message).context(TEMPORARY)
            }
            None if over => Ok(()),
            None => self.sink.message(&message),
        }
    }

    pub(super) fn lost_statement(&mut self, event: &Event, query: &Query) -> Result<()> {
        const WHY: &str = "it changes rows or tables, and the log has the statement alone";
        if self.is_over() {
            return Ok(());
        }
        let database = &query.database;
        self.kept.add("", WHY, event.offset, false);
        self.sink.message(&kept::statement(self.file, database, &query.sql, event, WHY))
    }
}
