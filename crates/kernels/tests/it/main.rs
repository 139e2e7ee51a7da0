//! Every kernel at every level this CPU has, against oracles that know nothing of kernels.

mod matmul;
mod pool;
mod random;
