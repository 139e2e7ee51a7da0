//! No key of `config.json` is ignored in silence: what nobody read must be known to change nothing.
//!
//! A key is settled if a family or the common part read it, if it is `null`, if it is in [`HARMLESS`], or if its
//! value is one of [`ONLY`]. [`PRESENCE`] are switches whose work the tensors do: both must agree.

use formats::Tensor;
use serde_json::{Map, Value as Json};

use super::Fields;
use super::fields::text;
use crate::LoadError;
use crate::names::Role;

/// Keys that change no result, wherever they stand; `*` at an end stands for anything.
const HARMLESS: &[&str] = &[
    // The file, and the program that wrote it.
    "_name_or_path name_or_path _commit_hash architectures model_type auto_map *transformers_version torch_dtype \
     dtype torchscript custom_pipelines unsloth_* language license quantization_config",
    // How others compute: memory, speed, precision.
    "use_cache* *attn_implementation* *attn_impl *use_flash* use_mem_eff* use_kernels gradient_checkpointing* \
     init_device num_logits_to_keep attn_mode use_l2warp *softmax_in_fp32 fp32* fp16 bf16 use_bfloat16 reorder_and_upcast_attn slow_but_exact \
     pretraining_tp tensor_parallel* tp_plan base_model_* ep_size cache_implementation use_fused_* verbose \
     masked_softmax_fusion bias_dropout_fusion tf_legacy_loss use_triton",
    // Training.
    "time_step_min time_step_max time_step_floor time_step_init_scheme time_step_scale chunk_size \
     residual_in_fp32 initializer_* init_std init_config *dropout* *_pdrop *aux_loss* *z_loss* seq_aux \
     output_router_logits output_attentions output_hidden_states *_jitter_noise label_smoothing* loss_* \
     rescale_prenorm_residual moe_capacity* moe_drop_tokens moe_random_routing_dropped_token tie_encoder_decoder \
     init_method skip_bias_add* offset_alibi fuse_* weight_share_add_bias",
    // Heads and tasks other than the next token.
    "id2label label2id num_labels problem_type finetuning_task summary_* classifier_* task_specific_params \
     is_decoder is_encoder_decoder add_cross_attention cross_attention_hidden_size chunk_size_feed_forward \
     pruned_heads use_prefix_lm prefix_lm prefix return_dict* class_num pool_type vit_* text_* im_* anyres_* \
     num_media_embeds mask_init_id",
    // Tokens and sampling, which the engine takes from elsewhere.
    "*_token_id *_token_ids *_token_index tokenizer_class pad_token bad_words_ids vocab_size padded_vocab_size \
     pad_vocab_size_multiple* do_sample temperature top_k top_p typical_p max_length min_length max_new_tokens \
     num_beams num_beam_groups num_return_sequences *repetition_penalty length_penalty diversity_penalty \
     early_stopping *no_repeat_ngram_size remove_invalid_values exponential_decay_length_penalty \
     *suppress_tokens output_scores attn_uses_sequence_id",
    // Said again by tensors, or by other keys.
    "num_ln_in_parallel_attn no_bias max_sequence_length org_vocab_size dense_list mrope_section mrope_interleaved n_ctx seq_length model_max_length",
];

/// Keys that change the computation, and the values that leave it as it is here.
const ONLY: &[(&str, &[&str])] = &[
    ("use_bidirectional_attention", &["false"]),
    ("is_causal", &["true"]),
    ("scale_attn_weights", &["true"]),
    ("scale_attn_by_inverse_layer_idx", &["false"]),
    ("learned_pos_emb", &["true"]),
    ("embedding_fraction", &["1.0", "1"]),
    (
        "norm_type",
        &["layernorm", "layer_norm", "low_precision_layernorm", "rms"],
    ),
    ("mlp_type", &["default"]),
    ("full_attn_mod", &["1"]),
    ("interpolate_factor", &["1"]),
    ("apply_residual_connection_post_layernorm", &["false"]),
    ("use_rmsnorm", &["true"]),
    ("moe_gate", &["topk"]),
    ("compression_ratio", &["1.0", "1"]),
    ("use_cla", &["false"]),
    ("use_mla", &["false"]),
    ("use_mixed_mlp_moe", &["true"]),
    ("use_rotary_pos_emb", &["true"]),
    ("add_classification_head", &["false"]),
    ("position_embedding_xdrope", &["false"]),
    ("moe_layer_num_skipped", &["0"]),
    ("decoder_sparse_step", &["1"]),
    ("mlp_only_layers", &["[]"]),
    ("moe_layer_freq", &["1"]),
    ("attn_type", &["multihead_attention"]),
    ("position_embedding_type", &["rope", "rotary"]),
    ("order_of_interleaved_layers", &["local_attn_first"]),
    ("use_gated_activation", &["true"]),
    ("use_parallel_block", &["true"]),
    ("use_parallel_embedding", &["true"]),
    ("use_embedding_sharing", &["true"]),
    ("use_parallel_residual", &["false"]),
];

