//! The tool while it runs: watched, interrupted, frozen.

use std::{
    io,
    os::unix::process::ExitStatusExt,
    process::{Child, Command, ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// Above what any run takes, waiting for a dead one's session included.
pub const PATIENCE: Duration = Duration::from_secs(150);

/// A run in the background; it ends with this value, frozen or not.
pub struct Running {
    child: Child,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    pub fn start(mut command: Command) -> Running {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        Running { child: command.spawn().expect("the program starts") }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// kill -9; it may have ended by itself.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
    }

    /// Sends a signal by its name, such as `-INT`.
    pub fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let _ = Command::new("kill").args([name, &id]).stderr(Stdio::null()).status();
    }

    /// Waits until `reached` holds; false when the run ended first.
    pub fn until(&mut self, mut reached: impl FnMut() -> bool) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while !self.has_ended() {
            if reached() {
                return true;
            }
            assert!(Instant::now() < deadline, "waited in vain for {PATIENCE:?}");
            sleep(Duration::from_micros(300));
        }
        false
    }

    /// Waits for the end: its status, and what it said.
    pub fn end(mut self) -> (ExitStatus, String) {
        self.until(|| false);
        let status = self.child.wait().unwrap();
        (status, io::read_to_string(self.child.stderr.take().unwrap()).unwrap())
    }
}

pub fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(9)
}
