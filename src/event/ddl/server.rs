//! Which server a statement ran on, and which conditional comments it has run.

use super::token::Condition;

/// A server's kind and version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    mariadb: bool,
    /// As in 101106 and 80036.
    version: u32,
}

impl Server {
    /// Reads what `SELECT VERSION()` says.
    pub fn parse(text: &str) -> Option<Self> {
        // Some MariaDB servers put another version before their own, for old clients.
        let own = text.strip_prefix("5.5.5-").unwrap_or(text);
        let mut numbers = own.split(['.', '-']).map_while(|n| n.parse::<u32>().ok());
        let (major, minor) = (numbers.next()?, numbers.next()?);
        let version = major.checked_mul(10_000)?.checked_add(minor.checked_mul(100)?)?;
        let version = version.checked_add(numbers.next().unwrap_or(0))?;
        Some(Self { mariadb: text.contains("MariaDB"), version })
    }

    fn runs(self, condition: Condition) -> bool {
        let version = condition.version.unwrap_or(0);
        // What came with MySQL 5.7 and later is not for MariaDB.
        let foreign = self.mariadb && !condition.mariadb && (50_700..=99_999).contains(&version);
        (self.mariadb || !condition.mariadb) && version <= self.version && !foreign
    }
}

/// Whether a source has run what stands in such a comment; `None` when that takes to know the
/// source. Every server since MySQL 5.6 and MariaDB 10.0 runs what is for 5.6 and older.
pub(super) fn has_run(source: Option<Server>, condition: Condition) -> Option<bool> {
    match source {
        Some(server) => Some(server.runs(condition)),
        None if !condition.mariadb && condition.version.unwrap_or(0) < 50_600 => Some(true),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_run_by_the_kind_and_version_it_names() {
        let runs = |server: &str, mariadb, version| {
            has_run(Server::parse(server), Condition { mariadb, version })
        };
        for server in ["10.11.6-MariaDB-log", "5.5.5-10.4.2-MariaDB", "8.0.36", "9.7.0", ""] {
            assert_eq!(runs(server, false, None), Some(true), "{server}");
            assert_eq!(runs(server, false, Some(50_100)), Some(true), "{server}");
        }
        assert_eq!(runs("8.0.36", false, Some(80_016)), Some(true));
        assert_eq!(runs("8.0.11", false, Some(80_016)), Some(false));
        assert_eq!(runs("10.11.6-MariaDB", false, Some(80_016)), Some(false));
        assert_eq!(runs("10.11.6-MariaDB", true, Some(100_100)), Some(true));
        assert_eq!(runs("10.11.6-MariaDB", true, Some(999_999)), Some(false));
        assert_eq!(runs("8.0.36", true, None), Some(false));
        assert_eq!((runs("", true, None), runs("", false, Some(80_016))), (None, None));
    }
}
