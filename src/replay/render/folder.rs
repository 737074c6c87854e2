//! A script as files, one for each table or transaction, their names in the order of application.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Counts, Part, Sink};
use crate::error::{Context as _, Error, Result};
use crate::event::TableName;
use crate::event::time::utc;

/// Characters of a table's name in that of its file.
const NAME_CHARS: usize = 60;

/// A folder of scripts. Its files are written under another name; it appears when all are whole.
pub struct Folder {
    to: PathBuf,
    temp: TempDir,
    head: String,
    /// The file that is open: of a transaction until that ends, of a table while it is written.
    open: Option<(Part, Script)>,
    /// The tables' files; so many as there are tables, and none of them open.
    tables: HashMap<TableName, Script>,
    /// Files so far.
    pub files: u64,
}

/// One file.
struct Script {
    path: PathBuf,
    file: Option<File>,
    counts: Counts,
}

impl Folder {
    /// Makes a folder at that place.
    ///
    /// # Errors
    /// When there is one that holds something, or something else (usage), or it cannot be made.
    pub fn new(to: &Path, head: String) -> Result<Self> {
        let place = &to.display();
        let there = match to.symlink_metadata() {
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            there => Some(there.context(place)?),
        };
        if there.as_ref().is_some_and(|there| !there.is_dir()) {
            return Err(Error::usage(format!("{place} is there already, and no folder"))
                .help("name a folder that is empty or not there yet"));
        }
        if there.is_some() {
            let mut found = fs::read_dir(to).context(place)?;
            if let Some(one) = found.next() {
                let one = one.context(place)?.file_name();
                return Err(Error::usage(format!("{place} holds files, as {}", one.display()))
                    .help("name a folder that is empty or not there yet"));
            }
        }
        let parent = to.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(".".as_ref());
        let temp = tempfile::Builder::new()
            .prefix(".binsync-")
            .permissions(fs::Permissions::from_mode(0o777))
            .tempdir_in(parent)
            .context(place)?;
        let (open, tables) = (None, HashMap::new());
        Ok(Self { to: to.to_owned(), temp, head, open, tables, files: 0 })
    }

    fn has(&self, part: &Part) -> bool {
        let waits = matches!(part, Part::Table(name) if self.tables.contains_key(name));
        waits || self.open.as_ref().is_some_and(|(open, _)| open == part)
    }

    /// The file of a part, made if it is not there.
    fn script(&mut self, part: &Part) -> Result<&mut Script> {
        if self.open.as_ref().is_none_or(|(open, _)| open != part) {
            self.put_away()?;
            let known = match part {
                Part::Table(name) => self.tables.remove(name),
                _ => None,
            };
            let script = match known {
                Some(script) => script,
                None => self.begin(part)?,
            };
            self.open = Some((part.clone(), script));
        }
        match &mut self.open {
            Some((_, script)) => Ok(script),
            None => Err(Error::failed("no file is open")),
        }
    }

    fn begin(&mut self, part: &Part) -> Result<Script> {
        self.files += 1;
        let path = self.temp.path().join(file_name(self.files, part));
        let mut script = Script { path, file: None, counts: Counts::default() };
        script.write(&self.head)?;
        if let Part::Table(name) = part {
            script.write(&format!("-- table: {name}\n"))?;
        }
        Ok(script)
    }

    /// Ends the open file, or closes it for a while.
    fn put_away(&mut self) -> Result<()> {
        match self.open.take() {
            Some((Part::Table(name), mut script)) => {
                script.file = None;
                self.tables.insert(name, script);
                Ok(())
            }
            Some((_, script)) => script.end(),
            None => Ok(()),
        }
    }
}

impl Script {
    fn write(&mut self, text: &str) -> Result<()> {
        let place = self.path.display();
        let file = match &mut self.file {
            Some(file) => file,
            empty => {
                let options = File::options().create(true).append(true).open(&self.path);
                empty.insert(options.context(place)?)
            }
        };
        file.write_all(text.as_bytes()).context(self.path.display())
    }

    fn end(mut self) -> Result<()> {
        self.write(&self.counts.end_mark())?;
        match &self.file {
            Some(file) => file.sync_all().context(self.path.display()),
            None => Ok(()),
        }
    }
}

impl Sink for Folder {
    fn take(&mut self, part: &Part, text: &str, counts: Counts) -> Result<()> {
        if text.is_empty() && !self.has(part) {
            // Row events that change nothing.
            return Ok(());
        }
        let script = self.script(part)?;
        script.counts.add(counts);
        script.write(text)
    }

    fn finish(&mut self, _: Counts) -> Result<()> {
        self.put_away()?;
        for (_, script) in self.tables.drain() {
            script.end()?;
        }
        let place = &self.to.display();
        File::open(self.temp.path()).and_then(|dir| dir.sync_all()).context(place)?;
        // An empty folder of that name is replaced.
        fs::rename(self.temp.path(), &self.to).context(place)?;
        self.temp.disable_cleanup(true);
        Ok(())
    }
}

/// A file's name, unique by its number: names in order are the order of application.
fn file_name(number: u64, part: &Part) -> String {
    let time = |ts: i64| utc(ts).replace(['-', ':'], "");
    match part {
        Part::Whole => format!("{number}.sql"),
        Part::Table(name) => {
            // A name may hold anything, and a file's name not: not even all of it.
            let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
            let name = format!("{}.{}", name.database, name.table);
            let name: String = name.chars().map(plain).take(NAME_CHARS).collect();
            format!("{number:05}-{name}.sql")
        }
        Part::Transaction { ts, xid: Some(xid), .. } => {
            format!("{number:09}-{}-xid{xid}.sql", time(*ts))
        }
        Part::Transaction { ts, xid: None, .. } => format!("{number:09}-{}.sql", time(*ts)),
        Part::Ddl { ts, .. } => format!("{number:09}-{}-ddl.sql", time(*ts)),
    }
}
