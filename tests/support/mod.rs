//! The harness: real servers, the tool as a black box, recordings, and the database as the oracle.

pub mod amqp;
pub mod broker;
pub mod certificates;
pub mod chain;
pub mod cli;
mod client;
pub mod content;
pub mod dump;
pub mod folder;
pub mod maxwell;
pub mod progress;
pub mod proxy;
pub mod recordings;
pub mod reference;
pub mod running;
pub mod s3;
pub mod servers;
pub mod stream;
pub mod trace;
mod watchdog;
pub mod workload;

pub use amqp::{Queue, amqp_tls, amqp_url, broker, broker_of, manage, management};
pub use cli::{Run, Spool, binsync};
pub use dump::{assert_rows_equal, assert_same_dump, rows_only};
pub use proxy::Proxy;
pub use recordings::{read, recording, spool_frames, temp_dir, write};
pub use running::Running;
pub use servers::{Fresh, Kind, Kind::MariaDb, Kind::MySql, Server, fresh, source};
