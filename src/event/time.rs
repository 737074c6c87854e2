//! Instants as text.

use jiff::Timestamp;

/// Seconds since 1970 in UTC, as `2024-01-01T10:00:00Z`.
pub fn utc(seconds: i64) -> String {
    match Timestamp::from_second(seconds) {
        Ok(time) => time.to_string(),
        Err(_) => format!("{seconds} seconds since 1970"),
    }
}
