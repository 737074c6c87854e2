//! binsync records MySQL row changes published by Maxwell and replays them.
//!
//! The way of the data is the way of the folders: `source` (RabbitMQ, files) → `spool` (segments
//! and their index) → `plan` (net changes, statements) → `target` (databases). The core
//! (`event`, `filter`, `route`, `plan`, `sql`) is pure: no file, socket, clock or terminal.

pub mod capture;
pub mod cli;
pub mod error;
pub mod event;
pub mod filter;
pub mod plan;
pub mod read;
pub mod replay;
pub mod retry;
pub mod route;
pub mod select;
pub mod source;
pub mod spool;
pub mod sql;
pub mod target;
