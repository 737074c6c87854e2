//! Where a database password comes from when the URL holds none: a file, or `~/.my.cnf`.

use std::path::{Path, PathBuf};

use crate::error::{Context as _, Result};

/// The first line of a password file.
///
/// # Errors
/// When it cannot be read.
pub(super) fn read(file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(file).context(file.display())?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// The URL with a password in it: its own, that of the file, or the one the stock client would
/// take from the section `[client]` of `~/.my.cnf` for the same user.
///
/// # Errors
/// When the password file cannot be read.
pub(super) fn with_password(url: &str, file: Option<&Path>) -> Result<String> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Ok(url.to_owned());
    };
    let (login, place) = rest.rsplit_once('@').unwrap_or(("", rest));
    if login.contains(':') {
        return Ok(url.to_owned());
    }
    let client = option_file().map(|text| client_section(&text)).unwrap_or_default();
    let of = |name: &str| client.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    let user = match login {
        "" => of("user").map(|user| escaped(&user)).unwrap_or_default(),
        login => login.to_owned(),
    };
    let password = match file {
        Some(file) => Some(read(file)?),
        None => of("password").filter(|_| of("user").is_none_or(|u| escaped(&u) == user)),
    };
    Ok(match password {
        Some(password) => format!("{scheme}://{user}:{}@{place}", escaped(&password)),
        None if user.is_empty() => url.to_owned(),
        None => format!("{scheme}://{user}@{place}"),
    })
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

/// Percent-encodes what would end the password in a URL.
fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes()
        .map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_file_goes_into_the_url_escaped() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pw");
        std::fs::write(&file, "a:b/c@\n").unwrap();
        let url = with_password("mysql://joe@db:3306/x", Some(&file)).unwrap();
        assert_eq!(url, "mysql://joe:a%3Ab%2Fc%40@db:3306/x");
        let own = with_password("mysql://joe:own@db", Some(&file)).unwrap();
        assert_eq!(own, "mysql://joe:own@db");
    }

    #[test]
    fn the_client_section_is_read_and_no_other() {
        let text = "[mysqld]\npassword=no\n[client]\nuser = joe\npassword = \"s e c\"\n";
        let pairs = client_section(text);
        assert_eq!(pairs, [("user".into(), "joe".into()), ("password".into(), "s e c".into())]);
    }
}
