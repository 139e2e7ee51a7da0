//! Qwen 2 VL and 2.5 VL, text (arXiv:2409.12191, arXiv:2502.13923). Reference: transformers `modeling_qwen2_vl.py`,
//! `modeling_qwen2_5_vl.py`.
//!
//! Differs from Qwen 2 in what it sees. Elements of a head turn by time, height or width of an image; in text the three
//! are one number, so they turn as in Qwen 2.

use super::prelude::*;
use super::qwen2;

pub(super) const FAMILY: Family = Family {
    gguf_name: "qwen2vl",
    models: "Qwen 2 VL, 2.5 VL (text)",
    config: qwen2::config,
    hf: &[
        FORM,
        HuggingFace {
            architecture: "Qwen2_5_VLForConditionalGeneration",
            ..FORM
        },
    ],
};

const FORM: HuggingFace = HuggingFace {
    metadata: |fields| {
        // Beside the text model's keys in files of the first days, around them in others.
        fields.get("vision_config");
        Ok(())
    },
    text_part: true,
    ..HuggingFace::new("Qwen2VLForConditionalGeneration")
};
