//! Any text as a chat template, rendered for a short conversation: it ends, within bounds.
//!
//! A panic inside the template engine counts as a finding here, although `render` turns it into an error.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::json;
use tokenizer::{ChatTemplate, TemplateInput};

static INPUT: LazyLock<TemplateInput> = LazyLock::new(|| TemplateInput {
    messages: json!([
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "größe 漢字"}]},
        {"role": "assistant", "content": "<think>x</think>\n", "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "now", "arguments": {"zone": "UTC", "n": 1.5}}}
        ]},
        {"role": "tool", "content": "12:00", "tool_call_id": "1"},
    ]),
    tools: Some(
        json!([{"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}]),
    ),
    add_generation_prompt: true,
    bos_token: "<s>".to_owned(),
    eos_token: "</s>".to_owned(),
    ..TemplateInput::default()
});

fuzz_target!(|source: &str| {
    let Ok(template) = ChatTemplate::new(source) else {
        return;
    };
    let _ = template.render(&INPUT);
});
