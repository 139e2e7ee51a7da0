//! Calls held to by grammars: what a blind sampler writes is calls that fit the tools.

use std::io::Read;
use std::sync::LazyLock;

use engine::grammar::{Grammar, GrammarEngine};
use ingle::dialogue::{CallFormat, ToolChoice, ToolError, tool_grammar};
use serde_json::{Value, json};
use tokenizer::Tokenizer;

use crate::support::{Whole, format, parse, tools};

struct Kit {
    tokenizer: Tokenizer,
    engine: GrammarEngine,
    bytes: Vec<Vec<u8>>,
}

static KIT: LazyLock<Kit> = LazyLock::new(|| {
    let packed = testkit::golden::bytes("vocab/qwen2.gguf.gz");
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(packed.as_slice())
        .read_to_end(&mut bytes)
        .expect("it is gzip");
    let file = formats::Gguf::parse(bytes).expect("it parses");
    let tokenizer = engine::vocab::tokenizer_from_gguf(file.metadata()).expect("a vocabulary");
    let n = tokenizer.vocab_size();
    Kit {
        engine: GrammarEngine::new(&tokenizer, n).expect("a trie"),
        bytes: (0..n as u32).map(|id| tokenizer.token_bytes(id)).collect(),
        tokenizer,
    }
});

/// Templates whose calls can be enforced.
const TEMPLATES: [&str; 14] = [
    "CohereForAI-c4ai-command-r-plus-tool_use",
    "GLM-4.6",
    "Kimi-K2-Instruct",
    "LFM2-8B-A1B",
    "Mistral-Small-3.2-24B-Instruct-2506",
    "Qwen-Qwen2.5-7B-Instruct",
    "Qwen-Qwen3-0.6B",
    "Qwen3-Coder",
    "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B",
    "deepseek-ai-DeepSeek-V3.1",
    "google-gemma-4-31B-it",
    "meta-llama-Llama-3.2-3B-Instruct",
    "mistralai-Mistral-Nemo-Instruct-2407",
    "ibm-granite-granite-3.3-2B-Instruct",
];

fn compile(template: &str, choice: &ToolChoice, parallel: bool, prompt: &str) -> Grammar {
    let spec = tool_grammar(&format(template), &tools(), choice, parallel, prompt);
    let spec = spec
        .expect("it can be enforced")
        .expect("there is something to enforce");
    KIT.engine
        .compile(&spec)
        .unwrap_or_else(|e| panic!("{template}: {e}\n{spec:?}"))
}

/// Goes on from `text` blindly, in a hurry after a while.
fn write(grammar: &mut Grammar, text: &str, seed: u64, patience: usize) -> String {
    let mut written = text.as_bytes().to_vec();
    for id in KIT.tokenizer.encode(text, false, false) {
        grammar.commit(id).unwrap_or_else(|e| panic!("{text}: {e}"));
    }
    let mut state = seed;
    let mut random = move |n: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    for step in 0..3_000 {
        if grammar.is_stopped() {
            return String::from_utf8(written).expect("characters");
        }
        // Chance alone never closes a tag.
        let closer = CLOSERS[random(CLOSERS.len())];
        if step >= patience && random(2) == 0 && close(grammar, closer) {
            written.extend(closer.as_bytes());
            continue;
        }
        let mut set = Vec::new();
        for (i, &word) in grammar.mask().expect("a mask").iter().enumerate() {
            set.extend(
                (0..32)
                    .filter(|bit| word >> bit & 1 == 1)
                    .map(|bit| i as u32 * 32 + bit),
            );
        }
        let token = if step < patience || random(2) == 0 {
            set[random(set.len())]
        } else {
            let mut rank = |id: u32| {
                let bytes = &KIT.bytes[id as usize];
                let kind = match bytes.first() {
                    _ if KIT.tokenizer.is_eog(id) => 0,
                    Some(b'"' | b'<' | b'\n' | b')' | b'{') => 1,
                    Some(b'}' | b']' | b'/' | b'[') => 2,
                    _ => 3,
                };
                (kind, bytes.len(), random(1_000))
            };
            set.iter()
                .copied()
                .min_by_key(|&id| rank(id))
                .expect("a token")
        };
        grammar.commit(token).expect("it is allowed");
        if KIT.tokenizer.is_eog(token) {
            return String::from_utf8(written).expect("characters");
        }
        written.extend(&KIT.bytes[token as usize]);
    }
    panic!("no end: {}", String::from_utf8_lossy(&written));
}

