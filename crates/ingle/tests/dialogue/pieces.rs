//! Replies come in pieces, cut anywhere: the outcome is one.

use ingle::dialogue::{Delta, ReplyParser};

use crate::examples::all;
use crate::support::{Whole, format, parse, tools};

#[test]
fn replies_are_taken_apart() {
    for example in all() {
        let whole = parse(
            &format(example.template),
            example.prompt,
            example.reply,
            &[],
        );
        let context = format!("{}: {}", example.template, example.reply);
        assert_eq!(whole.content, example.content, "{context}");
        assert_eq!(whole.reasoning, example.reasoning, "{context}");
        assert_eq!(whole.calls(), example.calls, "{context}");
    }
}

#[test]
fn cuts_make_no_difference() {
    for example in all() {
        let format = format(example.template);
        let expected = parse(&format, example.prompt, example.reply, &[]);
        let cuts: Vec<usize> = example.reply.char_indices().map(|(i, _)| i).collect();
        // In characters, in two pieces at every place, in three at many.
        let each = parse(&format, example.prompt, example.reply, &cuts);
        assert_eq!(each, expected, "{}", example.reply);
        for (n, &first) in cuts.iter().enumerate() {
            let two = parse(&format, example.prompt, example.reply, &[first]);
            assert_eq!(two, expected, "{:?} at {first}", example.reply);
            for &second in cuts[n..].iter().step_by(7) {
                let three = parse(&format, example.prompt, example.reply, &[first, second]);
                assert_eq!(three, expected, "{:?} at {first}, {second}", example.reply);
            }
        }
    }
}

#[test]
fn no_part_of_a_mark_is_shown() {
    for example in all()
        .into_iter()
        .filter(|example| !example.calls.is_empty())
    {
        let mut parser = ReplyParser::new(&format(example.template), example.prompt, &tools(), 7);
        let mut content = String::new();
        for c in example.reply.chars() {
            for delta in parser.push(c.encode_utf8(&mut [0; 4])) {
                if let Delta::Content(text) = delta {
                    content += &text;
                }
            }
            assert!(
                example.content.starts_with(&content),
                "{content:?} of {:?}",
                example.reply
            );
        }
    }
}

#[test]
fn arguments_come_while_they_are_written() {
    let reply = "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo";
    let mut parser = ReplyParser::new(&format("Qwen-Qwen2.5-7B-Instruct"), "", &tools(), 7);
    let mut whole = Whole::default();
    whole.add(parser.push(reply));
    assert_eq!(
        whole.calls,
        [(
            "get_weather".to_owned(),
            "{\"city\": \"Oslo".to_owned(),
            false
        )]
    );
    whole.add(parser.finish());
    assert!(
        whole.calls[0].2 && whole.content.is_empty(),
        "it broke off: {whole:?}"
    );

    // What is no JSON any more is text, after the call.
    let whole = parse(
        &format("Qwen-Qwen2.5-7B-Instruct"),
        "",
        &format!("{reply}\", oops}}"),
        &[],
    );
    assert_eq!(whole.calls[0].1, "{\"city\": \"Oslo\", ");
    assert_eq!(whole.content, "oops}");
}

#[test]
fn ids_are_what_templates_want() {
    let ids = |template: &str, reply: &str| parse(&format(template), "", reply, &[]).ids;
    let list = "[TOOL_CALLS][{\"name\": \"now\", \"arguments\": {}}, {\"name\": \"now\", \"arguments\": {}}]";
    let nine = ids("mistralai-Mistral-Nemo-Instruct-2407", list);
    assert!(
        nine.iter()
            .all(|id| id.len() == 9 && id.chars().all(|c| c.is_ascii_alphanumeric())),
        "{nine:?}"
    );
    assert_ne!(nine[0], nine[1]);
    assert_eq!(
        nine,
        ids("mistralai-Mistral-Nemo-Instruct-2407", list),
        "same seed, same ids"
    );
    let given = ids(
        "Mistral-Small-3.2-24B-Instruct-2506",
        "[TOOL_CALLS]now[CALL_ID]abcdefgh1[ARGS]{}",
    );
    assert_eq!(given, ["abcdefgh1"]);
    let kimi = "<|tool_calls_section_begin|><|tool_call_begin|>functions.now:4<|tool_call_argument_begin|>{}";
    assert_eq!(ids("Kimi-K2-Instruct", kimi), ["functions.now:4"]);
    let hermes = ids(
        "Qwen-Qwen2.5-7B-Instruct",
        "<tool_call>{\"name\": \"now\", \"arguments\": {}}",
    );
    assert!(hermes[0].starts_with("call_") && hermes[0].len() == 29);
}

