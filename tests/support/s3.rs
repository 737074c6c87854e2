//! An object store of the test's own: s3s-fs, a server of the crate of that name, which checks every signature.

use super::{
    servers::{ADVICE, cached, free_port},
    watchdog::Watched,
};
use std::{
    fs,
    net::TcpStream,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

/// With characters that a signature and a path have to carry.
pub const KEYS: [&str; 2] = ["the-tests-key", "se/cr+et=of the tests"];

/// An object store with a bucket `bucket`; ends when dropped.
pub struct ObjectStore {
    pub port: u16,
    _process: Watched,
}

impl ObjectStore {
    pub fn start() -> ObjectStore {
        let dir = tempfile::Builder::new().prefix("binsync-s3-").tempdir().unwrap().keep();
        fs::create_dir_all(dir.join("root/bucket")).unwrap();
        let program = cached("s3s-fs/bin/s3s-fs");
        assert!(program.exists(), "{ADVICE}");
        let (port, mut command) = (free_port(), Command::new(program));
        command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        command.args(["--access-key", KEYS[0], "--secret-key", KEYS[1]]).arg(dir.join("root"));
        let process = Watched::start(&dir, &command);
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "the object store does not start");
            sleep(Duration::from_millis(50));
        }
        ObjectStore { port, _process: process }
    }
}
