//! How long to wait before another try of what may pass by itself.

use std::time::Duration;

/// The pause before try number `failures` + 1: doubled each time up to `longest`, and not the same
/// in every process, so that a restarted server is not met by all at once.
pub fn pause(failures: u32, longest: Duration) -> Duration {
    let most = Duration::from_millis(250 << failures.min(10)).min(longest);
    most.mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_half_a_minute() {
        for failures in 0..100 {
            let longest = (0.25 * f64::from(1 << failures.min(10))).min(30.0);
            let pause = pause(failures, Duration::from_secs(30)).as_secs_f64();
            assert!((longest / 2.0..=longest).contains(&pause), "{failures}: {pause}");
        }
    }
}
