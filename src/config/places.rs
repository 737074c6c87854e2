//! Sources and targets.

use std::path::Path;

use super::keys::Entry;
use super::mistakes::{Mistakes, place};
use super::model::{Address, ReadUrl, Source, Target};

/// What may be named.
pub(super) struct Names {
    pub(super) sources: Vec<String>,
    pub(super) targets: Vec<String>,
}

/// What reads the URLs of a file.
pub(super) struct Urls<'f> {
    pub(super) file: &'f Path,
    pub(super) text: &'f str,
    pub(super) read: ReadUrl<'f>,
}

impl Urls<'_> {
    fn address(
        &self,
        entry: &Entry<'_, '_>,
        variable: String,
        mistakes: &mut Mistakes<'_>,
    ) -> Option<Address> {
        let url = entry.text(mistakes)?;
        let at = entry.value_at();
        match (self.read)(&entry.path, &url) {
            Ok(read) if read.holds_password => {
                let path = &entry.path;
                mistakes.add(
                    at,
                    format!("{path}: a password stands in the file; give it as {variable}"),
                );
                None
            }
            Ok(read) => {
                let key = format!("{}: {}", place(self.file, self.text, at), entry.path);
                Some(Address { url, identity: read.identity, key, variable })
            }
            Err(e) => {
                let help =
                    e.next_step().map_or(String::new(), |next| format!("; {}", next.plain()));
                mistakes.add(at, e.message().plain() + &help);
                None
            }
        }
    }
}

/// A name is a part of the name of a variable: small letters, digits and underscores.
pub(super) fn check_name(entry: &Entry<'_, '_>, mistakes: &mut Mistakes<'_>) {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if entry.name.is_empty() || !entry.name.chars().all(fine) {
        mistakes.add(
            entry.at,
            format!("{}: a name has small letters, digits and underscores", entry.path),
        );
    }
}

/// The sources.
pub(super) fn sources(
    entry: &Entry<'_, '_>,
    urls: &Urls<'_>,
    mistakes: &mut Mistakes<'_>,
) -> Vec<Source> {
    let mut all: Vec<Source> = Vec::new();
    for entry in entry.keys(mistakes).iter().flat_map(|keys| keys.entries()) {
        check_name(&entry, mistakes);
        let Some(keys) = entry.keys(mistakes) else { continue };
        let (mut spool, mut mysql) = (None, None);
        for entry in keys.known(&["spool", "mysql"], mistakes) {
            match &*entry.name {
                "spool" => spool = Some((entry.at, entry.text(mistakes))),
                _ => {
                    let of = keys.path.rsplit('.').next().unwrap_or_default().to_uppercase();
                    let variable = format!("BINSYNC_SOURCE_{of}_MYSQL_PASSWORD");
                    mysql = urls.address(&entry, variable, mistakes);
                    let file = mysql.as_ref().is_some_and(|mysql| mysql.url.starts_with("sqlite:"));
                    if file {
                        mistakes.add(
                            entry.value_at(),
                            format!("{}: is a file, and has to be a server", entry.path),
                        );
                    }
                }
            }
        }
        let Some((at, spool)) = spool else {
            keys.missing("spool", mistakes);
            continue;
        };
        let folder = urls.file.parent().unwrap_or(Path::new(""));
        let Some(spool) = spool.map(|spool| folder.join(spool)) else { continue };
        if let Some(other) = all.iter().find(|other| other.spool == spool) {
            let path = keys.of("spool");
            mistakes.add(at, format!("{path}: is the spool of source.{}, too", other.name));
        }
        all.push(Source { name: entry.name.clone(), spool, mysql });
    }
    all
}

/// The targets.
pub(super) fn targets(
    entry: &Entry<'_, '_>,
    urls: &Urls<'_>,
    mistakes: &mut Mistakes<'_>,
) -> Vec<Target> {
    let mut all: Vec<Target> = Vec::new();
    for entry in entry.keys(mistakes).iter().flat_map(|keys| keys.entries()) {
        check_name(&entry, mistakes);
        let variable = format!("BINSYNC_TARGET_{}_PASSWORD", entry.name.to_uppercase());
        let Some(address) = urls.address(&entry, variable, mistakes) else { continue };
        if let Some(other) = all.iter().find(|other| other.address.identity == address.identity) {
            let what = format!("{}: is target.{}, too", entry.path, other.name);
            mistakes.add(entry.at, what);
        }
        all.push(Target { name: entry.name.clone(), address });
    }
    all
}
