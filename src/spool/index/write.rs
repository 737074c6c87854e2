//! What goes into the index.

use super::db::{Index, Val, Value, damaged, int, maybe_int, maybe_text};
use super::read::SegmentRow;
use super::schema::GAP_KINDS;
use super::zone::Zone;
use super::zones::Level;
use crate::error::{Context, Result};
use crate::event::TableName;
use crate::spool::follow::notes::{DdlNote, Notes};
use crate::spool::follow::packed;
use crate::spool::store::format::Header;
use crate::spool::store::frame::Frame;
use crate::spool::store::place::Place;
use crate::spool::store::ranges::Ranges;
use crate::spool::store::segment;
use crate::spool::types::{BadFrame, Epoch, Seq};

/// A frame to be indexed.
pub(crate) struct NewFrame<'a> {
    pub(crate) frame: &'a Frame,
    pub(crate) header: &'a Header,
    /// The tracker's count of event rows where the frame begins, as text.
    pub(crate) event: &'a str,
}

/// What a frame's records say, as its row has it.
pub(crate) struct Said<'a> {
    /// The tracker's count of event rows where the frame begins, as text.
    pub(crate) event: &'a str,
    pub(crate) resend: &'a Ranges,
    pub(crate) damaged: &'a Ranges,
    /// The transactions that end in it, by their last records.
    pub(crate) closed: &'a [packed::Closed],
}

fn packed_closed(first: Seq, closed: &[packed::Closed]) -> Result<Vec<u8>> {
    match closed {
        [] => Ok(Vec::new()),
        closed => segment::compress(&packed::pack(first, closed)),
    }
}

impl Index {
    /// Begins a batch of changes.
    pub(crate) fn begin(&self) -> Result<()> {
        self.execute("BEGIN IMMEDIATE", &[])
    }

    /// Ends it; readers see it whole.
    pub(crate) fn commit(&self) -> Result<()> {
        self.execute("COMMIT", &[])
    }

    /// Adds a frame and what its records say: `zone` is what they hold, `whole` that of its segment.
    pub(crate) fn add_frame(
        &self,
        new: &NewFrame<'_>,
        notes: &Notes,
        mut zone: Zone,
        whole: &mut Zone,
    ) -> Result<()> {
        let (place, header) = (new.frame.place, new.header);
        let records = header.lengths.len() as u64;
        self.change_segment(place.segment, |segment| {
            segment.bytes = place.offset + place.len;
            segment.frames += 1;
            segment.raw += header.raw - records;
            segment.resends += notes.resend.count();
        })?;
        let earlier = notes.closed.partition_point(|t| t.last < header.first);
        for torso in &notes.closed[..earlier] {
            self.add_late(torso, place.segment, whole)?;
        }
        notes.closed[earlier..].iter().for_each(|t| zone.closed(t));
        whole.merge(&zone);
        self.put_zone(Level::Frame, header.first, records, &zone)?;
        let said = Said {
            event: new.event,
            resend: &notes.resend,
            damaged: &notes.damaged,
            closed: &notes.closed[earlier..],
        };
        self.put_frame(place, header, &said)?;
        self.add_positions(header.first, notes)?;
        self.add_strays(notes)?;
        self.add_findings(new.frame, notes)?;
        if let Some((name, end)) = &header.source {
            self.put("sources", &[Val::Text(name), int(*end)])?;
        }
        if let Some(merged) = &header.merged {
            self.set_merged(&merged.places)?;
        }
        Ok(())
    }

    /// Notes how far each queue is merged.
    pub(super) fn set_merged(&self, places: &[(String, u64)]) -> Result<()> {
        let places = serde_json::to_string(places).context("index")?;
        self.set("merged", Val::Text(&places))
    }

    /// Puts a frame's row.
    pub(super) fn put_frame(&self, place: Place, header: &Header, said: &Said<'_>) -> Result<()> {
        let arrivals = || header.joined().map(|(_, piece)| piece.arrival_ms);
        let [earliest, latest] =
            [arrivals().min(), arrivals().max()].map(|ms| ms.unwrap_or(header.arrival_ms));
        self.put(
            "frames",
            &[
                int(header.first),
                int(header.lengths.len() as u64),
                int(place.segment),
                int(place.offset),
                int(place.len),
                int(header.raw),
                int(header.body_crc.into()),
                Val::Int(earliest),
                Val::Int(latest),
                maybe_text(header.queue.as_deref()),
                maybe_text(header.source.as_ref().map(|(name, _)| name.as_str())),
                Val::Text(said.event),
                Val::Blob(&said.resend.pack()),
                Val::Blob(&said.damaged.pack()),
                Val::Blob(&packed_closed(header.first, said.closed)?),
            ],
        )
    }

