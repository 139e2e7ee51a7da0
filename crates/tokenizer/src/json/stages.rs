//! The stages around the model: normalizers, pre-tokenizers, post-processors, decoders.
//!
//! A stage is `{"type": NAME, …}`, a sequence of stages `{"type": "Sequence", LIST: […]}`, none `null`.

use serde_json::Value;

use super::key;
use super::normalize::normalize;
use crate::Error;
use crate::rules::{Behavior, Cut, Normalize, Pattern, Step};

/// What GPT-2 cuts text by, and `ByteLevel` unless told otherwise.
const WORDS: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
/// ASCII's punctuation and Unicode's.
const PUNCTUATION: &str = r"[\p{P}!-/:-@\[-`{-~]";

/// What all stages together say.
#[derive(Default)]
pub(super) struct Stages {
    pub(super) normalizers: Vec<Normalize>,
    pub(super) steps: Vec<Step>,
    pub(super) byte_level: bool,
    pub(super) before: Vec<u32>,
    pub(super) after: Vec<u32>,
    pub(super) strip_first_space: bool,
}

impl Stages {
    pub(super) fn new(
        normalizer: &Value,
        pre_tokenizer: &Value,
        post_processor: &Value,
        decoder: &Value,
        tokens: &[String],
    ) -> Result<Self, Error> {
        let mut stages = Self::default();
        each(normalizer, "normalizer", "normalizers", &mut |stage| {
            stages.normalizers.extend(normalize(&stage)?);
            Ok(())
        })?;
        each(
            pre_tokenizer,
            "pre_tokenizer",
            "pretokenizers",
            &mut |stage| stages.pre_tokenize(&stage),
        )?;
        each(
            post_processor,
            "post_processor",
            "processors",
            &mut |stage| stages.post_process(&stage, tokens),
        )?;
        each(decoder, "decoder", "decoders", &mut |stage| {
            stages.decode(&stage);
            Ok(())
        })?;
        Ok(stages)
    }

    fn pre_tokenize(&mut self, stage: &Stage<'_>) -> Result<(), Error> {
        match stage.kind {
            "ByteLevel" => {
                if stage.flag("add_prefix_space", true)? {
                    self.prepend(" ", false);
                }
                if stage.flag("use_regex", true)? {
                    self.cut(Pattern::Regex(WORDS.to_owned()), Behavior::Isolated, false);
                }
                self.byte_level = true;
            }
            "Split" => {
                let invert = stage.flag("invert", false)?;
                self.cut(stage.pattern()?, stage.behavior()?, invert);
            }
            "Digits" => {
                let each = stage.flag("individual_digits", false)?;
                let pattern = if each { r"\p{N}" } else { r"\p{N}+" };
                self.cut(
                    Pattern::Regex(pattern.to_owned()),
                    Behavior::Isolated,
                    false,
                );
            }
            "Punctuation" => {
                let pattern = Pattern::Regex(PUNCTUATION.to_owned());
                self.cut(pattern, stage.behavior()?, false);
            }
            "WhitespaceSplit" => {
                self.cut(Pattern::Regex(r"\s".to_owned()), Behavior::Removed, false);
            }
            "Whitespace" => {
                let words = Pattern::Regex(r"\w+|[^\w\s]+".to_owned());
                self.cut(words, Behavior::Removed, true);
            }
            "BertPreTokenizer" => {
                self.cut(Pattern::Regex(r"\s".to_owned()), Behavior::Removed, false);
                let pattern = Pattern::Regex(PUNCTUATION.to_owned());
                self.cut(pattern, Behavior::Isolated, false);
            }
            "Metaspace" => self.metaspace(stage)?,
            _ => {
                let known = "`ByteLevel`, `Split`, `Digits`, `Punctuation`, `WhitespaceSplit`, \
                             `Whitespace`, `BertPreTokenizer` or `Metaspace`";
                return Err(stage.unknown(known));
            }
        }
        Ok(())
    }

    /// Spaces are written as another character, and words start with it.
    fn metaspace(&mut self, stage: &Stage<'_>) -> Result<(), Error> {
        let space = stage.text("replacement")?;
        self.steps.push(Step::Write(Normalize::Replace {
            pattern: Pattern::Text(" ".to_owned()),
            with: space.clone(),
        }));
        match stage.scheme()? {
            "never" => {}
            "first" => self.prepend(&space, true),
            _ => self.prepend(&space, false),
        }
        if stage.flag("split", true)? {
            self.cut(Pattern::Text(space), Behavior::MergedWithNext, false);
        }
        Ok(())
    }

    fn prepend(&mut self, text: &str, first: bool) {
        self.steps.push(Step::Write(Normalize::Prepend {
            text: text.to_owned(),
            once: true,
            first,
        }));
    }

    fn cut(&mut self, pattern: Pattern, behavior: Behavior, invert: bool) {
        self.steps.push(Step::Cut(Cut {
            pattern,
            behavior,
            invert,
        }));
    }

