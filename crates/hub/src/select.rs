//! Which files of a listing make the model that was asked for. Pure functions on names.
//!
//! A split model is `name-00001-of-0000N.gguf` … `name-0000N-of-0000N.gguf` (llama.cpp's
//! `gguf-split`); its parts count as one model. Vision projectors (`mmproj`) and importance
//! matrices (`imatrix`) are GGUF files too, but no models.

use crate::model_ref::Tag;

/// One model in a listing: its files in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModelFiles {
    /// All parts, first to last, also those that the listing lacks.
    pub(crate) parts: Vec<String>,
    /// The first part which the listing lacks.
    pub(crate) missing: Option<String>,
}

/// Why no model was chosen.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoChoice {
    /// Nothing fits; here is what there is.
    None(Vec<String>),
    /// Several fit.
    Several(Vec<String>),
    /// The one that fits lacks this part.
    Missing(String),
}

/// The models among these paths, sorted by name.
pub(crate) fn models<S: AsRef<str>>(paths: &[S]) -> Vec<ModelFiles> {
    let mut paths: Vec<&str> = paths
        .iter()
        .map(AsRef::as_ref)
        .filter(|p| is_model(p))
        .collect();
    paths.sort_unstable();
    let mut found: Vec<ModelFiles> = Vec::new();
    for path in &paths {
        let parts = all_parts(path);
        if found.last().is_some_and(|last| last.parts[0] == parts[0]) {
            continue;
        }
        let missing = parts
            .iter()
            .find(|part| !paths.contains(&part.as_str()))
            .cloned();
        found.push(ModelFiles { parts, missing });
    }
    found
}

/// The files that make a repository or folder a model as Hugging Face has them, or `None` if it is none.
///
/// `config.json`, the tokenizer's files and the like come first, weights last, so that a download that was
/// interrupted lacks weights and is seen to be incomplete. Other weights that some repositories hold too
/// (`consolidated.safetensors`, PyTorch's, ONNX's) are left out.
pub(crate) fn folder<S: AsRef<str>>(paths: &[S]) -> Option<ModelFiles> {
    const WEIGHTS: &str = "model.safetensors";
    const INDEX: &str = "model.safetensors.index.json";
    const TEXTS: [&str; 9] = [
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer.model",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "chat_template.jinja",
        "chat_template.json",
    ];
    let has = |name: &str| paths.iter().any(|path| path.as_ref() == name);
    if !has("config.json") {
        return None;
    }
    let texts = TEXTS.into_iter().filter(|name| has(name));
    let mut parts: Vec<String> = texts.map(str::to_owned).collect();
    let templates = paths
        .iter()
        .map(AsRef::as_ref)
        .filter(|path| path.starts_with("additional_chat_templates/") && path.ends_with(".jinja"));
    parts.extend(templates.map(str::to_owned));
    if has(WEIGHTS) {
        parts.push(WEIGHTS.to_owned());
        return Some(ModelFiles {
            parts,
            missing: None,
        });
    }
    let shards = shards(paths)?;
    parts.push(INDEX.to_owned());
    let missing = shards.iter().find(|shard| !has(shard));
    let missing = missing.cloned().or_else(|| {
        let index = INDEX.to_owned();
        (!has(INDEX)).then_some(index)
    });
    parts.extend(shards);
    Some(ModelFiles { parts, missing })
}

/// All names `model-00001-of-0000N.safetensors`, if one of them is there.
fn shards<S: AsRef<str>>(paths: &[S]) -> Option<Vec<String>> {
    let counts = paths.iter().filter_map(|path| {
        let numbers = path.as_ref().strip_prefix("model-")?;
        let (part, count) = numbers.strip_suffix(".safetensors")?.split_once("-of-")?;
        let number = |digits: &str| {
            let plain = digits.len() == 5 && digits.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| digits.parse::<u32>().ok()).flatten()
        };
        number(part)?;
        number(count).filter(|&count| (1..=MAX_PARTS).contains(&count))
    });
    let count = counts.max()?;
    let name = |part| format!("model-{part:05}-of-{count:05}.safetensors");
    Some((1..=count).map(name).collect())
}

