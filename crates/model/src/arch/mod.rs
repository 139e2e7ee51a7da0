//! The families: each file reads as its visible difference from Llama.
//!
//! This folder is the only place that knows an architecture's name, and the name is forgotten when
//! loading ends: everything after it sees a [`ModelConfig`].

mod arcee;
mod baichuan;
mod bailingmoe;
mod bailingmoe2;
mod bitnet;
mod bloom;
mod chatglm;
mod cohere2;
mod command_r;
mod deepseek;
mod deepseek2;
mod dots1;
mod ernie45;
mod ernie45_moe;
mod exaone;
mod exaone4;
mod falcon;
mod falcon_h1;
mod gemma;
mod gemma2;
mod gemma3;
mod glm4;
mod glm4moe;
mod gpt2;
mod gpt_oss;
mod gptneox;
mod granite;
mod granitehybrid;
mod granitemoe;
mod hunyuan;
mod hunyuan_moe;
mod internlm2;
mod jamba;
mod lfm2;
mod lfm2moe;
mod llama;
mod mamba;
mod mamba2;
mod minicpm;
mod minimax_m2;
mod mistral3;
mod mpt;
mod nemotron;
mod nemotron_h;
mod nemotron_h_moe;
mod olmo;
mod olmo2;
mod olmoe;
mod orion;
mod phi2;
mod phi3;
mod phimoe;
mod qwen;
mod qwen2;
mod qwen2moe;
mod qwen2vl;
mod qwen3;
mod qwen35;
mod qwen35moe;
mod qwen3moe;
mod qwen3next;
mod qwen3vl;
mod qwen3vlmoe;
mod rwkv6;
mod rwkv7;
mod seed_oss;
mod smollm3;
mod stablelm;
mod starcoder;
mod starcoder2;
mod xverse;

use formats::gguf::Metadata;

use crate::LoadError;
use crate::config::ModelConfig;
use crate::hf::{Fields, Rows};
use crate::hparams::Hparams;
use crate::names::Role;
use crate::weights::Loader;

/// A family: its names, and how its metadata becomes a config.
pub struct Family {
    /// `general.architecture`.
    pub gguf_name: &'static str,
    /// What people call the models.
    pub models: &'static str,
    config: fn(&Hparams<'_>, &Loader<'_>) -> Result<ModelConfig, LoadError>,
    /// The forms it has in Hugging Face folders; none if it has no such form.
    pub hf: &'static [HuggingFace],
}

/// How a folder of a family differs from one of Llama's kind: what stands there under which name.
#[derive(Clone, Copy)]
pub struct HuggingFace {
    /// As `architectures` in `config.json` says it.
    pub architecture: &'static str,
    /// Names of tensors that differ from [`crate::names::NAMES`].
    pub names: &'static [(Role, &'static str)],
    /// Keys of `config.json` beyond the common ones, and the metadata keys they become.
    pub keys: &'static [(&'static str, &'static str)],
    /// Whatever metadata takes more than another name.
    pub metadata: fn(&mut Fields<'_>) -> Result<(), LoadError>,
    /// Whether GGUF has the rows of query and key in another order, neighbours as pairs.
    pub permuted: bool,
    /// Norms whose gain is stored without its 1.
    pub gain_plus_one: fn(Role) -> bool,
    /// Parts of names that are read as others, before anything else.
    pub spelled: &'static [(&'static str, &'static str)],
    /// Matrices whose rows stand in another order or place than in GGUF.
    pub rows: &'static [(Role, Rows)],
    /// Whether the text model is a part: its config is `text_config`, its tensors are under `language_model`, and what sees
    /// is left out.
    pub text_part: bool,
    /// Names that are no weights: what contains one of these is left out.
    pub ignored: &'static [&'static str],
}

impl HuggingFace {
    /// A form that differs in nothing but its name.
    pub const fn new(architecture: &'static str) -> Self {
        Self {
            architecture,
            names: &[],
            keys: &[],
            metadata: |_| Ok(()),
            permuted: false,
            gain_plus_one: |_| false,
            spelled: &[],
            rows: &[],
            text_part: false,
            ignored: &[],
        }
    }

    /// The same inside of a model that sees.
    pub const fn within(self, architecture: &'static str) -> Self {
        Self {
            architecture,
            text_part: true,
            ..self
        }
    }

    /// What a role's tensor is called, numbers as `{i}` and `{e}`.
    pub(crate) fn name_of(&self, role: Role) -> &'static str {
        let own = self.names.iter().find(|(other, _)| *other == role);
        own.map_or(role.hf(), |&(_, name)| name)
    }
}

/// What family files are written in.
mod prelude {
    pub(super) use formats::gguf::Value;
    pub(super) use kernels::{Activation, Pairing};

