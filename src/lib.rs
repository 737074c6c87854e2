//! binsync records MySQL row changes published by Maxwell and replays them.
//!
//! The way of the data is the way of the folders: `source` (RabbitMQ, files) → `spool` (segments
//! and their index) → `plan` (net changes, statements) → `dest` (databases). The core
//! (`event`, `filter`, `route`, `plan`, `sql`) is pure: no file, socket, clock or terminal.
//!
//! # Words
//!
//! Stored:
//! - **record**: a message as it came. **Sequence** ([`spool::Seq`]): its number in the spool.
//! - **frame**: records that became durable together, compressed. **Segment**: a file of frames.
//! - **zone**: what a frame, or a segment, holds in bounds and sums ([`spool::Zone`]).
//! - **epoch**: a stretch of the stream over which binlog files are numbered by one server.
//! - **landmark**: the record before a place, by which that place is known again.
//! - **re-send**: a message that the producer sent a second time. **Redelivery**: one that the
//!   broker handed out a second time.
//!
//! Chosen:
//! - **cut**: times, positions and numbers of transactions turned into a stretch.
//! - **stretch**: a run of the stream, from and up to a transaction's end, as sequences.
//! - **selection**: a stretch, and the filter that says which events of it.
//! - **loss**: what a reverse cannot take back.
//!
//! Applied:
//! - **change**: an event bound to the table it meets. **Net**: what all changes of a row come to.
//! - **window**: whole source transactions that are planned together; the target is consistent
//!   behind it. **Part**: what is planned together of a whole selection's net effect.
//! - **phase**: changes of a window whose order among each other is free; there are three.
//! - **chunk**: changes of one phase that are one target transaction.
//! - **lane**: a connection that writes chunks beside others.
//! - **taker**: what takes planned windows, one after the other: a database, a look at one, a script.
//! - **catalog**: what a database has, asked only. **Ledger**: its progress, and what moves it.
//! - **claim**: the run's hold on its row in the target's progress. **Point**: where a run stands.
//! - **standing**: what the target knows of a run: its point, and a window that was begun.
//!
//! Rendered:
//! - **part**: what is a file of its own, or all of a script. **Sheet**: its text until it is handed
//!   over. **Piece**: a text on its way to the sink.

pub mod archive;
pub mod binlog;
pub mod capture;
pub mod cli;
pub mod compare;
pub mod config;
pub mod dest;
pub mod doctor;
pub mod error;
pub mod event;
pub mod filter;
pub mod mysql;
pub mod plan;
pub mod read;
pub mod replay;
pub mod retry;
pub mod route;
pub mod select;
pub mod source;
pub mod spool;
pub mod sql;
