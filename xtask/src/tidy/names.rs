//! An architecture's name is known only in `model/src/arch/` (invariant 1).
//!
//! Looks for names of model families in code and strings; comments may name whom they like, and so
//! may tests and tools. Known are the families of `arch/` and those below.

use std::fs;
use std::path::Path;

use super::source::Source;
use crate::Failure;

/// Where the families live.
pub(super) const ARCH: &str = "crates/model/src/arch/";

/// Families that other people's engines know by name.
const FAMILIES: &[&str] = &[
    "arctic",
    "baichuan",
    "bitnet",
    "bloom",
    "chatglm",
    "codeshell",
    "cohere",
    "dbrx",
    "deepseek",
    "ernie",
    "exaone",
    "falcon",
    "gemma",
    "gpt2",
    "gptj",
    "gptneox",
    "granite",
    "grok",
    "hunyuan",
    "internlm",
    "jais",
    "jamba",
    "kimi",
    "lfm2",
    "llama",
    "mamba",
    "minicpm",
    "minimax",
    "mistral",
    "mixtral",
    "mpt",
    "nemotron",
    "olmo",
    "olmoe",
    "openelm",
    "orion",
    "phi",
    "phi2",
    "phi3",
    "phimoe",
    "plamo",
    "qwen",
    "refact",
    "rwkv",
    "smollm",
    "stablelm",
    "starcoder",
    "tinyllama",
    "xverse",
];

/// Names that only look like one: programs, their files and variables.
const OTHER_NAMES: &[&str] = &[
    "llama.cpp",
    "llamacpp",
    "llama_arg",
    "llama-server",
    "llama-bench",
    "llama-perplexity",
    "llama-cli",
    "llama2.c",
    "llama_cache",
    "llama_api_key",
    "ollama",
];

/// Files where names are data and choose no architecture.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("crates/cli/src/cmd/serve/args.rs", OF_FORMATS),
    ("crates/hub/src/catalogue.rs", FOR_PEOPLE),
    ("crates/server/src/openai/chat.rs", OF_FORMATS),
    ("crates/tokenizer/src/bpe.rs", OF_VOCABULARIES),
    ("crates/tokenizer/src/error.rs", OF_VOCABULARIES),
    ("crates/tokenizer/src/pretokenizer/", OF_VOCABULARIES),
    ("crates/tokenizer/src/special_names.rs", OF_VOCABULARIES),
    ("crates/tokenizer/src/tokenizer.rs", OF_VOCABULARIES),
    ("crates/tokenizer/src/vocab.rs", OF_VOCABULARIES),
    ("crates/tokenizer/src/world.rs", OF_VOCABULARIES),
];

const FOR_PEOPLE: &str = "short names of models, which people type";
const OF_FORMATS: &str = "requests call a form of replies after who had it first";
const OF_VOCABULARIES: &str = "GGUF names the kinds of tokenizers and pre-tokenizers after the \
    family that had them first; many architectures share one";

/// Names outside of `arch/`.
pub(super) fn check(root: &Path, sources: &[Source]) -> Result<Vec<String>, Failure> {
    let mut names: Vec<String> = FAMILIES.iter().map(|&name| name.to_owned()).collect();
    names.extend(arch_files(root)?);
    let mut broken = Vec::new();
    for source in sources {
        let path = &source.path;
        if path.starts_with(ARCH)
            || source.is_tool()
            || EXCEPTIONS.iter().any(|(file, _)| path.starts_with(file))
        {
            continue;
        }
        for (number, line) in source.code.lines().enumerate() {
            if let Some(name) = family_in(line, &names).filter(|_| !source.is_test(number)) {
                let line = number + 1;
                broken.push(format!("{path}:{line}: `{name}` is a name for {ARCH} only"));
            }
        }
    }
    Ok(broken)
}

/// The families that `arch/` holds, by file name.
fn arch_files(root: &Path) -> Result<Vec<String>, Failure> {
    let entries = fs::read_dir(root.join(ARCH));
    let entries = entries.map_err(|error| format!("cannot list `{ARCH}`: {error}"))?;
    let stem = |path: std::path::PathBuf| path.file_stem()?.to_str().map(str::to_owned);
    let stems = entries.filter_map(|entry| stem(entry.ok()?.path()));
    Ok(stems.filter(|stem| stem != "mod").collect())
}

/// The first of `names` that is a word, or a part of an identifier, in `line`.
fn family_in<'a>(line: &str, names: &'a [String]) -> Option<&'a str> {
    let mut lower = line.to_ascii_lowercase();
    for other in OTHER_NAMES {
        lower = lower.replace(other, &"-".repeat(other.len()));
    }
    let (line, lower) = (line.as_bytes(), lower.as_str());
    let is_name = |at: usize, name: &str| {
        let starts = match at.checked_sub(1).map(|before| line[before]) {
            Some(before) if before.is_ascii_alphabetic() => {
                before.is_ascii_lowercase() && line[at].is_ascii_uppercase()
            }
            _ => true,
        };
        starts
            && !line
                .get(at + name.len())
                .is_some_and(u8::is_ascii_lowercase)
    };
    let found = |name: &&String| {
        lower
            .match_indices(name.as_str())
            .any(|(at, _)| is_name(at, name))
    };
    names.iter().find(found).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_found_as_words_and_in_identifiers() {
        let names = ["llama", "phi", "mpt", "qwen"].map(str::to_owned);
        let cases = [
            ("match name { \"llama\" => 1 }", Some("llama")),
            ("struct LlamaConfig;", Some("llama")),
            ("struct MyQwen2;", Some("qwen")),
            ("let is_phi3 = true;", Some("phi")),
            ("let prompt = attempt;", None),
            ("\"as llama.cpp does, or Ollama\"", None),
            ("\"LLAMA_CACHE\"", None),
            ("graphics", None),
        ];
        for (line, expected) in cases {
            assert_eq!(family_in(line, &names), expected, "{line}");
        }
    }
}
