//! `spool ls|verify|reindex|forget|prune|archive|repair`: the spool's files, as a table or as JSON.

use clap::Subcommand;
use serde_json::{Value, json};

use super::output::counted;
use super::stdio::pretty;
use super::{DIFFERS, DONE, Global, line, print};
use crate::error::Result;
use crate::event::printable;
use crate::spool::{self, Spool};

mod archive;
mod forget;
mod listing;
mod prune;
mod repair;

use listing::Listing;

/// What to do with the spool's files.
#[derive(Subcommand)]
pub enum SpoolCommand {
    /// Lists segments, imports, epochs, gaps and damaged messages
    Ls,
    /// Reads every frame and compares it with its checksum and the index; status 3 on findings
    Verify,
    /// Builds the index anew from the segments
    Reindex,
    /// Takes an import out of the spool again
    Forget(forget::ForgetArgs),
    /// Removes the oldest segments, by age or by what may stay
    Prune(prune::PruneArgs),
    /// Copies segments to a folder or an object store, and removes here what is safe there
    Archive(archive::ArchiveArgs),
    /// Makes damaged files readable without a finding again; what is lost stays known
    Repair(repair::RepairArgs),
}

/// Runs `binsync spool …`.
pub fn run(global: &Global, command: SpoolCommand) -> Result<u8> {
    match command {
        SpoolCommand::Ls => list(global),
        SpoolCommand::Verify => verify(global),
        SpoolCommand::Reindex => reindex(global),
        SpoolCommand::Forget(args) => forget::forget(global, &args),
        SpoolCommand::Prune(args) => prune::prune(global, &args),
        SpoolCommand::Archive(args) => archive::archive(global, &args),
        SpoolCommand::Repair(args) => repair::repair(global, &args),
    }
}

fn list(global: &Global) -> Result<u8> {
    let listing = Listing::read(&Spool::open(&global.spool)?)?;
    print(&if global.json { pretty(&listing.json()) } else { listing.text() })?;
    Ok(DONE)
}

fn verify(global: &Global) -> Result<u8> {
    let report = spool::verify(&global.spool)?;
    let findings = &report.findings;
    let text = if global.json {
        let findings: Vec<Value> = findings
            .iter()
            .map(|f| json!({"file": f.file, "offset": f.offset, "what": f.what}))
            .collect();
        pretty(&json!({
            "segments": report.segments, "frames": report.frames, "records": report.records,
            "bytes": report.bytes, "findings": findings,
        }))
    } else {
        let mut text = String::new();
        for f in findings {
            text += &format!("{} offset {}: {}\n", f.file, f.offset, printable(&f.what));
        }
        let read = [
            counted(report.segments, "segment"),
            counted(report.frames, "frame"),
            counted(report.records, "message"),
            counted(report.bytes, "byte"),
        ];
        text + &format!("{}: {}\n", read.join(", "), counted(findings.len() as u64, "finding"))
    };
    print(&text)?;
    Ok(if findings.is_empty() { DONE } else { DIFFERS })
}

fn reindex(global: &Global) -> Result<u8> {
    let recovery = spool::reindex(&global.spool)?;
    let indexed = counted(recovery.caught_up, "message");
    if global.json {
        let bad = recovery.bad_frames.len();
        print(&pretty(&json!({"records": recovery.caught_up, "bad_frames": bad})))?;
    } else if !global.quiet {
        line(&format!("indexed {indexed} in {}", global.spool.display()));
    }
    for bad in &recovery.bad_frames {
        line(&printable(&bad.to_string()));
    }
    Ok(if recovery.bad_frames.is_empty() { DONE } else { DIFFERS })
}
