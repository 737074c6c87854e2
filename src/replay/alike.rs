//! Tables and databases of the stream that are one at the target.

use std::collections::HashMap;

use crate::error::{Error, Means, Result};
use crate::event::TableName;
use crate::event::history::History;
use crate::route::Route;
use crate::spool::Seq;

/// Refuses names that the target takes for one, where the route has them: `known_as` tells under which
/// name it knows each. Databases are held against each other where they keep their names. A table that is gone when the other comes, renamed or dropped, is in nobody's way.
///
/// # Errors
/// With both names.
pub(super) fn check(
    names: impl IntoIterator<Item = (Seq, TableName)>,
    history: &History,
    route: &Route,
    known_as: &mut dyn FnMut(&TableName) -> Result<TableName>,
) -> Result<()> {
    let mut names: Vec<(Seq, TableName)> = names.into_iter().collect();
    names.sort();
    let gone = |name: &TableName, seq| {
        history.of(name).next().is_some() && history.at(name, seq).is_none()
    };
    let mut met: HashMap<TableName, TableName> = HashMap::new();
    for (seq, name) in names {
        for place in route.tables(&name) {
            let kept = place.database == name.database;
            let database = |name: &TableName| TableName::new(&*name.database, "");
            let of_database = kept.then(|| (database(&place), database(&name)));
            for (place, name) in of_database.into_iter().chain([(place, name.clone())]) {
                match met.insert(known_as(&place)?, name.clone()) {
                    Some(other)
                        if other != name
                            && !gone(&other, seq)
                            && !(route.merges(&other) && route.merges(&name)) =>
                    {
                        return Err(refused(&other, &name));
                    }
                    _ => {}
                }
            }
        }
    }
    Ok(())
}

fn refused(one: &TableName, other: &TableName) -> Error {
    let (what, [one, other]) = match one.table.is_empty() {
        true => ("databases", [one, other].map(|name| format!("{:?}", name.database))),
        false => ("tables", [one, other].map(TableName::to_string)),
    };
    Error::stopped(format!("the {what} {one} and {other} would be one at the target")).help((
        "write one of them under another name with {} A=B, or leave it out with {}",
        [Means::Rename, Means::ExcludeTable],
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::maxwell;

    fn checked(names: &[(u64, &str, &str)]) -> Result<()> {
        let mut history = History::default();
        let message = |kind: &str, more: &str| {
            format!(
                r#"{{"type":"table-{kind}","database":"d","table":"Old","ts":1,"sql":"{kind}"{more}}}"#
            )
        };
        let def = r#","def":{"database":"d","table":"Old","columns":[]}"#;
        for (seq, message) in [(1, message("create", def)), (5, message("drop", ""))] {
            let event = maxwell::parse(message.as_bytes()).expect("a message");
            history.add_ddl(seq, &event).expect("a definition");
        }
        let names = names.iter().map(|(seq, d, t)| (*seq, TableName::new(*d, *t)));
        check(names, &history, &Route::default(), &mut |name| {
            Ok(TableName::new(name.database.to_lowercase(), name.table.to_lowercase()))
        })
    }

    #[test]
    fn names_that_the_target_takes_for_one_are_refused() {
        assert!(checked(&[(1, "d", "t"), (1, "d", "u"), (9, "d", "t"), (1, "e", "t")]).is_ok());
        let said = |done: Result<()>| done.expect_err("one").to_string();
        let tables = said(checked(&[(1, "d", "T"), (1, "d", "t")]));
        assert!(tables.contains("d.T and d.t"), "{tables}");
        let databases = said(checked(&[(1, "D", "t"), (1, "d", "u")]));
        assert!(databases.contains("\"D\" and \"d\""), "{databases}");
    }

    #[test]
    fn a_table_that_is_gone_is_in_nobodys_way() {
        assert!(checked(&[(1, "d", "Old"), (4, "d", "old")]).is_err());
        assert!(checked(&[(1, "d", "Old"), (6, "d", "old")]).is_ok());
    }
}
