//! Times of day as RFC 3339 has them, in UTC.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// Now.
pub(crate) fn now() -> String {
    text(clock())
}

/// The time so long from now.
pub(crate) fn after(wait: Duration) -> String {
    let wait = TimeDelta::from_std(wait).ok();
    let time = wait.and_then(|wait| clock().checked_add_signed(wait));
    text(time.unwrap_or(DateTime::<Utc>::MAX_UTC))
}

/// So many seconds after 1970.
pub(crate) fn seconds(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).ok();
    let time = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    text(time.unwrap_or(DateTime::<Utc>::MAX_UTC))
}

/// [`Utc::now`] panics where the clock is before 1970.
fn clock() -> DateTime<Utc> {
    SystemTime::now().into()
}

/// With nanoseconds, as programs in Go write it.
fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Nanos, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_nanoseconds_and_bounds() {
        assert_eq!(seconds(1_709_210_096), "2024-02-29T12:34:56.000000000Z");
        for text in [seconds(u64::MAX), after(Duration::MAX)] {
            assert_eq!(text, "+262142-12-31T23:59:59.999999999Z");
        }
        assert!(now() < after(Duration::from_secs(1)));
    }
}