const CLOSERS: [&str; 5] = [
    "\n</parameter>",
    "</arg_value>",
    "</think>",
    "<|\"|>",
    "<channel|>",
];

/// Writes `closer` if it is allowed here.
fn close(grammar: &mut Grammar, closer: &str) -> bool {
    let mut ahead = grammar.clone();
    let ids = KIT.tokenizer.encode(closer, false, false);
    let fits = ids.iter().all(|&id| ahead.commit(id).is_ok());
    if fits {
        *grammar = ahead;
    }
    fits
}

fn check(template: &str, text: &str, whole: &Whole) {
    for (name, arguments) in whole.calls() {
        let fits = match name {
            "get_weather" => {
                let members = arguments.as_object().expect("an object");
                members.get("city").is_some_and(Value::is_string)
                    && members.iter().all(|(key, value)| match key.as_str() {
                        "city" => true,
                        "unit" => value == "celsius" || value == "fahrenheit",
                        "days" => value.as_u64().is_some_and(|n| (1..=14).contains(&n)),
                        "hourly" => value.is_boolean(),
                        _ => false,
                    })
            }
            "write_file" => {
                arguments["path"].is_string()
                    && arguments["lines"].as_array().is_some_and(|l| l.len() < 3)
            }
            "now" => arguments == json!({}),
            _ => false,
        };
        assert!(fits, "{template}: {text}\n{name} {arguments}");
    }
}

#[test]
fn required_calls_are_calls() {
    for template in TEMPLATES {
        for seed in 0..5 {
            let mut grammar = compile(template, &ToolChoice::Required, seed % 2 == 0, "");
            let text = write(&mut grammar, "", seed, 10);
            let whole = parse(&format(template), "", &text, &[]);
            assert!(!whole.calls.is_empty(), "{template}: {text}");
            assert!(
                seed % 2 == 0 || whole.calls.len() == 1,
                "{template}: {text}"
            );
            assert_eq!(whole.content, "", "{template}: {text}");
            check(template, &text, &whole);
        }
    }
}

#[test]
fn named_calls_are_of_that_tool() {
    for template in TEMPLATES {
        let choice = ToolChoice::Named("write_file".into());
        let text = write(&mut compile(template, &choice, false, ""), "", 3, 10);
        let whole = parse(&format(template), "", &text, &[]);
        assert_eq!(whole.calls.len(), 1, "{template}: {text}");
        assert_eq!(whole.calls[0].0, "write_file", "{template}: {text}");
        check(template, &text, &whole);
    }
}

#[test]
fn text_is_free_until_a_call_begins() {
    for template in TEMPLATES {
        let found = format(template);
        let mark = match found.calls {
            Some(CallFormat::ActionList) => "Action:",
            Some(CallFormat::BareJson) => "{\"name\": \"",
            Some(CallFormat::BracketArgs | CallFormat::BracketList) => "[TOOL_CALLS]",
            Some(CallFormat::Pythonic) => "<|tool_call_start|>",
            Some(CallFormat::MarkedList) => "<|tool_call|>",
            Some(CallFormat::MarkedCall) => "<|tool_call>",
            Some(CallFormat::CountedIds) => "<|tool_calls_section_begin|>",
            Some(CallFormat::WideMarks | CallFormat::WideMarksCode) => "<｜tool▁calls▁begin｜>",
            _ => "<tool_call>",
        };
        let start = compile(template, &ToolChoice::Auto, true, "");
        let text = "Plain text, even with {\"name\" and <tool_ or [TOOL in it.\n";
        let mut free = start.clone();
        for id in KIT.tokenizer.encode(text, false, false) {
            free.commit(id)
                .unwrap_or_else(|e| panic!("{template}: {e}"));
        }
        assert!(free.is_accepting() && !free.is_stopped(), "{template}");
        let front = if mark.starts_with('{') {
            mark.to_owned()
        } else {
            format!("{text}{mark}")
        };
        let mut wrong = start.clone();
        for id in KIT.tokenizer.encode(&front, false, false) {
            wrong
                .commit(id)
                .unwrap_or_else(|e| panic!("{template}: {e}"));
        }
        assert!(!wrong.is_accepting(), "{template}: a call has begun");
        let ids = KIT.tokenizer.encode("nonsense and more", false, false);
        assert!(
            !ids.iter().all(|&id| wrong.commit(id).is_ok()),
            "{template}: a call is a call"
        );
        let reply = write(&mut start.clone(), &front, 5, 5);
        let whole = parse(&found, "", &reply, &[]);
        assert!(!whole.calls.is_empty(), "{template}: {reply}");
        check(template, &reply, &whole);
    }
}

