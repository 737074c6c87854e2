//! A disk that loses its power: what was synced is there, of the rest whatever it likes.

use super::calls::Step;
use fastrand::Rng;
use std::{collections::BTreeMap, fs, path::Path};

/// The least that a disk writes whole.
const SECTOR: usize = 512;

#[derive(Clone, Debug)]
enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    Length(u64),
}

/// A file: what is durable of it, and what was done since, each with the number of the step.
#[derive(Clone, Debug, Default)]
struct Content {
    synced: Vec<u8>,
    since: Vec<(usize, Change)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Node {
    File(usize),
    Folder,
}

/// A change of a folder's names: those that go and the one that comes, which belong together.
#[derive(Clone, Debug)]
struct Renaming {
    goes: Option<String>,
    comes: Option<(String, Node)>,
}

/// The files under a folder, as whoever runs sees them, and as they are on disk.
#[derive(Clone, Default)]
pub struct Disk {
    contents: Vec<Content>,
    /// By path: what is seen …
    seen: BTreeMap<String, Node>,
    /// … and what is durable.
    names: BTreeMap<String, Node>,
    /// What of the names is not, by folder.
    since: BTreeMap<String, Vec<(usize, Renaming)>>,
}

impl Disk {
    /// What lies in a folder, all of it durable.
    pub fn of(root: &Path) -> Disk {
        let mut disk = Disk::default();
        disk.seen.insert(root.display().to_string(), Node::Folder);
        disk.add(root);
        disk.names = disk.seen.clone();
        disk
    }

    fn add(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path.display().to_string();
            if path.is_dir() {
                self.seen.insert(name, Node::Folder);
                self.add(&path);
            } else {
                let synced = fs::read(&path).unwrap();
                self.contents.push(Content { synced, since: Vec::new() });
                self.seen.insert(name, Node::File(self.contents.len() - 1));
            }
        }
    }

    /// Takes the step of that number.
    pub fn take(&mut self, number: usize, step: &Step) {
        match step {
            Step::Create { path } if self.seen.contains_key(path) => {}
            Step::Create { path } => {
                self.contents.push(Content::default());
                let node = Node::File(self.contents.len() - 1);
                self.rename(number, None, Some((path.clone(), node)));
            }
            Step::Folder { path } => self.rename(number, None, Some((path.clone(), Node::Folder))),
            Step::Remove { path } => self.rename(number, Some(path.clone()), None),
            Step::Rename { from, to } => {
                let node = *self.seen.get(from).unwrap_or_else(|| panic!("{from} is not there"));
                self.rename(number, Some(from.clone()), Some((to.clone(), node)));
            }
            Step::Truncate { path, length } => self.change(number, path, Change::Length(*length)),
            Step::Write { path, offset, bytes } => {
                self.change(number, path, Change::Write { offset: *offset, bytes: bytes.clone() });
            }
            Step::Sync { path, begun } => self.sync(path, *begun, true),
            Step::Refused { path, begun } => self.sync(path, *begun, false),
            Step::Send { .. } => {}
        }
    }

    fn change(&mut self, number: usize, path: &str, change: Change) {
        let Some(Node::File(file)) = self.seen.get(path) else { panic!("{path} is no file") };
        self.contents[*file].since.push((number, change));
    }

    fn rename(&mut self, number: usize, goes: Option<String>, comes: Option<(String, Node)>) {
        if let Some(path) = &goes {
            self.seen.remove(path);
        }
        if let Some((path, node)) = &comes {
            self.seen.insert(path.clone(), *node);
        }
        let path = comes.as_ref().map(|(path, _)| path).or(goes.as_ref()).unwrap();
        let folder = path.rsplit_once('/').unwrap().0.to_owned();
        self.since.entry(folder).or_default().push((number, Renaming { goes, comes }));
    }

    /// What was done before the step of that number is durable; or was refused, and is lost.
    fn sync(&mut self, path: &str, begun: usize, done: bool) {
        match self.seen.get(path) {
            Some(Node::File(file)) => {
                let content = &mut self.contents[*file];
                for (_, change) in content.since.extract_if(.., |(number, _)| *number < begun) {
                    if done {
                        apply(&mut content.synced, &change);
                    }
                }
            }
            Some(Node::Folder) => {
                let since = self.since.entry(path.to_owned()).or_default();
                for (_, change) in since.extract_if(.., |(number, _)| *number < begun) {
                    if done {
                        settle(&mut self.names, &change);
                    }
                }
            }
            None => {}
        }
    }

    /// The files after a power loss now, put into a folder.
    pub fn lose(&self, rng: &mut Rng, root: &Path, to: &Path) {
        let mut names = self.names.clone();
        for changes in self.since.values() {
            some(rng, changes, |_, change| settle(&mut names, change));
        }
        let root = root.display().to_string();
        // A file whose folder is not there is not there.
        for (path, node) in &names {
            let Some(within) = path.strip_prefix(&root) else { continue };
            let path = to.join(within.trim_start_matches('/'));
            match node {
                Node::Folder => drop(fs::create_dir(&path)),
                Node::File(file) => drop(fs::write(&path, self.content(rng, *file))),
            }
        }
    }

    fn content(&self, rng: &mut Rng, file: usize) -> Vec<u8> {
        let Content { synced, since } = &self.contents[file];
        let mut bytes = synced.clone();
        some(rng, since, |rng, change| match change {
            Change::Write { offset, bytes: written } if rng.u8(..4) == 0 => {
                torn(rng, &mut bytes, *offset, written)
            }
            change => apply(&mut bytes, change),
        });
        bytes
    }
}

/// None of the changes, all, those up to one, or any.
fn some<T>(rng: &mut Rng, changes: &[(usize, T)], mut take: impl FnMut(&mut Rng, &T)) {
    let (kind, upto) = (rng.u8(..4), rng.usize(..=changes.len()));
    for (n, (_, change)) in changes.iter().enumerate() {
        let taken = match kind {
            0 => false,
            1 => true,
            2 => n < upto,
            _ => rng.bool(),
        };
        if taken {
            take(rng, change);
        }
    }
}

fn settle(names: &mut BTreeMap<String, Node>, change: &Renaming) {
    if let Some(path) = &change.goes {
        names.remove(path);
    }
    if let Some((path, node)) = &change.comes {
        names.insert(path.clone(), *node);
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Length(length) => bytes.resize(*length as usize, 0),
        Change::Write { offset, bytes: written } => put(bytes, *offset as usize, written),
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, written: &[u8]) {
    bytes.resize(bytes.len().max(offset + written.len()), 0);
    bytes[offset..offset + written.len()].copy_from_slice(written);
}

/// Some sectors of a write.
fn torn(rng: &mut Rng, bytes: &mut Vec<u8>, offset: u64, written: &[u8]) {
    let (mut at, end) = (offset as usize, offset as usize + written.len());
    let border = if rng.bool() { SECTOR } else { 8 * SECTOR };
    while at < end {
        let next = ((at / border + 1) * border).min(end);
        if rng.bool() {
            put(bytes, at, &written[at - offset as usize..next - offset as usize]);
        }
        at = next;
    }
}
