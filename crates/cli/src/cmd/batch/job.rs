//! A line of the input: what to do, in the words of OpenAI's API.

use ingle::{Chat, GrammarSpec, Message, Model, Request, SamplerParams};
use serde_json::{Map, Value, json};

use super::tools;
use crate::grammar;

/// A request of the input.
pub(crate) struct Job {
    /// What the user calls it.
    pub(crate) custom_id: Value,
    fields: Map<String, Value>,
}

/// Whose fields are read, besides the prompt.
const FIELDS: &[&str] = &[
    "messages",
    "prompt",
    "model",
    "max_tokens",
    "max_completion_tokens",
    "min_tokens",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "typical_p",
    "seed",
    "stop",
    "n",
    "best_of",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "frequency_penalty",
    "presence_penalty",
    "repeat_penalty",
    "ignore_eos",
    "response_format",
    "json_schema",
    "grammar",
    "regex",
    "choice",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
];

/// What holds for jobs that say nothing else.
pub(crate) struct Usual<'a> {
    pub(crate) sampler: &'a SamplerParams,
    pub(crate) max_tokens: Option<usize>,
    pub(crate) grammar: Option<&'a GrammarSpec>,
}

impl Job {
    /// Reads line `number`: `{"custom_id": …, "body": {…}}` as OpenAI's batches have it, or the body alone.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(line: &str, number: usize) -> Result<Self, String> {
        let value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let Value::Object(mut object) = value else {
            return Err("expected an object".into());
        };
        let mut custom_id = object.remove("custom_id");
        let fields = match object.remove("body") {
            Some(Value::Object(body)) => {
                only(&object, &["method", "url"])?;
                body
            }
            Some(_) => return Err("`body`: expected an object".into()),
            None => {
                custom_id = custom_id.or_else(|| object.remove("id"));
                object
            }
        };
        only(&fields, FIELDS)?;
        if fields.contains_key("messages") == fields.contains_key("prompt") {
            return Err("expected one of `messages` and `prompt`".into());
        }
        Ok(Self {
            custom_id: custom_id.unwrap_or_else(|| json!(format!("line-{number}"))),
            fields,
        })
    }

    pub(crate) fn is_chat(&self) -> bool {
        self.fields.contains_key("messages")
    }

    /// Whether replies are to be taken apart into text and calls.
    pub(crate) fn has_tools(&self) -> bool {
        self.get("tools").is_some()
    }

    /// The request; what the job does not say is as usual.
    ///
    /// # Errors
    /// What is wrong, with the field's name.
    pub(crate) fn request(&self, model: &Model, usual: &Usual<'_>) -> Result<Request, String> {
        let mut request = match (self.get("messages"), self.get("prompt")) {
            (Some(messages), _) => model.chat(chat(messages)?),
            (None, Some(Value::String(prompt))) => model.complete(prompt.as_str()),
            (None, prompt) => match prompt.and_then(tokens) {
                Some(tokens) => model.complete_tokens(tokens),
                None => return Err("`prompt`: expected a text or token ids".into()),
            },
        };
        let sampler = self.sampler(usual.sampler.clone())?;
        request = request.sampler(sampler);
        let limit = match self.count("max_completion_tokens")? {
            Some(limit) => Some(limit),
            None => self.count("max_tokens")?,
        };
        if let Some(limit) = limit.or(usual.max_tokens) {
            request = request.max_tokens(limit);
        }
        if let Some(least) = self.count("min_tokens")? {
            request = request.min_tokens(least);
        }
        if let Some(n) = self.count("n")? {
            request = request.n(n);
        }
        if let Some(best_of) = self.count("best_of")? {
            request = request.best_of(best_of);
        }
        if let Some(stop) = self.get("stop") {
            request = request.stop(texts(stop).ok_or("`stop`: expected a text or several")?);
        }
        if let Some(ignore) = self.flag("ignore_eos")? {
            request = request.ignore_eos(ignore);
        }
        if self.has_tools() {
            request = self.with_tools(request)?;
        } else if self.get("tool_choice").is_some() || self.get("parallel_tool_calls").is_some() {
            return Err("`tool_choice`, `parallel_tool_calls`: there are no `tools`".into());
        }
        let own = self.grammar()?;
        let usual = usual.grammar.filter(|_| !self.has_tools());
        Ok(grammar::apply(request, own.as_ref().or(usual)))
    }

    fn with_tools(&self, mut request: Request) -> Result<Request, String> {
        if !self.is_chat() {
            return Err("`tools`: expected `messages` beside them".into());
        }
        let list = self.get("tools").unwrap_or(&Value::Null);
        request = request.tools(tools::tools(list)?);
        if let Some(choice) = self.get("tool_choice") {
            request = request.tool_choice(tools::choice(choice)?);
        }
        if let Some(parallel) = self.flag("parallel_tool_calls")? {
            request = request.parallel_tool_calls(parallel);
        }
        Ok(request)
    }

    /// What the reply must look like: OpenAI's `response_format`, or one of our own words.
    fn grammar(&self) -> Result<Option<GrammarSpec>, String> {
        let text = |name: &str| match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(format!("`{name}`: expected a text")),
        };
        let mut found = Vec::new();
        if let Some(format) = self.get("response_format") {
            found.extend(response_format(format)?);
        }
        found.extend(
            self.get("json_schema")
                .cloned()
                .map(GrammarSpec::JsonSchema),
        );
        found.extend(text("grammar")?.map(GrammarSpec::Gbnf));
        found.extend(text("regex")?.map(GrammarSpec::Regex));
        if let Some(choice) = self.get("choice") {
            let choice = texts(choice).ok_or("`choice`: expected texts")?;
            found.push(GrammarSpec::Choice(choice));
        }
        match found.len() {
            0 | 1 => Ok(found.pop()),
            _ => Err("`response_format`, `json_schema`, `grammar`, `regex`, `choice`: expected one of them".into()),
        }
    }

    fn sampler(&self, mut sampler: SamplerParams) -> Result<SamplerParams, String> {
        for (name, field) in [
            ("temperature", &mut sampler.temp),
            ("top_p", &mut sampler.top_p),
            ("min_p", &mut sampler.min_p),
            ("typical_p", &mut sampler.typ_p),
            ("frequency_penalty", &mut sampler.frequency_penalty),
            ("presence_penalty", &mut sampler.presence_penalty),
            ("repeat_penalty", &mut sampler.repeat_penalty),
        ] {
            if let Some(value) = self.get(name) {
                let number = value.as_f64();
                *field = number.ok_or_else(|| format!("`{name}`: expected a number"))? as f32;
            }
        }
        if let Some(top_k) = self.count("top_k")? {
            sampler.top_k = top_k;
        }
        if let Some(seed) = self.count("seed")? {
            sampler.seed = seed as u64;
        }
        // A chat asks with a flag and a number, a completion with the number alone.
        let top = self.count("top_logprobs")?;
        sampler.logprobs = match self.get("logprobs") {
            Some(Value::Bool(true)) => Some(top.unwrap_or(0)),
            Some(Value::Bool(false)) | None if top.is_none() => sampler.logprobs,
            Some(Value::Number(_)) if top.is_none() => self.count("logprobs")?,
            _ => return Err("`logprobs`: expected true, or a number alone".into()),
        };
        if let Some(bias) = self.get("logit_bias") {
            let pairs = bias.as_object().and_then(|pairs| {
                let pair =
                    |(id, bias): (&String, &Value)| Some((id.parse().ok()?, bias.as_f64()? as f32));
                pairs.iter().map(pair).collect::<Option<Vec<_>>>()
            });
            sampler.logit_bias = pairs.ok_or("`logit_bias`: expected token ids and numbers")?;
        }
        Ok(sampler)
    }

    /// A field; null is as good as none.
    fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    fn count(&self, name: &str) -> Result<Option<usize>, String> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let count = value.as_u64().and_then(|count| count.try_into().ok());
        let count = count.ok_or_else(|| format!("`{name}`: expected a whole number from 0 on"))?;
        Ok(Some(count))
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, String> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let flag = value.as_bool();
        Ok(Some(flag.ok_or_else(|| {
            format!("`{name}`: expected true or false")
        })?))
    }
}

