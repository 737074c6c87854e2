//! Streams in, findings out.

use super::*;
use crate::spool::types::{Counts, TransactionKind};

/// The stream so far, in memory.
#[derive(Default)]
struct Memory {
    records: Vec<Vec<u8>>,
    entries: Vec<Entry>,
    statements: Vec<((u64, u64), Seq)>,
}

impl Stored for Memory {
    fn remember(&mut self, entry: Entry) {
        self.entries.push(entry);
    }
    fn remember_ddl(&mut self, file: u64, offset: u64, seq: Seq) {
        self.statements.push(((file, offset), seq));
    }
    fn next_like(&mut self, _: Ident) -> Result<Vec<Seq>> {
        Ok(Vec::new())
    }
    fn rows_at(&mut self, ident: Ident, _: usize) -> Result<Vec<Seq>> {
        let found = self.entries.iter().rev().filter(|e| e.ident == Some(ident));
        Ok(found.map(|e| e.seq).collect())
    }
    fn next_from(&mut self, seq: Seq) -> Result<Option<Entry>> {
        Ok(self.entries.iter().find(|e| e.seq >= seq).copied())
    }
    fn ddl_at(&mut self, file: u64, offset: u64) -> Result<Vec<Seq>> {
        let found = self.statements.iter().rev().filter(|(at, _)| *at == (file, offset));
        Ok(found.map(|(_, seq)| *seq).collect())
    }
    fn record(&mut self, seq: Seq) -> Result<Vec<u8>> {
        Ok(self.records[seq as usize - 1].clone())
    }
}

struct Seen {
    notes: Notes,
    tracker: Tracker,
    records: usize,
}

impl Seen {
    fn resends(&self) -> Vec<usize> {
        (0..self.records).filter(|&i| self.notes.resend.contains(i)).map(|i| i + 1).collect()
    }
    fn transactions(&self) -> Vec<(Seq, Seq)> {
        self.notes.closed.iter().map(|t| (t.first, t.last)).collect()
    }
    fn gaps(&self) -> Vec<(Seq, GapKind)> {
        self.notes.gaps.iter().map(|g| (g.seq, g.kind)).collect()
    }
    fn epochs(&self) -> u32 {
        self.tracker.epoch_number()
    }
}

/// Feeds a stream; the tracker is saved and resumed after every record.
fn feed(stream: &[String]) -> Seen {
    let (mut tracker, mut memory, mut notes) = Default::default();
    let mut xids: Vec<(u64, Seq)> = Vec::new();
    for (index, text) in stream.iter().enumerate() {
        let tracker: &mut Tracker = &mut tracker;
        let memory: &mut Memory = &mut memory;
        let notes: &mut Notes = &mut notes;
        memory.records.push(text.as_bytes().to_vec());
        let event = maxwell::parse(text.as_bytes());
        let item = Item { seq: index as u64 + 1, index, len: text.len() as u64, event: &event };
        tracker.feed(&item, memory, notes).expect("no files, no failure");
        xids.clear();
        xids.extend(tracker.xid_order.iter());
        let ddl = tracker.ddl.clone();
        let state = tracker.save().expect("saved");
        *tracker = Tracker::resume(&state, std::mem::take(&mut tracker.tables)).expect("resumed");
        xids.iter().for_each(|&(xid, first)| tracker.remember_xid(xid, first));
        ddl.into_iter().for_each(|hash| tracker.remember_ddl(hash));
    }
    Seen { notes, tracker, records: stream.len() }
}

/// A row: `at` holds what stands behind xid, such as position and xoffset.
fn row(xid: u64, at: &str, id: u64) -> String {
    format!(
        r#"{{"database":"d","table":"t","type":"insert","ts":9,"xid":{xid}{at},"data":{{"id":{id}}}}}"#
    )
}

