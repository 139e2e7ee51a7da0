//! Every kernel at every level this CPU has, against oracles that know nothing of kernels.

mod attention;
mod elementwise;
mod matmul;
mod norm;
mod pool;
mod random;
mod rope;
