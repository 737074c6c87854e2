//! Makes damaged files readable without a finding again. Nothing is invented, and nothing thrown
//! away: damaged bytes are copied aside, and where records are lost a frame says how many.
//!
//! Each segment is written anew beside the old one and renamed over it. The last comes first: how
//! far an earlier index knew the spool is known by the index alone, which is deleted before the
//! others and derived again after them. Killed in between, the same call goes on.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::check::Finding;
use super::inboxes::{self, Place};
use super::index::db::{self, Index};
use super::index::fit::Past;
use super::index::home::Home;
use super::index::indexer::Indexer;
use super::index::pruned::Known;
use super::store::files;
use super::store::format::SpoolId;
use super::store::lock::{Lock, Purpose};
use super::store::pruned::{self, Alone, Pruned};
use super::store::recovery;
use super::store::scan::{Found, Scan, Unread};
use super::store::segment::{self, Decoder, sync_dir, tombstone};
use super::store::segments::{self, Segments};
use super::types::Seq;
use crate::error::{Context, Error, Means, Result};

/// What was wrong, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repair {
    /// Bytes that were moved aside, in the order of the stream.
    pub moved: Vec<Finding>,
    /// Messages that are lost, and now known to be.
    pub lost: Vec<Range<Seq>>,
    /// Messages of queues that are lost before they were merged.
    pub unmerged: Vec<(String, Range<Seq>)>,
    /// Queues whose inbox ended in damaged bytes: nothing tells how many messages they were.
    pub ends: Vec<String>,
}

/// What a segment is to consist of.
#[derive(Default)]
struct Plan {
    pieces: Vec<Piece>,
    bad: Vec<Unread>,
}

enum Piece {
    /// Bytes that stay: offset and length.
    Kept(u64, u64),
    /// Records that are not there.
    Lost(Range<Seq>),
}

/// Repairs a spool.
///
/// # Errors
/// When there is none, a writer is alive, or a file cannot be read or written.
pub fn repair(dir: &Path, dry_run: bool) -> Result<Repair> {
    let held = match dry_run {
        true => None,
        false => Some((Lock::take(dir, Purpose::Write)?, Alone::take(dir)?)),
    };
    let mut done = Repair::default();
    let pruned = begin(dir, dry_run, &mut done)?;
    let spool = recovery::spool_id(dir)?.ok_or_else(|| {
        Error::usage(format!("{}: no frame of it can be read", dir.display()))
            .help("bring it back from a backup; " + Means::Spool + " names it")
    })?;
    let begin = pruned.as_ref().map_or(1, |pruned| pruned.segment);
    let (mut plans, next) = look(dir, spool, begin)?;
    let past = match Index::open_read(dir) {
        Ok(Some(index)) => Past::of(&index).unwrap_or_default(),
        _ => Past::default(),
    };
    let known = past.next.max(pruned.as_ref().map_or(0, |pruned| pruned.next));
    if next < known {
        let last = plans.keys().next_back().copied();
        let whole = last.filter(|last| plans.get(last).is_some_and(|p| !p.pieces.is_empty()));
        let plan = plans.entry(whole.unwrap_or(next)).or_default();
        plan.pieces.push(Piece::Lost(next..known));
    }
    for (segment, plan) in &plans {
        plan.tell(segment::name(*segment), &mut done.moved);
        done.lost.extend(plan.lost());
    }
    if held.is_none() {
        repair_inboxes(dir, &inboxes::known(dir)?, true, &mut done)?;
        return Ok(done);
    }
    let mut index = true;
    for (segment, plan) in plans.iter().rev().filter(|(_, plan)| plan.is_needed()) {
        rewrite(dir, *segment, spool, plan)?;
        if std::mem::take(&mut index) {
            db::delete(dir)?;
            sync_dir(dir)?;
        }
    }
    remove_copies(dir)?;
    let mut indexer = Indexer::anew(&Home::new(dir))?;
    indexer.catch_up(spool, Seq::MAX)?;
    // How far they are merged is known now, whatever the index was.
    let inboxes = inboxes::all(dir, &indexer.index().merged()?)?;
    repair_inboxes(dir, &inboxes, false, &mut done)?;
    drop(held);
    Ok(done)
}

/// Repairs the inboxes; a message that was merged is not lost with them.
fn repair_inboxes(dir: &Path, all: &[Place], dry_run: bool, done: &mut Repair) -> Result<()> {
    for Place { queue, dir: inbox, merged } in all {
        // Where no frame can be read there is none to be held against it.
        let id = recovery::spool_id(inbox)?.unwrap_or(SpoolId([0; 16]));
        let first = segments::list(inbox)?.first().copied().unwrap_or(*merged);
        let (plans, _) = look(inbox, id, first.min(*merged))?;
        let folder = inbox.strip_prefix(dir).unwrap_or(inbox).display();
        for (segment, plan) in plans.iter().filter(|(_, plan)| plan.is_needed()) {
            plan.tell(format!("{folder}/{}", segment::name(*segment)), &mut done.moved);
            let lost = plan.lost().map(|range| range.start.max(*merged)..range.end);
            let lost = lost.filter(|range| !range.is_empty());
            done.unmerged.extend(lost.map(|range| (queue.clone(), range)));
            if plan.ends_damaged() && plans.keys().next_back() == Some(segment) {
                done.ends.push(queue.clone());
            }
            if !dry_run {
                rewrite(inbox, *segment, id, plan)?;
            }
        }
        if !dry_run {
            remove_copies(inbox)?;
        }
    }
    Ok(())
}

impl Plan {
    fn is_needed(&self) -> bool {
        !self.bad.is_empty() || self.pieces.iter().any(|piece| matches!(piece, Piece::Lost(_)))
    }