#[test]
fn thoughts_come_before_required_calls() {
    let template = "Qwen-Qwen3-0.6B";
    let thought = "<think>\nHm, <tool_call> is a tag.\n</think>\n\n<tool_call>";
    let text = write(
        &mut compile(template, &ToolChoice::Required, false, ""),
        thought,
        1,
        5,
    );
    let whole = parse(&format(template), "", &text, &[]);
    assert_eq!(
        (whole.reasoning.as_str(), whole.calls.len()),
        ("Hm, <tool_call> is a tag.", 1)
    );
    let prompt = "<|im_start|>assistant\n<think>\n";
    let mut opened = compile(template, &ToolChoice::Required, false, prompt);
    let text = write(&mut opened, &thought["<think>".len()..], 1, 5);
    assert_eq!(parse(&format(template), prompt, &text, &[]).calls.len(), 1);
    let mut answer = compile(template, &ToolChoice::Required, false, "");
    let ids = KIT.tokenizer.encode("No call.", false, false);
    assert!(
        answer.commit(ids[0]).is_err(),
        "an answer is not what was required"
    );
}

#[test]
fn calls_of_gemma_4_follow_schemas() {
    let schema = json!({
        "type": "object",
        "properties": {
            "tree": {"$ref": "#/$defs/node"},
            "Kind": {"enum": ["a b", 3, null]},
            "maybe": {"anyOf": [{"type": "number", "minimum": 0}, {"type": "null"}]},
            "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
            "free": {},
        },
        "required": ["tree", "counts"],
        "$defs": {"node": {
            "type": "object",
            "properties": {
                "name": {"type": ["string", "boolean"]},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 2},
            },
            "required": ["name"],
            "additionalProperties": false,
        }},
    });
    let tool = ingle::dialogue::Tool::new("f", "", schema);
    let gemma = format("google-gemma-4-31B-it");
    let tools = [tool];
    let spec = tool_grammar(&gemma, &tools, &ToolChoice::Required, false, "");
    let spec = spec.expect("it can be enforced").expect("a grammar");
    let start = KIT.engine.compile(&spec).expect("a sound grammar");
    let call = |arguments: &str| format!("<|tool_call>call:f{{{arguments}}}<tool_call|>");
    let takes = |text: &str| {
        let mut grammar = start.clone();
        let ids = KIT.tokenizer.encode(text, false, false);
        ids.iter().all(|&id| grammar.commit(id).is_ok()) && grammar.is_accepting()
    };
    let right = [
        "counts:{},tree:{name:true}",
        "counts:{x:1,y_2:-3},Kind:<|\"|>a b<|\"|>,maybe:0.5,tree:{name:<|\"|>a, {\"b\"}<|\"|>}",
        "counts:{},free:[1,{k:<|\"|>v<|\"|>},null],Kind:3,maybe:null,tree:{children:[{name:false},{children:[],name:<|\"|><|\"|>}],name:true}",
    ];
    for arguments in right {
        assert!(takes(&call(arguments)), "{arguments}");
        let whole = parse(&gemma, "", &call(arguments), &[]);
        assert_eq!(whole.calls.len(), 1, "{arguments}");
    }
    let wrong = [
        "counts:{}",
        "tree:{name:true},counts:{}",
        "counts:{x:1.5},tree:{name:true}",
        "counts:{},tree:{}",
        "counts:{},tree:{name:true,more:1}",
        "counts:{},maybe:-1,tree:{name:true}",
        "counts:{},Kind:4,tree:{name:true}",
        "counts:{},tree:{name:1}",
        "counts:{},tree:{children:[{name:true},{name:true},{name:true}],name:true}",
        "counts:{},tree:{name:true},x:1",
        "counts:{},tree:{name:\"a\"}",
    ];
    for arguments in wrong {
        assert!(!takes(&call(arguments)), "{arguments}");
    }
    for seed in 0..20 {
        let text = write(&mut start.clone(), "", seed, 10);
        let whole = parse(&gemma, "", &text, &[]);
        let (name, arguments) = whole.calls().remove(0);
        assert!(name == "f" && arguments["counts"].is_object(), "{text}");
        assert!(arguments["tree"]["name"].as_i64().is_none(), "{text}");
    }
}