    /// What goes around a single text.
    fn post_process(&mut self, stage: &Stage<'_>, tokens: &[String]) -> Result<(), Error> {
        let id = |name: &str| {
            let at = tokens.iter().position(|token| token == name);
            at.map(|id| id as u32)
                .ok_or_else(|| stage.wrong("single", "tokens of the vocabulary", name))
        };
        match stage.kind {
            // Changes offsets alone.
            "ByteLevel" => {}
            "TemplateProcessing" => {
                let parts = stage.list("single")?;
                let mut is_before = true;
                for part in parts {
                    if part.get("Sequence").is_some() {
                        is_before = false;
                    } else if let Some(name) = part["SpecialToken"]["id"].as_str() {
                        let around = if is_before {
                            &mut self.before
                        } else {
                            &mut self.after
                        };
                        around.push(id(name)?);
                    } else {
                        let expected = "`Sequence` and `SpecialToken`";
                        return Err(stage.wrong("single", expected, &part.to_string()));
                    }
                }
            }
            "RobertaProcessing" | "BertProcessing" => {
                for (field, around) in [("cls", &mut self.before), ("sep", &mut self.after)] {
                    let name = stage.value[field][0].as_str();
                    let name = name.ok_or_else(|| {
                        stage.wrong(field, "a token and its id", &stage.value[field].to_string())
                    })?;
                    around.push(id(name)?);
                }
            }
            _ => {
                let known =
                    "`ByteLevel`, `TemplateProcessing`, `RobertaProcessing` or `BertProcessing`";
                return Err(stage.unknown(known));
            }
        }
        Ok(())
    }

    /// Tokens know themselves what bytes they stand for; all that is left is the first space.
    fn decode(&mut self, stage: &Stage<'_>) {
        self.strip_first_space |= match stage.kind {
            "Strip" => stage.value["content"] == " " && stage.value["start"] != 0,
            "Metaspace" => stage.scheme().is_ok_and(|scheme| scheme != "never"),
            _ => false,
        };
    }
}

/// One stage, and where it stands.
pub(super) struct Stage<'a> {
    pub(super) value: &'a Value,
    pub(super) kind: &'a str,
    path: String,
}

/// Passes the stages of `value` to `take`, in order.
fn each(
    value: &Value,
    path: &str,
    list: &str,
    take: &mut dyn FnMut(Stage<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    if value.is_null() {
        return Ok(());
    }
    let Some(kind) = value["type"].as_str() else {
        return Err(key(
            &format!("{path}.type"),
            "a name",
            value["type"].to_string(),
        ));
    };
    if kind != "Sequence" {
        let path = path.to_owned();
        return take(Stage { value, kind, path });
    }
    let path = format!("{path}.{list}");
    let stages = value[list].as_array();
    let stages = stages.ok_or_else(|| key(&path, "a list", value[list].to_string()))?;
    for (i, stage) in stages.iter().enumerate() {
        each(stage, &format!("{path}[{i}]"), list, take)?;
    }
    Ok(())
}

impl Stage<'_> {
    pub(super) fn wrong(&self, field: &str, expected: &str, found: &str) -> Error {
        key(&format!("{}.{field}", self.path), expected, found)
    }

    pub(super) fn unknown(&self, known: &str) -> Error {
        self.wrong("type", known, &format!("`{}`", self.kind))
    }

    pub(super) fn flag(&self, field: &str, default: bool) -> Result<bool, Error> {
        match &self.value[field] {
            Value::Null => Ok(default),
            Value::Bool(flag) => Ok(*flag),
            other => Err(self.wrong(field, "true or false", &other.to_string())),
        }
    }

    pub(super) fn text(&self, field: &str) -> Result<String, Error> {
        let text = self.value[field].as_str();
        text.map(str::to_owned)
            .ok_or_else(|| self.wrong(field, "text", &self.value[field].to_string()))
    }

    fn list(&self, field: &str) -> Result<&[Value], Error> {
        let list = self.value[field].as_array();
        list.map(Vec::as_slice)
            .ok_or_else(|| self.wrong(field, "a list", &self.value[field].to_string()))
    }

    pub(super) fn pattern(&self) -> Result<Pattern, Error> {
        let pattern = &self.value["pattern"];
        match (pattern["String"].as_str(), pattern["Regex"].as_str()) {
            (Some(text), None) if !text.is_empty() => Ok(Pattern::Text(text.to_owned())),
            (None, Some(regex)) => Ok(Pattern::Regex(regex.to_owned())),
            _ => Err(self.wrong("pattern", "`String` or `Regex`", &pattern.to_string())),
        }
    }

    fn behavior(&self) -> Result<Behavior, Error> {
        let name = self.value["behavior"].as_str().unwrap_or("Isolated");
        Ok(match name.to_ascii_lowercase().replace('_', "").as_str() {
            "isolated" => Behavior::Isolated,
            "removed" => Behavior::Removed,
            "mergedwithprevious" => Behavior::MergedWithPrevious,
            "mergedwithnext" => Behavior::MergedWithNext,
            "contiguous" => Behavior::Contiguous,
            _ => {
                let known =
                    "`Isolated`, `Removed`, `MergedWithPrevious`, `MergedWithNext` or `Contiguous`";
                return Err(self.wrong("behavior", known, &format!("`{name}`")));
            }
        })
    }

    /// Where `Metaspace` puts its space: `always`, `first` or `never`.
    fn scheme(&self) -> Result<&str, Error> {
        match self.value["prepend_scheme"].as_str() {
            Some(scheme @ ("always" | "first" | "never")) => Ok(scheme),
            Some(other) => {
                let found = format!("`{other}`");
                Err(self.wrong("prepend_scheme", "`always`, `first` or `never`", &found))
            }
            // Files from before there were three.
            None if self.flag("add_prefix_space", true)? => Ok("always"),
            None => Ok("never"),
        }
    }
}
