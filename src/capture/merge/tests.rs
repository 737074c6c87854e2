//! The merger over queues that fill in any order, and that stop and go on anywhere.

use std::cell::RefCell;
use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::spool::{Lots, SpoolWriter, WriterOptions};

/// A queue of a test: a spool that is filled while it is merged.
struct Queue {
    name: String,
    lots: Lots,
    over: Rc<RefCell<bool>>,
}

impl Feed for Queue {
    fn queue(&self) -> &str {
        &self.name
    }

    fn read(&mut self) -> Result<Option<Lot>> {
        self.lots.read()
    }

    fn has_passed(&self, _: i64) -> bool {
        *self.over.borrow()
    }
}

fn row(queue: usize, offset: usize, row: usize, commit: bool) -> String {
    let place = if commit { "\"commit\":true".to_owned() } else { format!("\"xoffset\":{row}") };
    format!(
        r#"{{"database":"a","table":"t{queue}","type":"insert","ts":1,"xid":{offset},{place},"position":"b.000001:{offset}","data":{{"id":{row}}}}}"#
    )
}

fn mark(offset: usize) -> String {
    row(0, offset, 0, true).replace("\"a\",\"table\":\"t0\"", "\"binsync\",\"table\":\"mark\"")
}

/// Transactions, each row in a queue of its own, with marks between them that are in all queues.
fn stream(transactions: &[Vec<usize>]) -> Vec<(Option<usize>, String)> {
    let mut stream = Vec::new();
    for (number, rows) in transactions.iter().enumerate() {
        let last = rows.len() - 1;
        for (i, queue) in rows.iter().enumerate() {
            // Rows of one event share its place.
            let offset = 100 * number + i / 2;
            stream.push((Some(*queue), row(*queue, offset, i, i == last)));
        }
        if number % 5 == 4 {
            stream.push((None, mark(100 * number + 50)));
        }
    }
    stream
}

fn merger(
    dirs: &[tempfile::TempDir],
    places: &[(String, u64)],
    over: &Rc<RefCell<bool>>,
) -> Result<Merger<Queue>> {
    let queue = |(i, dir): (usize, &tempfile::TempDir)| {
        let name = i.to_string();
        let place = places.iter().find(|(known, _)| *known == name).map_or(1, |(_, place)| *place);
        Ok(Queue { name, lots: Lots::new(dir.path(), place)?, over: over.clone() })
    };
    let queues = dirs.iter().enumerate().map(queue).collect::<Result<Vec<_>>>()?;
    Ok(Merger::new(queues, places))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn the_sources_order_comes_out_whatever_comes_when(
        transactions in prop::collection::vec(prop::collection::vec(0..3usize, 1..6), 1..30),
        steps in prop::collection::vec((0..3usize, 1..9usize, any::<bool>()), 1..60),
    ) {
        let run = || -> Result<(Vec<String>, Vec<String>)> {
            let dirs: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"))).collect();
            let stream = stream(&transactions);
            let all = |queue: usize| stream.iter().filter(move |(of, _)| of.is_none_or(|of| of == queue));
            let mut writers = dirs.iter().map(|dir| Ok(SpoolWriter::open(dir.path(), WriterOptions::default())?.0)).collect::<Result<Vec<_>>>()?;
            let mut sent = [0; 3];
            let mut publish = |queue: usize, count: usize, writers: &mut Vec<SpoolWriter>| -> Result<()> {
                let mut batch = Batch::default();
                all(queue).skip(sent[queue]).take(count).for_each(|(_, message)| batch.push(message.as_bytes()));
                sent[queue] += batch.len();
                writers[queue].append(&batch).map(drop)
            };
            let over = Rc::new(RefCell::new(false));
            let (mut merged, mut places) = (Vec::new(), Vec::new());
            let mut merging = merger(&dirs, &places, &over)?;
            let mut take = |merging: &mut Merger<Queue>, places: &mut Vec<(String, u64)>| -> Result<()> {
                loop {
                    let batch = merging.batch()?;
                    if batch.is_empty() {
                        return Ok(());
                    }
                    let mut start = 0;
                    for &end in &batch.ends {
                        merged.push(String::from_utf8_lossy(&batch.records[start..end as usize]).into_owned());
                        start = end as usize;
                    }
                    let told = batch.merged.unwrap_or_default();
                    assert_eq!(told.runs.iter().map(|(_, records)| records).sum::<u64>(), batch.ends.len() as u64);
                    *places = told.places;
                }
            };
            for &(queue, count, dies) in &steps {
                publish(queue, count, &mut writers)?;
                take(&mut merging, &mut places)?;
                if dies {
                    merging = merger(&dirs, &places, &over)?;
                }
            }
            (0..3).try_for_each(|queue| publish(queue, usize::MAX, &mut writers))?;
            *over.borrow_mut() = true;
            take(&mut merging, &mut places)?;
            // A copy of a mark may be taken once more after a stop.
            merged.dedup();
            Ok((merged, stream.into_iter().map(|(_, message)| message).collect()))
        };
        let (merged, stream) = run().unwrap_or_else(|e| panic!("{e}"));
        prop_assert_eq!(merged, stream);
    }
}
