//! Every kernel at every level this CPU has, against oracles that know nothing of kernels.

mod attention;
mod elementwise;
mod levels;
mod matmul;
mod norm;
// No threads there, and a panic ends the program.
#[cfg(not(target_family = "wasm"))]
mod pool;
mod random;
mod rope;
