//! The engine over a backend that stands for a model, and over small real ones.

mod fake;
mod requests;
mod same_bits;
mod simulation;
