//! StarCoder and SantaCoder (arXiv:2305.06161). Reference: transformers `modeling_gpt_bigcode.py`.
//!
//! Differs from GPT-2 so: all heads share one key and value; folders have matrices as `[out, in]`.

use super::gpt2;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "starcoder",
    models: "StarCoder, SantaCoder",
    config: gpt2::config,
    hf: &[HuggingFace {
        metadata: |fields| {
            fields.only("multi_query", &["true"])?;
            fields.set("attention.head_count_kv", Value::U32(1));
            gpt2::width_of_ffn(fields)
        },
        rows: &[],
        architecture: "GPTBigCodeForCausalLM",
        ..gpt2::FORM
    }],
};
