//! Every kernel at every level this CPU has, against oracles that know nothing of kernels.

mod activation;
mod attention;
mod elementwise;
mod levels;
// No threads there.
#[cfg(not(target_family = "wasm"))]
mod limits;
mod matmul;
mod norm;
// Its own tests: it needs nothing of the crate, whose library is not built for tests.
#[path = "../../src/lines.rs"]
mod lines;
#[path = "../../src/pace.rs"]
mod pace;
// No threads there, and a panic ends the program.
#[cfg(not(target_family = "wasm"))]
mod pool;
mod random;
mod recurrence;
mod rope;
