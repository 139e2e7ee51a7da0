//! OpenAI's newer dialect.

use serde_json::{Value, json};

use crate::support::{Fixture, door};

fn tool() -> Value {
    json!({ "type": "function", "name": "door", "parameters": door() })
}

#[test]
fn a_response_is_what_a_chat_answers() {
    let server = Fixture::new();
    let chat = json!({
        "messages": [{ "role": "system", "content": "Tell" }, { "role": "user", "content": "A story" }],
        "max_tokens": 20, "temperature": 0,
    });
    let chat = server.post("/v1/chat/completions", &chat).ok();
    let body = json!({
        "model": "any", "instructions": "Tell", "input": "A story", "max_output_tokens": 20, "temperature": 0,
        "metadata": { "a": "b" }, "store": false, "top_logprobs": 2,
    });
    let answer = server.post("/v1/responses", &body);
    assert_eq!(answer.header("x-ingle-ignored"), None);
    let response = answer.ok();
    assert_eq!(response["object"], "response");
    assert_eq!(response["status"], "incomplete");
    assert_eq!(
        response["incomplete_details"]["reason"],
        "max_output_tokens"
    );
    assert_eq!(
        (&response["metadata"]["a"], &response["instructions"]),
        (&json!("b"), &json!("Tell"))
    );
    let message = &response["output"][0];
    assert_eq!(
        (&message["type"], &message["role"]),
        (&json!("message"), &json!("assistant"))
    );
    let part = &message["content"][0];
    assert_eq!(part["type"], "output_text");
    assert_eq!(part["text"], chat["choices"][0]["message"]["content"]);
    assert_eq!(part["logprobs"].as_array().map(Vec::len), Some(20));
    assert_eq!(
        response["usage"]["input_tokens"],
        chat["usage"]["prompt_tokens"]
    );
    assert_eq!(response["usage"]["output_tokens"], 20);
    let mut counted = body.clone();
    counted["top_logprobs"] = Value::Null;
    let counted = server.post("/v1/responses/input_tokens", &counted).ok();
    assert_eq!(counted["input_tokens"], response["usage"]["input_tokens"]);
}

#[test]
fn the_events_of_a_stream_add_up() {
    let server = Fixture::new();
    let body = json!({
        "input": [{ "role": "user", "content": [{ "type": "input_text", "text": "A story" }] }],
        "max_output_tokens": 20, "temperature": 0, "stream": true,
    });
    let events = server.events("/v1/responses", &body);
    let mut text = String::new();
    let mut kinds = Vec::new();
    let mut last = Value::Null;
    for (at, (name, data)) in events.iter().enumerate() {
        let event: Value = serde_json::from_str(data).expect("JSON, and no [DONE]");
        assert_eq!(event["type"], name.as_str());
        assert_eq!(event["sequence_number"], at);
        text += event["delta"].as_str().unwrap_or_default();
        if kinds.last() != Some(name) {
            kinds.push(name.clone());
        }
        last = event;
    }
    let expected = [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "incomplete",
    ];
    assert_eq!(kinds, expected.map(|kind| format!("response.{kind}")));
    let message = &last["response"]["output"][0];
    assert_eq!(message["content"][0]["text"], text.as_str());
    assert_eq!(message["status"], "incomplete");
    assert_eq!(last["response"]["usage"]["output_tokens"], 20);
}

#[test]
fn calls_are_items_and_so_is_what_came_of_them() {
    let server = Fixture::new();
    let mut body = json!({
        "input": "Open", "tools": [tool()], "tool_choice": "required", "parallel_tool_calls": false,
        "max_output_tokens": 200, "temperature": 0,
    });
    let response = server.post("/v1/responses", &body).ok();
    assert_eq!(response["status"], "completed");
    let call = &response["output"][0];
    assert_eq!(
        (&call["type"], &call["name"]),
        (&json!("function_call"), &json!("door"))
    );
    let arguments: Value =
        serde_json::from_str(call["arguments"].as_str().expect("text")).expect("JSON");
    assert!(arguments["open"].is_boolean());
    body["stream"] = json!(true);
    let events = server.events("/v1/responses", &body);
    let data = |kind: &str| {
        let named = events.iter().filter(|(name, _)| name == kind);
        named
            .map(|(_, data)| serde_json::from_str(data).expect("JSON"))
            .collect::<Vec<Value>>()
    };
    let deltas = data("response.function_call_arguments.delta");
    let streamed: String = deltas
        .iter()
        .filter_map(|event| event["delta"].as_str())
        .collect();
    assert_eq!(call["arguments"], streamed.as_str());
    let done = &data("response.function_call_arguments.done")[0];
    assert_eq!(done["arguments"], streamed.as_str());
    assert_eq!(
        data("response.output_item.done")[0]["item"]["status"],
        "completed"
    );
    body["stream"] = json!(false);
    body["tool_choice"] = json!("none");
    body["max_output_tokens"] = json!(5);
    body["input"] = json!([
        { "role": "user", "content": "Open" },
        call,
        { "type": "function_call_output", "call_id": call["call_id"], "output": "done" },
    ]);
    server.post("/v1/responses", &body).ok();
}

#[test]
fn a_response_keeps_to_its_schema() {
    let server = Fixture::new();
    let schema = json!({ "type": "object", "properties": { "n": { "enum": [1, 2] } }, "required": ["n"], "additionalProperties": false });
    let format = json!({ "type": "json_schema", "name": "n", "schema": schema, "strict": true });
    let body = json!({ "input": "A number", "text": { "format": format } });
    let response = server.post("/v1/responses", &body).ok();
    let text = response["output"][0]["content"][0]["text"]
        .as_str()
        .expect("text");
    let value: Value = serde_json::from_str(text).expect("JSON");
    assert!(value["n"] == 1 || value["n"] == 2, "{value}");
}

#[test]
fn what_needs_a_memory_is_refused() {
    let server = Fixture::new();
    let wrong = [
        (json!({}), "input"),
        (json!({ "input": [] }), "input"),
        (
            json!({ "input": "a", "previous_response_id": "resp_1" }),
            "previous_response_id",
        ),
        (json!({ "input": "a", "store": true }), "store"),
        (json!({ "input": "a", "background": true }), "background"),
        (json!({ "input": "a", "truncation": "auto" }), "truncation"),
        (json!({ "input": "a", "n": 2 }), "n"),
        (
            json!({ "input": "a", "include": ["file_search_call.results"] }),
            "include",
        ),
        (
            json!({ "input": "a", "tools": [{ "type": "web_search" }] }),
            "tools[0].type",
        ),
        (
            json!({ "input": "a", "tool_choice": { "type": "mcp" } }),
            "tool_choice",
        ),
        (json!({ "input": "a", "top_logprobs": 21 }), "top_logprobs"),
        (
            json!({ "input": [{ "type": "message", "role": "user", "content": 1 }] }),
            "input[0].content",
        ),
    ];
    for (body, param) in wrong {
        let answer = server.post("/v1/responses", &body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        let error = &answer.json()["error"];
        let found = error["param"]
            .as_str()
            .unwrap_or_else(|| error["message"].as_str().expect("text"));
        assert!(found.contains(param), "{body}: {error}");
    }
}
