//! Replies as models write them, one or more for each format.

use serde_json::{Value, json};

pub(crate) struct Example {
    pub(crate) template: &'static str,
    pub(crate) prompt: &'static str,
    pub(crate) reply: &'static str,
    pub(crate) content: &'static str,
    pub(crate) reasoning: &'static str,
    pub(crate) calls: Vec<(&'static str, Value)>,
}

fn example(
    template: &'static str,
    reply: &'static str,
    content: &'static str,
    reasoning: &'static str,
    calls: Vec<(&'static str, Value)>,
) -> Example {
    Example {
        template,
        prompt: "",
        reply,
        content,
        reasoning,
        calls,
    }
}

const HERMES: &str = "NousResearch-Hermes-3-Llama-3.1-8B-tool_use";
const QWEN3: &str = "Qwen-Qwen3-0.6B";
const CODER: &str = "Qwen3-Coder";
const LLAMA: &str = "meta-llama-Llama-3.1-8B-Instruct";
const NEMO: &str = "mistralai-Mistral-Nemo-Instruct-2407";
const SMALL: &str = "Mistral-Small-3.2-24B-Instruct-2506";
const COHERE: &str = "CohereForAI-c4ai-command-r-plus-tool_use";
const R1: &str = "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B";
const V31: &str = "deepseek-ai-DeepSeek-V3.1";
const KIMI: &str = "Kimi-K2-Instruct";
const GLM: &str = "GLM-4.6";
const LFM: &str = "LFM2-8B-A1B";
const GPT: &str = "openai-gpt-oss-120b";
const GRANITE: &str = "ibm-granite-granite-3.3-2B-Instruct";
const GEMMA: &str = "google-gemma-4-31B-it";

pub(crate) fn all() -> Vec<Example> {
    let oslo = || ("get_weather", json!({"city": "Oslo"}));
    let write = || ("write_file", json!({"path": "a.txt", "lines": ["x", "}"]}));
    vec![
        example(
            HERMES,
            "Just  text, é日本.\n\n",
            "Just  text, é日本.\n\n",
            "",
            vec![],
        ),
        example(HERMES, "", "", "", vec![]),
        example(
            HERMES,
            "I look.\n<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}}\n</tool_call>",
            "I look.",
            "",
            vec![oslo()],
        ),
        example(
            HERMES,
            "<tool_call>{\"name\":\"get_weather\",\"arguments\":{\"city\":\"Oslo\"}}</tool_call>\n<tool_call>\n{\"arguments\": {\"path\": \"a.txt\", \"lines\": [\"x\", \"}\"]}, \"name\": \"write_file\"}\n</tool_call>\n",
            "",
            "",
            vec![oslo(), write()],
        ),
        example(
            HERMES,
            "<tool_call>{\"name\": \"get_weather\", \"arguments\": \"{\\\"city\\\": \\\"Oslo\\\"}\"}</tool_call>",
            "",
            "",
            vec![oslo()],
        ),
        example(
            HERMES,
            "<tool_call>{\"name\": \"now\"}</tool_call> done",
            "done",
            "",
            vec![("now", json!({}))],
        ),
        // Calls without their mark, as Qwen2.5-Coder writes them.
        example(
            HERMES,
            "```json\n{\n  \"name\": \"get_weather\",\n  \"arguments\": {\n    \"city\": \"Oslo\"\n  }\n}\n```",
            "",
            "",
            vec![oslo()],
        ),
        example(
            HERMES,
            "\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}} done",
            "done",
            "",
            vec![oslo()],
        ),
        example(
            HERMES,
            "```\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}}\n{\"name\": \"write_file\", \"arguments\": {\"path\": \"a.txt\", \"lines\": [\"x\", \"}\"]}}\n```\nDone",
            "Done",
            "",
            vec![oslo(), write()],
        ),
        example(
            HERMES,
            "```json\n{\"name\": \"Bob\", \"arguments\": {\"city\": \"Oslo\"}}\n```",
            "```json\n{\"name\": \"Bob\", \"arguments\": {\"city\": \"Oslo\"}}\n```",
            "",
            vec![],
        ),
        example(
            HERMES,
            "{\"name\": \"get_weather\", \"description\": \"x\", \"parameters\": {}}",
            "{\"name\": \"get_weather\", \"description\": \"x\", \"parameters\": {}}",
            "",
            vec![],
        ),
        example(
            HERMES,
            "As in\n```json\n{\"name\": \"now\", \"arguments\": {}}\n```",
            "As in\n```json\n{\"name\": \"now\", \"arguments\": {}}\n```",
            "",
            vec![],
        ),
        example(
            HERMES,
            "```python\nnow()\n``` and `now`",
            "```python\nnow()\n``` and `now`",
            "",
            vec![],
        ),
        example(
            HERMES,
            "a < b, <tool> and <tool_call",
            "a < b, <tool> and <tool_call",
            "",
            vec![],
        ),
        example(
            HERMES,
            "x <tool_call>\nnot JSON</tool_call> y",
            "x <tool_call>\nnot JSON</tool_call> y",
            "",
            vec![],
        ),
        example(
            HERMES,
            "<tool_call>oops <tool_call>{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}}</tool_call>",
            "<tool_call>oops",
            "",
            vec![oslo()],
        ),
        example(
            HERMES,
            "<tool_call>{\"name\": 3, \"arguments\": {}}",
            "<tool_call>{\"name\": 3, \"arguments\": {}}",
            "",
            vec![],
        ),
        example(
            HERMES,
            "<tool_call>{\"name\": \"get_weather\"",
            "<tool_call>{\"name\": \"get_weather\"",
            "",
            vec![],
        ),
        example(
            QWEN3,
            "<think>\nHm, <tool_call> is\na tag.\n\n</think>\n\nOslo is cold.",
            "Oslo is cold.",
            "Hm, <tool_call> is\na tag.",
            vec![],
        ),
        example(
            QWEN3,
            "\n<think>\n\n</think>\n\n<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}}\n</tool_call>",
            "",
            "",
            vec![oslo()],
        ),
        example(
            QWEN3,
            "No <think> here </think>.",
            "No <think> here </think>.",
            "",
            vec![],
        ),
        example(
            QWEN3,
            "<think>never ends </thin",
            "",
            "never ends </thin",
            vec![],
        ),
        Example {
            prompt: "<|im_start|>assistant\n<think>\n",
            ..example(QWEN3, "Hm.\n</think>\n\nYes.", "Yes.", "Hm.", vec![])
        },
        Example {
            prompt: "<think>\n\n</think>\n\n",
            ..example(QWEN3, "Yes.", "Yes.", "", vec![])
        },
        example(
            CODER,
            "Sure.\n<tool_call>\n<function=get_weather>\n<parameter=city>\nOslo\n</parameter>\n<parameter=days>\n3\n</parameter>\n<parameter=hourly>\ntrue\n</parameter>\n</function>\n</tool_call>",
            "Sure.",
            "",
            vec![(
                "get_weather",
                json!({"city": "Oslo", "days": 3, "hourly": true}),
            )],
        ),
        example(
            CODER,
            "<function=write_file>\n<parameter=path>\n12\n</parameter>\n<parameter=lines>\n[\"a\"]\n</parameter>\n</function>\n</tool_call>\n<tool_call>\n<function=now>\n</function>\n</tool_call>",
            "",
            "",
            vec![
                ("write_file", json!({"path": "12", "lines": ["a"]})),
                ("now", json!({})),
            ],
        ),
        example(
            CODER,
            "<function=get_weather> in prose",
            "<function=get_weather> in prose",
            "",
            vec![],
        ),
        example(
            LLAMA,
            "{\"name\": \"get_weather\", \"parameters\": {\"city\": \"Oslo\"}}",
            "",
            "",
            vec![oslo()],
        ),
        example(
            LLAMA,
            " {\"type\": \"function\", \"name\": \"get_weather\", \"parameters\": {\"city\": \"Oslo\"}}",
            "",
            "",
            vec![oslo()],
        ),
        example(
            LLAMA,
            "<|python_tag|>{\"name\": \"get_weather\", \"parameters\": {\"city\": \"Oslo\"}}; {\"name\": \"now\", \"parameters\": {}}",
            "",
            "",
            vec![oslo(), ("now", json!({}))],
        ),
        example(
            LLAMA,
            "{\"name\": \"Ann\", \"parameters\": {}} is JSON",
            "{\"name\": \"Ann\", \"parameters\": {}} is JSON",
            "",
            vec![],
        ),
        example(
            LLAMA,
            "Say {\"name\": \"get_weather\", \"parameters\": {}}",
            "Say {\"name\": \"get_weather\", \"parameters\": {}}",
            "",
            vec![],
        ),
        example(
            NEMO,
            "[TOOL_CALLS][{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}, \"id\": \"VvvODy9mT\"}, {\"name\": \"now\", \"arguments\": {}}]",
            "",
            "",
            vec![oslo(), ("now", json!({}))],
        ),
        example(
            NEMO,
            "Hm. [TOOL_CALLS] [{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}}]",
            "Hm.",
            "",
            vec![oslo()],
        ),
        example(
            NEMO,
            "[TOOL_CALLS]get_weather[ARGS]{\"city\": \"Oslo\"}",
            "",
            "",
            vec![oslo()],
        ),
        example(NEMO, "[TOOL_CALLS] none", "[TOOL_CALLS] none", "", vec![]),
        example(
            SMALL,
            "[TOOL_CALLS]get_weather[ARGS]{\"city\": \"Oslo\"}[TOOL_CALLS]write_file[CALL_ID]abcdefgh1[ARGS]{\"path\": \"a.txt\", \"lines\": [\"x\", \"}\"]}",
            "",
            "",
            vec![oslo(), write()],
        ),
        example(
            SMALL,
            "[TOOL_CALLS][{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}}]",
            "",
            "",
            vec![oslo()],
        ),
        example(
            COHERE,
            "Action:\n```json\n[\n    {\n        \"tool_name\": \"get_weather\",\n        \"parameters\": {\n            \"city\": \"Oslo\"\n        }\n    },\n    {\n        \"tool_name\": \"now\",\n        \"parameters\": {}\n    }\n]```",
            "",
            "",
            vec![oslo(), ("now", json!({}))],
        ),
        example(
            COHERE,
            "Plan.\nAction: ```json\n[{\"tool_name\": \"directly-answer\", \"parameters\": {}}]\n```",
            "Plan.",
            "",
            vec![],
        ),
        example(COHERE, "Action: run!", "Action: run!", "", vec![]),
        example(
            R1,
            "<think>\nHm\n</think>\n\n<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{\"city\": \"Oslo\"}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>now\n```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
            "",
            "Hm",
            vec![oslo(), ("now", json!({}))],
        ),
        Example {
            prompt: "<｜Assistant｜><think>\n",
            ..example(R1, "Hm</think>Hi", "Hi", "Hm", vec![])
        },
        example(
            V31,
            "Ok<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{\"city\": \"Oslo\"}<｜tool▁call▁end｜><｜tool▁call▁begin｜>now<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
            "Ok",
            "",
            vec![oslo(), ("now", json!({}))],
        ),
        example(
            KIMI,
            "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>{\"city\": \"Oslo\"}<|tool_call_end|><|tool_call_begin|>functions.now:1<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_calls_section_end|>",
            "",
            "",
            vec![oslo(), ("now", json!({}))],
        ),
        example(
            GLM,
            "\n<think>Hm.</think>\n<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Oslo</arg_value>\n<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>\n<tool_call>now\n</tool_call>",
            "",
            "Hm.",
            vec![
                ("get_weather", json!({"city": "Oslo", "days": 3})),
                ("now", json!({})),
            ],
        ),
        example(
            LFM,
            "<|tool_call_start|>[get_weather(city=\"Oslo\"), write_file(path='a.txt', lines=[\"x\", '}'])]<|tool_call_end|>Done.",
            "Done.",
            "",
            vec![oslo(), write()],
        ),
        example(
            LFM,
            "<|tool_call_start|>[get_weather(city=\"O\\\"slo\", days=3, hourly=True, x={\"a\": None, 'b': -1.5})]",
            "",
            "",
            vec![(
                "get_weather",
                json!({"city": "O\"slo", "days": 3, "hourly": true, "x": {"a": null, "b": -1.5}}),
            )],
        ),
        example(
            LFM,
            "<|tool_call_start|>[get_weather(city=)]",
            "<|tool_call_start|>[get_weather(city=)]",
            "",
            vec![],
        ),
        example(
            GPT,
            "<|channel|>analysis<|message|>Look it up.<|end|><|start|>assistant<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{\"city\": \"Oslo\"}<|call|>",
            "",
            "Look it up.",
            vec![oslo()],
        ),
        example(
            GPT,
            " to=functions.get_weather<|channel|>commentary json<|message|>{\"city\": \"Oslo\"}",
            "",
            "",
            vec![oslo()],
        ),
        example(
            GPT,
            "<|channel|>commentary<|message|>One moment. <|end|><|start|>assistant<|channel|>final<|message|>It is < 3 degrees.\n<|return|>",
            "One moment. It is < 3 degrees.\n",
            "",
            vec![],
        ),
        example(
            GPT,
            "<|channel|>commentary to=functions.now <|constrain|>json<|message|><|call|>",
            "",
            "",
            vec![("now", json!({}))],
        ),
        example(GPT, "plain <|chan", "plain <|chan", "", vec![]),
        example(
            GRANITE,
            "<think>Hm</think><response>Hi there.</response>",
            "Hi there.",
            "Hm",
            vec![],
        ),
        example(
            GRANITE,
            "<|tool_call|>[{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}}]",
            "",
            "",
            vec![oslo()],
        ),
        example(
            GEMMA,
            "<|channel>thought\nHm.\n<channel|><|tool_call>call:get_weather{city:<|\"|>Oslo<|\"|>}<tool_call|><|tool_call>call:write_file{path:<|\"|>a.txt<|\"|>,lines:[<|\"|>x<|\"|>,<|\"|>}<|\"|>]}<tool_call|>",
            "",
            "Hm.",
            vec![oslo(), write()],
        ),
        example(
            GEMMA,
            "<|tool_call>call:get_weather{city:<|\"|>Oslo<|\"|>,days:3,hourly:true}<tool_call|>",
            "",
            "",
            vec![(
                "get_weather",
                json!({"city": "Oslo", "days": 3, "hourly": true}),
            )],
        ),
        example(
            "microsoft-Phi-3.5-mini-instruct",
            "<tool_call>{\"name\": \"now\", \"arguments\": {}}</tool_call>",
            "<tool_call>{\"name\": \"now\", \"arguments\": {}}</tool_call>",
            "",
            vec![],
        ),
    ]
}
