//! References inside of a schema, and the places they may point to.

use std::collections::BTreeSet;

use serde_json::Value;

use super::end::endless;
use super::{expected, refused};
use crate::grammar::GrammarError;

/// Places of schemas, and references that must be among them.
#[derive(Default)]
pub(super) struct Refs {
    places: BTreeSet<String>,
    /// Where each is, and where it points to.
    wanted: Vec<(String, String)>,
}

impl Refs {
    /// A schema is at `at`.
    pub(super) fn seen(&mut self, at: &str) {
        self.places.insert(at.to_owned());
    }

    /// A `$ref` is at `at`.
    pub(super) fn reference(&mut self, value: &Value, at: &str) -> Result<Value, GrammarError> {
        let target = value.as_str().filter(|target| target.starts_with('#'));
        let target = target
            .ok_or_else(|| expected(at, "a reference inside of this schema (`#/…`)", value))?;
        self.wanted.push((at.to_owned(), target.to_owned()));
        Ok(value.clone())
    }

    /// Refuses references to what is no schema, or has been read as something else, and recursion without end.
    /// `root` is the schema as it has been rewritten.
    pub(super) fn check(&self, root: &Value) -> Result<(), GrammarError> {
        for (at, target) in &self.wanted {
            if !self.places.contains(target) {
                return Err(refused(
                    at,
                    &format!("expected a schema at `{target}`, found none"),
                ));
            }
        }
        let targets: Vec<&str> = self
            .wanted
            .iter()
            .map(|(_, target)| target.as_str())
            .collect();
        match endless(root, &targets) {
            Some(at) => Err(refused(at, "no finite value: it always needs itself again")),
            None => Ok(()),
        }
    }
}

/// Goes down to member `name` (RFC 6901).
pub(super) fn push(at: &mut String, name: &str) {
    at.push('/');
    at.push_str(&name.replace('~', "~0").replace('/', "~1"));
}
