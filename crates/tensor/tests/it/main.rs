//! The one integration test binary: fixtures of `golden/quant`, and properties of every type.

mod golden;
mod properties;
mod random;