    fn add_positions(&self, frame: Seq, notes: &Notes) -> Result<()> {
        for r in &notes.ranges {
            self.put(
                "positions",
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
            self.put("strays", &values)?;
        }
        Ok(())
    }

    /// Adds a transaction found incomplete to the frame of its last record. `whole` is the zone of
    /// the segment that is written.
    fn add_late(&self, torso: &packed::Closed, live: Seq, whole: &mut Zone) -> Result<()> {
        // The whole row, as it stands: its checksum is over all of it.
        let rest = "WHERE first <= ? ORDER BY first DESC LIMIT 1";
        let mut found = self.checked("frames", rest, &[int(torso.last)], |row| row.all())?;
        let mut frame = found.pop().ok_or_else(|| damaged("a transaction without its frame"))?;
        frame.pop();
        let (&[Value::Integer(first), _, Value::Integer(segment), ..], Some(Value::Blob(packed))) =
            (frame.clone().as_slice(), frame.last_mut())
        else {
            return Err(damaged("a frame's row"));
        };
        let (first, segment) = (first as u64, segment as u64);
        let closed = packed::unpack(first, &self.unpack(packed)?);
        let mut closed = closed.ok_or_else(|| damaged("packed transactions"))?;
        closed.push(torso.clone());
        *packed = packed_closed(first, &closed)?;
        let values: Vec<Val<'_>> = frame.iter().map(Val::from).collect();
        self.put("frames", &values)?;
        self.change_zone(Level::Frame, first, torso)?;
        match segment == live {
            true => whole.closed(torso),
            false => self.change_zone(Level::Segment, segment, torso)?,
        }
        Ok(())
    }

    /// Changes what is kept of a segment.
    pub(crate) fn change_segment(
        &self,
        first: Seq,
        change: impl FnOnce(&mut SegmentRow),
    ) -> Result<()> {
        let new = SegmentRow {
            first,
            generation: 0,
            bytes: 0,
            frames: 0,
            raw: 0,
            resends: 0,
            blocks: 0,
            biggest: 0,
        };
        let mut row = self.segment_row(first)?.unwrap_or(new);
        change(&mut row);
        self.put(
            "segments",
            &[
                int(first),
                int(row.generation.into()),
                int(row.bytes),
                int(row.frames),
                int(row.raw),
                int(row.resends),
                int(row.blocks),
                int(row.biggest),
            ],
        )
    }

    fn add_findings(&self, in_frame: &Frame, notes: &Notes) -> Result<()> {
        let frame = in_frame.first();
        for d in &notes.damages {
            self.put(
                "damaged",
                &[int(frame + d.index as u64), int(frame), int(d.len), Val::Text(&d.reason)],
            )?;
        }
        for d in &notes.ddl {
            self.add_ddl(d, in_frame.get((d.seq - frame) as usize).bytes)?;
        }
        for b in &notes.bootstraps {
            self.put(
                "bootstraps",
                &[
                    int(b.start),
                    int(b.table.into()),
                    b.complete_ts.map_or(Val::Null, Val::Int),
                    maybe_int(b.end),
                ],
            )?;
        }
        for e in &notes.epochs {
            self.add_epoch(e)?;
        }
        for g in &notes.gaps {
            let kind = GAP_KINDS.iter().position(|&k| k == g.kind).unwrap_or_default();
            self.put("gaps", &[int(g.seq), int(kind as u64), Val::Text(&g.detail)])?;
        }
        Ok(())
    }

    /// Adds a message about a statement.
    pub(crate) fn add_ddl(&self, d: &DdlNote, message: &[u8]) -> Result<()> {
        self.put(
            "ddl",
            &[
                int(d.seq),
                int(d.group),
                int(d.epoch.into()),
                maybe_int(d.position.map(|p| p.file)),
                maybe_int(d.position.map(|p| p.offset)),
                int(d.hash),
                Val::Text(d.op.name()),
                Val::Text(&d.sql),
                Val::Blob(&segment::compress(message)?),
            ],
        )
    }

    /// Adds an epoch, or what is known better of one.
    pub(crate) fn add_epoch(&self, e: &Epoch) -> Result<()> {
        self.put(
            "epochs",
            &[
                int(e.number.into()),
                int(e.first_seq),
                maybe_text(e.base.as_deref()),
                maybe_int(e.server_id),
                Val::Text(&e.reason),
            ],
        )
    }

    /// Adds a table name under its number.
    pub(crate) fn add_table(&self, id: u64, name: &TableName) -> Result<()> {
        self.put("tables", &[int(id), Val::Text(&name.database), Val::Text(&name.table)])
    }

    /// Adds an unreadable stretch.
    pub(crate) fn add_bad_frame(&self, segment: Seq, bad: &BadFrame) -> Result<()> {
        self.put(
            "bad_frames",
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
    pub(crate) fn set(&self, key: &str, value: Val<'_>) -> Result<()> {
        self.put("meta", &[Val::Text(key), value])
    }

    /// Adds a stretch that was taken out of the spool.
    pub(crate) fn add_forgotten(&self, first: Seq, records: u64) -> Result<()> {
        self.put("forgotten", &[int(first), int(records)])
    }
}
