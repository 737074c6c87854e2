//! In what pieces a stretch is gone through.

use super::job::{Job, Mode, Report};
use super::preflight::Left;
use super::reader::Limits;
use crate::dest::Window;
use crate::error::Result;
use crate::event::Direction;
use crate::spool::Spool;

/// A part is made of about so many bytes of messages, or of a window's messages if that is less …
const PART_BYTES: u64 = 16 << 20;
/// … in at most so many files.
const MOST_PARTS: u64 = 256;

/// A window is cut after so many bytes of messages at the latest.
const WINDOW_BYTES: usize = 32 << 20;
/// A chunk is this part of a window, …
const CHUNKS: usize = 64;
/// … and has at most so many row changes.
const CHUNK_ROWS: usize = 1000;
/// A window that is known to be of bounded size.
const ALL: Limits = Limits { rows: usize::MAX, bytes: usize::MAX };

/// What a window is planned for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::replay) enum Planning {
    /// To be written as what it comes to.
    Fold,
    /// To be written as it is.
    InOrder,
    /// The rows of the whole stretch are looked at.
    Look,
}

/// What is still to be done, and in what pieces.
pub(in crate::replay) struct Course<'s> {
    pub(super) left: Left<'s>,
    pub(super) planning: Planning,
    /// In how many parts the whole is folded; 1: it is not, or fits into memory.
    pub(super) parts: u32,
    /// How many row changes a chunk has at most.
    pub(super) chunk: u32,
    pub(super) limits: Limits,
}

impl<'s> Course<'s> {
    /// Cuts what is left for so many lanes; a window that was `begun` is gone through as it was cut.
    /// A net effect that is not the same as the changes one by one is announced.
    ///
    /// # Errors
    /// When the spool cannot be asked.
    pub(in crate::replay) fn new(
        spool: &Spool,
        job: &Job<'_>,
        left: Left<'s>,
        (begun, lanes): (Option<Window>, usize),
        looks: bool,
        report: &mut dyn FnMut(Report),
    ) -> Result<Self> {
        let serial = job.how.mode == Mode::Serial;
        let folds_all = looks || job.how.mode == Mode::Net;
        let parts = match begun {
            Some(window) => window.parts,
            None if folds_all => parts(spool, job, &left)?,
            None => 1,
        };
        // A limited rate is kept within seconds, and no connection is idle for longer.
        let a_second = job.how.most_rows.map_or(usize::MAX, |rows| rows as usize);
        let window = job.how.window.min(a_second.saturating_mul(20));
        let chunk = window.div_ceil(CHUNKS).min(CHUNK_ROWS).min(a_second) as u32;
        // A window that is written in one transaction is a quarter as large.
        let whole = Limits { rows: window, bytes: WINDOW_BYTES };
        let quarter = Limits { rows: whole.rows.div_ceil(4), bytes: WINDOW_BYTES / 4 };
        let limits = match begun.is_some() || folds_all {
            true if parts > 1 => quarter,
            true => ALL,
            false if serial => Limits { rows: 1, ..quarter },
            false if lanes > 1 => whole,
            false => quarter,
        };
        let planning = match begun {
            _ if looks => Planning::Look,
            None if serial => Planning::InOrder,
            _ => Planning::Fold,
        };
        let chunk = begun.map_or(chunk, |window| window.chunk);
        if begun.is_none() && lanes > 0 && !looks && job.how.mode == Mode::Net {
            report(Report::Note(announcement(job.run.direction, parts).into()));
        }
        Ok(Self { left, planning, parts, chunk, limits })
    }
}

/// Where a net effect would not be the same as the changes one by one, said before it begins.
fn announcement(direction: Direction, parts: u32) -> String {
    let way = if direction.is_reverse() { ", backwards" } else { "" };
    let s = if parts == 1 { "" } else { "s" };
    format!(
        "net effect of the whole selection{way}, folded in {parts} part{s}: the target is \
         consistent only at the end"
    )
}

/// How many parts a stretch of so many messages is folded in.
///
/// # Errors
/// When the spool cannot be asked.
fn parts(spool: &Spool, job: &Job<'_>, left: &Left<'_>) -> Result<u32> {
    let messages = match job.selection.filter.is_choosy_by_index() {
        true => left.rows.values().map(|rows| rows.counts.rows()).sum(),
        false => left.range.end - left.range.start,
    };
    let (records, raw) = spool.size()?;
    let bytes = u128::from(messages) * u128::from(raw) / u128::from(records.max(1));
    let parts = (bytes as u64).div_ceil(PART_BYTES).max(messages.div_ceil(job.how.window as u64));
    Ok(parts.clamp(1, MOST_PARTS) as u32)
}