#[test]
fn one_call_is_followed_by_text_if_there_may_be_one() {
    let call = "{\"name\": \"now\", \"arguments\": {}}";
    let format = format("Qwen-Qwen2.5-7B-Instruct");
    let reply = format!("```json\n{call}\n{call}\n```");
    assert_eq!(parse(&format, "", &reply, &[]).calls.len(), 2);
    let mut parser = ReplyParser::new(&format, "", &tools(), 7).parallel(false);
    let mut whole = Whole::default();
    whole.add(parser.push(&reply));
    whole.add(parser.finish());
    assert_eq!(whole.calls().len(), 1);
    assert_eq!(whole.content, format!("{call}\n```"));
}

#[test]
fn without_tools_nothing_is_a_call() {
    let reply = "<think>Hm</think><tool_call>{\"name\": \"now\", \"arguments\": {}}</tool_call>";
    let mut parser = ReplyParser::new(&format("Qwen-Qwen3-0.6B"), "", &[], 7);
    let mut whole = Whole::default();
    whole.add(parser.push(reply));
    whole.add(parser.finish());
    assert_eq!(whole.reasoning, "Hm");
    assert_eq!(whole.content, &reply["<think>Hm</think>".len()..]);
}

/// Replies made of parts that mean something, in any order: nothing panics, nothing depends on cuts, and what is
/// no mark comes out again.
#[test]
fn nonsense_is_borne() {
    let parts = [
        "<tool_call>",
        "</tool_call>",
        "<function=now>",
        "</function>",
        "<parameter=a>",
        "</parameter>",
        "{\"name\": \"now\"",
        ", \"arguments\": {",
        "}",
        "}}",
        "]",
        "[TOOL_CALLS]",
        "[",
        "[ARGS]",
        "now",
        "(",
        ")",
        "a=",
        "'x'",
        "<think>",
        "</think>",
        "<|channel|>final<|message|>",
        "<|end|>",
        "<|tool_call>call:now{",
        "<tool_call|>",
        "Action:",
        "```json",
        "\n",
        " ",
        "é",
        "<",
        "\"",
        ",",
        ";",
        "<|python_tag|>",
        "<arg_key>",
        "<｜tool▁calls▁begin｜>",
        "<｜tool▁call▁begin｜>",
        "<｜tool▁sep｜>",
        "<|tool_call_start|>",
    ];
    let names: std::collections::BTreeSet<&str> =
        all().iter().map(|example| example.template).collect();
    let mut state = 1_u64;
    let mut random = move |n: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    for name in names {
        let format = format(name);
        for _ in 0..300 {
            let reply: String = (0..random(12))
                .map(|_| parts[random(parts.len())])
                .collect();
            let expected = parse(&format, "", &reply, &[]);
            let cuts: Vec<usize> = reply.char_indices().map(|(i, _)| i).collect();
            assert_eq!(
                parse(&format, "", &reply, &cuts),
                expected,
                "{name}: {reply:?}"
            );
            let cut: Vec<usize> = cuts.into_iter().filter(|_| random(3) == 0).collect();
            assert_eq!(
                parse(&format, "", &reply, &cut),
                expected,
                "{name}: {reply:?} {cut:?}"
            );
        }
    }
}
