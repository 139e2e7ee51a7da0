//! Falcon-H1 (TII 2025, arXiv:2507.22448). Reference: transformers `modeling_falcon_h1.py`.
//!
//! Differs from Llama so: beside attention stands Mamba 2's state space model, and a layer adds what both give; rotary
//! positions turn `i` with `i + dim / 2`. Factors on about everything are in the weights of GGUF files, and not in those
//! of folders, which are not read for that.

use super::llama;
use super::prelude::*;
use crate::decoder::head_scan;

pub(super) const FAMILY: Family = Family {
    gguf_name: "falcon-h1",
    models: "Falcon-H1 0.5B to 34B",
    config,
    hf: &[],
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    config.set_pairing(Pairing::HalfSplit);
    let norm = loader.has(Role::ScanGroupNorm, 0);
    let scan = head_scan(h, norm.then_some(config.output_norm))?;
    for layer in &mut config.layers {
        if let Mixer::Attention(attention) = &layer.mixer {
            layer.mixer = Mixer::Both(Box::new((attention.clone(), scan)));
        }
    }
    Ok(config)
}
