//! Programs, their wall time and what else they take.

use crate::support::{cli::harden, servers::ADVICE};
use std::{
    fs::{self, File},
    io::Read,
    process::{Command, Stdio},
    time::Instant,
};

pub const TOOL: &str = env!("CARGO_BIN_EXE_binsync");

/// One run.
#[derive(Clone, Copy, Default)]
pub struct Measured {
    pub seconds: f64,
    /// Largest resident size of the program and what it started.
    pub peak_mib: f64,
    /// User and system time of the program and what it started.
    pub cpu_seconds: f64,
    /// The same of the database server, where there is one.
    pub server_cpu_seconds: f64,
}

pub fn program(name: &str, args: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(args);
    command
}

/// The tool over that spool.
pub fn tool(spool: &str, args: &[&str]) -> Command {
    program(TOOL, &[&["--spool", spool, "--quiet"], args].concat())
}

pub fn measured(command: &Command) -> Measured {
    timed(command, Stdio::null(), Stdio::null())
}

pub fn measured_into(command: &Command, file: &str) -> Measured {
    timed(command, Stdio::null(), Stdio::from(File::create(file).unwrap()))
}

pub fn measured_from(command: &Command, input: File) -> Measured {
    timed(command, Stdio::from(input), Stdio::null())
}

fn timed(command: &Command, stdin: Stdio, stdout: Stdio) -> Measured {
    let notes = tempfile::NamedTempFile::new().unwrap();
    let mut timed = program("/usr/bin/time", &["-f", "%M %U %S", "-o"]);
    timed.arg(notes.path()).arg(command.get_program()).args(command.get_args());
    harden(&mut timed);
    for (name, value) in command.get_envs() {
        timed.env(name, value.unwrap_or_default());
    }
    let start = Instant::now();
    let mut child = timed.stdin(stdin).stdout(stdout).stderr(Stdio::piped()).spawn().expect(ADVICE);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let done = child.wait().unwrap();
    let seconds = start.elapsed().as_secs_f64();
    assert!(done.success(), "{command:?}: {}", said.chars().take(2000).collect::<String>());
    let notes = fs::read_to_string(notes.path()).unwrap();
    let figures: Vec<f64> =
        notes.split_whitespace().map(|figure| figure.parse().unwrap()).collect();
    let [kib, user, system] = figures[..] else { panic!("/usr/bin/time wrote {notes}") };
    let (peak_mib, cpu_seconds) = (kib / 1024.0, user + system);
    Measured { seconds, peak_mib, cpu_seconds, ..Measured::default() }
}
