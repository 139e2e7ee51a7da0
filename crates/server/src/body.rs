//! A request's body: JSON, read into the types that a handler asks for, with the name of whatever is wrong.
//!
//! Several types may be read from one object: each takes the fields it knows. A field that none of them knows is
//! not an error, since clients send what other servers know; it is named in the header `X-Ingle-Ignored`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::{ApiError, Kind, Outcome};
use crate::state::App;

/// Names the fields that nothing was done with.
pub(crate) const IGNORED: HeaderName = HeaderName::from_static("x-ingle-ignored");

/// Names that the header has room for.
const MAX_NAMED: usize = 32;

/// The object that a body is. `null` is the same as nothing.
pub(crate) struct Body {
    object: Value,
    /// Paths that no type has known so far; none before the first.
    unknown: Option<BTreeSet<String>>,
    ignored: Ignored,
}

/// Where a request's unknown fields are noted until there is a response.
#[derive(Clone, Default)]
pub(crate) struct Ignored(Arc<Mutex<BTreeSet<String>>>);

impl FromRequest<Arc<App>> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Outcome<Self> {
        let ignored = request.extensions().get::<Ignored>().cloned();
        let bytes = bytes(request, app).await?;
        Self::parse(&bytes, ignored.unwrap_or_default())
    }
}

/// A body that may be left out, which is the same as an empty object.
pub(crate) struct MaybeBody(pub(crate) Body);

impl FromRequest<Arc<App>> for MaybeBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Outcome<Self> {
        let ignored = request.extensions().get::<Ignored>().cloned();
        let bytes = bytes(request, app).await?;
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        Ok(Self(Body::parse(text, ignored.unwrap_or_default())?))
    }
}

/// The whole body.
///
/// # Errors
/// If it is too long, or does not come.
pub(crate) async fn bytes(request: Request, app: &App) -> Outcome<Bytes> {
    let max = app.options.max_body;
    let body = Limited::new(request.into_body(), max);
    let collected = tokio::time::timeout(app.options.patience, body.collect()).await;
    let Ok(collected) = collected else {
        let error = ApiError::new(Kind::Invalid, "the request's body did not come in time");
        return Err(error.with_status(axum::http::StatusCode::REQUEST_TIMEOUT));
    };
    match collected {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(ApiError::new(
            Kind::TooLarge,
            format!("the request's body is longer than {max} bytes"),
        )),
        Err(error) => Err(ApiError::new(
            Kind::Invalid,
            format!("the request's body: {error}"),
        )),
    }
}

impl Body {
    fn parse(bytes: &[u8], ignored: Ignored) -> Outcome<Self> {
        // Nesting has a bound in serde_json: 128.
        let value: Value = serde_json::from_slice(bytes).map_err(|error| {
            ApiError::new(
                Kind::Invalid,
                format!("the request's body is not JSON: {error}"),
            )
            .code("invalid_json")
        })?;
        if !value.is_object() {
            let message = "the request's body: expected a JSON object";
            return Err(ApiError::new(Kind::Invalid, message).code("invalid_json"));
        }
        Ok(Self {
            object: value,
            unknown: None,
            ignored,
        })
    }

    /// The fields that `T` knows.
    ///
    /// # Errors
    /// With the path of the field that is not as it should be.
    pub(crate) fn read<T: for<'de> Deserialize<'de>>(&mut self) -> Outcome<T> {
        let mut unknown = BTreeSet::new();
        let mut note = |path: serde_ignored::Path<'_>| {
            // What is optional has a `?` of its own there.
            unknown.insert(path.to_string().replace(".?", ""));
        };
        let fields = serde_ignored::Deserializer::new(&self.object, &mut note);
        let value = serde_path_to_error::deserialize(fields).map_err(|error| {
            let (path, inner) = (error.path().to_string(), error.inner().to_string());
            match (path.as_str(), missing(&inner)) {
                (".", Some(name)) => ApiError::field(name, format!("`{name}` is missing")),
                (_, Some(name)) => {
                    let path = format!("{path}.{name}");
                    let message = format!("`{path}` is missing");
                    ApiError::field(path, message)
                }
                (".", None) => ApiError::new(Kind::Invalid, inner),
                (_, None) => {
                    let message = format!("`{path}`: {inner}");
                    ApiError::field(path, message)
                }
            }
        })?;
        self.unknown = Some(match self.unknown.take() {
            None => unknown,
            Some(before) => both(&before, &unknown),
        });
        Ok(value)
    }

    /// The object itself.
    pub(crate) fn object(&self) -> &Map<String, Value> {
        self.object.as_object().expect("checked when it was read")
    }

    /// Fields that are known, and whose values would ask for what there is not. `null`, and what `allows` allows, are
    /// nothing.
    ///
    /// # Errors
    /// The first of them.
    pub(crate) fn refuse(
        &mut self,
        names: &[&str],
        allows: impl Fn(&str, &Value) -> bool,
    ) -> Outcome<()> {
        for name in names {
            if let Some(value) = self.object().get(*name)
                && !value.is_null()
                && !allows(name, value)
            {
                return Err(ApiError::unsupported(*name));
            }
            self.known(name);
        }
        Ok(())
    }

    /// Whether no type that was read so far has known it.
    pub(crate) fn is_unknown(&self, name: &str) -> bool {
        self.unknown
            .as_ref()
            .is_some_and(|unknown| unknown.contains(name))
    }

    /// A field that is known, and says nothing that would change the reply.
    pub(crate) fn known(&mut self, name: &str) {
        if let Some(unknown) = &mut self.unknown {
            let under = format!("{name}.");
            unknown.retain(|path| path != name && !path.starts_with(&under));
        }
    }

    /// A field that is known, and that nothing is done with: it is named as if it were not.
    pub(crate) fn ignore(&mut self, name: &str) {
        self.unknown.get_or_insert_default().insert(name.to_owned());
    }

    /// Ends the reading: what nobody knew is noted for the response.
    pub(crate) fn end(self) {
        let null = |path: &str| self.object.get(path).is_some_and(Value::is_null);
        let unknown = self.unknown.unwrap_or_default().into_iter();
        let mut ignored = self
            .ignored
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        ignored.extend(unknown.filter(|path| !null(path)));
    }
}

