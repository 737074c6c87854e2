//! A source that is recorded and applied to a target while all of them are at work.

use super::{
    Fresh, Kind, Run, Running, Spool, amqp_url,
    cli::finish,
    fresh,
    maxwell::{Live, session},
    source,
};
use mysql::prelude::Queryable;
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// Fields end in this order: who writes before who is written to.
pub struct Chain {
    pub apply: Option<Running>,
    _capture: Running,
    _live: Live,
    pub spool: Spool,
    pub target: Fresh,
    pub source: Fresh,
}

impl Chain {
    /// Both servers begin with these statements done; `takes` as [`Live::start`] has it.
    pub fn start(from: Kind, to: Kind, statements: &[&str], takes: fn(&str) -> bool) -> Chain {
        let mut chain = Chain::recorded(from, to, [statements; 2], takes);
        chain.follow();
        chain.until("the run begins", |chain| {
            chain.target.databases().contains(&"binsync".to_owned())
                && chain.target.query("SELECT name FROM binsync.progress") == "apply\n"
        });
        chain
    }

    /// The same without an apply; source and target have statements of their own.
    pub fn recorded(
        from: Kind,
        to: Kind,
        statements: [&[&str]; 2],
        takes: fn(&str) -> bool,
    ) -> Chain {
        let (source, target, spool) = (source(from), fresh(to), Spool::new());
        for (server, statements) in [&source, &target].into_iter().zip(statements) {
            let mut session = session(server);
            session.query_drop("SET sql_mode='', time_zone='+00:00'").unwrap();
            statements.iter().for_each(|statement| session.query_drop(statement).unwrap());
        }
        let live = Live::start(&source, takes);
        let url = source.url();
        let capture = ["capture", "--queue", &live.queue, "--amqp-url", amqp_url()];
        let definitions = ["--schema-from", &url];
        let capture = Running::start(spool.command([&capture[..], &definitions].concat()));
        source.sql("CREATE DATABASE chain_begins");
        let chain = Chain { apply: None, _capture: capture, _live: live, spool, target, source };
        chain.until("the spool has something", |chain| {
            chain.spool.path().exists()
                && !chain.spool.segments().is_empty()
                && chain.spool.run(["status"]).code == 0
        });
        chain
    }

    /// Starts an apply that follows the spool.
    pub fn follow(&mut self) {
        let apply = ["apply", "--target", &self.target.url(), "--follow"];
        self.apply = Some(Running::start(self.spool.command(apply)));
    }

    /// Ends it, where it is between two transactions.
    pub fn halt(&mut self) {
        let apply = self.apply.take().expect("an apply");
        apply.signal("-TERM");
        let (status, said) = apply.end();
        assert!([Some(0), Some(4)].contains(&status.code()), "{status}: {said}");
    }

    pub fn until(&self, what: &str, reached: impl Fn(&Chain) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !reached(self) {
            assert!(Instant::now() < deadline, "in vain until {what}");
            sleep(Duration::from_millis(20));
        }
    }

    /// A command that asks both servers.
    pub fn run(&self, command: &str, flags: &[&str]) -> Run {
        let (source, target) = (self.source.url(), self.target.url());
        let args = [command, "--source", &source, "--target", &target];
        finish(self.spool.command([&args, flags].concat()), None)
    }
}
