//! Limits are measured at every level.

use kernels::limits::{int8_ops_per_s, read_bytes_per_s};
use kernels::{Level, Pool};

#[test]
fn limits_are_speeds() {
    let pool = Pool::new(2).expect("a thread");
    let memory = vec![1; (1 << 20) + 100];
    for level in Level::available() {
        assert!(int8_ops_per_s(level, &pool) > 1e6, "{}", level.name());
        let read = read_bytes_per_s(&memory, level, &pool);
        assert!(read > 1e6 && read.is_finite(), "{}", level.name());
    }
}
