//! Which levels are to give equal bits.

use kernels::Level;

/// Levels with bits of their own: the scalar one, and those without a fused multiply-add.
pub(crate) fn references() -> impl Iterator<Item = Level> {
    Level::available().filter(|level| level.reference() == *level)
}

/// Levels that must give the bits of `reference`, itself included.
pub(crate) fn same_as(reference: Level) -> impl Iterator<Item = Level> {
    Level::available().filter(move |level| level.reference() == reference)
}

/// The best of them.
pub(crate) fn best_as(reference: Level) -> Level {
    same_as(reference).last().unwrap_or(reference)
}

#[test]
fn every_level_is_compared_with_something() {
    let count: usize = references().map(|level| same_as(level).count()).sum();
    assert_eq!(count, Level::available().count());
    assert!(references().any(|level| level == Level::Scalar));
}
