//! Secrets on the command line: where a password comes from when the URL holds none (a file, or
//! `~/.my.cnf`), where the producer's key comes from, and what is wrong with a URL, said without showing it.

use std::path::{Path, PathBuf};

use crate::binlog::Keys;
use crate::error::{Context as _, Error, Result};
use crate::event::cipher::Key;

/// The first line of a password file.
///
/// # Errors
/// When it cannot be read.
pub(super) fn read(file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(file).context(file.display());
    let text = text.map_err(|e| e.help("name a file whose first line is the password"))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// The environment's variable that holds the producer's key itself.
const KEY: &str = "BINSYNC_KEY";

/// The producer's key, of the file or of the environment; and the keys of encrypted binlogs, where the file
/// is a server's own. The file may be a pipe, so it is read once.
///
/// # Errors
/// When the producer's key is given twice, or is none (usage); when the file cannot be read.
pub(super) fn keys(file: Option<&Path>) -> Result<(Option<Key>, Keys)> {
    let Some(path) = file else { return Ok((producers(None)?, Keys::default())) };
    let content = std::fs::read(path).context(path.display());
    let content = content.map_err(|e| {
        e.help("name a file whose first line is Maxwell's secret_key, or a server's file of keys")
    })?;
    match Keys::read(&content).map_err(|e| e.at(path.display()))? {
        Some(keys) => Ok((producers(None)?, keys)),
        None => Ok((producers(Some((path, &content)))?, Keys::default())),
    }
}

fn producers(file: Option<(&Path, &[u8])>) -> Result<Option<Key>> {
    let text = match (file, variable(KEY)?) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(Error::usage(format!(
                "{KEY} holds a key, and --key-file (BINSYNC_KEY_FILE) names another"
            ))
            .help("give one of the two"));
        }
        (Some((_, content)), None) => {
            String::from_utf8_lossy(content).lines().next().unwrap_or_default().to_owned()
        }
        (None, Some(text)) => text,
    };
    let from = file.map_or(KEY.to_owned(), |(file, _)| file.display().to_string());
    Key::new(&text).map(Some).map_err(|e| e.at(from))
}

/// What a variable of the environment holds, where it is set.
///
/// # Errors
/// When it is no text (usage).
pub(super) fn variable(name: &str) -> Result<Option<String>> {
    let given = std::env::var_os(name).map(|text| text.into_string());
    given.transpose().map_err(|_| Error::usage(format!("{name} is no text")))
}

/// The URL of a flag can be taken apart: no character of its user or password ends them early, so
/// that the rest would be taken for a host, a port or a path, and shown. Nothing of it is shown here.
///
/// # Errors
/// When one does (usage).
pub(super) fn readable(flag: &str, url: &str) -> Result<()> {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let tail = rest.find(['/', '?', '#']).map_or("", |end| &rest[end..]);
    let Some(sign) = tail.chars().next().filter(|_| tail.contains(['@', '#'])) else {
        return Ok(());
    };
    let sign = if tail.contains('@') { sign } else { '#' };
    Err(Error::usage(format!("{flag}: a `{sign}` in the URL ends its user, password and host"))
        .help(
            "write # as %23, / as %2F, ? as %3F and @ as %40 where they belong to a name or \
             password; or leave the password out and give --password-file FILE",
        ))
}

/// The password of the file, for a URL that holds none.
///
/// # Errors
/// When the URL holds one as well (usage), or the file cannot be read.
pub(super) fn of_file(flag: &str, in_url: bool, file: Option<&Path>) -> Result<Option<String>> {
    match file {
        Some(_) if in_url => Err(Error::usage(format!(
            "{flag} holds a password, and --password-file (BINSYNC_PASSWORD_FILE) names another"
        ))
        .help("give one of the two")),
        file => file.map(read).transpose(),
    }
}

/// The user and password of a URL: its own, those of the file, or those the stock client would
/// take from the section `[client]` of `~/.my.cnf` for the same user.
///
/// # Errors
/// As [`of_file`].
pub(super) fn login(
    flag: &str,
    user: Option<String>,
    password: Option<String>,
    file: Option<&Path>,
) -> Result<(String, Option<String>)> {
    let known = password.is_some();
    let password = of_file(flag, known, file)?.or(password);
    let client = option_file().filter(|_| !known).map(|text| client_section(&text));
    let client = client.unwrap_or_default();
    let of = |name: &str| client.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    let user = user.or_else(|| of("user"));
    let same = of("user").is_none_or(|theirs| user.as_ref() == Some(&theirs));
    let password = password.or_else(|| of("password").filter(|_| same));
    Ok((user.unwrap_or_default(), password))
}

fn option_file() -> Option<String> {
    let home = std::env::var_os("HOME").map(PathBuf::from)?;
    std::fs::read_to_string(home.join(".my.cnf")).ok()
}

/// Names and values of the section `[client]`, quotes taken off.
fn client_section(text: &str) -> Vec<(String, String)> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line == "[client]";
        } else if let (true, Some((name, value))) = (inside, line.split_once('=')) {
            let value = value.trim();
            let bare = ['"', '\''].iter().find_map(|q| value.strip_prefix(*q)?.strip_suffix(*q));
            found.push((name.trim().to_owned(), bare.unwrap_or(value).to_owned()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_urls_or_the_files() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pw");
        std::fs::write(&file, "a:b/c@\n").unwrap();
        let joe = || Some("joe".to_owned());
        let found = login("--target", joe(), None, Some(&file)).unwrap();
        assert_eq!(found, ("joe".to_owned(), Some("a:b/c@".to_owned())));
        let both = login("--target", joe(), Some("own".into()), Some(&file)).unwrap_err();
        assert_eq!(both.kind(), crate::error::ErrorKind::Usage);
        assert!(both.to_string().contains("--password-file") && !both.to_string().contains("own"));
    }

    #[test]
    fn a_sign_that_ends_a_password_is_named_and_the_password_is_not() {
        for url in
            ["a://u:hun#ter@h", "a://u:hun/ter@h:1/d", "a://u:hun?ter@h", "a://u:p@hun#ter@h"]
        {
            let said = readable("--target", url).unwrap_err().to_string();
            assert!(said.contains("--target") && said.contains("%23"), "{said}");
            assert!(!said.contains("hun") && !said.contains("ter@"), "{said}");
        }
        for url in ["a://u:hun%23ter@h:1/d?x=/y", "a://h", "sqlite:a#b@c", "no url at all #"] {
            readable("--target", url).unwrap();
        }
    }

    #[test]
    fn the_client_section_is_read_and_no_other() {
        let text = "[mysqld]\npassword=no\n[client]\nuser = joe\npassword = \"s e c\"\n";
        let pairs = client_section(text);
        assert_eq!(pairs, [("user".into(), "joe".into()), ("password".into(), "s e c".into())]);
    }
}