/// The field that is missing, if that is what serde complains of.
fn missing(error: &str) -> Option<&str> {
    error.strip_prefix("missing field `")?.strip_suffix('`')
}

/// Paths that neither type knew: one may have passed over a field as a whole where the other knew some of it.
fn both(a: &BTreeSet<String>, b: &BTreeSet<String>) -> BTreeSet<String> {
    let covers = |set: &BTreeSet<String>, path: &str| {
        let mut ends = path.match_indices('.').map(|(at, _)| at);
        set.contains(path) || ends.any(|end| set.contains(&path[..end]))
    };
    let from_a = a.iter().filter(|path| covers(b, path));
    let from_b = b.iter().filter(|path| covers(a, path));
    from_a.chain(from_b).cloned().collect()
}

impl Ignored {
    /// Names what was ignored in a response.
    pub(crate) fn name_in(&self, response: &mut Response) {
        let ignored = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !ignored.is_empty() {
            response
                .headers_mut()
                .insert(IGNORED, header_value(&ignored));
        }
    }
}

fn header_value(names: &BTreeSet<String>) -> HeaderValue {
    let plain = |name: &&String| {
        name.len() <= 64 && name.bytes().all(|b| b.is_ascii_graphic() && b != b',')
    };
    let mut named: Vec<&str> = names
        .iter()
        .filter(plain)
        .map(String::as_str)
        .take(MAX_NAMED)
        .collect();
    if named.len() < names.len() {
        named.push("...");
    }
    HeaderValue::from_str(&named.join(", ")).expect("printable ASCII")
}

/// A header as text, if it is there and is text.
pub(crate) fn header(
    headers: &HeaderMap,
    name: impl axum::http::header::AsHeaderName,
) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct A {
        a: Option<i32>,
        inner: Option<Inner>,
    }
    #[derive(Debug, Deserialize)]
    struct Inner {
        x: Option<i32>,
    }
    #[derive(Debug, Deserialize)]
    struct B {
        b: Option<f32>,
    }

    fn body(json: &str) -> Body {
        Body::parse(json.as_bytes(), Ignored::default()).expect("JSON")
    }

    #[test]
    fn fields_that_no_type_knows_are_named() {
        let mut body = body(
            r#"{"a": 1, "inner": {"x": 2, "y": 3}, "b": 0.5, "c": 1, "d": null, "e": {"f": 1}}"#,
        );
        let a: A = body.read().expect("fits");
        assert_eq!((a.a, a.inner.and_then(|inner| inner.x)), (Some(1), Some(2)));
        let b: B = body.read().expect("fits");
        assert_eq!(b.b, Some(0.5));
        body.refuse(&["e"], |_, _| true).expect("allowed");
        let ignored = body.ignored.clone();
        body.end();
        let names = ignored.0.lock().expect("whole").clone();
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["c", "inner.y"]);
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        let error = body(r#"{"inner": {"x": "2"}}"#)
            .read::<A>()
            .expect_err("a string");
        let error = error.body(crate::error::Dialect::OpenAi);
        assert_eq!(error["error"]["param"], "inner.x");
        let deep = "[".repeat(200);
        let error = Body::parse(deep.as_bytes(), Ignored::default())
            .err()
            .expect("too deep");
        assert!(
            error.message().contains("recursion limit"),
            "{}",
            error.message()
        );
    }

    #[test]
    fn what_is_missing_is_named_by_its_path() {
        #[derive(Debug, Deserialize)]
        #[expect(dead_code, reason = "what is missing is never read")]
        struct Needs {
            a: i32,
            list: Option<Vec<Item>>,
        }
        #[derive(Debug, Deserialize)]
        #[expect(dead_code, reason = "likewise")]
        struct Item {
            x: i32,
        }
        let cases = [
            (r#"{"list": []}"#, "a"),
            (r#"{"a": 1, "list": [{"x": 1}, {}]}"#, "list[1].x"),
        ];
        for (text, param) in cases {
            let error = body(text).read::<Needs>().expect_err("it is missing");
            assert_eq!(error.message(), format!("`{param}` is missing"));
            let error = error.body(crate::error::Dialect::OpenAi);
            assert_eq!(error["error"]["param"], param);
        }
    }

    #[test]
    fn refused_fields_may_say_nothing() {
        let mut fields = body(r#"{"audio": null, "store": false, "n": 1}"#);
        let _: B = fields.read().expect("fits");
        let allows = |name: &str, value: &Value| name == "store" && value == false;
        fields
            .refuse(&["audio", "store"], allows)
            .expect("nothing is said");
        let mut fields = body(r#"{"store": true}"#);
        let error = fields
            .refuse(&["store"], allows)
            .expect_err("it is asked for");
        assert_eq!(
            error.body(crate::error::Dialect::OpenAi)["error"]["param"],
            "store"
        );
    }
}
