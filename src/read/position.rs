//! How far a named export has come: a small file in the spool's folder.

use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Means, Result};
use crate::event::landmark::Landmark;
use crate::spool::{self, Seq, Spool};

/// The folder in the spool.
const FOLDER: &str = "export";

/// A position that outlives the process. What was handed out before it was saved comes again.
pub struct Position {
    name: String,
    kept: Kept,
    saved: Seq,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    spool: String,
    what: String,
    next: Seq,
    /// The record before it; an older version kept none.
    last: Option<Landmark>,
}

/// From which message on each named export needs the spool, and why.
///
/// # Errors
/// When a file cannot be read.
pub fn needs(spool: &Spool) -> Result<Vec<(Seq, String)>> {
    let mut all = Vec::new();
    for name in spool::kept_names(spool.dir(), FOLDER)? {
        let Some(bytes) = spool::kept(spool.dir(), FOLDER, &name)? else { continue };
        let file = spool.dir().join(FOLDER).join(&name);
        let kept: Kept = serde_json::from_slice(&bytes).context(file.display())?;
        if kept.spool == spool.id() {
            let next = kept.next;
            all.push((next, format!("the export {name:?} goes on at message {next}")));
        }
    }
    Ok(all)
}

impl Position {
    /// Opens the position of that name; `what` says what is exported.
    ///
    /// # Errors
    /// When the name cannot be a file's, or it was used for something else (usage).
    pub fn open(spool: &Spool, name: &str, what: &str) -> Result<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
            return Err(Error::usage(Means::Name + format!(" {name:?} cannot be a file's name"))
                .help("take letters, digits, and - _ ."));
        }
        let new = Kept { spool: spool.id().to_owned(), what: what.to_owned(), next: 0, last: None };
        let file = spool.dir().join(FOLDER).join(name);
        let kept = match spool::kept(spool.dir(), FOLDER, name)? {
            None => new,
            Some(bytes) => {
                let kept: Kept = serde_json::from_slice(&bytes).context(file.display())?;
                if kept.spool != new.spool || kept.what != new.what {
                    return Err(Error::usage(
                        Means::Name
                            + format!(
                                " {name} belongs to another export: {} (this one: {what})",
                                kept.what
                            ),
                    )
                    .help(format!("take another name, or delete {}", file.display())));
                }
                kept
            }
        };
        let position = Self { name: name.to_owned(), saved: kept.next, kept };
        position.recognise(spool)?;
        Ok(position)
    }

    /// Refuses a spool that is not the one that was exported so far.
    ///
    /// # Errors
    /// As said; the error says which of the two is behind.
    fn recognise(&self, spool: &Spool) -> Result<()> {
        let who = format!("the export {:?}", self.name);
        match &self.kept.last {
            Some(last) => spool.recognise(last, &who),
            None if self.kept.next > spool.end()?.next => Err(Error::stopped(format!(
                "{who} has come to message {}, and this spool ends before it: it was restored from \
                 an older copy, or has lost its end",
                self.kept.next - 1
            ))
            .help(format!(
                "bring back the spool that it was, or delete {} to begin anew",
                spool.dir().join(FOLDER).join(&self.name).display()
            ))),
            None if self.kept.next > 0 => spool.check_begin(
                self.kept.next,
                &format!("{who} goes on at message {}", self.kept.next),
            ),
            None => Ok(()),
        }
    }

    /// The first record that was not handed out; 0 when none was.
    pub fn next(&self) -> Seq {
        self.kept.next
    }

    /// All records before this one have been handed out.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn reached(&mut self, spool: &Spool, next: Seq) -> Result<()> {
        self.kept.next = next;
        if self.saved == next {
            return Ok(());
        }
        self.kept.last = spool.landmark(next)?.or(self.kept.last.take());
        let bytes = serde_json::to_vec(&self.kept).context("position")?;
        spool::keep(spool.dir(), FOLDER, &self.name, &bytes)?;
        self.saved = next;
        Ok(())
    }
}
