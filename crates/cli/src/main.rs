//! The `ingle` program.
fn main() {}
