//! The whole suite, black box: every promise of the README is shown on real servers, through the command line.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub,
    reason = "a failing unwrap is a failing test; the harness is shared with the benchmark"
)]

#[path = "bench/generator/mod.rs"]
mod generator;
mod harness;
mod support;

mod archive;
mod as_of;
mod bad_messages;
mod binlogs;
mod capture;
mod capture_tls;
mod comparing;
mod conflicts;
mod conversion;
mod crash;
mod damaged;
mod dealing;
mod declare;
mod demo;
mod differential;
mod docs;
mod doctor;
mod encrypted;
mod errors;
mod first_copy;
mod flashback;
mod follow;
mod golden;
mod irreversible;
mod kills;
mod layers;
mod limits;
mod looking;
mod metrics;
mod net_effect;
mod other_kind;
mod other_spool;
mod outputs;
mod own_rows;
mod package;
mod plain;
mod policies;
mod powerloss;
mod pruned;
mod reading;
mod recordings;
mod refusals;
mod render;
mod render_files;
mod render_modes;
mod rights;
mod routing;
mod sealing;
mod searching;
mod seeding;
mod selection;
mod several;
mod spool_damage;
mod spool_hostile;
mod sqlite;
mod statements;
mod status;
mod strangers;
mod switches;
mod syncs;
mod terminal;
mod tls;
mod traps;
mod units;
mod until;
mod usage;
mod values;
mod waiting;
mod wrong_files;
