//! What the records say, one after the other: which are sent again, which make one transaction,
//! where something is missing. Pure: what is stored already is asked through
//! [`resend::Stored`].

pub(crate) mod grouping;
pub(crate) mod notes;
pub(crate) mod packed;
pub(crate) mod resend;
pub(crate) mod tables;
pub(crate) mod tracker;
