//! A workload on disk: as a stream, as SQL, and as a spool.

use crate::{
    generator::{self, Workload},
    process::{measured, tool},
};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
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
