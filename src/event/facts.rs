//! What a producer tells of a transaction beside its number and place, where it does.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// Letters of a statement that are kept of a whole transaction.
const KEPT: usize = 100;
/// Stands behind the first statement of several.
const MORE: &str = "; …";

/// What is told of a row's transaction and statement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts<'a> {
    /// The transaction's GTID, as the source prints it.
    pub gtid: Option<Cow<'a, str>>,
    /// When it was committed, microseconds since 1970.
    pub commit_ts: Option<u64>,
    /// The text of the statement that changed the row; of a transaction, the begin of its first one.
    pub query: Option<Cow<'a, str>>,
}

impl Facts<'_> {
    /// The last number in the GTID: what it rises by.
    pub fn number(&self) -> Option<u64> {
        number(self.gtid.as_deref()?)
    }

    /// Adds what the next row of a transaction tells.
    pub(crate) fn add(&mut self, row: &Facts<'_>) {
        let owned = |text: &Cow<'_, str>| Some(Cow::Owned(text.to_string()));
        if let (None, Some(gtid)) = (&self.gtid, &row.gtid) {
            self.gtid = owned(gtid);
        }
        self.commit_ts = self.commit_ts.or(row.commit_ts);
        let Some(query) = &row.query else { return };
        let end = query.char_indices().nth(KEPT).map_or(query.len(), |(at, _)| at);
        let begin = &query[..end];
        match &mut self.query {
            None => self.query = Some(Cow::Owned(begin.to_owned())),
            Some(first) if first == begin || first.ends_with(MORE) => {}
            Some(first) => first.to_mut().push_str(MORE),
        }
    }
}

/// The last number in a GTID.
pub fn number(gtid: &str) -> Option<u64> {
    gtid.rsplit([':', '-']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::maxwell::parse;

    #[test]
    fn facts_are_read_where_they_are_told() {
        let row = |fields: &str| {
            format!(r#"{{"database":"d","table":"t","type":"insert","data":{{}}{fields}}}"#)
        };
        let told = row(r#","gtid":"0-1-77","commit_ts":5,"query":"INSERT \"x\"""#);
        let event = parse(told.as_bytes()).expect("a row");
        let facts = &event.meta.facts;
        assert_eq!((facts.number(), facts.commit_ts), (Some(77), Some(5)));
        assert_eq!(facts.query.as_deref(), Some("INSERT \"x\""));
        let odd = row(r#","gtid":{"a":1},"commit_ts":"x","query":null"#);
        assert_eq!(parse(odd.as_bytes()).expect("a row").meta.facts, Facts::default());
    }

    #[test]
    fn a_transaction_has_the_first_of_its_statements() {
        let row =
            |query: &str| Facts { query: Some(Cow::Owned(query.to_owned())), ..Facts::default() };
        let mut all = Facts::default();
        let long = "é".repeat(2 * KEPT);
        all.add(&row(&long));
        all.add(&row(&long));
        assert_eq!(all.query.as_deref(), Some(&*"é".repeat(KEPT)));
        all.add(&row("another"));
        all.add(&row("a third"));
        assert!(all.query.expect("a text").ends_with("é; …"));
    }

    #[test]
    fn a_gtid_ends_with_its_number() {
        for (gtid, n) in [
            ("3e11fa47-71ca-11e1-9e33-c80aa9429562:23", Some(23)),
            ("3e11fa47-71ca-11e1-9e33-c80aa9429562:tag:7", Some(7)),
            ("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5", Some(5)),
            ("0-1-100", Some(100)),
            ("none", None),
        ] {
            assert_eq!(number(gtid), n);
        }
    }
}
