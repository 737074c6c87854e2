//! What the tracker goes on with.

use crate::error::{ErrorKind, Result};
use crate::event::Direction;
use crate::spool::follow::packed;
use crate::spool::follow::tables::Tables;
use crate::spool::follow::tracker::{RECENT_DDL, RECENT_XIDS, Tracker};
use crate::spool::index::db::{self, Index};
use crate::spool::types::Seq;

/// The tracker as it was when the index was saved.
pub(super) fn tracker(index: &Index) -> Result<Tracker> {
    let Some(state) = index.get("tracker")? else {
        return Ok(Tracker::default());
    };
    let mut tables = Tables::default();
    for name in index.tables()? {
        tables.add(name);
    }
    let mut tracker = Tracker::resume(&state, tables).map_err(|e| e.kept_as(ErrorKind::Damaged))?;
    for hash in index.ddl_hashes(RECENT_DDL)?.into_iter().rev() {
        tracker.remember_ddl(hash);
    }
    for (xid, first) in recent_xids(index)?.into_iter().rev() {
        tracker.remember_xid(xid, first);
    }
    Ok(tracker)
}

/// The last transactions without position, newest first.
fn recent_xids(index: &Index) -> Result<Vec<(u64, Seq)>> {
    let mut recent = Vec::new();
    let mut before = Seq::MAX;
    let mut looked = 0;
    while recent.len() < RECENT_XIDS && looked < RECENT_XIDS {
        let frames = index.transactions(&(0..before), Direction::Reverse, 256)?;
        let Some((first, _)) = frames.last() else {
            break;
        };
        before = *first;
        for (frame, blob) in frames {
            let closed =
                packed::unpack(frame, &blob).ok_or_else(|| db::damaged("packed transactions"))?;
            looked += closed.len();
            let bare = closed.iter().rev().filter(|t| t.position.is_none());
            recent.extend(bare.filter_map(|t| Some((t.xid?, t.first))));
        }
    }
    recent.truncate(RECENT_XIDS);
    Ok(recent)
}
