//! Names of requests and replies, and seeds: nobody must guess them, nobody will be hurt who does.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Any number.
pub(crate) fn number() -> u64 {
    KEYS.hash_one(COUNT.fetch_add(1, Ordering::Relaxed))
}

/// `prefix` and 24 hexadecimal digits.
pub(crate) fn new(prefix: &str) -> String {
    format!("{prefix}{:016x}{:08x}", number(), number() >> 32)
}

/// Seconds since 1970.
pub(crate) fn unix_time() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
