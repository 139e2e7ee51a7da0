//! Grammars, followed by a model that knows nothing: what it writes is what was asked for all the same.

#![allow(missing_docs, reason = "tests")]

mod gbnf;
mod hostile;
mod kinds;
mod schemas;
mod support;
mod validator;
mod walk;