/// Fails if there is a field that nobody reads.
fn only(object: &Map<String, Value>, known: &[&str]) -> Result<(), String> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("`{key}`: no such field is supported")),
        None => Ok(()),
    }
}

/// OpenAI's `text`, `json_object` and `json_schema`.
fn response_format(format: &Value) -> Result<Option<GrammarSpec>, String> {
    const EXPECTED: &str = "`response_format`: expected `type` text, json_object, or json_schema with `json_schema.schema`";
    let object = format.as_object().ok_or(EXPECTED)?;
    only(object, &["type", "json_schema"])?;
    match object.get("type").and_then(Value::as_str) {
        Some("text") => Ok(None),
        Some("json_object") => Ok(Some(GrammarSpec::JsonObject)),
        Some("json_schema") => {
            let schema = format["json_schema"].get("schema").ok_or(EXPECTED)?;
            Ok(Some(GrammarSpec::JsonSchema(schema.clone())))
        }
        _ => Err(EXPECTED.into()),
    }
}

fn chat(messages: &Value) -> Result<Chat, String> {
    const FIELDS: &[&str] = &[
        "role",
        "content",
        "reasoning_content",
        "tool_calls",
        "tool_call_id",
        "name",
    ];
    let list = messages.as_array().filter(|list| !list.is_empty());
    let list = list.ok_or("`messages`: expected a list of `role` and `content`")?;
    let message = |(i, message): (usize, &Value)| {
        let wrong = |what: String| format!("`messages[{i}]`: {what}");
        let mut object = message.as_object().cloned();
        let object = object
            .as_mut()
            .ok_or_else(|| wrong("expected an object".into()))?;
        only(object, FIELDS).map_err(wrong)?;
        // An assistant that calls has nothing to say.
        if object.contains_key("tool_calls") && object.get("content") == Some(&Value::Null) {
            object.remove("content");
        } else if !object.contains_key("content") {
            return Err(wrong("missing `content`".into()));
        }
        let message = serde_json::from_value(Value::Object(object.clone()));
        message.map_err(|error| wrong(error.to_string()))
    };
    let messages: Result<Vec<Message>, String> = list.iter().enumerate().map(message).collect();
    Ok(messages?.into())
}

