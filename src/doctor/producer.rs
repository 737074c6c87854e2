//! What the last messages tell of the producer's settings.

use super::check::{Check, Part, State};
use super::sample::{Sample, Seen};
use crate::error::{Means, Result, Words};
use crate::spool::Spool;

/// The checks.
pub(super) const NAMES: [&str; 11] = [
    "encryption",
    "position",
    "transaction",
    "xoffset",
    "nulls",
    "names",
    "images",
    "statements",
    "keys",
    "server",
    "connection",
];

impl Seen {
    /// The check: what the bad ones mean, what is done about them, and why nothing may be told.
    fn check(
        self,
        name: &'static str,
        bad: State,
        (what, next): (impl Into<Words>, impl Into<Words>),
        untold: &str,
    ) -> Check {
        let check = |state, what: Words| Check::new(Part::Producer, name, state, what);
        match self {
            Self { good: 0, bad: 0 } => check(State::NotChecked, untold.into()),
            Self { bad: 0, .. } => check(State::Ok, "".into()),
            Self { good, bad: some } => {
                let share = Words::from(format!("{some} of {} messages ", good + some));
                check(bad, share + what).next(next)
            }
        }
    }
}

impl Sample {
    /// The checks, from what was seen.
    ///
    /// # Errors
    /// When the spool cannot be read.
    pub fn checks(&self, spool: &Spool) -> Result<Vec<Check>> {
        use State::{Note, Problem};
        const NO_ROWS: &str = "no row change among the last messages";
        let mut all = vec![
            self.encryption.check(
                "encryption",
                Problem,
                (
                    "are encrypted: what they say is not known here",
                    "give Maxwell's secret_key in a file",
                ),
                "no message",
            ),
            self.position.check(
                "position",
                Problem,
                (
                    (
                        "do not tell their place in the binlog: gaps between transactions are not \
                         seen, {} cannot be used, several queues cannot be merged",
                        [Means::Position],
                    ),
                    "output_binlog_position=true at the producer",
                ),
                NO_ROWS,
            ),
            self.transaction.check(
                "transaction",
                Problem,
                (
                    "belong to no transaction: each row is applied by itself, and no transaction \
                     can be taken back",
                    "output_commit_info=true at the producer",
                ),
                NO_ROWS,
            ),
            self.xoffset.check(
                "xoffset",
                Problem,
                (
                    "do not tell their place in the transaction: a row that is lost inside of one \
                     is not seen",
                    "output_xoffset=true at the producer",
                ),
                "no transaction of several rows among the last messages",
            ),
        ];
        all.extend(self.of_images());
        all.push(match spool.ddl_count()? {
            0 => Check::new(
                Part::Producer,
                "statements",
                State::NotChecked,
                "no statement in the spool: the source ran none, or output_ddl is off",
            ),
            _ => Check::new(Part::Producer, "statements", State::Ok, ""),
        });
        all.push(self.keys.check(
            "keys",
            Note,
            (
                "do not name their row's key: it is taken from definitions, where these are known",
                "output_primary_keys=true and output_primary_key_columns=true at the producer",
            ),
            NO_ROWS,
        ));
        all.push(self.of_servers(NO_ROWS));
        all.push(self.connection.check(
            "connection",
            Note,
            (
                (
                    "do not name the connection that made the change: {} cannot be used",
                    [Means::ThreadId],
                ),
                "output_thread_id=true at the producer; MariaDB's binlog names none",
            ),
            NO_ROWS,
        ));
        Ok(all)
    }

    fn of_images(&self) -> [Check; 3] {
        let mut images = self.images;
        if self.nulls.bad > 0 {
            // An image without its NULLs is not told from one without columns.
            images = Seen::default();
        }
        [
            self.nulls.check(
                "nulls",
                State::Problem,
                (
                    "leave out the columns that are NULL: that a value was NULL before is lost, and \
                     its change cannot be taken back",
                    "output_nulls=true at the producer",
                ),
                "no NULL among the last messages",
            ),
            self.names.check(
                "names",
                State::Problem,
                (
                    "have other names than the columns: they fit no table",
                    "output_naming_strategy=none at the producer",
                ),
                "no name among the last messages that a naming strategy would change",
            ),
            images.check(
                "images",
                State::Problem,
                (
                    "hold a row without some of its columns: its change cannot be taken back",
                    "binlog_row_image=FULL at the source, and no exclude_columns at the producer",
                ),
                "no row among the last messages of a table whose definition is known as a whole",
            ),
        ]
    }

    fn of_servers(&self, no_rows: &str) -> Check {
        let check = self.server.check(
            "server",
            State::Note,
            (
                ("do not name the server they came from: {} cannot be used", [Means::ServerId]),
                "output_server_id=true at the producer",
            ),
            no_rows,
        );
        match self.servers.len() > 1 && check.state == State::Ok {
            true => Check::new(
                Part::Producer,
                "server",
                State::Note,
                "the last messages are of several servers: another one was recorded since, or \
                 their streams are mixed",
            )
            .on(self.servers.iter().map(u64::to_string).collect()),
            false => check,
        }
    }
}
