//! A reader's folder: the recordings, the program by its name, and a shell to type commands into.

use super::{cli::harden, recordings::temp_dir};
use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

pub struct Folder {
    dir: TempDir,
}

impl Folder {
    pub fn new() -> Folder {
        let folder = Folder { dir: temp_dir() };
        fs::create_dir(folder.bin()).unwrap();
        symlink(env!("CARGO_BIN_EXE_binsync"), folder.bin().join("binsync")).unwrap();
        fs::create_dir(folder.here()).unwrap();
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        symlink(fixtures, folder.here().join("fixtures")).unwrap();
        folder
    }

    /// Where programs are found before all others.
    pub fn bin(&self) -> PathBuf {
        self.dir.path().join("bin")
    }

    /// Where the commands run.
    pub fn here(&self) -> PathBuf {
        self.dir.path().join("here")
    }

    /// The shell that runs this text.
    pub fn shell(&self, text: &str) -> Command {
        let mut shell = Command::new("sh");
        harden(&mut shell);
        let path = format!("{}:{}", self.bin().display(), env::var("PATH").unwrap());
        shell.env("PATH", path).env_remove("COLUMNS").current_dir(self.here());
        shell.args(["-c", text]);
        shell
    }
}
