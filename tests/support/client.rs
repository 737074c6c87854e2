//! What the tests do to a server, all through the stock client programs: statements, scripts, dumps.

use super::servers::{ADVICE, Server, mysql_program};
use std::{
    io::Write,
    process::{Command, Stdio},
};

impl Server {
    /// A stock client program, connected as an administrator and without any option file.
    pub fn client(&self, program: &str) -> Command {
        let mut command = match program {
            "mysqldump" => Command::new(mysql_program(program)),
            program => Command::new(program),
        };
        command.args(["--no-defaults", "--protocol=tcp", "--default-character-set=utf8mb4"]);
        command.args(["-h", &self.host, "-u", &self.user, &format!("-P{}", self.port)]);
        command.env("MYSQL_PWD", &self.password);
        command
    }

    /// Runs statements through the stock client.
    pub fn sql(&self, statements: &str) {
        self.query(statements);
    }

    /// Runs statements and returns what the client prints: no headings, columns separated by tabs.
    pub fn query(&self, statements: &str) -> String {
        let done =
            self.client("mariadb").args(["-N", "-B", "-e", statements]).output().expect(ADVICE);
        let errors = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{} refused {statements:.300}: {errors}", self.kind.name());
        String::from_utf8(done.stdout).expect("the client prints UTF-8")
    }

    /// Feeds a script to the stock client unchanged, as a user would; returns the client's complaint, if any.
    pub fn try_feed(&self, script: &[u8]) -> Result<(), String> {
        let mut command = self.client("mariadb");
        command.args(["--binary-mode", "--max-allowed-packet=64M"]);
        let mut client =
            command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect(ADVICE);
        let mut stdin = client.stdin.take().unwrap();
        let script = script.to_vec();
        let writer = std::thread::spawn(move || stdin.write_all(&script));
        let done = client.wait_with_output().unwrap();
        let written = writer.join().unwrap();
        if !done.status.success() {
            return Err(String::from_utf8_lossy(&done.stderr).into_owned());
        }
        written.map_err(|error| format!("the client stopped reading: {error}"))
    }

    pub fn feed(&self, script: impl AsRef<[u8]>) {
        if let Err(error) = self.try_feed(script.as_ref()) {
            panic!("the stock client stopped on {}: {error}", self.kind.name());
        }
    }

    /// Loads a dump: the settings that `mysqldump --compact` leaves out come first; the rows are not committed one by one.
    pub fn load(&self, dump: &str) {
        self.feed(format!(
            "SET time_zone='+00:00', foreign_key_checks=0, sql_mode='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', autocommit=0;\n{dump}\nCOMMIT;\n"
        ));
    }

    /// The dump of every user database but the tool's own, as the recordings' `*.end.sql` were made.
    pub fn dump(&self) -> String {
        let databases: Vec<String> =
            self.databases().into_iter().filter(|name| name != "binsync").collect();
        if databases.is_empty() {
            return String::new();
        }
        let mut command = self.client("mariadb-dump");
        command.args([
            "--skip-dump-date",
            "--compact",
            "--skip-opt",
            "--create-options",
            "--quote-names",
        ]);
        command.args([
            "--order-by-primary",
            "--hex-blob",
            "--complete-insert",
            "--no-tablespaces",
            "--tz-utc",
        ]);
        let done = command.arg("--databases").args(&databases).output().expect(ADVICE);
        let errors = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "mariadb-dump, {}: {errors}", done.status);
        String::from_utf8_lossy(&done.stdout).into_owned()
    }
}
