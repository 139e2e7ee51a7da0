//! Normalizers: what each stage of that name does, in the steps of [`Normalize`].
//!
//! Classes of characters are those of today's Unicode; the library's are of several older versions, so that marks
//! and punctuation that were added to Unicode since are treated otherwise there.

use serde_json::Value;

use super::stages::Stage;
use crate::Error;
use crate::rules::{Normalize, Pattern};
use crate::tekken::base64;

const MARKS: &str = r"\p{M}";
/// Control, format and private characters, but for those that are white space.
const BERT_REMOVED: &str = r"[\p{Cc}\p{Cf}\p{Co}\u{fffd}--\t\n\r]";
/// The blocks that BERT's tokenizer lists.
const IDEOGRAPH: &str = r"[\u{3400}-\u{4dbf}\u{4e00}-\u{9fff}\u{f900}-\u{faff}\u{20000}-\u{2a6df}\u{2a700}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]";
/// `normalizers/unicode.rs`: control characters go, others count as spaces.
const NMT_REMOVED: &str = r"[\x01-\x08\x0b\x0e-\x1f\x7f\u{8f}\u{9f}]";
const NMT_SPACES: &str =
    r"[\t\n\x0c\r\u{1680}\u{200b}-\u{200f}\u{2028}\u{2029}\u{2581}\u{feff}\u{fffd}]";

/// What a normalizer does, as steps.
pub(super) fn normalize(stage: &Stage<'_>) -> Result<Vec<Normalize>, Error> {
    Ok(vec![match stage.kind {
        "NFC" => Normalize::Nfc,
        "NFD" => Normalize::Nfd,
        "NFKC" => Normalize::Nfkc,
        "NFKD" => Normalize::Nfkd,
        "Lowercase" => Normalize::Lowercase,
        "Strip" => Normalize::Strip {
            left: stage.flag("strip_left", true)?,
            right: stage.flag("strip_right", true)?,
        },
        "Prepend" => Normalize::Prepend {
            text: stage.text("prepend")?,
            once: false,
            first: false,
        },
        "Replace" => Normalize::Replace {
            pattern: stage.pattern()?,
            with: stage.text("content")?,
        },
        "StripAccents" => removed(MARKS),
        "BertNormalizer" => return bert(stage),
        "Nmt" => return Ok(vec![removed(NMT_REMOVED), replaced(NMT_SPACES, " ")]),
        "Precompiled" => Normalize::CharsMap(charsmap(stage)?),
        _ => {
            let known = "`NFC`, `NFD`, `NFKC`, `NFKD`, `Lowercase`, `Strip`, `StripAccents`, `Prepend`, \
                         `Replace`, `BertNormalizer`, `Nmt` or `Precompiled`";
            return Err(stage.unknown(known));
        }
    }])
}

/// Each part is on unless it is switched off, but for accents: they go with the capitals unless the file says.
fn bert(stage: &Stage<'_>) -> Result<Vec<Normalize>, Error> {
    let mut steps = Vec::new();
    if stage.flag("clean_text", true)? {
        steps.extend([removed(BERT_REMOVED), replaced(r"\s", " ")]);
    }
    if stage.flag("handle_chinese_chars", true)? {
        steps.push(Normalize::Space(Pattern::Regex(IDEOGRAPH.to_owned())));
    }
    let lowercase = stage.flag("lowercase", true)?;
    if stage.flag("strip_accents", lowercase)? {
        steps.extend([Normalize::Nfd, removed(r"\p{Mn}")]);
    }
    if lowercase {
        steps.push(Normalize::Lowercase);
    }
    Ok(steps)
}

fn removed(pattern: &str) -> Normalize {
    replaced(pattern, "")
}

fn replaced(pattern: &str, with: &str) -> Normalize {
    Normalize::Replace {
        pattern: Pattern::Regex(pattern.to_owned()),
        with: with.to_owned(),
    }
}

/// The table of a `Precompiled` stage, which `null` and an empty text leave out.
fn charsmap(stage: &Stage<'_>) -> Result<Vec<u8>, Error> {
    match &stage.value["precompiled_charsmap"] {
        Value::Null => Ok(Vec::new()),
        Value::String(text) => base64(text)
            .ok_or_else(|| stage.wrong("precompiled_charsmap", "base64", "something else")),
        other => Err(stage.wrong("precompiled_charsmap", "base64", &other.to_string())),
    }
}
