//! Which format each template uses.

use ingle::dialogue::CallFormat::{
    ActionList, BareJson, BracketArgs, BracketList, CountedIds, Harmony, MarkedCall, MarkedList,
    Pythonic, TaggedJson, TaggedKeys, TaggedXml, WideMarks, WideMarksCode,
};

use crate::support::format;

#[test]
fn every_template_shows_its_format() {
    let cases = [
        (
            "CohereForAI-c4ai-command-r-plus-tool_use",
            Some(ActionList),
            None,
        ),
        ("GLM-4.6", Some(TaggedKeys), Some("<think>")),
        // As published its template knows tools only as `xml_tools`, which this one leaves out.
        ("HuggingFaceTB-SmolLM3-3B", None, Some("<think>")),
        ("Kimi-K2-Instruct", Some(CountedIds), None),
        ("LFM2-8B-A1B", Some(Pythonic), None),
        (
            "Mistral-Small-3.2-24B-Instruct-2506",
            Some(BracketArgs),
            None,
        ),
        (
            "NousResearch-Hermes-3-Llama-3.1-8B-tool_use",
            Some(TaggedJson),
            None,
        ),
        ("Qwen-Qwen2.5-7B-Instruct", Some(TaggedJson), None),
        ("Qwen-Qwen3-0.6B", Some(TaggedJson), Some("<think>")),
        ("Qwen3-Coder", Some(TaggedXml), None),
        (
            "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B",
            Some(WideMarksCode),
            Some("<think>"),
        ),
        (
            "deepseek-ai-DeepSeek-V3.1",
            Some(WideMarks),
            Some("<think>"),
        ),
        ("google-gemma-2-2b-it", None, None),
        (
            "google-gemma-4-31B-it",
            Some(MarkedCall),
            Some("<|channel>thought"),
        ),
        (
            "ibm-granite-granite-3.3-2B-Instruct",
            Some(MarkedList),
            Some("<think>"),
        ),
        ("meta-llama-Llama-3.1-8B-Instruct", Some(BareJson), None),
        ("meta-llama-Llama-3.2-3B-Instruct", Some(BareJson), None),
        ("microsoft-Phi-3.5-mini-instruct", None, None),
        (
            "mistralai-Mistral-Nemo-Instruct-2407",
            Some(BracketList),
            None,
        ),
        ("openai-gpt-oss-120b", Some(Harmony), None),
    ];
    for (name, calls, open) in cases {
        let found = format(name);
        assert_eq!(found.calls, calls, "{name}");
        assert_eq!(found.reasoning.map(|tags| tags.open), open, "{name}");
    }
}
