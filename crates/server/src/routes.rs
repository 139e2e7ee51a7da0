//! Which path is answered by what, and what it reads: one table, from which the router and `/openapi.json` are made.

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::state::App;

/// The schema of a type.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// Paths with their handlers, and what is written about them.
#[derive(Default)]
pub(crate) struct Routes {
    router: Router<Arc<App>>,
    entries: Vec<Entry>,
}

/// What is written about a method of a path.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) about: About,
}

/// What a handler does, and what it reads.
#[derive(Clone)]
pub(crate) struct About {
    pub(crate) summary: &'static str,
    /// Types that one body is read into.
    pub(crate) bodies: Vec<SchemaOf>,
    /// What stands behind `?`.
    pub(crate) query: Option<SchemaOf>,
    /// What an answer is: the first, or the second if the body asks for a stream.
    pub(crate) answers: Vec<&'static str>,
    /// Fields that an answer in JSON has, if it is an object.
    pub(crate) fields: Fields,
}

/// Names of fields that are always there, and JSON's types of them.
pub(crate) type Fields = &'static [(&'static str, &'static str)];

/// A handler that answers JSON.
pub(crate) fn about(summary: &'static str) -> About {
    About {
        summary,
        bodies: Vec::new(),
        query: None,
        answers: vec!["application/json"],
        fields: &[],
    }
}

impl About {
    /// It reads a body, these fields among others.
    pub(crate) fn body<T: JsonSchema>(mut self) -> Self {
        self.bodies.push(SchemaGenerator::subschema_for::<T>);
        self
    }

    /// It reads what stands behind `?`: the fields of a type, not a reference to it.
    pub(crate) fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(T::json_schema);
        self
    }

    /// It answers with a stream if it is asked for one.
    pub(crate) fn streams(self, content_type: &'static str) -> Self {
        let mut about = self;
        about.answers.push(content_type);
        about
    }

    /// It answers an object with these fields, and perhaps more.
    pub(crate) fn gives(mut self, fields: Fields) -> Self {
        self.fields = fields;
        self
    }

    /// It answers text and the like.
    pub(crate) fn answers(mut self, content_type: &'static str) -> Self {
        self.answers = vec![content_type];
        self
    }
}

impl Routes {
    pub(crate) fn get<H: Handler<T, Arc<App>>, T: 'static>(
        self,
        paths: &[&'static str],
        handler: H,
        about: About,
    ) -> Self {
        self.add("get", MethodFilter::GET, paths, handler, about)
    }

    pub(crate) fn post<H: Handler<T, Arc<App>>, T: 'static>(
        self,
        paths: &[&'static str],
        handler: H,
        about: About,
    ) -> Self {
        self.add("post", MethodFilter::POST, paths, handler, about)
    }

    pub(crate) fn delete<H: Handler<T, Arc<App>>, T: 'static>(
        self,
        paths: &[&'static str],
        handler: H,
        about: About,
    ) -> Self {
        self.add("delete", MethodFilter::DELETE, paths, handler, about)
    }

    pub(crate) fn head<H: Handler<T, Arc<App>>, T: 'static>(
        self,
        paths: &[&'static str],
        handler: H,
        about: About,
    ) -> Self {
        self.add("head", MethodFilter::HEAD, paths, handler, about)
    }

    fn add<H: Handler<T, Arc<App>>, T: 'static>(
        mut self,
        method: &'static str,
        filter: MethodFilter,
        paths: &[&'static str],
        handler: H,
        about: About,
    ) -> Self {
        for path in paths {
            self.router = self.router.route(path, on(filter, handler.clone()));
            self.entries.push(Entry {
                method,
                path,
                about: about.clone(),
            });
        }
        self
    }

    /// Those of both.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.entries.extend(other.entries);
        self
    }

    /// The router, and the table.
    pub(crate) fn into_parts(self) -> (Router<Arc<App>>, Vec<Entry>) {
        (self.router, self.entries)
    }
}
