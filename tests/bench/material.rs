//! A workload on disk: as a stream, as SQL, and as a spool.

use crate::{
    Bench,
    generator::{self, HOT_KEYS, Workload},
    process::{measured, tool},
    support::cli::harden,
};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
};

pub struct Material {
    pub stream: PathBuf,
    pub sql: PathBuf,
    spool: PathBuf,
}

impl Material {
    pub fn new(dir: &Path, name: &str, workload: Workload) -> Material {
        let file = |end| dir.join(format!("{name}.{end}"));
        let material = Material { stream: file("jsonl"), sql: file("sql"), spool: file("spool") };
        let stream = File::create(&material.stream).unwrap();
        generator::generate(stream, File::create(&material.sql).unwrap(), workload).unwrap();
        let size = fs::metadata(&material.stream).unwrap().len();
        eprintln!("the stream {name}: {} MB", size / 1_000_000);
        material
    }

    /// The spool that holds the stream, imported when first asked for.
    pub fn spool(&self) -> String {
        let spool = self.spool.to_str().unwrap();
        if !self.spool.exists() {
            measured(&tool(spool, &["import", self.stream.to_str().unwrap()]));
        }
        spool.to_owned()
    }
}

/// A stream that is too long to be kept as text: a spool, and the state at its end as SQL.
pub struct Long {
    pub spool: String,
    pub end: String,
    pub events: usize,
}

impl Long {
    /// Streams so many events into a spool.
    pub fn import(bench: &Bench) -> Long {
        let loaded = HOT_KEYS.tables * HOT_KEYS.rows;
        let transactions = bench.events.saturating_sub(loaded) / 4;
        let workload = Workload { transactions, ..HOT_KEYS };
        let [spool, end] = ["long", "long.sql"].map(|name| bench.path(name));
        let mut import = tool(&spool, &["import", "-"]);
        harden(&mut import);
        let mut import = import.stdin(Stdio::piped()).spawn().unwrap();
        let stream = import.stdin.take().unwrap();
        let tables = generator::generate(stream, std::io::sink(), workload).unwrap();
        assert!(import.wait().unwrap().success(), "import failed");
        generator::write_end(File::create(&end).unwrap(), &tables, workload).unwrap();
        Long { spool, end, events: loaded + 4 * transactions }
    }
}