    pub(super) use super::{Family, HuggingFace, SHARED_EXPERTS};
    pub(super) use crate::LoadError;
    pub(super) use crate::config::{Ffn, Gating, Mixer, ModelConfig, NormConfig, QkNormOver};
    pub(super) use crate::decoder::set_rms_norms;
    pub(super) use crate::hf::{Fields, Rows};
    pub(super) use crate::hparams::Hparams;
    pub(super) use crate::names::{HF_POST_NORMS, Role};
    pub(super) use crate::weights::Loader;
}

/// What folders of DeepSeek's kind call the network that every token goes through.
const SHARED_EXPERTS: &[(Role, &str)] = &[
    (
        Role::SharedGate,
        "model.layers.{i}.mlp.shared_experts.gate_proj",
    ),
    (
        Role::SharedUp,
        "model.layers.{i}.mlp.shared_experts.up_proj",
    ),
    (
        Role::SharedDown,
        "model.layers.{i}.mlp.shared_experts.down_proj",
    ),
];

/// What folders call the scaling of Llama 3.1's rotary positions.
pub(crate) const DIVIDED_WAVES: &str = "llama3";

/// Every family there is.
pub const FAMILIES: &[Family] = &[
    llama::FAMILY,
    mistral3::FAMILY,
    qwen::FAMILY,
    qwen2::FAMILY,
    qwen2moe::FAMILY,
    qwen2vl::FAMILY,
    qwen3::FAMILY,
    qwen3moe::FAMILY,
    qwen3vl::FAMILY,
    qwen3vlmoe::FAMILY,
    gemma::FAMILY,
    gemma2::FAMILY,
    gemma3::FAMILY,
    phi2::FAMILY,
    phi3::FAMILY,
    phimoe::FAMILY,
    olmo::FAMILY,
    olmo2::FAMILY,
    olmoe::FAMILY,
    stablelm::FAMILY,
    starcoder::FAMILY,
    starcoder2::FAMILY,
    gpt2::FAMILY,
    gptneox::FAMILY,
    falcon::FAMILY,
    bloom::FAMILY,
    mpt::FAMILY,
    command_r::FAMILY,
    cohere2::FAMILY,
    granite::FAMILY,
    granitemoe::FAMILY,
    granitehybrid::FAMILY,
    falcon_h1::FAMILY,
    jamba::FAMILY,
    minicpm::FAMILY,
    smollm3::FAMILY,
    exaone::FAMILY,
    exaone4::FAMILY,
    internlm2::FAMILY,
    nemotron::FAMILY,
    nemotron_h::FAMILY,
    nemotron_h_moe::FAMILY,
    chatglm::FAMILY,
    glm4::FAMILY,
    glm4moe::FAMILY,
    deepseek::FAMILY,
    deepseek2::FAMILY,
    gpt_oss::FAMILY,
    hunyuan::FAMILY,
    hunyuan_moe::FAMILY,
    ernie45::FAMILY,
    ernie45_moe::FAMILY,
    minimax_m2::FAMILY,
    bailingmoe::FAMILY,
    bailingmoe2::FAMILY,
    baichuan::FAMILY,
    orion::FAMILY,
    xverse::FAMILY,
    arcee::FAMILY,
    seed_oss::FAMILY,
    dots1::FAMILY,
    bitnet::FAMILY,
    lfm2::FAMILY,
    lfm2moe::FAMILY,
    mamba::FAMILY,
    mamba2::FAMILY,
    qwen3next::FAMILY,
    qwen35::FAMILY,
    qwen35moe::FAMILY,
    rwkv6::FAMILY,
    rwkv7::FAMILY,
];

/// The config of the model that `metadata` describes.
///
/// # Errors
/// If no family has its name, or a hyperparameter is missing or makes no sense.
pub fn config(metadata: &Metadata, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let name: String = metadata.require("general.architecture")?;
    let Some(family) = FAMILIES.iter().find(|family| family.gguf_name == name) else {
        let known = FAMILIES.iter().map(|family| family.gguf_name).collect();
        return Err(LoadError::Architecture { found: name, known });
    };
    let h = Hparams::new(metadata, &name);
    let config = (family.config)(&h, loader)?;
    h.check_activation(&config)?;
    Ok(config)
}

/// The family and form that `architectures` of a `config.json` names.
pub(crate) fn of_folder(architecture: &str) -> Option<(&'static Family, &'static HuggingFace)> {
    let forms = FAMILIES
        .iter()
        .flat_map(|family| family.hf.iter().map(move |form| (family, form)));
    forms
        .into_iter()
        .find(|(_, form)| form.architecture == architecture)
}
