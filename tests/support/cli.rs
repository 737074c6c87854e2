//! The tool as a black box: its command line, exit status and both outputs.

use super::recordings::temp_dir;
use std::{
    ffi::OsStr,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Far above what any run here takes: a run that hangs fails instead of holding up the suite.
const PATIENCE: Duration = Duration::from_secs(300);

/// A finished run.
#[derive(Debug)]
pub struct Run {
    pub line: String,
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Run {
    /// The run ended with 0; hands back its stdout.
    pub fn ok(self) -> String {
        String::from_utf8(self.code(0).stdout).expect("stdout is UTF-8")
    }

    /// The run ended with that status.
    #[track_caller]
    pub fn code(self, expected: i32) -> Run {
        self.one_of(&[expected])
    }

    /// The run ended with one of these.
    #[track_caller]
    pub fn one_of(self, expected: &[i32]) -> Run {
        assert!(
            expected.contains(&self.code),
            "expected exit {expected:?}, got {} from: {}\n{}",
            self.code,
            self.line,
            self.stderr
        );
        self
    }

    /// stderr holds each of these words, in any case of letters.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Run {
        let said = self.stderr.to_lowercase();
        for word in words {
            assert!(
                said.contains(&word.to_lowercase()),
                "stderr of {} does not say {word:?}:\n{}",
                self.line,
                self.stderr
            );
        }
        self
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// The tool, with nothing of the caller's environment that could change what it does.
pub fn command<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_binsync"));
    command.args(args);
    harden(&mut command);
    command
}

/// Applies the same to a program that starts the tool (strace, sh).
pub fn harden(command: &mut Command) {
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("BINSYNC_"))
    {
        command.env_remove(name);
    }
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("empty-home");
    std::fs::create_dir_all(&home).unwrap();
    command
        .env("TZ", "UTC")
        .env("LC_ALL", "C.UTF-8")
        .env("HOME", &home)
        .current_dir(&home)
        .stdin(Stdio::null());
}

pub fn binsync<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Run {
    finish(command(args), None)
}

/// Runs a prepared command to its end, feeding it `input`.
pub fn finish(mut command: Command, input: Option<Vec<u8>>) -> Run {
    let line: String = format!("{command:?}").chars().take(600).collect();
    if input.is_some() {
        command.stdin(Stdio::piped());
    }
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let feeder = input.map(|bytes| {
        let mut stdin = child.stdin.take().unwrap();
        thread::spawn(move || drop(stdin.write_all(&bytes)))
    });
    let out = drain(child.stdout.take().unwrap());
    let err = drain(child.stderr.take().unwrap());
    let code = wait(&mut child, &line);
    feeder.into_iter().for_each(|feeder| feeder.join().unwrap());
    let stderr = String::from_utf8_lossy(&err.join().unwrap()).into_owned();
    Run { line, code, stdout: out.join().unwrap(), stderr }
}

fn drain(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

fn wait(child: &mut Child, line: &str) -> i32 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().unwrap_or(-1);
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            panic!("still running after {PATIENCE:?}: {line}");
        }
        thread::sleep(Duration::from_millis(3));
    }
}

/// A spool folder of one test, removed at its end.
pub struct Spool {
    dir: TempDir,
}

impl Spool {
    pub fn new() -> Spool {
        Spool { dir: temp_dir() }
    }

    /// A spool that holds this file.
    pub fn of(file: &Path) -> Spool {
        let spool = Spool::new();
        spool.run(["import", file.to_str().unwrap()]).code(0);
        spool
    }

    /// A spool that holds the recording of that name, imported without complaint.
    pub fn recording(name: &str) -> Spool {
        Spool::of(&super::recording(name))
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("spool")
    }

    /// `binsync --spool HERE ARGS`
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = command(["--spool".as_ref(), self.path().as_os_str()]);
        command.args(args);
        command
    }

    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        finish(self.command(args), None)
    }

    /// `apply --target TARGET ARGS`
    pub fn apply<S: AsRef<OsStr>>(&self, target: &str, args: impl IntoIterator<Item = S>) -> Run {
        let mut command = self.command(["apply", "--target", target]);
        command.args(args);
        finish(command, None)
    }

    /// `render ARGS`, which must succeed: the SQL.
    pub fn render<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Vec<u8> {
        let mut command = self.command(["render"]);
        command.args(args);
        finish(command, None).code(0).stdout
    }

    /// The segment files in stream order.
    pub fn segments(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut segments: Vec<_> =
            entries.filter(|path| path.extension().is_some_and(|end| end == "zst")).collect();
        segments.sort();
        segments
    }

    /// What `zstd -dc SPOOL/*.zst` prints: the stored lines.
    pub fn stored(&self) -> Vec<u8> {
        let segments = self.segments();
        if segments.is_empty() {
            return Vec::new();
        }
        let done =
            Command::new("zstd").arg("-dcq").args(segments).output().expect(super::servers::ADVICE);
        assert!(done.status.success(), "zstd: {}", String::from_utf8_lossy(&done.stderr));
        done.stdout
    }
}
