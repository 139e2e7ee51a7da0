//! Replies as values of a type: its JSON schema is the grammar.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Error, FinishReason, GrammarSpec, Reply, Request};

impl Request {
    /// The reply as a `T`. The type's JSON schema holds the model to its form; what the values say is up to the model,
    /// so the prompt should tell what is wanted.
    ///
    /// ```no_run
    /// #[derive(serde::Deserialize, schemars::JsonSchema)]
    /// struct City {
    ///     name: String,
    ///     inhabitants: u32,
    /// }
    ///
    /// let model = ingle::Model::load("smollm2")?;
    /// let city: City = model.chat("A large city, as JSON.").run_as()?;
    /// # Ok::<(), ingle::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Request::run`]; if the type's schema cannot be enforced; if the reply was cut by
    /// [`Request::max_tokens`] or the context.
    pub fn run_as<T: DeserializeOwned + JsonSchema>(self) -> Result<T, Error> {
        parse(self.schema_of::<T>().run()?)
    }

    /// [`Request::run_as`] for any async runtime.
    ///
    /// # Errors
    /// As for [`Request::run_as`].
    pub async fn run_as_async<T: DeserializeOwned + JsonSchema>(self) -> Result<T, Error> {
        parse(self.schema_of::<T>().run_async().await?)
    }

    fn schema_of<T: JsonSchema>(self) -> Self {
        let schema: Schema = SchemaGenerator::default().into_root_schema_for::<T>();
        let mut schema = schema.to_value();
        close(&mut schema);
        self.grammar(GrammarSpec::JsonSchema(schema))
    }
}

/// Has objects hold the properties that the type has and no other: the program would not see them. Parts of an
/// `allOf` are left as they are, since each has some of the properties of all.
fn close(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Object(members) => {
            let is_open = members.get("properties").is_some_and(Value::is_object)
                && !members.contains_key("additionalProperties")
                && !members.contains_key("allOf");
            if is_open {
                members.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            for (key, part) in members {
                match (key.as_str(), part) {
                    // Names of the type's, with a schema each.
                    ("properties" | "$defs", Value::Object(named)) => {
                        named.values_mut().for_each(close);
                    }
                    ("allOf" | "enum" | "const" | "default" | "examples", _) => {}
                    (_, part) => close(part),
                }
            }
        }
        _ => {}
    }
}

fn parse<T: DeserializeOwned>(reply: Reply) -> Result<T, Error> {
    if reply.finish_reason != FinishReason::Stop {
        return Err(Error::NotWhole { text: reply.text });
    }
    serde_json::from_str(&reply.text).map_err(|error| Error::NotOfType {
        error,
        text: reply.text,
    })
}
