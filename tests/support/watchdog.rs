//! Protects the machine from left-over servers: each one hangs on a small shell that waits for the test process's pipe
//! to close (also after a kill -9 of the tests), then kills the server's whole process group and removes its folder.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

const SCRIPT: &str = r#"
trap '' INT TERM HUP
dir=$1; shift
setsid "$@" < /dev/null > "$dir/server.log" 2>&1 &
pid=$!
read -r _
kill -KILL "-$pid"
kill -KILL "$pid"
wait "$pid" 2> /dev/null
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
        let shell = shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Watched { shell: shell.expect("sh starts") }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
