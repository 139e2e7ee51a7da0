//! Replies that have a form: even a model that knows nothing but stories keeps to it.

use ingle::dialogue::{Delta, Tool, ToolChoice};
use ingle::{Error, FinishReason, GrammarSpec, Model, SamplerParams, StopCause, Toolbox};
use serde_json::json;

use crate::files::{greedy, stories};

/// Calls as Hermes and Qwen write them.
const TEMPLATE: &str = "{% if tools %}Tools: {{ tools | tojson }}\nAnswer a call as <tool_call>\n\
    {\"name\": \"NAME\", \"arguments\": {}}\n</tool_call>\n{% endif %}\
    {% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}assistant:";

fn load() -> Model {
    stories().ctx(512).chat_template(TEMPLATE).load().unwrap()
}

fn seeded(seed: u64) -> SamplerParams {
    SamplerParams {
        seed,
        ..SamplerParams::default()
    }
}

fn weather() -> Tool {
    let parameters = json!({
        "type": "object",
        "properties": {
            "city": { "enum": ["Oslo", "Rome"] },
            "days": { "type": "integer", "minimum": 1, "maximum": 9 }
        },
        "required": ["city", "days"],
        "additionalProperties": false
    });
    Tool::new("weather", "The weather in a city", parameters)
}

#[test]
fn a_choice_is_one_of_the_texts() {
    let model = load();
    let texts = ["create", "read", "update", "delete", "other"];
    for seed in 0..20 {
        let request = model.complete("Once upon a time").sampler(seeded(seed));
        let reply = request.choice(texts).logprobs(2).run().unwrap();
        assert!(texts.contains(&reply.text.as_str()), "{}", reply.text);
        assert_eq!(reply.finish_reason, FinishReason::Stop);
        assert!(reply.tokens.iter().all(|token| token.logprob.is_some()));
        // What is forced costs no step, and is the same text as with one.
        let request = model.complete("Once upon a time").sampler(seeded(seed));
        assert_eq!(request.choice(texts).run().unwrap().text, reply.text);
    }
    let pattern = GrammarSpec::Regex("[0-9]{3}-[0-9]{4}".into());
    let reply = model
        .complete("Call")
        .sampler(greedy())
        .grammar(pattern)
        .run();
    let reply = reply.unwrap();
    assert_eq!(reply.text.len(), 8, "{}", reply.text);
    let stopped = [None, Some(StopCause::Grammar)];
    let by_token = matches!(reply.stop_cause, Some(StopCause::Token(_)));
    assert!(by_token || stopped.contains(&reply.stop_cause));
}

#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
struct Pet {
    kind: Kind,
    legs: u8,
    tame: bool,
}

#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
enum Kind {
    Cat,
    Dog,
}

#[test]
fn a_reply_is_a_value_of_a_type() {
    let model = load();
    for seed in 0..10 {
        let request = model.complete("A pet:").sampler(seeded(seed));
        let pet: Pet = request.run_as().unwrap();
        assert!(matches!(pet.kind, Kind::Cat | Kind::Dog));
        let _ = (pet.legs, pet.tame);
    }
    let cut = model.complete("A pet:").max_tokens(3).run_as::<Pet>();
    assert!(matches!(cut, Err(Error::NotWhole { .. })), "{cut:?}");
}

#[test]
fn what_cannot_be_enforced_is_refused_before_the_first_token() {
    let model = load();
    let bad = [
        GrammarSpec::Regex("(".into()),
        GrammarSpec::Choice(vec![]),
        GrammarSpec::JsonSchema(json!({ "type": "nonsense" })),
        GrammarSpec::Gbnf("root ::= missing".into()),
    ];
    for spec in bad {
        let result = model.complete("x").grammar(spec.clone()).stream();
        assert!(matches!(result, Err(Error::Grammar(_))), "{spec:?}");
    }
    let both = model.chat("x").tools(vec![weather()]);
    let both = both.tool_choice(ToolChoice::Required).choice(["a"]).run();
    assert!(matches!(both, Err(Error::GrammarAndTools)), "{both:?}");
    let nobody = model.chat("x").tool_choice(ToolChoice::Required).run();
    assert!(matches!(nobody, Err(Error::Tools(_))), "{nobody:?}");
}

#[test]
fn a_required_call_fits_its_schema() {
    let model = load();
    for seed in 0..5 {
        let ask = || {
            let request = model.chat("Rain?").tools(vec![weather()]);
            request
                .tool_choice(ToolChoice::Required)
                .sampler(seeded(seed))
        };
        let answer = ask().parallel_tool_calls(false).answer().unwrap();
        assert_eq!(answer.tool_calls.len(), 1, "{answer:?}");
        let call = &answer.tool_calls[0];
        assert_eq!(
            (call.name.as_str(), answer.content.as_str()),
            ("weather", "")
        );
        let city = call.arguments["city"].as_str().unwrap();
        assert!(["Oslo", "Rome"].contains(&city));
        assert!((1..=9).contains(&call.arguments["days"].as_u64().unwrap()));
        // In pieces it is the same call.
        let deltas = ask().parallel_tool_calls(false).deltas().unwrap();
        let deltas: Vec<Delta> = deltas.map(Result::unwrap).collect();
        let fragments = deltas.iter().map(|delta| match delta {
            Delta::ToolCallArguments { json_fragment, .. } => json_fragment.as_str(),
            _ => "",
        });
        let arguments: serde_json::Value =
            serde_json::from_str(&fragments.collect::<String>()).unwrap();
        assert_eq!(arguments, call.arguments);
        let alone = pollster::block_on(ask().parallel_tool_calls(false).answer_async());
        assert_eq!(alone.unwrap().tool_calls, answer.tool_calls);
    }
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Place {
    city: Kind,
}

#[test]
fn functions_are_called_and_their_results_go_back() {
    let model = load();
    let mut tools = Toolbox::new();
    tools.add("adopt", "Take a pet home", |place: Place| {
        match place.city {
            Kind::Cat => Ok("purr"),
            Kind::Dog => Err("no dogs"),
        }
    });
    let request = model.chat("A pet?").tool_choice(ToolChoice::Required);
    let request = request.parallel_tool_calls(false).sampler(greedy());
    // It must call in every round, so it never comes to an answer.
    let error = request.run_with(&tools, 2).expect_err("it must call");
    assert!(
        matches!(error, Error::ToolRounds { max_rounds: 2 }),
        "{error}"
    );
    let call = |name: &str, arguments| ingle::dialogue::ToolCall {
        id: "1".into(),
        name: name.into(),
        arguments,
    };
    let told = |name, arguments| tools.call(&call(name, arguments)).content;
    assert_eq!(told("adopt", json!({ "city": "Cat" })), "purr");
    assert_eq!(
        told("adopt", json!({ "city": "Dog" })),
        r#"{"error":"no dogs"}"#
    );
    assert!(told("adopt", json!({})).contains("missing field"));
    assert!(told("sell", json!({})).contains("no tool `sell`"));
}
