//! Frames with what their headers say, read from the segments alone, in order: what is merged.

use std::path::{Path, PathBuf};

use super::store::format::Header;
use super::store::frame::Frame;
use super::store::key::key;
use super::store::scan::{Found, Scan};
use super::store::segment::{self, Decoder};
use super::store::segments;
use super::types::Seq;
use crate::error::Result;

/// A frame, and what is known of its records beside their bytes.
pub struct Lot {
    /// The records.
    pub frame: Frame,
    /// Which of them the broker had handed out before; empty: none.
    pub redelivered: Vec<bool>,
    /// Which may be stored twice; empty: none.
    pub maybe_twice: Vec<bool>,
    /// Arrival, milliseconds since 1970.
    pub arrival_ms: i64,
    /// Every record before this one had been acknowledged, as the broker had confirmed.
    pub acked: Option<Seq>,
}

/// Reads the frames of a folder from a sequence on.
pub struct Lots {
    dir: PathBuf,
    next: Seq,
    /// The segment being read, and where its next frame begins.
    at: Option<(Seq, u64)>,
    scan: Option<Scan>,
    decoder: Decoder,
    unreadable: Vec<String>,
}

impl Lots {
    /// A reader of the records from `next` on.
    ///
    /// # Errors
    /// When zstd fails.
    pub fn new(dir: &Path, next: Seq) -> Result<Self> {
        let (dir, decoder) = (dir.to_owned(), Decoder::new()?);
        Ok(Self { dir, next, at: None, scan: None, decoder, unreadable: Vec::new() })
    }

    /// The sequence behind the last record read.
    pub fn next(&self) -> Seq {
        self.next
    }

    /// What could not be read so far: where, and why. It was passed over.
    pub fn take_unreadable(&mut self) -> Vec<String> {
        std::mem::take(&mut self.unreadable)
    }

    /// The next frame; `None` when there is none now. It may begin before the record that is next.
    ///
    /// # Errors
    /// When a file cannot be read or is of a newer version.
    pub fn read(&mut self) -> Result<Option<Lot>> {
        loop {
            let Some((segment, offset)) = self.place()? else { return Ok(None) };
            let scan = match &mut self.scan {
                Some(scan) => scan,
                none => none.insert(Scan::open(&self.dir, segment, offset)?),
            };
            match scan.next()? {
                Some(Found::Frame { place, header, body }) => {
                    self.at = Some((segment, place.offset + place.len));
                    if header.end() <= self.next {
                        continue;
                    }
                    if header.lost {
                        let lost = format!(
                            "messages {} to {} are lost",
                            header.first.max(self.next),
                            header.end() - 1
                        );
                        self.unreadable.push(format!("{}: {lost}", self.dir.display()));
                    }
                    if header.first > self.next {
                        let lost =
                            format!("messages {} to {} are lost", self.next, header.first - 1);
                        self.unreadable.push(format!("{}: {lost}", self.dir.display()));
                    }
                    self.next = header.end();
                    return match self.decoder.decode(&header, &body, place) {
                        Ok(mut frame) => {
                            frame.decrypt(key());
                            Ok(Some(lot(*header, frame)))
                        }
                        Err(e) => Err(e),
                    };
                }
                Some(Found::Bad(bad)) => {
                    self.at = Some((segment, bad.offset + bad.bytes));
                    let file = segment::path(&self.dir, segment);
                    let what = format!("{} bytes unreadable: {}", bad.bytes, bad.reason);
                    self.unreadable.push(format!(
                        "{} offset {}: {what}",
                        file.display(),
                        bad.offset
                    ));
                }
                // Of a frame that is being written; the next look sees it whole.
                Some(Found::Torn(_)) => {
                    self.scan = None;
                    return Ok(None);
                }
                None => {
                    self.scan = None;
                    let file = segment::path(&self.dir, segment);
                    // Looked at before it was as it is now.
                    if file.metadata().is_ok_and(|now| now.len() > offset) {
                        continue;
                    }
                    match self.behind(segment)? {
                        Some(later) => self.at = Some((later, 0)),
                        None => return Ok(None),
                    }
                }
            }
        }
    }

    /// Where the next frame is looked for.
    fn place(&mut self) -> Result<Option<(Seq, u64)>> {
        if self.at.is_none() {
            let all = segments::list(&self.dir)?;
            let holds = all.partition_point(|first| *first <= self.next).saturating_sub(1);
            self.at = all.get(holds).map(|first| (*first, 0));
        }
        Ok(self.at)
    }

    /// The segment behind that one. It is written to once that one is complete.
    fn behind(&self, segment: Seq) -> Result<Option<Seq>> {
        Ok(segments::list(&self.dir)?.into_iter().find(|first| *first > segment))
    }
}

fn lot(header: Header, frame: Frame) -> Lot {
    let Header { redelivered, maybe_twice, arrival_ms, acked, .. } = header;
    Lot { frame, redelivered, maybe_twice, arrival_ms, acked }
}
