//! Tools of MCP servers in `ingle run` and `ingle serve`, and our models as such tools. The server is a small script of
//! Python's standard library; `crates/mcp/tests/real.py` does the same with those that people use.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::serve::{Serving, TEMPLATE};
use crate::support::{folder, ingle, model, outcome};

/// A server of one tool, `add`, and one that fails.
const SERVER: &str = r#"
import json, sys
tools = [{"name": name, "description": name, "inputSchema": {"type": "object", "properties": {"a": {"enum": [2]}},
          "required": ["a"], "additionalProperties": False}} for name in ("double", "fail")]
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    method, params = message["method"], message.get("params", {})
    if method == "initialize":
        result = {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}},
                  "serverInfo": {"name": "test", "version": "1"}}
    elif method == "tools/list":
        result = {"tools": tools}
    elif params["name"] == "double":
        result = {"content": [{"type": "text", "text": str(2 * params["arguments"]["a"])}]}
    else:
        result = {"content": [{"type": "text", "text": "out of luck"}], "isError": True}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"#;

/// A template with tools that are called as `<tool_call>` says.
const TOOL_TEMPLATE: &str = "{%- if tools %}Call <tool_call>{{ tools[0].function.name }}</tool_call>.\n{% endif -%}\
    {%- for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor -%}";

/// A file that names the server.
fn config(home: &Path) -> String {
    std::fs::write(home.join("server.py"), SERVER).expect("writable");
    let path = home.join("mcp.json");
    let config = json!({ "mcpServers": { "test": { "command": "python3", "args": ["server.py"], "cwd": home } } });
    std::fs::write(&path, config.to_string()).expect("writable");
    path.display().to_string()
}