/// The model that fits the tag.
///
/// `Tag::Default` means the quantisation [`DEFAULT_QUANT`], else the first model there is.
pub(crate) fn choose(models: &[ModelFiles], tag: &Tag) -> Result<ModelFiles, NoChoice> {
    let fitting = |quant: &str| {
        models
            .iter()
            .filter(|m| has_quant(&m.parts[0], quant))
            .collect()
    };
    let candidates: Vec<&ModelFiles> = match tag {
        Tag::File(name) => models
            .iter()
            .filter(|model| model.parts.iter().any(|part| same_file(part, name)))
            .collect(),
        Tag::Quant(quant) => fitting(quant),
        Tag::Default => match fitting(DEFAULT_QUANT) {
            none if none.is_empty() => models.iter().take(1).collect(),
            some => some,
        },
    };
    let model = match narrowed(&candidates).as_slice() {
        [] => return Err(NoChoice::None(first_parts(models.iter()))),
        [one] => *one,
        _ => return Err(NoChoice::Several(first_parts(candidates.into_iter()))),
    };
    match &model.missing {
        Some(part) => Err(NoChoice::Missing(part.clone())),
        None => Ok(model.clone()),
    }
}

/// Drops candidates that a better one of the same name stands for: the split copy of a whole file,
/// and "Unsloth dynamic" builds beside plain ones.
fn narrowed<'a>(candidates: &[&'a ModelFiles]) -> Vec<&'a ModelFiles> {
    let is_whole = |model: &ModelFiles| model.parts.len() == 1;
    let same_stem = |a: &ModelFiles, b: &ModelFiles| stem(&a.parts[0]) == stem(&b.parts[0]);
    let mut left = candidates.to_vec();
    left.retain(|model| {
        is_whole(model)
            || !candidates
                .iter()
                .any(|c| is_whole(c) && same_stem(c, model))
    });
    let plain: Vec<_> = left
        .iter()
        .copied()
        .filter(|m| !has_quant(&m.parts[0], "UD"))
        .collect();
    if plain.len() == 1 { plain } else { left }
}

fn first_parts<'a>(models: impl Iterator<Item = &'a ModelFiles>) -> Vec<String> {
    models.map(|model| model.parts[0].clone()).collect()
}

/// The quantisation that a name without tag means.
pub(crate) const DEFAULT_QUANT: &str = "Q4_K_M";

/// The quantisation that a file name states, upper case: `Q4_K_M`, `IQ2_XXS`, `BF16`.
pub(crate) fn quant_of(path: &str) -> Option<String> {
    let upper = stem(path).to_ascii_uppercase();
    upper
        .rsplit(['-', '.', '/'])
        .find(|word| is_quant_word(word))
        .map(str::to_owned)
}

/// Whether this path is a GGUF file that can be run by itself.
pub(crate) fn is_model(path: &str) -> bool {
    let name = file_name(path).to_ascii_lowercase();
    name.ends_with(".gguf") && !name.contains("mmproj") && !name.contains("imatrix")
}

/// All parts of the split model that `path` is one of; just `path` if it is no split file.
pub(crate) fn all_parts(path: &str) -> Vec<String> {
    match split_suffix(path) {
        Some((prefix, count)) => (1..=count)
            .map(|part| format!("{prefix}-{part:05}-of-{count:05}.gguf"))
            .collect(),
        None => vec![path.to_owned()],
    }
}

/// More parts than this are not believed.
const MAX_PARTS: u32 = 999;

