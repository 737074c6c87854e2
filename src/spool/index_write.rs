//! What goes into the index.

use super::format::Header;
use super::frame::Place;
use super::index::{Index, Val, int, maybe_int, maybe_text};
use super::notes::Notes;
use super::packed;
use super::segment;
use super::types::{BadFrame, GapKind, Seq};
use crate::error::{Error, Result};
use crate::event::TableName;

/// Kinds of gaps by number.
pub(super) const GAP_KINDS: [GapKind; 4] =
    [GapKind::XoffsetJump, GapKind::NoCommit, GapKind::PositionBack, GapKind::MaybeTwice];

/// A frame to be indexed.
pub(super) struct NewFrame<'a> {
    pub(super) place: Place,
    pub(super) header: &'a Header,
    /// The tracker's count of event rows where the frame begins, as text.
    pub(super) event: &'a str,
}

impl Index {
    /// Begins a batch of changes.
    pub(super) fn begin(&self) -> Result<()> {
        self.execute("BEGIN IMMEDIATE", &[])
    }

    /// Ends it; readers see it whole.
    pub(super) fn commit(&self) -> Result<()> {
        self.execute("COMMIT", &[])
    }

    /// Adds a frame and what its records say.
    pub(super) fn add_frame(&self, new: &NewFrame<'_>, notes: &Notes) -> Result<()> {
        let (place, header) = (new.place, new.header);
        self.execute(
            "INSERT INTO segments VALUES(?1, ?2, ?3, ?4, ?5)
             ON CONFLICT(first) DO UPDATE SET generation = ?2, bytes = ?3,
             transactions = transactions + ?4, resends = resends + ?5",
            &[
                int(place.segment),
                int(header.generation.into()),
                int(place.offset + place.len),
                int(notes.closed.len() as u64),
                int(notes.resend.count()),
            ],
        )?;
        let earlier = notes.closed.partition_point(|t| t.last < header.first);
        for torso in &notes.closed[..earlier] {
            self.add_late(torso)?;
        }
        let transactions = match &notes.closed[earlier..] {
            [] => Vec::new(),
            closed => segment::compress(&packed::pack(header.first, closed))?,
        };
        self.execute(
            "INSERT INTO frames VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            &[
                int(header.first),
                int(header.lengths.len() as u64),
                int(place.segment),
                int(place.offset),
                int(place.len),
                int(header.raw),
                int(header.body_crc.into()),
                Val::Int(header.arrival_ms),
                maybe_text(header.queue.as_deref()),
                notes.ts.map_or(Val::Null, |t| Val::Int(t.0)),
                notes.ts.map_or(Val::Null, |t| Val::Int(t.1)),
                Val::Text(new.event),
                Val::Blob(&notes.resend.pack()),
                Val::Blob(&notes.damaged.pack()),
                Val::Blob(&transactions),
            ],
        )?;
        self.add_positions(header.first, notes)?;
        self.add_strays(notes)?;
        self.add_findings(header.first, notes)?;
        if let Some((name, end)) = &header.source {
            self.execute(
                "INSERT OR REPLACE INTO sources VALUES(?, ?)",
                &[Val::Text(name), int(*end)],
            )?;
        }
        Ok(())
    }

    fn add_positions(&self, frame: Seq, notes: &Notes) -> Result<()> {
        for r in &notes.ranges {
            self.execute(
                "INSERT INTO positions VALUES(?, ?, ?, ?, ?, ?)",
                &[
                    int(r.chain as u64),
                    int(r.max.0),
                    int(r.max.1),
                    int(frame),
                    int(r.min.0),
                    int(r.min.1),
                ],
            )?;
        }
        Ok(())
    }

    fn add_strays(&self, notes: &Notes) -> Result<()> {
        for (seq, at) in &notes.strays {
            let values = [int(at.file), int(at.offset), int(at.ord), int(*seq)];
            self.execute("INSERT INTO strays VALUES(?, ?, ?, ?)", &values)?;
        }
        Ok(())
    }

    /// Adds a transaction found incomplete to the frame of its last record.
    fn add_late(&self, torso: &packed::Closed) -> Result<()> {
        let found = self.row(
            "SELECT first, transactions FROM frames WHERE first <= ? ORDER BY first DESC LIMIT 1",
            &[int(torso.last)],
            |row| Ok((row.int(0)?, row.blob(1)?)),
        )?;
        let (frame, mut blob) =
            found.ok_or_else(|| Error::failed("index: a transaction without its frame"))?;
        // Compressed pieces one after the other are read as one.
        blob.extend(segment::compress(&packed::pack(frame, std::slice::from_ref(torso)))?);
        self.execute(
            "UPDATE frames SET transactions = ? WHERE first = ?",
            &[Val::Blob(&blob), int(frame)],
        )
    }

    fn add_findings(&self, frame: Seq, notes: &Notes) -> Result<()> {
        for d in &notes.damages {
            self.execute(
                "INSERT INTO damaged VALUES(?, ?, ?, ?)",
                &[int(frame + d.index as u64), int(frame), int(d.len), Val::Text(&d.reason)],
            )?;
        }
        for d in &notes.ddl {
            self.execute(
                "INSERT INTO ddl VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
                &[
                    int(d.seq),
                    int(d.group),
                    int(d.epoch.into()),
                    maybe_int(d.position.map(|p| p.0)),
                    maybe_int(d.position.map(|p| p.1)),
                    int(d.hash),
                    Val::Text(d.op.name()),
                    Val::Text(&d.sql),
                ],
            )?;
        }
        for b in &notes.bootstraps {
            self.execute(
                "INSERT OR REPLACE INTO bootstraps VALUES(?, ?, ?, ?)",
                &[
                    int(b.start),
                    int(b.table.into()),
                    b.complete_ts.map_or(Val::Null, Val::Int),
                    maybe_int(b.end),
                ],
            )?;
        }
        for e in &notes.epochs {
            self.execute(
                "INSERT OR REPLACE INTO epochs VALUES(?, ?, ?, ?, ?)",
                &[
                    int(e.number.into()),
                    int(e.first_seq),
                    maybe_text(e.base.as_deref()),
                    maybe_int(e.server_id),
                    Val::Text(&e.reason),
                ],
            )?;
        }
        for g in &notes.gaps {
            let kind = GAP_KINDS.iter().position(|&k| k == g.kind).unwrap_or_default();
            self.execute(
                "INSERT INTO gaps(seq, kind, detail) VALUES(?, ?, ?)",
                &[int(g.seq), int(kind as u64), Val::Text(&g.detail)],
            )?;
        }
        Ok(())
    }

    /// Adds a table name under its number.
    pub(super) fn add_table(&self, id: u64, name: &TableName) -> Result<()> {
        self.execute(
            "INSERT INTO tables VALUES(?, ?, ?)",
            &[int(id), Val::Text(&name.database), Val::Text(&name.table)],
        )
    }

    /// Adds an unreadable stretch.
    pub(super) fn add_bad_frame(&self, segment: Seq, bad: &BadFrame) -> Result<()> {
        self.execute(
            "INSERT INTO bad_frames(segment, offset, bytes, lost_from, lost_to, reason)
             VALUES(?, ?, ?, ?, ?, ?)",
            &[
                int(segment),
                int(bad.offset),
                int(bad.bytes),
                int(bad.lost.start),
                int(bad.lost.end),
                Val::Text(&bad.reason),
            ],
        )
    }

    /// Sets a single value.
    pub(super) fn set(&self, key: &str, value: Val<'_>) -> Result<()> {
        self.execute("INSERT OR REPLACE INTO meta VALUES(?, ?)", &[Val::Text(key), value])
    }
}