const QKV: &[Role] = &[Role::AttentionQ, Role::AttentionQkv];
const OUT: &[Role] = &[Role::AttentionOutput];
const LATENT: &[Role] = &[Role::LatentQA, Role::LatentKvA];
const FFN: &[Role] = &[Role::FfnUp, Role::FfnDown];
const CONV: &[Role] = &[Role::ScanConv];
const SHORT_CONV: &[Role] = &[Role::ShortConv, Role::ShortConvIn];
const SCAN: &[Role] = &[Role::ScanIn, Role::ScanOut];
const QUERY_NORM: &[Role] = &[Role::QueryNorm];

/// Switches of tensors: one of these roles has this part where the switch is on, and none where it is off.
const PRESENCE: &[(&str, &[&[Role]], &str)] = &[
    ("attention_bias", &[QKV, OUT, LATENT], ".bias"),
    ("attention_out_bias", &[OUT], ".bias"),
    ("qkv_bias", &[QKV], ".bias"),
    ("use_qkv_bias", &[QKV], ".bias"),
    ("mlp_bias", &[FFN], ".bias"),
    ("use_bias", &[QKV, OUT, FFN, SCAN], ".bias"),
    ("use_conv_bias", &[CONV], ".bias"),
    ("conv_bias", &[SHORT_CONV], ".bias"),
    ("bias", &[QKV, OUT, FFN], ".bias"),
    ("lm_head_bias", &[&[Role::Output]], ".bias"),
    ("use_qk_norm", &[QUERY_NORM], ".weight"),
    ("qk_layernorm", &[QUERY_NORM], ".weight"),
];

impl Fields<'_> {
    /// Fails if a key is left that may change the computation, or if a switch and `tensors` do not agree.
    pub(super) fn check_all(&self, tensors: &[Tensor]) -> Result<(), LoadError> {
        for &(key, roles, part) in PRESENCE {
            let Some(on) = self.flag(key)? else {
                continue;
            };
            let of_a_layer = |role: &Role| format!("{}{part}", role.gguf(0).replace("blk.0", ""));
            let ends: Vec<String> = roles.iter().copied().flatten().map(of_a_layer).collect();
            let found = tensors
                .iter()
                .find(|tensor| ends.iter().any(|end| tensor.name.ends_with(end.as_str())));
            if found.is_some() != on {
                let found = found.map_or("none".into(), |tensor| format!("`{}`", tensor.name));
                let number = if on { "one" } else { "none" };
                return Err(LoadError::Hyperparameter {
                    key: format!("{key} (config.json)"),
                    expected: format!(
                        "with `{on}`, {number} of the tensors `*{}`",
                        ends.join("`, `*")
                    ),
                    found,
                });
            }
        }
        self.check_keys()
    }

    /// Fails if a key is left that may change the computation.
    pub(super) fn check_keys(&self) -> Result<(), LoadError> {
        for &(key, ..) in PRESENCE {
            self.flag(key)?;
        }
        let mut left = Vec::new();
        self.unread(self.json(), "", &mut left);
        if left.is_empty() {
            return Ok(());
        }
        let what = format!("{} in config.json", left.join(", "));
        Err(LoadError::Unsupported { what })
    }

    /// Adds the keys of `object` that nobody read, with their values, to `left`.
    fn unread(&self, object: &Map<String, Json>, path: &str, left: &mut Vec<String>) {
        for (key, value) in object {
            let path = format!("{path}{key}");
            if value.is_null() || self.was_read(&path) || is_harmless(key) {
                continue;
            }
            let only = ONLY.iter().find(|(name, _)| name == key);
            if only.is_some_and(|(_, values)| values.contains(&text(value).as_str())) {
                continue;
            }
            match value {
                Json::Object(inner) => self.unread(inner, &format!("{path}."), left),
                _ => left.push(format!("`{path}` = `{}`", text(value))),
            }
        }
    }
}

fn is_harmless(key: &str) -> bool {
    let patterns = HARMLESS.iter().flat_map(|group| group.split_whitespace());
    let fits = |pattern: &str| match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (None, None) => key == pattern,
        (None, Some(start)) => key.starts_with(start),
        (Some(end), None) => key.ends_with(end),
        (Some(_), Some(_)) => key.contains(pattern.trim_matches('*')),
    };
    patterns.into_iter().any(fits)
}
