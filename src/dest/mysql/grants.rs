//! What SHOW GRANTS says: which rights hold where.

/// The rights of a user, with the roles that are in force.
#[derive(Debug, Default)]
pub(super) struct Grants(Vec<Grant>);

#[derive(Debug)]
struct Grant {
    /// Taken away from a right that holds everywhere (MySQL's partial revokes).
    revoked: bool,
    rights: Vec<String>,
    /// The database, with `%` and `_` as wildcards; `None`: all.
    database: Option<String>,
    /// The table; `None`: all.
    table: Option<String>,
}

impl Grants {
    /// Reads the lines of SHOW GRANTS; what grants no rights on tables is passed over.
    pub(super) fn read(lines: &[String]) -> Self {
        Self(lines.iter().filter_map(|line| grant(line)).collect())
    }

    /// True when the right holds for that table; for all of the database without one.
    pub(super) fn hold(&self, right: &str, database: &str, table: Option<&str>) -> bool {
        let with = |revoked: bool| {
            self.0.iter().filter(move |grant| grant.revoked == revoked && grant.has(right))
        };
        let revoked = with(true).any(|grant| grant.database.as_deref() == Some(database));
        with(false).any(|grant| match (&grant.database, &grant.table) {
            (None, _) => !revoked,
            (Some(pattern), None) => matches(pattern, database),
            (Some(own), Some(own_table)) => {
                own.eq_ignore_ascii_case(database)
                    && table.is_some_and(|table| own_table.eq_ignore_ascii_case(table))
            }
        })
    }
}

impl Grant {
    fn has(&self, right: &str) -> bool {
        self.rights.iter().any(|own| own == right || own == "ALL" || own == "ALL PRIVILEGES")
    }
}

/// `GRANT rights ON scope TO …`, `REVOKE rights ON scope FROM …`.
fn grant(line: &str) -> Option<Grant> {
    let revoked = line.starts_with("REVOKE ");
    let rest = line.strip_prefix("GRANT ").or_else(|| line.strip_prefix("REVOKE "))?;
    let (rights, scope) = rest.split_once(" ON ")?;
    let (database, rest) = name(scope)?;
    let (table, _) = name(rest.strip_prefix('.')?)?;
    // Rights on columns stand with their list: they are not rights on the table.
    let mut depth = 0;
    let outside = |c: &char| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => return depth == 0,
        }
        true
    };
    let rights: String = rights.chars().filter(outside).collect();
    let rights = rights.split(',').map(|right| right.trim().to_uppercase()).collect();
    let all = |name: String| (name != "*").then_some(name);
    Some(Grant { revoked, rights, database: all(database), table: all(table) })
}

/// A name at the beginning, in backticks or bare, and what follows it.
fn name(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('`') else {
        let end = text.find(['.', ' ']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let (mut out, mut at) = (String::new(), 0);
    loop {
        let end = at + quoted[at..].find('`')?;
        out.push_str(&quoted[at..end]);
        at = end + 1;
        match quoted[at..].strip_prefix('`') {
            Some(_) => at += 1,
            None => return Some((out, &quoted[at..])),
        }
        out.push('`');
    }
}

/// A database's name against a pattern as GRANT takes it.
fn matches(pattern: &str, name: &str) -> bool {
    let mut pattern = pattern.chars();
    let mut name_chars = name.chars();
    match pattern.next() {
        None => name.is_empty(),
        Some('%') => {
            let rest = pattern.as_str();
            (0..=name.len())
                .filter(|at| name.is_char_boundary(*at))
                .any(|at| matches(rest, &name[at..]))
        }
        Some(c) => {
            let wanted = if c == '\\' { pattern.next().unwrap_or(c) } else { c };
            name_chars.next().is_some_and(|found| {
                (c == '_' || wanted.eq_ignore_ascii_case(&found))
                    && matches(pattern.as_str(), name_chars.as_str())
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_hold_where_they_are_granted() {
        let lines = [
            "GRANT PROCESS, REPLICATION CLIENT ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD 'x ON y'",
            "GRANT SELECT, CREATE TEMPORARY TABLES ON `sh\\_op%`.* TO `u`@`%`",
            "GRANT INSERT (`id`, `a, b`), DELETE ON `shop`.`or``ders` TO `u`@`%`",
            "GRANT ALL PRIVILEGES ON binsync.* TO 'u'@'%'",
            "GRANT EXECUTE ON PROCEDURE `shop`.`p` TO `u`@`%`",
            "GRANT `role`@`%` TO `u`@`%`",
        ];
        let grants = Grants::read(&lines.map(str::to_owned));
        assert!(grants.hold("PROCESS", "any", None));
        assert!(
            grants.hold("SELECT", "sh_opping", Some("t")) && grants.hold("SELECT", "sh_op", None)
        );
        assert!(!grants.hold("SELECT", "shxop", None));
        assert!(grants.hold("CREATE TEMPORARY TABLES", "sh_op", None));
        assert!(grants.hold("DELETE", "shop", Some("or`ders")));
        assert!(!grants.hold("INSERT", "shop", Some("or`ders")), "on columns only");
        assert!(
            !grants.hold("DELETE", "shop", Some("other")) && !grants.hold("DELETE", "shop", None)
        );
        assert!(grants.hold("DROP", "binsync", Some("progress")));
    }

    #[test]
    fn what_is_revoked_of_a_right_on_all_does_not_hold() {
        let lines =
            ["GRANT SELECT, INSERT ON *.* TO `u`@`%`", "REVOKE INSERT ON `shop`.* FROM `u`@`%`"];
        let grants = Grants::read(&lines.map(str::to_owned));
        assert!(grants.hold("INSERT", "blog", None) && !grants.hold("INSERT", "shop", Some("t")));
        assert!(grants.hold("SELECT", "shop", Some("t")));
    }
}