    /// True when what comes last is damaged.
    fn ends_damaged(&self) -> bool {
        let kept = self.pieces.iter().filter_map(|piece| match piece {
            Piece::Kept(offset, _) => Some(*offset),
            Piece::Lost(_) => None,
        });
        self.bad.last().map(|bad| bad.offset) > kept.max()
    }

    /// Names what is damaged in its file.
    fn tell(&self, file: String, moved: &mut Vec<Finding>) {
        moved.extend(self.bad.iter().map(|bad| Finding {
            file: file.clone(),
            offset: bad.offset,
            what: format!("{} ({} bytes)", bad.reason, bad.bytes),
        }));
    }

    /// The records that are not there.
    fn lost(&self) -> impl Iterator<Item = Range<Seq>> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Lost(range) => Some(range.clone()),
            Piece::Kept(..) => None,
        })
    }
}

/// What was pruned. Where that cannot be read it is moved aside: it counts as lost then.
fn begin(dir: &Path, dry_run: bool, done: &mut Repair) -> Result<Option<Pruned>> {
    let read = || -> Result<Option<Pruned>> {
        let pruned = pruned::pruned(dir)?;
        pruned.as_ref().map(|_| Known::read(dir)).transpose()?;
        Ok(pruned)
    };
    match read() {
        Ok(pruned) => Ok(pruned),
        Err(e) => {
            let (path, what) = (pruned::path(dir), e.message().plain());
            done.moved.push(Finding { file: "pruned/begin.zst".into(), offset: 0, what });
            if !dry_run {
                fs::rename(&path, aside(&path)).context(path.display())?;
                path.parent().map_or(Ok(()), sync_dir)?;
            }
            Ok(None)
        }
    }
}

/// What each segment from a record on is to consist of, those that are gone too; and the sequence
/// behind the last.
fn look(dir: &Path, spool: SpoolId, mut next: Seq) -> Result<(BTreeMap<Seq, Plan>, Seq)> {
    let mut plans: BTreeMap<Seq, Plan> = BTreeMap::new();
    let segments = Segments::of(dir)?;
    let mut all = segments.all();
    all.retain(|first| *first >= next);
    for segment in all {
        if segment > next {
            plans.entry(next).or_default().pieces.push(Piece::Lost(next..segment));
            next = segment;
        }
        // What is in the archive alone was whole when it was copied, and is none of a repair's.
        if let Some(copied) = segments.copied(segment) {
            next = copied.end;
            continue;
        }
        let plan = look_at(dir, segment, spool, &mut next)?;
        plans.insert(segment, plan);
    }
    Ok((plans, next))
}

fn look_at(dir: &Path, segment: Seq, spool: SpoolId, next: &mut Seq) -> Result<Plan> {
    let (mut plan, mut decoder) = (Plan::default(), Decoder::new()?);
    let mut scan = Scan::open(dir, segment, 0)?;
    while let Some(found) = scan.next()? {
        let (place, header, body) = match found {
            Found::Frame { place, header, body } => (place, header, body),
            Found::Bad(bad) | Found::Torn(bad) => {
                plan.bad.push(bad);
                continue;
            }
        };
        if header.spool != spool {
            return Err(Error::failed(format!("{place}: belongs to another spool"))
                .help("move that file out of the spool's directory"));
        }
        let wrong = match decoder.decode(&header, &body, place) {
            Err(e) => Some(e.message().plain()),
            Ok(_) => (header.first < *next)
                .then(|| format!("record {} comes a second time", header.first)),
        };
        if let Some(reason) = wrong {
            plan.bad.push(Unread { offset: place.offset, bytes: place.len, reason });
            continue;
        }
        if header.first > *next {
            plan.pieces.push(Piece::Lost(*next..header.first));
        }
        plan.pieces.push(Piece::Kept(place.offset, place.len));
        *next = header.end();
    }
    Ok(plan)
}

/// Writes a segment as it is to be, what is damaged being safe beside it.
fn rewrite(dir: &Path, segment: Seq, spool: SpoolId, plan: &Plan) -> Result<()> {
    let path = segment::path(dir, segment);
    for bad in &plan.bad {
        recovery::copy(&path, bad.offset, bad.bytes, &aside(&path))?;
    }
    sync_dir(dir)?;
    if plan.pieces.is_empty() {
        fs::remove_file(&path).context(path.display())?;
        return sync_dir(dir);
    }
    let temp = dir.join(format!("{}.new", segment::name(segment)));
    let mut new = files::make(&temp)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as i64);
    let mut bytes = Vec::new();
    for piece in &plan.pieces {
        match piece {
            Piece::Kept(offset, len) => {
                bytes.resize(*len as usize, 0);
                let old = files::read(&path)?;
                old.read_exact_at(&mut bytes, *offset).context(path.display())?;
            }
            Piece::Lost(range) => bytes = tombstone(spool, now, range, true)?,
        }
        new.write_all(&bytes).context(temp.display())?;
    }
    new.sync_all().context(temp.display())?;
    fs::rename(&temp, &path).context(path.display())?;
    sync_dir(dir)
}

/// A name beside a file that nothing has yet.
fn aside(path: &Path) -> PathBuf {
    let name = |n: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(if n == 0 { ".bad".to_owned() } else { format!(".bad.{n}") });
        PathBuf::from(name)
    };
    (0..).map(name).find(|name| name.symlink_metadata().is_err()).unwrap_or_else(|| name(0))
}

/// Removes copies that a crash left half made.
fn remove_copies(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir).context(dir.display())? {
        let path = entry.context(dir.display())?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.ends_with(".zst.new") {
            fs::remove_file(&path).context(path.display())?;
        }
    }
    Ok(())
}
