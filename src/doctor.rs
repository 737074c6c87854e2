//! Whether a producer, its tables, a target and a broker are as a stream needs them that can be
//! trusted and taken back.
//!
//! Each question is a [`Check`] with an answer of its own. What could not be asked is *not checked*,
//! never well.

use crate::error::Words;

pub mod broker;
mod check;
mod producer;
pub mod sample;
pub mod sync;
pub mod tables;
pub mod target;

pub use check::{Check, Part, State, count};

/// The checks of a part that could not be asked, each by its name, and why.
pub fn not_checked(part: Part, why: &Words) -> Vec<Check> {
    let names: &[&str] = match part {
        Part::Producer => &producer::NAMES,
        Part::Tables => &tables::NAMES,
        Part::Target => &target::NAMES,
        Part::Broker => &broker::NAMES,
    };
    check::not_checked(part, names, why)
}
