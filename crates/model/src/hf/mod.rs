//! A Hugging Face folder as the GGUF it would become: metadata under GGUF's keys, tensors under GGUF's names.
//!
//! Everything downstream then takes one kind of model. Tensors stay mapped and are not copied, except
//! vectors (a norm's missing 1 is added) and the few matrices whose rows stand in another order.
//! What llama.cpp's converter writes into metadata is written here; what it permutes (rows of query and key in
//! Llama's family) stays as it is, and the rotary embedding takes other pairs instead, see
//! [`kernels::Pairing::HalfSplitToInterleaved`].

mod apart;
mod common;
mod delta;
mod explain;
mod fields;
mod latent;
mod rope;
mod rows;
mod scales;
mod strict;

use std::collections::HashMap;

use formats::gguf::{Metadata, Value};
use formats::hf::Folder;
use formats::{Gguf, Tensor};
use serde_json::{Map, Value as Json};

use crate::LoadError;
use crate::arch::{self, HuggingFace};
use crate::hparams::ROWS_AS_TRAINED;
use crate::names::{NAMES, Role};

pub use fields::Fields;
pub use rows::Rows;

/// The model in `folder`, without its tokenizer.
///
/// # Errors
/// If no family has the architecture, a key is missing or makes no sense, or a tensor has no place.
pub fn to_gguf(folder: &Folder) -> Result<Gguf, LoadError> {
    let mut metadata = Metadata::new();
    let (form, mut fields) = read_config(folder.config(), &mut metadata)?;
    let mut tensors = fields.take_tensors();
    let patterns = patterns(form);
    let part_tied = fields.flag("tie_word_embeddings")?;
    // What the whole config says counts more than what its text part says.
    let whole_tied = folder.config().get("tie_word_embeddings");
    let tied = whole_tied.and_then(Json::as_bool).or(part_tied);
    for weight in folder.weights() {
        let name = &weight.tensor.name;
        let sight = if form.text_part { SIGHT } else { &[] };
        let mut ignored = IGNORED.iter().chain(form.ignored).chain(sight);
        if ignored.any(|part| name.contains(part)) {
            continue;
        }
        let mut spelled = name.clone();
        for (there, here) in form.spelled {
            spelled = spelled.replacen(there, here, 1);
        }
        if form.text_part {
            spelled = spelled.replacen("language_model.", "", 1);
        }
        let place = Place::of(&spelled, &patterns).map_err(|_| unknown(name))?;
        if place.role == Role::Output && tied == Some(true) {
            // A copy of the embedding, or left from before it was tied.
            continue;
        }
        let tensor = weight.to_tensor()?;
        rows::convert(&tensor, &place, form, fields.metadata(), &mut tensors)?;
    }
    if [tied, part_tied] == [Some(false); 2]
        && !tensors.iter().any(|tensor| tensor.name == "output.weight")
    {
        let name = format!("{}.weight", form.name_of(Role::Output));
        return Err(LoadError::MissingTensor {
            name,
            vocab_only: false,
        });
    }
    fields.check_all(&tensors)?;
    Ok(Gguf::from_parts(metadata, tensors)?)
}

/// Whether every key of a `config.json` is heeded or changes nothing, as far as can be said without tensors.
///
/// # Errors
/// What [`to_gguf`] would say of it.
pub fn check_config(json: &Map<String, Json>) -> Result<(), LoadError> {
    let mut metadata = Metadata::new();
    let (_, fields) = read_config(json, &mut metadata)?;
    fields.flag("tie_word_embeddings")?;
    fields.check_keys()
}

