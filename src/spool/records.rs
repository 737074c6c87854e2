//! Single frames by sequence, the last one kept.

use super::index::db::Index;
use super::index::home::Home;
use super::store::frame::Frame;
use super::store::key::key;
use super::store::segment_reader::SegmentReader;
use super::types::Seq;
use super::walk::check_key;
use crate::error::{Error, Result};
use crate::event::landmark::Landmark;

/// Reads frames by the records they hold.
pub struct Records {
    index: Index,
    home: Home,
    segments: SegmentReader,
    /// The rows can be read.
    checked: bool,
    last: Option<Frame>,
}

impl Records {
    pub(super) fn open(home: &Home) -> Result<Self> {
        let index = Index::open_read(home.index())?
            .ok_or_else(|| Error::failed("the index was removed").help("run the command again"))?;
        let segments = SegmentReader::new(home.dir())?;
        Ok(Self { index, home: home.clone(), segments, checked: false, last: None })
    }

    /// The frame that holds a record; `None` when no readable one does.
    ///
    /// # Errors
    /// When the frame is there and cannot be read; the error names it. Where rows are encrypted
    /// and the key is not here (usage).
    pub fn frame(&mut self, seq: Seq) -> Result<Option<&Frame>> {
        if !self.checked {
            check_key(&self.index, &self.home, &(0..Seq::MAX))?;
            self.checked = true;
        }
        self.as_it_came(seq)?;
        if let Some(frame) = &mut self.last {
            frame.decrypt(key());
        }
        Ok(self.last.as_ref())
    }

    fn as_it_came(&mut self, seq: Seq) -> Result<Option<&Frame>> {
        if !self.last.as_ref().is_some_and(|frame| frame.range().contains(&seq)) {
            self.last = None;
            let Some(row) = self.index.frame_of(seq)? else {
                return Ok(None);
            };
            let (_, mut frame) = self.segments.read(row.place, &row.range())?;
            (frame.resend, frame.damaged) = (row.resend, row.damaged);
            self.last = Some(frame).filter(|frame| frame.range().contains(&seq));
        }
        Ok(self.last.as_ref())
    }

    /// The record before `seq`, by which a place there is known again; `None` at the spool's begin,
    /// and where no readable frame holds it.
    ///
    /// # Errors
    /// As [`Records::frame`].
    pub fn landmark(&mut self, seq: Seq) -> Result<Option<Landmark>> {
        let Some(before) = seq.checked_sub(1) else { return Ok(None) };
        let frame = self.as_it_came(before)?;
        Ok(frame.map(|f| Landmark::of(before, f.get((before - f.first()) as usize).bytes)))
    }
}