/// `(name, N)` of `name-00001-of-0000N.gguf`.
fn split_suffix(path: &str) -> Option<(&str, u32)> {
    let stem = path.strip_suffix(".gguf")?;
    let (rest, count) = stem.rsplit_once("-of-")?;
    let (prefix, part) = rest.rsplit_once('-')?;
    let number = |digits: &str| {
        (digits.len() == 5 && digits.bytes().all(|b| b.is_ascii_digit()))
            .then(|| digits.parse::<u32>().ok())
            .flatten()
    };
    let (part, count) = (number(part)?, number(count)?);
    (part >= 1 && part <= count && count <= MAX_PARTS).then_some((prefix, count))
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn stem(path: &str) -> &str {
    match split_suffix(path) {
        Some((prefix, _)) => prefix,
        None if path.to_ascii_lowercase().ends_with(".gguf") => &path[..path.len() - 5],
        None => path,
    }
}

/// The whole path or its last component, in any case.
fn same_file(path: &str, name: &str) -> bool {
    path.eq_ignore_ascii_case(name) || file_name(path).eq_ignore_ascii_case(name)
}

/// Whether `quant` stands in the name as a word: `Q4_K` is not in `model-Q4_K_M`.
fn has_quant(path: &str, quant: &str) -> bool {
    let (text, quant) = (stem(path).to_ascii_uppercase(), quant.to_ascii_uppercase());
    text.match_indices(&quant).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + quant.len()..].chars().next();
        before.is_none_or(|c| "-._/".contains(c)) && after.is_none_or(|c| "-./".contains(c))
    })
}

