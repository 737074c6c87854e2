//! Whether this is the spool that somebody stands in: numbers are given again after a spool was
//! restored from a copy, or has lost its end.

use super::reader::Spool;
use super::types::{Seq, Transaction};
use crate::error::{Error, Means, Result, Words};
use crate::event::landmark::Landmark;
use crate::event::{BinlogPos, Direction};

impl Spool {
    /// Refuses to be taken for the spool that `known` was seen in, if it is not: `who` says what
    /// has come so far.
    ///
    /// # Errors
    /// When the record is not there or another one; the error says which of the two is behind.
    pub fn recognise(&self, known: &Landmark, who: &str) -> Result<()> {
        self.check_begin(known.seq + 1, &format!("{who} has come to {known}"))?;
        let end = self.end()?.next;
        let here = self.landmark(known.seq + 1)?;
        if here.as_ref().is_some_and(|here| here.hash == known.hash) {
            return Ok(());
        }
        let last = self.landmark(end)?;
        let found = match (&here, &last) {
            (Some(here), _) => format!("{here} of this spool is another one"),
            (None, Some(last)) if end <= known.seq => format!("this spool ends at {last}"),
            (None, _) => format!("message {} of this spool cannot be read", known.seq),
        };
        let (behind, way) = compared(self, known, last.as_ref())?;
        Err(Error::stopped(format!("{who} has come to {known}, and {found}: {behind}")).help(way))
    }
}

/// Which of the two is behind, in words, and the way on.
fn compared(spool: &Spool, known: &Landmark, last: Option<&Landmark>) -> Result<(String, Words)> {
    const BACK: &str = "bring back the spool that it was, then run the same command again";
    let places = known.place().zip(last.and_then(Landmark::place));
    let Some((known, last)) = places.filter(|(known, last)| known.base == last.base) else {
        let what =
            "without binlog positions of one server which of the two is behind cannot be told";
        return Ok((
            what.to_owned(),
            Words::from(BACK) + "; or begin anew under another " + Means::Name,
        ));
    };
    let next = BinlogPos { offset: known.offset + 1, ..known };
    let on =
        "go on under another " + Means::Name + " with " + Means::Position + format!(" {next}..");
    if known.order() > last.order() {
        let what = "the spool is behind: it was restored from an older copy, or has lost its end";
        return Ok((
            what.to_owned(),
            Words::from(BACK) + "; or let it get what is missing, then " + on,
        ));
    }
    let (before, after) = around(spool, &known)?;
    if let Some((seq, place)) = &before
        && place.order() == known.order()
    {
        let what = format!("neither is behind, but what was that message is message {seq} now");
        return Ok((what, on));
    }
    let shown = |place: Option<BinlogPos>, end: &str| {
        place.map_or_else(|| end.to_owned(), |place| place.to_string())
    };
    let what = format!(
        "it is behind the spool, which was restored from an older copy and went on: nothing of what \
         the source did between {} and {} is in it",
        shown(before.map(|(_, place)| place), "its begin"),
        shown(after, "its end")
    );
    Ok((what, Words::from(BACK) + "; or " + on + ", and mend what neither has"))
}

/// The last transaction at or before a place in the binlog, with its message and its place; and
/// the place of the first one behind it.
type Around = (Option<(Seq, BinlogPos)>, Option<BinlogPos>);

fn around(spool: &Spool, known: &BinlogPos<&str>) -> Result<Around> {
    let mut before = None;
    for transaction in spool.transactions(0..Seq::MAX, Direction::Forward) {
        let Transaction { last, position, .. } = transaction?;
        let Some(place) = position.filter(|place| place.base == known.base) else { continue };
        if place.order() > known.order() {
            return Ok((before, Some(place)));
        }
        before = Some((last, place));
    }
    Ok((before, None))
}

#[cfg(test)]
mod tests {
    use crate::error::{Context as _, Result};
    use crate::spool::{Batch, Spool, SpoolWriter, WriterOptions};

    /// A spool of one-row transactions at these places.
    fn spool(dir: &std::path::Path, places: impl IntoIterator<Item = u64>) -> Result<Spool> {
        let (mut writer, _) = SpoolWriter::open(dir, WriterOptions::default())?;
        let mut batch = Batch::default();
        for n in places {
            let row = format!(
                r#"{{"database":"d","table":"t","type":"insert","ts":1,"xid":{n},"commit":true,"position":"bin.000001:{n}","data":{{"id":{n}}}}}"#
            );
            batch.push(row.as_bytes());
        }
        writer.append(&batch)?;
        writer.finish()?;
        Spool::open(dir)
    }

    #[test]
    fn a_spool_that_is_another_one_is_refused_and_says_which_is_behind() -> Result<()> {
        let dir = |name: &str| tempfile::tempdir().context(name);
        let (a, b, c, d) = (dir("a")?, dir("b")?, dir("c")?, dir("d")?);
        let whole = spool(a.path(), 1..=20)?;
        let known = whole.landmark(16)?.expect("a record");
        assert_eq!((known.seq, &*known.position), (15, "bin.000001:15"));
        whole.recognise(&known, "x")?;
        let refused = |spool: &Spool| {
            let refused = spool.recognise(&known, "x").expect_err("another spool");
            refused.words().worded(|means| format!("--{means:?}").to_lowercase())
        };
        let cut = refused(&spool(b.path(), 1..=9)?);
        assert!(cut.contains("ends at message 9 (bin.000001:9): the spool is behind"), "{cut}");
        // Restored with 9, and went on with what came after the 20th.
        let went_on = refused(&spool(c.path(), (1..=9).chain(21..=40))?);
        let words =
            "message 15 (bin.000001:26) of this spool is another one: it is behind the spool";
        assert!(went_on.contains(words), "{went_on}");
        assert!(went_on.contains("between bin.000001:9 and bin.000001:21"), "{went_on}");
        assert!(went_on.contains("--position bin.000001:16.."), "{went_on}");
        let anew = refused(&spool(d.path(), 3..=40)?);
        assert!(anew.contains("is message 13 now"), "{anew}");
        Ok(())
    }
}