/// What a config says, as metadata.
fn read_config<'a>(
    json: &'a Map<String, Json>,
    metadata: &'a mut Metadata,
) -> Result<(&'static HuggingFace, Fields<'a>), LoadError> {
    let architecture = fields::architecture(json)?;
    let Some((family, form)) = arch::of_folder(architecture) else {
        let forms = arch::FAMILIES.iter().flat_map(|family| family.hf);
        return Err(LoadError::Architecture {
            found: architecture.to_owned(),
            known: forms.map(|form| form.architecture).collect(),
        });
    };
    let name = Value::String(family.gguf_name.into());
    metadata.insert("general.architecture", name);
    if form.permuted {
        metadata.insert(ROWS_AS_TRAINED, Value::Bool(true));
    }
    let json = match form.text_part {
        true => fields::text_part(json)?,
        false => json,
    };
    let mut fields = Fields::new(json, family.gguf_name, metadata);
    fields.common(form.keys)?;
    (form.metadata)(&mut fields)?;
    Ok((form, fields))
}

/// Tables that are computed, not learned.
const IGNORED: &[&str] = &["rotary_emb.inv_freq", "rotary_pos_emb.inv_freq"];

/// What sees, beside a text model.
const SIGHT: &[&str] = &[
    "visual.",
    "vision_tower.",
    "vision_model.",
    "multi_modal_projector.",
    "connector.",
];

/// Which role has which name in this form, numbers as `{i}` and `{e}`.
fn patterns(form: &HuggingFace) -> HashMap<&'static str, Role> {
    let mut patterns: HashMap<_, _> = NAMES
        .iter()
        .filter(|(role, ..)| !form.names.iter().any(|(other, _)| other == role))
        .map(|&(role, _, hf)| (hf, role))
        .collect();
    // Llama's name for the norm before the FFN means the one after the mixer in layers that have both.
    if form.names.iter().all(|&(role, _)| role != Role::FfnNorm) {
        patterns.insert(Role::FfnNorm.hf(), Role::FfnNorm);
    }
    patterns.extend(form.names.iter().map(|&(role, name)| (name, role)));
    patterns
}

/// What a tensor of the folder is.
pub(crate) struct Place {
    pub(crate) role: Role,
    pub(crate) layer: usize,
    pub(crate) expert: usize,
    /// In GGUF: `.weight`, `.bias`, or nothing.
    pub(crate) suffix: &'static str,
}

impl Place {
    fn of(name: &str, patterns: &HashMap<&'static str, Role>) -> Result<Self, LoadError> {
        for (end, suffix) in [
            (".weight", ".weight"),
            (".bias", ".bias"),
            ("_bias", ".bias"),
            ("", ""),
        ] {
            let Some(base) = name.strip_suffix(end) else {
                continue;
            };
            let mut numbers = [0; 2];
            let mut count = 0;
            let mut pattern = String::with_capacity(base.len());
            for (i, part) in base.split('.').enumerate() {
                if i > 0 {
                    pattern.push('.');
                }
                match part.parse::<usize>() {
                    Ok(number) if count < 2 => {
                        numbers[count] = number;
                        pattern.push_str(["{i}", "{e}"][count]);
                        count += 1;
                    }
                    _ => pattern.push_str(part),
                }
            }
            if let Some(&role) = patterns.get(pattern.as_str()) {
                // Parameters without a suffix are biases if they are called so, and else weights in GGUF.
                let suffix = match suffix {
                    "" if base.ends_with("bias") => ".bias",
                    "" if !role.is_bare() => ".weight",
                    suffix => suffix,
                };
                return Ok(Self {
                    role,
                    layer: numbers[0],
                    expert: numbers[1],
                    suffix,
                });
            }
        }
        Err(unknown(name))
    }

    /// The name in GGUF.
    pub(crate) fn gguf(&self) -> String {
        let name = self.role.gguf_of_expert(self.layer, self.expert);
        format!("{name}{}", self.suffix)
    }
}

fn unknown(name: &str) -> LoadError {
    LoadError::UnknownTensor { name: name.into() }
}

/// The tensor under another name; shares the elements.
pub(super) fn named(tensor: &Tensor, name: String) -> Tensor {
    Tensor {
        name,
        ..tensor.clone()
    }
}
