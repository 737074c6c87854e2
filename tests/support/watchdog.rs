//! Protects the machine from left-over servers: each one hangs on a small shell that waits for the test process's pipe
//! to close (also after a kill -9 of the tests), then kills the server's whole process group and removes its folder.
//! A line through the pipe kills the server and keeps its folder, a second one starts it again.

use std::{
    io::{Read, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

const SCRIPT: &str = r#"
trap '' INT TERM HUP
dir=$1; shift
while true; do
    setsid "$@" < /dev/null >> "$dir/server.log" 2>&1 &
    pid=$!
    read -r _; end=$?
    kill -KILL "-$pid"
    kill -KILL "$pid"
    wait "$pid" 2> /dev/null
    [ "$end" = 0 ] || break
    echo
    read -r _ || break
done
rm -rf "$dir"
"#;

/// A server process that lives as long as this value, and no longer than this process.
pub struct Watched {
    shell: Child,
}

impl Watched {
    /// Starts `command` with `dir` as the folder to remove at the end; its output goes to `dir/server.log`.
    pub fn start(dir: &Path, command: &Command) -> Watched {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", SCRIPT, "watchdog"])
            .arg(dir)
            .arg(command.get_program())
            .args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        let shell =
            shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        Watched { shell: shell.expect("sh starts") }
    }

    /// kill -9; returns when the process is gone.
    pub fn kill(&mut self) {
        self.say();
        let mut gone = [0];
        self.shell.stdout.as_mut().unwrap().read_exact(&mut gone).unwrap();
    }

    /// Starts it again after [`Watched::kill`], with the same arguments and folder.
    pub fn start_again(&mut self) {
        self.say();
    }

    fn say(&mut self) {
        self.shell.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