fn post(url: &str, body: &Value) -> Value {
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .new_agent();
    let request = agent.post(url).header("content-type", "application/json");
    let text = request
        .send(body.to_string())
        .expect("an answer")
        .body_mut()
        .read_to_string()
        .expect("text");
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

#[test]
fn a_server_calls_tools_and_goes_on() {
    let home = folder("mcp_serve");
    let config = config(&home);
    let server = Serving::start(
        &home,
        &[
            "-m",
            &model(),
            "--chat-template",
            TOOL_TEMPLATE,
            "--mcp-config",
            &config,
        ],
    );
    let url = format!("{}/v1/chat/completions", server.url);
    let ask = |more: Value| {
        let mut body = json!({ "messages": [{ "role": "user", "content": "Once" }], "max_tokens": 60, "seed": 1 });
        body.as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        body
    };
    let choose = |name: &str| json!({ "type": "function", "function": { "name": name } });
    let called = post(
        &url,
        &ask(json!({ "mcp": true, "tool_choice": choose("double") })),
    );
    let message = &called["choices"][0]["message"];
    let expected =
        json!([{ "name": "double", "arguments": { "a": 2 }, "result": "4", "is_error": false }]);
    assert_eq!(message["mcp_calls"], expected, "{called}");
    assert!(
        message["tool_calls"].is_null() && called["choices"][0]["finish_reason"] != "tool_calls",
        "{called}"
    );
    let failed = post(
        &url,
        &ask(json!({ "mcp": true, "tool_choice": choose("fail") })),
    );
    assert_eq!(
        failed["choices"][0]["message"]["mcp_calls"][0]["result"], "error: out of luck",
        "{failed}"
    );
    // Streams say the same.
    let stream = post(
        &url,
        &ask(json!({ "mcp": true, "tool_choice": choose("double"), "stream": true })),
    );
    let stream = stream.as_str().expect("events");
    assert!(
        stream.contains(r#""mcp_calls":[{"name":"double","arguments":{"a":2},"result":"4""#),
        "{stream}"
    );
    assert!(
        !stream.contains("tool_calls\":[") && stream.trim_end().ends_with("data: [DONE]"),
        "{stream}"
    );
    // The client's own tools are its own business, also beside ours.
    let own = json!([{ "type": "function", "function": { "name": "own", "parameters": { "type": "object", "properties": {}, "additionalProperties": false } } }]);
    let own = post(
        &url,
        &ask(json!({ "mcp": true, "tools": own, "tool_choice": choose("own") })),
    );
    assert_eq!(
        own["choices"][0]["message"]["tool_calls"][0]["function"]["name"], "own",
        "{own}"
    );
    // Nobody is offered them who did not ask.
    let plain = post(&url, &ask(json!({ "tool_choice": "required" })));
    assert_eq!(plain["error"]["param"], "tool_choice");
    let two = post(&url, &ask(json!({ "mcp": true, "n": 2 })));
    assert_eq!(two["error"]["param"], "n");
}

#[test]
fn without_servers_asking_for_them_is_an_error() {
    let home = folder("mcp_none");
    let server = Serving::start(&home, &["-m", &model(), "--chat-template", TEMPLATE]);
    let body = json!({ "messages": [{ "role": "user", "content": "x" }], "mcp": true });
    let refused = post(&format!("{}/v1/chat/completions", server.url), &body);
    assert_eq!(refused["error"]["param"], "mcp", "{refused}");
}

/// A server of OpenAI's dialect whose model calls `tool` once, and then says what it was told.
fn calling(home: &Path, tool: &str) -> (std::process::Child, String) {
    let script = r#"
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def reply(self, kind, data):
        self.send_response(200); self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data))); self.end_headers(); self.wfile.write(data)
    def do_GET(self): self.reply("application/json", b'{"data": [{"id": "m"}]}')
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        last = body["messages"][-1]
        call = {"index": 0, "id": "c1", "type": "function", "function": {"name": sys.argv[1], "arguments": "{\"a\": 2}"}}
        told = last["role"] == "tool"
        delta = {"content": "told: " + last["content"]} if told else {"tool_calls": [call]}
        offered = [tool["function"]["name"] for tool in body["tools"]]
        assert offered == ["double", "fail"], offered
        chunks = [{"choices": [{"index": 0, "delta": delta}]},
                  {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop" if told else "tool_calls"}]}]
        text = "".join("data: " + json.dumps(chunk) + "\n\n" for chunk in chunks) + "data: [DONE]\n\n"
        self.reply("text/event-stream", text.encode())
server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"#;
    let mut command = std::process::Command::new("python3");
    command
        .args(["-c", script, tool])
        .current_dir(home)
        .stdout(Stdio::piped());
    let mut child = command.spawn().expect("python3 is there");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("piped");
    BufReader::new(stdout).read_line(&mut line).expect("a port");
    (child, format!("http://127.0.0.1:{}", line.trim()))
}

#[test]
fn run_calls_what_the_user_allows() {
    let home = folder("mcp_run");
    let config = config(&home);
    let ask = |tool: &str, allow: &[&str]| {
        let (mut server, url) = calling(&home, tool);
        let args = ["run", "--host", &url, "hi", "--mcp-config", &config];
        let said = outcome(&mut ingle(&home, &[&args, allow].concat()));
        let _ = server.kill();
        let _ = server.wait();
        said
    };
    let allowed = ask("double", &["--mcp-allow", "double"]);
    assert!(allowed.stderr.contains("[double {\"a\":2}]"), "{allowed:?}");
    assert_eq!(allowed.text(), "told: 4\n");
    assert_eq!(
        ask("fail", &["--mcp-allow", "*"]).text(),
        "told: error: out of luck\n"
    );
    assert_eq!(
        ask("nonsense", &["--mcp-allow", "*"]).text(),
        "told: error: there is no tool `nonsense`\n"
    );
    // Nobody is there to be asked.
    let refused = ask("double", &["--mcp-allow", "fail"]);
    assert!(refused.stderr.contains("--mcp-allow double"), "{refused:?}");
    assert_eq!(
        refused.text(),
        "told: error: the user did not allow this call\n"
    );
    assert!(
        ask("double", &["--mcp-allow", "tripel"])
            .failure(2)
            .contains("`double`")
    );
}

#[test]
fn servers_that_do_not_start_are_named() {
    let home = folder("mcp_wrong");
    let start = |server: Value| {
        std::fs::write(
            home.join("c.json"),
            json!({ "mcpServers": { "broken": server } }).to_string(),
        )
        .expect("writable");
        let args = [
            "run",
            "--model",
            &model(),
            "--chat-template",
            TEMPLATE,
            "--mcp-config",
            "c.json",
            "hi",
        ];
        outcome(&mut ingle(&home, &args)).failure(1)
    };
    assert!(start(json!({ "command": "./no-such-program" })).contains("`broken`"));
    let died = start(
        json!({ "command": "python3", "args": ["-c", "import sys; sys.exit('no licence')"] }),
    );
    assert!(
        died.contains("`broken`") && died.contains("no licence"),
        "{died}"
    );
    assert!(start(json!({ "url": "http://127.0.0.1:1/mcp" })).contains("`broken`"));
    assert!(start(json!({ "url": "x" })).contains("c.json"));
}

#[test]
fn models_are_tools_of_others() {
    let home = folder("mcp_ours");
    let mut command = ingle(&home, &["mcp", &model(), "--chat-template", TEMPLATE]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("piped");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut send = |message: Value| writeln!(stdin, "{message}").expect("it listens");
    let mut receive = || -> Value {
        let line = lines.next().expect("it answers").expect("text");
        serde_json::from_str(&line).expect("JSON")
    };
    let info = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } });
    send(json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": info }));
    assert_eq!(receive()["result"]["serverInfo"]["name"], "ingle");
    send(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    send(json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" }));
    let listed = receive();
    let names: Vec<_> = listed["result"]["tools"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|tool| tool["name"].clone())
        .collect();
    assert_eq!(names, ["chat", "complete", "embed"]);
    let call = |id: u32, name: &str, arguments: Value| json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": name, "arguments": arguments } });
    send(call(
        3,
        "complete",
        json!({ "prompt": "Once upon a time", "max_tokens": 20, "temperature": 0.0 }),
    ));
    let text = receive()["result"]["content"][0]["text"]
        .as_str()
        .expect("text")
        .to_owned();
    let args = [
        "run",
        "--raw",
        "--temp",
        "0",
        "-n",
        "20",
        "--model",
        &model(),
        "Once upon a time",
    ];
    assert_eq!(
        format!("{text}\n"),
        outcome(&mut ingle(&home, &args)).text()
    );
    let schema = json!({ "type": "object", "properties": { "a": { "enum": [7] } }, "required": ["a"], "additionalProperties": false });
    send(call(
        4,
        "chat",
        json!({ "prompt": "x", "json_schema": schema, "seed": 1, "max_tokens": 40 }),
    ));
    let text = receive()["result"]["content"][0]["text"]
        .as_str()
        .expect("text")
        .to_owned();
    assert_eq!(
        serde_json::from_str::<Value>(&text).ok(),
        Some(json!({ "a": 7 })),
        "{text}"
    );
    send(call(5, "embed", json!({ "texts": ["a cat", "a dog"] })));
    let vectors = receive()["result"]["content"][0]["text"]
        .as_str()
        .expect("text")
        .to_owned();
    let vectors: Value = serde_json::from_str(&vectors).expect("JSON");
    assert_eq!(vectors["vectors"].as_array().map(Vec::len), Some(2));
    send(call(
        6,
        "chat",
        json!({ "prompt": "x", "model": "../other" }),
    ));
    assert_eq!(receive()["result"]["isError"], true);
    drop(stdin);
    assert!(
        child.wait().expect("it ends").success(),
        "the client's end is the end"
    );
}