#[test]
fn channels_of_gpt_oss() {
    // Marks are text in this vocabulary, so what is free is free up to the end: the front of a call is tested.
    let template = "openai-gpt-oss-120b";
    let front = "<|channel|>commentary to=functions.";
    for choice in [ToolChoice::Auto, ToolChoice::Required] {
        let text = write(&mut compile(template, &choice, false, ""), front, 2, 10);
        let whole = parse(&format(template), "", &text, &[]);
        assert_eq!(whole.calls.len(), 1, "{text}");
        check(template, &text, &whole);
    }
    let mut answer = compile(template, &ToolChoice::Required, false, "");
    let ids = KIT.tokenizer.encode("<|channel|>final", false, false);
    assert!(
        !ids.iter().all(|&id| answer.commit(id).is_ok()),
        "an answer is not what was required"
    );
}

#[test]
fn what_cannot_be_required_is_an_error() {
    let hermes = format("Qwen-Qwen2.5-7B-Instruct");
    let grammar = |format, tools: &[_], choice| tool_grammar(format, tools, &choice, true, "");
    assert_eq!(grammar(&hermes, &tools(), ToolChoice::None), Ok(None));
    assert_eq!(grammar(&hermes, &[], ToolChoice::Auto), Ok(None));
    assert_eq!(
        grammar(&hermes, &[], ToolChoice::Required),
        Err(ToolError::NoTools)
    );
    let unknown =
        grammar(&hermes, &tools(), ToolChoice::Named("nope".into())).expect_err("no such tool");
    assert!(
        unknown.to_string().contains("get_weather, write_file, now"),
        "{unknown}"
    );
    let phi = format("microsoft-Phi-3.5-mini-instruct");
    assert_eq!(grammar(&phi, &tools(), ToolChoice::Auto), Ok(None));
    assert_eq!(
        grammar(&phi, &tools(), ToolChoice::Required),
        Err(ToolError::NoFormat)
    );
    // Texts of Gemma's calls are no JSON, whose grammar knows patterns.
    let gemma = format("google-gemma-4-31B-it");
    let pattern = json!({"properties": {"x": {"type": "string", "pattern": "^a+$"}}});
    let pattern = [ingle::dialogue::Tool::new("a", "", pattern)];
    assert_eq!(
        grammar(&gemma, &pattern, ToolChoice::Required),
        Err(ToolError::NoFormat)
    );
    let tool = |name: &str, parameters| ingle::dialogue::Tool::new(name, "", parameters);
    let bad = [
        tool("a b", json!({})),
        tool("", json!({})),
        tool("a\"", json!({})),
        tool("a", json!(3)),
        tool("a", json!({"type": "string"})),
    ];
    for bad in bad {
        assert!(
            grammar(&hermes, std::slice::from_ref(&bad), ToolChoice::Auto).is_err(),
            "{bad:?}"
        );
    }
    let twice = [tool("a", json!({})), tool("a", json!({}))];
    assert!(matches!(
        grammar(&hermes, &twice, ToolChoice::Auto),
        Err(ToolError::Twice { .. })
    ));
    let schema = tool(
        "a",
        json!({"type": "object", "properties": {"x": {"not": {}}}}),
    );
    let spec = grammar(&hermes, &[schema], ToolChoice::Auto).expect("it is well formed");
    let error = KIT
        .engine
        .compile(&spec.expect("a grammar"))
        .expect_err("`not` cannot be enforced");
    assert!(error.to_string().contains("#/properties/x/not"), "{error}");
}