fn is_quant_word(word: &str) -> bool {
    let numbered = ["IQ", "TQ", "Q"].iter().any(|prefix| {
        word.strip_prefix(prefix)
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    });
    let named = ["BF16", "F16", "F32", "FP16", "FP32"].contains(&word);
    numbered || named || word.starts_with("MXFP4") || word.starts_with("NVFP4")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(paths: &[&str], tag: &Tag) -> Result<Vec<String>, NoChoice> {
        choose(&models(paths), tag).map(|model| model.parts)
    }

    fn quant(text: &str) -> Tag {
        Tag::Quant(text.to_owned())
    }

    #[test]
    fn default_is_q4_k_m_then_the_first() {
        let many = [
            "m-Q8_0.gguf",
            "m-q4_k_m.gguf",
            "mmproj-F16.gguf",
            "README.md",
            "m-Q2_K.gguf",
        ];
        assert_eq!(pick(&many, &Tag::Default).unwrap(), ["m-q4_k_m.gguf"]);
        let few = ["mmproj-a.gguf", "m-Q8_0.gguf", "m-Q5_K_M.gguf"];
        assert_eq!(pick(&few, &Tag::Default).unwrap(), ["m-Q5_K_M.gguf"]);
        assert_eq!(
            pick(&["mmproj-a.gguf"], &Tag::Default),
            Err(NoChoice::None(vec![]))
        );
    }

    #[test]
    fn quant_matches_whole_words_in_any_case() {
        let files = [
            "m.Q4_K_S.gguf",
            "m.Q4_K_M.gguf",
            "m.IQ4_NL.gguf",
            "m.Q4_0.gguf",
        ];
        assert_eq!(pick(&files, &quant("q4_0")).unwrap(), ["m.Q4_0.gguf"]);
        assert_eq!(pick(&files, &quant("iq4_nl")).unwrap(), ["m.IQ4_NL.gguf"]);
        assert!(matches!(pick(&files, &quant("Q4_K")), Err(NoChoice::None(all)) if all.len() == 4));
        let folders = ["BF16/m-BF16.gguf", "m-UD-Q4_K_XL.gguf", "m-Q4_K_XL.gguf"];
        assert_eq!(
            pick(&folders, &quant("bf16")).unwrap(),
            ["BF16/m-BF16.gguf"]
        );
        assert_eq!(
            pick(&folders, &quant("q4_k_xl")).unwrap(),
            ["m-Q4_K_XL.gguf"]
        );
        assert_eq!(
            pick(&folders, &quant("ud-q4_k_xl")).unwrap(),
            ["m-UD-Q4_K_XL.gguf"]
        );
    }

    #[test]
    fn several_of_one_quant_are_ambiguous() {
        let files = ["a-Q4_K_M.gguf", "b-Q4_K_M.gguf"];
        assert!(
            matches!(pick(&files, &quant("Q4_K_M")), Err(NoChoice::Several(all)) if all == files)
        );
        let exact = Tag::File("B-q4_k_m.gguf".to_owned());
        assert_eq!(pick(&files, &exact).unwrap(), ["b-Q4_K_M.gguf"]);
    }

    #[test]
    fn split_files_go_together() {
        let one = "q/m-Q4_K_M-00001-of-00003.gguf";
        let two = "q/m-Q4_K_M-00002-of-00003.gguf";
        let three = "q/m-Q4_K_M-00003-of-00003.gguf";
        assert_eq!(
            pick(&[three, one, two], &Tag::Default).unwrap(),
            [one, two, three]
        );
        let by_second = Tag::File("m-Q4_K_M-00002-of-00003.gguf".to_owned());
        assert_eq!(
            pick(&[three, one, two], &by_second).unwrap(),
            [one, two, three]
        );
        assert_eq!(
            pick(&[one, three], &Tag::Default),
            Err(NoChoice::Missing(two.to_owned()))
        );
        let whole = "q/m-Q4_K_M.gguf";
        assert_eq!(
            pick(&[whole, one, two, three], &Tag::Default).unwrap(),
            [whole]
        );
        assert_eq!(all_parts("m-00004-of-00003.gguf").len(), 1);
        assert_eq!(all_parts("m-00001-of-99999.gguf").len(), 1);
    }

    #[test]
    fn a_folder_is_its_texts_and_then_its_weights() {
        let small = [
            "README.md",
            "model.safetensors",
            "config.json",
            "tokenizer.json",
            "additional_chat_templates/rag.jinja",
            "onnx/model.onnx",
        ];
        let found = folder(&small).expect("a folder");
        let expected = [
            "config.json",
            "tokenizer.json",
            "additional_chat_templates/rag.jinja",
            "model.safetensors",
        ];
        assert_eq!(
            (found.parts.as_slice(), found.missing),
            (&expected.map(String::from)[..], None)
        );

        let [one, two] = [1, 2].map(|i| format!("model-0000{i}-of-00002.safetensors"));
        let index = "model.safetensors.index.json";
        let large = ["config.json", "consolidated.safetensors", index, &one, &two];
        let found = folder(&large).expect("a folder");
        assert_eq!(found.parts, ["config.json", index, &one, &two]);
        assert_eq!(found.missing, None);
        assert_eq!(
            folder(&large[..4]).expect("a part").missing,
            Some(two.clone())
        );
        let no_index = ["config.json", &one, &two];
        assert_eq!(
            folder(&no_index).expect("parts").missing,
            Some(index.to_owned())
        );
        assert_eq!(folder(&["config.json", "pytorch_model.bin"]), None);
        assert_eq!(folder(&["model.safetensors"]), None);
        let many = ["config.json", "model-00001-of-99999.safetensors"];
        assert_eq!(folder(&many), None, "more parts than are believed");
    }

    #[test]
    fn reads_the_quant_of_a_name() {
        let table = [
            ("SmolLM2-135M-Instruct.Q4_1.gguf", Some("Q4_1")),
            ("qwen2.5-coder-1.5b-instruct-q4_k_m.gguf", Some("Q4_K_M")),
            (
                "x/gemma-3-27b-it-UD-IQ2_XXS-00001-of-00002.gguf",
                Some("IQ2_XXS"),
            ),
            ("BF16/model.gguf", Some("BF16")),
            ("gpt-oss-20b-mxfp4.gguf", Some("MXFP4")),
            ("tinyllama-1.1b.gguf", None),
        ];
        for (name, expected) in table {
            assert_eq!(quant_of(name).as_deref(), expected, "{name}");
        }
    }
}
