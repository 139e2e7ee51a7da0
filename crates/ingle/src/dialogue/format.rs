//! Which way of calling tools and of thinking a chat template uses.

use super::ids::IdStyle;

/// How a model writes what is not plain text; by default, nothing is else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Format {
    /// How it calls tools; none if its template shows no way.
    pub calls: Option<CallFormat>,
    /// How it thinks.
    pub reasoning: Option<Reasoning>,
}

/// How tools are called. `N` is a tool's name, `{…}` its arguments in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallFormat {
    /// `<tool_call>{"name": "N", "arguments": {…}}</tool_call>`: Hermes, Qwen 2.5 and 3, SmolLM3. A reply that begins with
    /// such an object is a call without its mark, as is one in a block of code.
    TaggedJson,
    /// `<tool_call><function=N><parameter=K>V</parameter></function></tool_call>`: Qwen3-Coder.
    TaggedXml,
    /// `<tool_call>N<arg_key>K</arg_key><arg_value>V</arg_value></tool_call>`: GLM 4.5 and 4.6.
    TaggedKeys,
    /// `{"name": "N", "parameters": {…}}`, the whole reply, perhaps after `<|python_tag|>`: Llama 3.1 to 3.3.
    BareJson,
    /// `[TOOL_CALLS][{"name": "N", "arguments": {…}}]`: Mistral up to Nemo.
    BracketList,
    /// `[TOOL_CALLS]N[ARGS]{…}`: Mistral Small 3.2.
    BracketArgs,
    /// ``Action: ```json [{"tool_name": "N", "parameters": {…}}]``` ``: Command R and R+.
    ActionList,
    /// `<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>N<｜tool▁sep｜>{…}<｜tool▁call▁end｜><｜tool▁calls▁end｜>`: DeepSeek V3.1.
    WideMarks,
    /// The same with `function<｜tool▁sep｜>N` and the arguments in a code block: DeepSeek V3 and R1.
    WideMarksCode,
    /// `<|tool_call_begin|>functions.N:0<|tool_call_argument_begin|>{…}<|tool_call_end|>` in a section: Kimi K2.
    CountedIds,
    /// `<|tool_call_start|>[N(k="v")]<|tool_call_end|>`: LFM2.
    Pythonic,
    /// Channels, `to=functions.N`: gpt-oss.
    Harmony,
    /// `<|tool_call|>[{"name": "N", "arguments": {…}}]`: Granite 3.
    MarkedList,
    /// `<|tool_call>call:N{k:<|"|>v<|"|>}<tool_call|>`: Gemma 4.
    MarkedCall,
}

/// What goes around thoughts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reasoning {
    /// Before them; some templates write it themselves.
    pub open: &'static str,
    /// After them.
    pub close: &'static str,
}

const THINK: Reasoning = Reasoning {
    open: "<think>",
    close: "</think>",
};

/// Signs of a format in a template, in the order in which they decide.
const SIGNS: [(&[&str], CallFormat); 15] = [
    (&["<|channel|>commentary"], CallFormat::Harmony),
    (&["<|tool_call>call:"], CallFormat::MarkedCall),
    (&["<|tool_calls_section_begin|>"], CallFormat::CountedIds),
    (
        &["<｜tool▁calls▁begin｜>", "```json"],
        CallFormat::WideMarksCode,
    ),
    (&["<｜tool▁calls▁begin｜>"], CallFormat::WideMarks),
    (&["[TOOL_CALLS]", "[ARGS]"], CallFormat::BracketArgs),
    (&["[TOOL_CALLS]"], CallFormat::BracketList),
    (&["<|tool_list_start|>"], CallFormat::Pythonic),
    (&["<|tool_call_start|>"], CallFormat::Pythonic),
    (&["<tool_call>", "<function="], CallFormat::TaggedXml),
    (&["<tool_call>", "<arg_key>"], CallFormat::TaggedKeys),
    (&["<tool_call>"], CallFormat::TaggedJson),
    (&["Action:", "tool_name"], CallFormat::ActionList),
    (&["<|tool_call|>"], CallFormat::MarkedList),
    (&["<|python_tag|>"], CallFormat::BareJson),
];

impl Format {
    /// The format that a chat template uses.
    ///
    /// A template says it in two places: in its instructions to the model, and where it writes the calls of
    /// earlier turns.
    pub fn detect(template_source: &str) -> Self {
        let has = |sign: &&str| template_source.contains(*sign);
        let calls = SIGNS.iter().find(|(signs, _)| signs.iter().all(has));
        let mut calls = calls.map(|&(_, format)| format);
        if calls.is_none() && has(&"\"parameters\": dictionary of argument name") {
            // Llama 3.2 has no tag for code.
            calls = Some(CallFormat::BareJson);
        }
        let reasoning = if has(&"</think>") || has(&"<think>") {
            Some(THINK)
        } else if has(&"<|channel>thought") {
            Some(Reasoning {
                open: "<|channel>thought",
                close: "<channel|>",
            })
        } else {
            None
        };
        Self { calls, reasoning }
    }

    /// What begins a call, each on its own; empty where a call has no mark.
    pub(super) fn markers(&self) -> &'static [&'static str] {
        match self.calls {
            Some(CallFormat::TaggedJson | CallFormat::TaggedKeys) => &["<tool_call>"],
            Some(CallFormat::TaggedXml) => &["<tool_call>", "<function="],
            Some(CallFormat::BareJson) => &["<|python_tag|>"],
            Some(CallFormat::BracketList | CallFormat::BracketArgs) => &["[TOOL_CALLS]"],
            Some(CallFormat::ActionList) => &["Action:"],
            Some(CallFormat::WideMarks | CallFormat::WideMarksCode) => &["<｜tool▁calls▁begin｜>"],
            Some(CallFormat::CountedIds) => &["<|tool_calls_section_begin|>"],
            Some(CallFormat::Pythonic) => &["<|tool_call_start|>"],
            Some(CallFormat::MarkedList) => &["<|tool_call|>"],
            Some(CallFormat::MarkedCall) => &["<|tool_call>"],
            Some(CallFormat::Harmony) | None => &[],
        }
    }

    /// Marks around the answer itself that are no part of it.
    pub(super) fn noise(&self) -> &'static [&'static str] {
        match self.calls {
            Some(CallFormat::MarkedList) => &["<response>", "</response>"],
            _ => &[],
        }
    }

    pub(super) fn id_style(&self) -> IdStyle {
        match self.calls {
            Some(CallFormat::BracketList | CallFormat::BracketArgs) => IdStyle::Nine,
            Some(CallFormat::CountedIds) => IdStyle::Counted,
            _ => IdStyle::Long,
        }
    }
}