fn at(position: u64, xoffset: u64) -> String {
    format!(r#","xoffset":{xoffset},"position":"bin.000002:{position}""#)
}

fn end(position: u64) -> String {
    format!(r#","commit":true,"position":"bin.000002:{position}""#)
}

fn ddl(table: &str, sql: &str, more: &str) -> String {
    format!(
        r#"{{"type":"table-alter","database":"d","table":"{table}","ts":9000,"sql":"{sql}"{more}}}"#
    )
}

#[test]
fn a_resend_is_marked_and_the_open_transaction_goes_on() {
    let first =
        [row(1, &at(10, 0), 1), row(1, &end(20), 2), row(2, &at(30, 0), 3), row(2, &at(30, 1), 4)];
    let mut stream = first.to_vec();
    stream.extend(first);
    stream.extend([row(2, &at(40, 2), 4), row(2, &end(40), 5), row(3, &end(50), 6)]);
    let seen = feed(&stream);
    assert_eq!(seen.resends(), [5, 6, 7, 8]);
    assert_eq!(seen.transactions(), [(1, 2), (3, 10), (11, 11)]);
    let rows: u64 = seen.notes.closed.iter().flat_map(|t| &t.tables).map(|(_, c)| c.rows()).sum();
    assert_eq!(rows, 7);
    assert_eq!((seen.gaps(), seen.epochs()), (vec![], 1));
}

#[test]
fn equal_rows_in_one_transaction_are_two() {
    let seen = feed(&[row(1, &at(10, 0), 7), row(1, &at(10, 1), 7), row(1, &end(10), 7)]);
    assert_eq!((seen.resends(), seen.transactions(), seen.gaps()), (vec![], vec![(1, 3)], vec![]));
}

#[test]
fn without_xoffset_the_place_in_the_event_counts() {
    let p = |n: u64| format!(r#","position":"bin.000002:{n}""#);
    let half = [row(1, &p(10), 7), row(1, &p(10), 7), row(1, &p(20), 7)];
    let mut stream = half.to_vec();
    stream.extend(half);
    stream.extend([row(1, &p(20), 7), row(1, &end(20), 8)]);
    let seen = feed(&stream);
    assert_eq!(seen.resends(), [4, 5, 6]);
    assert_eq!((seen.transactions(), seen.gaps()), (vec![(1, 8)], vec![]));
}

#[test]
fn the_same_place_with_other_content_begins_an_epoch() {
    let seen =
        feed(&[row(1, &end(10), 1), row(2, &end(20), 2), row(1, &end(10), 9), row(2, &end(30), 3)]);
    assert_eq!((seen.resends(), seen.epochs()), (vec![], 2));
    let epochs: Vec<(u32, Seq)> =
        seen.notes.epochs.iter().map(|e| (e.number, e.first_seq)).collect();
    assert_eq!(epochs, [(1, 1), (1, 1), (2, 3), (2, 3)]);
    // Sent again after that, rows of the new epoch are known.
    let again =
        [row(1, &end(10), 1), row(1, &end(10), 9), row(2, &end(30), 3), row(2, &end(30), 3)];
    assert_eq!(feed(&again).resends(), [4]);
}

#[test]
fn another_server_or_base_name_begins_an_epoch_unless_the_row_is_known() {
    let on = |server: u64, n: u64| row(n, &format!(r#"{},"server_id":{server}"#, end(n)), n);
    let seen = feed(&[on(1, 10), on(2, 20), on(1, 30), on(1, 10), on(2, 20), on(1, 30), on(1, 40)]);
    assert_eq!((seen.epochs(), seen.resends()), (3, vec![4, 5, 6]));
    let other = r#","commit":true,"position":"log.000002:20""#;
    let seen = feed(&[row(1, &end(10), 1), row(2, other, 2), row(3, other, 3)]);
    assert_eq!((seen.epochs(), seen.resends()), (3, vec![]));
    assert_eq!(seen.notes.epochs.last().and_then(|e| e.base.clone()).as_deref(), Some("log"));
}

#[test]
fn a_position_that_goes_back_to_nothing_is_one_gap() {
    let mut stream: Vec<String> = (50..53).map(|n| row(n, &end(n), n)).collect();
    stream.extend((10..13).map(|n| row(n, &end(n), n)));
    stream.extend((10..13).map(|n| row(n, &end(n), n)));
    stream.extend([row(53, &end(53), 53), row(14, &end(14), 14)]);
    let seen = feed(&stream);
    assert_eq!(seen.resends(), [7, 8, 9]);
    assert_eq!(seen.gaps(), [(4, GapKind::PositionBack), (11, GapKind::PositionBack)]);
}

#[test]
fn holes_in_transactions_are_gaps() {
    let seen = feed(&[
        row(1, &at(10, 3), 1),
        row(1, &at(10, 5), 2),
        row(1, &end(20), 3),
        row(2, &at(30, 0), 4),
        row(3, &at(40, 0), 5),
        row(3, &end(40), 6),
    ]);
    let kinds = [(1, GapKind::XoffsetJump), (2, GapKind::XoffsetJump), (5, GapKind::NoCommit)];
    assert_eq!(seen.gaps(), kinds);
    assert_eq!(seen.transactions(), [(1, 3), (4, 4), (5, 6)]);
    assert_eq!(seen.notes.closed[1].kind, TransactionKind::Incomplete);
}

#[test]
fn without_positions_a_known_xid_whose_rows_agree_is_a_resend() {
    let rows = [row(1, "", 1), row(1, r#","commit":true"#, 2), row(2, "", 3)];
    let mut stream = rows.to_vec();
    stream.extend(rows);
    stream.push(row(2, r#","commit":true"#, 4));
    let seen = feed(&stream);
    assert_eq!((seen.resends(), seen.gaps()), (vec![4, 5, 6], vec![]));
    assert_eq!(seen.transactions(), [(1, 2), (3, 7)]);
    // After a restart of the server an xid comes again with other rows.
    let commit = r#","commit":true"#;
    let seen = feed(&[row(1, commit, 1), row(2, commit, 2), row(1, commit, 3)]);
    assert_eq!((seen.resends(), seen.transactions().len()), (vec![], 3));
}

#[test]
fn messages_of_one_statement_are_a_group_and_known_when_they_come_again() {
    let p = r#","position":"bin.000002:10""#;
    let first = [ddl("a", "RENAME a, b", p), ddl("b", "RENAME a, b", p)];
    let mut stream = first.to_vec();
    stream.extend(first);
    stream.push(ddl("c", "ALTER c", r#","position":"bin.000002:20""#));
    let seen = feed(&stream);
    assert_eq!((seen.resends(), seen.gaps(), seen.epochs()), (vec![3, 4], vec![], 1));
    let groups: Vec<(Seq, Seq)> = seen.notes.ddl.iter().map(|d| (d.seq, d.group)).collect();
    assert_eq!(groups, [(1, 1), (2, 1), (5, 5)]);
    assert_eq!(seen.transactions(), [(1, 1), (2, 2), (5, 5)]);
    // A ring names a table twice; the definitions differ.
    let def = |n: u64| {
        format!(r#"{p},"def":{{"database":"d","table":"t{n}","primary-key":[],"columns":[]}}"#)
    };
    let ring =
        [ddl("a", "RENAME", &def(1)), ddl("a", "RENAME", &def(2)), ddl("a", "RENAME", &def(1))];
    assert_eq!(feed(&ring).resends(), [3]);
    // The same place, another statement.
    assert_eq!(feed(&[ddl("a", "X", p), ddl("a", "Y", p)]).epochs(), 2);
    // Without positions.
    let seen = feed(&[
        ddl("a", "RENAME a, b", ""),
        ddl("b", "RENAME a, b", ""),
        row(1, "", 1),
        ddl("a", "RENAME a, b", ""),
    ]);
    assert_eq!((seen.resends(), seen.notes.ddl[1].group), (vec![4], 1));
}

#[test]
fn bootstrap_rows_are_no_transaction_and_its_stretch_ends_with_a_later_one() {
    let boot = |kind: &str, ts: u64| {
        format!(r#"{{"database":"d","table":"t","type":"bootstrap-{kind}","ts":{ts},"data":{{}}}}"#)
    };
    let held = r#"{"database":"d","table":"t","type":"update","ts":9,"commit":true,"position":"bin.000002:5","data":{}}"#;
    let late = row(4, &end(40), 4).replace(r#""ts":9"#, r#""ts":12"#);
    let seen = feed(&[
        row(1, &at(10, 0), 1),
        boot("start", 10),
        boot("insert", 10),
        row(1, &end(20), 2),
        row(2, &at(30, 0), 2),
        boot("complete", 11),
        held.to_owned(),
        row(2, &end(31), 3),
        late,
    ]);
    assert_eq!((seen.gaps(), seen.transactions()), (vec![], vec![(1, 4), (5, 8), (9, 9)]));
    let last = *seen.notes.bootstraps.last().expect("a bootstrap");
    assert_eq!((last.start, last.complete_ts, last.end), (2, Some(11), Some(9)));
}

#[test]
fn rows_without_xid_end_with_their_commit_and_the_producers_own_are_passed_over() {
    let bare = |at: &str| row(0, at, 1).replace(r#","xid":0"#, "");
    let own = row(5, &end(40), 1).replace(r#""d","table":"t""#, r#""maxwell","table":"bootstrap""#);
    let beat = r#"{"database":"maxwell","type":"heartbeat","ts":1,"data":{}}"#;
    let seen = feed(&[
        bare(&at(10, 0)),
        bare(&end(10)),
        bare(&end(20)),
        own,
        beat.to_owned(),
        "odd".to_owned(),
        bare(&at(50, 0)),
        bare(&at(60, 0)),
    ]);
    assert_eq!(seen.transactions(), [(1, 2), (3, 3), (7, 7)]);
    assert_eq!(seen.gaps(), [(8, GapKind::NoCommit)]);
    assert_eq!((seen.notes.damages.len(), seen.tracker.open()), (1, Some(8)));
    let counts = Counts { insert: 2, ..Counts::default() };
    assert_eq!(seen.notes.closed[0].tables, [(0, counts)]);
}

#[test]
fn a_row_without_a_transaction_stands_for_itself() {
    let alone = |position: u64, id: u64, key: &str| {
        format!(
            r#"{{"database":"d","table":"t","type":"insert","ts":9,"position":"bin.000002:{position}"{key},"data":{{"id":{id}}}}}"#
        )
    };
    let key = r#","primary_key":[1],"primary_key_columns":["id"]"#;
    let keyed = |position, id| alone(position, id, key);
    let bare = |position, id| alone(position, id, r#","primary_key":[],"primary_key_columns":[]"#);
    // An event of three rows, sent again at once from its begin; rows of a table without a key may
    // be equal.
    let event = [keyed(10, 1), keyed(10, 2), keyed(10, 3)];
    let stream = [event.to_vec(), event.to_vec(), vec![bare(20, 1), bare(20, 1), keyed(30, 4)]];
    let mut stream = stream.concat();
    stream.push(keyed(30, 4));
    let seen = feed(&stream);
    assert_eq!(seen.resends(), [4, 5, 6, 10]);
    assert_eq!(seen.transactions(), [(1, 1), (2, 2), (3, 3), (7, 7), (8, 8), (9, 9)]);
    assert!(seen.notes.closed.iter().all(|t| t.kind == TransactionKind::Alone));
    assert_eq!((seen.gaps(), seen.epochs()), (vec![], 1));
}
