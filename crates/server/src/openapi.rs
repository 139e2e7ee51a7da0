//! `/openapi.json`: what can be asked and how, in OpenAPI 3.1, made from the types that requests are read into.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::error::Dialect;
use crate::routes::{Entry, Fields};

/// The description of a table of routes; `prefix` goes before every path.
pub(crate) fn describe(entries: &[Entry], prefix: &str) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for entry in entries {
        let path = entry.path.replace("{*", "{");
        let operation = operation(entry, &path, &mut generator);
        paths.entry(path).or_insert_with(|| json!({}))[entry.method] = operation;
    }
    let mut schemas = generator.take_definitions(true);
    for dialect in Dialect::ALL {
        schemas.insert(error_name(dialect).to_owned(), error_schema(dialect));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "ingle",
            "description": "Language models behind the HTTP dialects of OpenAI, llama.cpp, Anthropic and Ollama.",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "servers": [{ "url": if prefix.is_empty() { "/" } else { prefix } }],
        "security": [{}, { "key": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "key": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn operation(entry: &Entry, path: &str, generator: &mut SchemaGenerator) -> Value {
    let name = path.replace(['/', '{', '}', '.'], "_");
    let mut operation = json!({
        "operationId": format!("{}{name}", entry.method),
        "summary": entry.about.summary,
        "responses": responses(entry, path),
    });
    let parameters = parameters(entry, path, generator);
    if !parameters.is_empty() {
        operation["parameters"] = Value::Array(parameters);
    }
    let bodies = entry.about.bodies.iter();
    let bodies: Vec<Value> = bodies.map(|schema| schema(generator).to_value()).collect();
    let schema = match bodies.as_slice() {
        [] => return operation,
        [one] => one.clone(),
        several => json!({ "allOf": several }),
    };
    operation["requestBody"] =
        json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    operation
}

fn parameters(entry: &Entry, path: &str, generator: &mut SchemaGenerator) -> Vec<Value> {
    let in_path = path.split('/').filter_map(|part| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        Some(
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }),
        )
    });
    let mut parameters: Vec<Value> = in_path.collect();
    let query = entry.about.query.map(|query| query(generator).to_value());
    let fields = query
        .as_ref()
        .and_then(|query| query["properties"].as_object());
    for (name, field) in fields.into_iter().flatten() {
        let mut schema = json!({ "type": "string" });
        if let Some(description) = field.get("description") {
            schema["description"] = description.clone();
        }
        parameters
            .push(json!({ "name": name, "in": "query", "required": false, "schema": schema }));
    }
    parameters
}

/// What may come back. Every path can find the server locked, busy, starting or ending.
fn responses(entry: &Entry, path: &str) -> Value {
    let answers = entry.about.answers.iter();
    let schema = |name: &str| match (name, entry.about.fields) {
        ("application/json", fields @ [_, ..]) => answer_schema(fields),
        _ => json!({}),
    };
    let content: Map<String, Value> = answers
        .map(|&name| (name.to_owned(), json!({ "schema": schema(name) })))
        .collect();
    let mut responses = Map::new();
    responses.insert(
        "200".into(),
        json!({ "description": "The answer.", "content": content }),
    );
    let errors = [
        (400, "A field is wrong, or asks for what there is not."),
        (401, "A key is needed."),
        (403, "The host or the origin is not allowed."),
        (404, "There is no such model or path."),
        (408, "The request did not come in time."),
        (413, "The request is too long."),
        (429, "Too many requests wait already."),
        (500, "A fault of the server's."),
        (501, "This server, or this model, does not do that."),
        (503, "The server starts or ends."),
    ];
    let schema = format!(
        "#/components/schemas/{}",
        error_name(Dialect::of_path(path))
    );
    for (status, description) in errors {
        let content = json!({ "application/json": { "schema": { "$ref": schema } } });
        let response = json!({ "description": description, "content": content });
        responses.insert(status.to_string(), response);
    }
    Value::Object(responses)
}

/// An object that has these fields.
fn answer_schema(fields: Fields) -> Value {
    let types = fields.iter();
    let types: Map<String, Value> = types
        .map(|&(name, kind)| (name.to_owned(), json!({ "type": kind })))
        .collect();
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    json!({ "type": "object", "properties": types, "required": names })
}

fn error_name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenAi => "OpenAiError",
        Dialect::LlamaCpp => "LlamaCppError",
        Dialect::Anthropic => "AnthropicError",
        Dialect::Ollama => "OllamaError",
    }
}

fn error_schema(dialect: Dialect) -> Value {
    let object = |properties: Value, required: Value| json!({ "type": "object", "properties": properties, "required": required });
    let text = json!({ "type": "string" });
    let perhaps = json!({ "type": ["string", "null"] });
    match dialect {
        Dialect::OpenAi => {
            let fields =
                json!({ "message": text, "type": text, "param": perhaps, "code": perhaps });
            let error = object(fields, json!(["message", "type", "param", "code"]));
            object(json!({ "error": error }), json!(["error"]))
        }
        Dialect::LlamaCpp => {
            let fields = json!({ "message": text, "type": text, "code": { "type": "integer" }, "param": text });
            let error = object(fields, json!(["message", "type", "code"]));
            object(json!({ "error": error }), json!(["error"]))
        }
        Dialect::Anthropic => {
            let error = object(
                json!({ "type": text, "message": text }),
                json!(["type", "message"]),
            );
            let fields = json!({ "type": { "const": "error" }, "error": error });
            object(fields, json!(["type", "error"]))
        }
        Dialect::Ollama => object(json!({ "error": text }), json!(["error"])),
    }
}