fn tokens(value: &Value) -> Option<Vec<u32>> {
    let id = |value: &Value| value.as_u64()?.try_into().ok();
    value.as_array()?.iter().map(id).collect()
}

fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(list) => list.iter().map(|t| Some(t.as_str()?.to_owned())).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named() {
        let error = |line: &str| Job::parse(line, 1).err().unwrap_or_default();
        assert_eq!(error("[]"), "expected an object");
        assert!(error("{").contains("EOF"));
        assert_eq!(error("{}"), "expected one of `messages` and `prompt`");
        assert_eq!(
            error(r#"{"prompt": "a", "temprature": 1}"#),
            "`temprature`: no such field is supported"
        );
        assert_eq!(
            error(r#"{"custom_id": "a", "body": {"prompt": "b"}, "x": 1}"#),
            "`x`: no such field is supported"
        );
    }

    #[test]
    fn both_forms_are_read() {
        let id = |line: &str| Job::parse(line, 7).expect("a sound line").custom_id;
        assert_eq!(id(r#"{"prompt": "a"}"#), "line-7");
        assert_eq!(id(r#"{"prompt": "a", "id": 3}"#), 3);
        let line = r#"{"custom_id": "x", "method": "POST", "url": "/v1/completions",
            "body": {"prompt": "a"}}"#;
        assert_eq!(id(line), "x");
    }
}
