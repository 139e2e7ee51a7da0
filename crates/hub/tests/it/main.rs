//! The crate from outside, against a local server that speaks the hub's protocol.
