//! The forward pass against an f64 oracle, for every weight type, and the promise of the same bits.

mod blocks;
mod configs;
mod families;
mod folders;
mod further;
mod fused;
mod goldens;
mod invariance;
mod placement;
mod quantized;
mod roles;
mod run;
mod states;
mod taps;
