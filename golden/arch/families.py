"""What each golden model looks like: the class of `transformers`, and settings beyond those all have in common.

Settings of None are left out, `...` stands for None. `drop` names taps that the reference has and a layer of that wiring has not.
"""

import relabel

COMMON = dict(hidden_size=64, intermediate_size=72, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
              vocab_size=48, max_position_embeddings=256, attn_implementation="eager")
# Caps low enough to bend every score and logit; a head that is not the width divided by the heads.
GEMMA2 = dict(head_dim=20, intermediate_size=56, query_pre_attn_scalar=20, sliding_window=24, attn_logit_softcapping=4.0,
              final_logit_softcapping=6.0)
# One of six layers sees all; positions of the other five turn by another base.
GEMMA3 = dict(hidden_size=32, intermediate_size=32, num_hidden_layers=6, num_attention_heads=2, num_key_value_heads=1, head_dim=20,
              query_pre_attn_scalar=20, sliding_window=24, rope_parameters=dict(sliding_attention=dict(rope_type="default", rope_theta=10000.0),
              full_attention=dict(rope_type="linear", rope_theta=1e6, factor=8.0)))
FALCON = dict(hidden_size=48, num_key_value_heads=None, intermediate_size=None, bias=False)
DEEPSEEK = dict(intermediate_size=32, n_routed_experts=8, num_experts_per_tok=3, moe_intermediate_size=8, n_shared_experts=2,
                first_k_dense_replace=1, n_group=4, topk_group=2, norm_topk_prob=True, routed_scaling_factor=1.7)
LATENT = dict(DEEPSEEK, num_key_value_heads=4, q_lora_rank=24, kv_lora_rank=16, qk_nope_head_dim=12, qk_rope_head_dim=8,
              v_head_dim=10)
GPT_OSS = dict(head_dim=16, intermediate_size=16, num_local_experts=4, num_experts_per_tok=2, sliding_window=24,
               layer_types=["sliding_attention", "full_attention"], rope_parameters=dict(rope_type="yarn", rope_theta=150000.0,
               factor=32.0, beta_fast=32.0, beta_slow=1.0, truncate=False, original_max_position_embeddings=64))
# Configs of families that `transformers` lacks, as their files have them.
OLD = dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, vocab_size=48, tie_word_embeddings=False, use_cache=True)
LLAMA = dict(OLD, hidden_act="silu", intermediate_size=48, rms_norm_eps=1e-6)
DEEPSEEK1 = dict(n_routed_experts=6, num_experts_per_tok=3, moe_intermediate_size=8, n_shared_experts=2, first_k_dense_replace=1,
                 norm_topk_prob=False)
LING2 = {key: value for key, value in DEEPSEEK.items() if key not in ("n_routed_experts", "n_shared_experts")}
LING2 |= dict(num_experts=8, num_shared_experts=2)
LING = dict(num_experts=6, num_experts_per_tok=3, moe_intermediate_size=8, num_shared_experts=2, first_k_dense_replace=0,
            norm_topk_prob=True)
LFM2 = dict(intermediate_size=48, block_auto_adjust_ff_dim=False, norm_eps=1e-5, layer_types=["conv", "full_attention"])
LFM2_PARTS = dict(cache="config", seed=2)
MAMBA = dict(hidden_size=40, num_attention_heads=None, num_key_value_heads=None, intermediate_size=None, max_position_embeddings=None)
# Two heads of values for each key head, and heads of keys that are not as wide as those of attention.
DELTA = dict(hidden_size=40, intermediate_size=40, num_attention_heads=2, num_key_value_heads=1, head_dim=16, linear_key_head_dim=12,
             linear_value_head_dim=12, linear_num_key_heads=2, linear_num_value_heads=4, linear_conv_kernel_dim=4,
             layer_types=["linear_attention", "full_attention"])
GRANITE_HYBRID = dict(hidden_size=40, num_attention_heads=2, num_key_value_heads=1, attention_multiplier=0.3, embedding_multiplier=3.0,
                      residual_multiplier=0.7, logits_scaling=4.0, mamba_n_heads=4, mamba_d_head=20, mamba_n_groups=1, mamba_d_state=16,
                      mamba_chunk_size=32, layer_types=["linear_attention", "full_attention"])
GRANITE_PARTS = dict(cache="config", permuted=True, config=dict(layer_types=["mamba", "attention"]))
# Factors are powers of two where they go into weights, and none makes these smaller, so that they stay exact in F16.
FALCON_H1 = dict(hidden_size=40, intermediate_size=40, num_attention_heads=2, num_key_value_heads=1, head_dim=20, mamba_d_ssm=64,
                 mamba_n_heads=4, mamba_d_head=16, mamba_n_groups=1, mamba_d_state=16, mamba_chunk_size=32, mamba_rms_norm=True,
                 mamba_norm_before_gate=False, attention_in_multiplier=2.0, attention_out_multiplier=2.0, ssm_in_multiplier=2.0,
                 ssm_out_multiplier=2.0, key_multiplier=0.5, mlp_multipliers=[2.0, 1.0], ssm_multipliers=[0.5, 1.0, 2.0, 0.5, 1.0],
                 embedding_multiplier=4.0, lm_head_multiplier=2.0)
FALCON_H1_PARTS = dict(cache="config", attn_out="sum")
NEMOTRON_H = dict(num_hidden_layers=None, hidden_size=48, head_dim=16, intermediate_size=80, mamba_num_heads=4, mamba_head_dim=16, n_groups=2,
                  ssm_state_size=16, chunk_size=32)
# As the hub has it: the package writes other names, and experts where there are none.
NEMOTRON_H_FILE = {key: value for key, value in NEMOTRON_H.items() if value} | dict(
    architectures=["NemotronHForCausalLM"], attention_bias=False, conv_kernel=4, expand=2, layer_norm_epsilon=1e-5, mamba_hidden_act="silu",
    mamba_proj_bias=False, max_position_embeddings=256, mlp_bias=False, mlp_hidden_act="relu2", num_attention_heads=4, num_hidden_layers=3,
    num_key_value_heads=2, num_logits_to_keep=1, rescale_prenorm_residual=True, residual_in_fp32=False, sliding_window=None,
    tie_word_embeddings=False, time_step_limit=[0.0, float("inf")], time_step_rank=256, use_bias=False, use_conv_bias=True,
    use_mamba_kernels=True, vocab_size=48)
NEMOTRON_H_MOE = dict(n_routed_experts=6, num_experts_per_tok=3, moe_intermediate_size=16, moe_shared_expert_intermediate_size=24,
                      routed_scaling_factor=1.7)
MISTRAL3 = dict(intermediate_size=56, head_dim=16, sliding_window=None, rope_parameters=dict(rope_type="yarn", rope_theta=10000.0,
                factor=4.0, original_max_position_embeddings=32, mscale=1.0, mscale_all_dim=1.0, beta_fast=32.0, beta_slow=1.0,
                llama_4_scaling_beta=0.1))
SIGHT = dict(depth=1, hidden_size=16, num_heads=2, patch_size=2, spatial_merge_size=1, intermediate_size=16, out_hidden_size=64)
SEES = dict(beside=dict(vision_config=SIGHT), decoder="model.language_model", tensors=relabel.hardly_seeing)
MROPE = dict(rope_type="default", rope_theta=10000.0, mrope_section=[3, 3, 2])
PARALLEL = dict(drop=["ffn_inp"])
PERMUTED = dict(permuted=True)

FAMILIES = {  # name: (class without `ForCausalLM`, settings[, options])
    "llama": ("Llama", dict(tie_word_embeddings=False), PERMUTED),
    "llama3": ("Llama", dict(rope_parameters=dict(rope_type="llama3", rope_theta=10000.0, factor=4.0, low_freq_factor=1.0,
        high_freq_factor=4.0, original_max_position_embeddings=64)), PERMUTED),
    "llama-linear": ("Llama", dict(rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=4.0)), PERMUTED),
    "llama-yarn": ("Llama", dict(rope_parameters=dict(rope_type="yarn", rope_theta=10000.0, factor=4.0,
        original_max_position_embeddings=64)), PERMUTED),
    "mistral": ("Mistral", dict(sliding_window=None, head_dim=20, intermediate_size=56), PERMUTED),
    "mistral-window": ("Mistral", dict(sliding_window=24), PERMUTED | dict(gguf=False)),
    "qwen2": ("Qwen2", dict(tie_word_embeddings=False)),
    "gemma": ("Gemma", dict(head_dim=20, intermediate_size=56)),
    "gemma2": ("Gemma2", GEMMA2),
    "gemma3": ("Gemma3", GEMMA3, dict(config_class="Gemma3TextConfig")),
    "mixtral": ("Mixtral", dict(num_local_experts=4, num_experts_per_tok=2, intermediate_size=16, sliding_window=None), PERMUTED),
    "qwen2moe": ("Qwen2Moe", dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=12,
        shared_expert_intermediate_size=16)),
    "qwen3": ("Qwen3", dict(head_dim=16)),
    "qwen3moe": ("Qwen3Moe", dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16, head_dim=16,
        norm_topk_prob=True)),
    "phi2": ("Phi", dict(hidden_size=48, num_key_value_heads=4, intermediate_size=192, partial_rotary_factor=0.5), PARALLEL),
    "phi3": ("Phi3", dict(pad_token_id=0)),
    "phi3-longrope": ("Phi3", dict(pad_token_id=0, original_max_position_embeddings=64, rope_parameters=dict(rope_type="longrope",
        rope_theta=10000.0, short_factor=[1 + i / 8 for i in range(8)], long_factor=[1 + i / 2 for i in range(8)]))),
    "phi3-longrope-short": ("Phi3", dict(pad_token_id=0, original_max_position_embeddings=128, rope_parameters=dict(rope_type="longrope",
        rope_theta=10000.0, short_factor=[1 + i / 8 for i in range(8)], long_factor=[1 + i / 2 for i in range(8)])), dict(ctx=128)),
    "olmo": ("Olmo", dict(clip_qkv=1.5), PERMUTED),
    "olmo2": ("Olmo2", dict()),
    "olmo3": ("Olmo3", dict(sliding_window=24, layer_types=["sliding_attention", "full_attention"], rope_parameters=dict(
        sliding_attention=dict(rope_type="default", rope_theta=10000.0), full_attention=dict(rope_type="yarn", rope_theta=10000.0, factor=4.0,
        original_max_position_embeddings=64, beta_fast=32.0, beta_slow=1.0)))),
    "olmoe": ("Olmoe", dict(hidden_size=48, num_experts=4, num_experts_per_tok=2, intermediate_size=16, num_key_value_heads=4)),
    "stablelm": ("StableLm", dict(use_qkv_bias=True, intermediate_size=64)),
    "stablelm-parallel": ("StableLm", dict(use_parallel_residual=True), PARALLEL),
    "starcoder2": ("Starcoder2", dict(sliding_window=None)),
    "gpt2": ("GPT2", dict(n_embd=40, n_layer=2, n_head=4, num_key_value_heads=None, n_positions=104, hidden_size=None,
        num_hidden_layers=None, num_attention_heads=None, intermediate_size=None, max_position_embeddings=None),
        dict(model_class="GPT2LMHeadModel", config=dict(n_ctx=104))),
    "gptneox": ("GPTNeoX", dict(rotary_pct=0.25, num_key_value_heads=None), PARALLEL | dict(config=dict(rotary_pct=0.25))),
    "falcon": ("Falcon", dict(FALCON, multi_query=True, num_kv_heads=1, new_decoder_architecture=False),
        PARALLEL | dict(ffn_out="mlp.dense_4h_to_h")),
    "falcon-40b": ("Falcon", dict(FALCON, num_kv_heads=2, new_decoder_architecture=True),
        dict(drop=["ffn_inp", "Kcur", "Vcur"], ffn_out="mlp.dense_4h_to_h")),
    "bloom": ("Bloom", dict(hidden_size=48, n_layer=2, n_head=6, num_attention_heads=None, num_key_value_heads=None,
        intermediate_size=None, num_hidden_layers=None), dict(attn_out="self_attention.dense", ffn_out="mlp.dense_4h_to_h")),
    "mpt": ("Mpt", dict(d_model=48, n_layers=2, n_heads=6, max_seq_len=256, hidden_size=None, num_attention_heads=None,
        num_key_value_heads=None, intermediate_size=None, num_hidden_layers=None, max_position_embeddings=None),
        dict(config=dict(architectures=["MPTForCausalLM"]), ffn_out="ffn.down_proj")),
    "command-r": ("Cohere", dict(), PARALLEL),
    "cohere2": ("Cohere2", dict(hidden_size=32, num_hidden_layers=4, sliding_window=24), PARALLEL | dict(config=dict(rotary_pct=1.0), seed=2)),
    "granite": ("Granite", dict(attention_multiplier=0.3, embedding_multiplier=3.0, residual_multiplier=0.7, logits_scaling=4.0),
        PERMUTED),
    "granitemoe": ("GraniteMoe", dict(attention_multiplier=0.3, embedding_multiplier=3.0, residual_multiplier=0.7, logits_scaling=4.0,
        num_local_experts=4, num_experts_per_tok=2, intermediate_size=16), PERMUTED),
    "smollm3": ("SmolLM3", dict(hidden_size=32, num_hidden_layers=4, pad_token_id=0), PERMUTED),
    "exaone4": ("Exaone4", dict(hidden_size=32, num_hidden_layers=4, sliding_window=24,
        layer_types=["sliding_attention"] * 3 + ["full_attention"])),
    "nemotron": ("Nemotron", dict(), dict(adds_one=True)),
    "glm4": ("Glm4", dict(head_dim=16, pad_token_id=0)),
    # llama.cpp's converter does not look for this epsilon.
    "chatglm": ("Glm", dict(head_dim=16, pad_token_id=0, rms_norm_eps=1e-5), dict(seed=2)),
    "hunyuan": ("HunYuanDenseV1", dict(head_dim=16)),
    "ernie4_5": ("Ernie4_5", dict(head_dim=16)),
    "arcee": ("Arcee", dict(), PERMUTED),
    "seed_oss": ("SeedOss", dict(head_dim=16)),
    "mistral3": ("Ministral3", MISTRAL3, PERMUTED),
    "dots1": ("Dots1", dict(DEEPSEEK, hidden_size=48, head_dim=16, num_key_value_heads=4)),
    "glm4moe": ("Glm4Moe", dict(DEEPSEEK, head_dim=16, use_qk_norm=True, attention_bias=True)),
    "gpt-oss": ("GptOss", GPT_OSS, dict(seed=2)),
    "gpt-oss-mxfp4": ("GptOss", GPT_OSS | dict(intermediate_size=32), dict(taps=False, tensors=relabel.mxfp4,
        config=dict(quantization_config=dict(quant_method="mxfp4", modules_to_not_convert=["lm_head"])))),
    "hunyuan-moe": ("HunYuanMoEV1", dict(head_dim=16, intermediate_size=8, num_experts=4, num_local_experts=4, moe_topk=[2, 2],
        moe_intermediate_size=[8, 8], num_shared_expert=[1, 1])),
    "ernie4_5-moe": ("Ernie4_5_Moe", dict(head_dim=16, moe_num_experts=4, moe_k=2, moe_intermediate_size=12, moe_num_shared_experts=1,
        moe_layer_start_index=1, intermediate_size=24)),
    "bitnet": ("BitNet", dict(), dict(gguf=False)),
    "deepseek2-lite": ("DeepseekV2", dict(LATENT, q_lora_rank=..., n_group=1, topk_group=1, topk_method="greedy", norm_topk_prob=False),
        dict(drop=["Kcur", "Vcur", "Qcur"])),
    "deepseek2": ("DeepseekV2", dict(LATENT, topk_method="group_limited_greedy", norm_topk_prob=False),
        dict(drop=["Kcur", "Vcur", "Qcur"])),
    "deepseek3": ("DeepseekV3", dict(LATENT, rope_parameters=dict(rope_type="yarn", rope_theta=10000.0, factor=4.0,
        original_max_position_embeddings=64, mscale=1.0, mscale_all_dim=1.0, beta_fast=32, beta_slow=1)),
        dict(drop=["Kcur", "Vcur", "Qcur"], config=dict(scoring_func="sigmoid"))),
    "ministral": ("Ministral", dict(head_dim=16, sliding_window=24, layer_types=["sliding_attention", "full_attention"]), PERMUTED | dict(gguf=False, seed=2)),
    "llama-dynamic": ("Llama", dict(rope_parameters=dict(rope_type="dynamic", rope_theta=10000.0, factor=4.0)), PERMUTED),
    # The package never takes the long list; one list for both.
    "phimoe": ("Phimoe", dict(num_local_experts=4, num_experts_per_tok=2, intermediate_size=16, attention_bias=True, lm_head_bias=True,
        pad_token_id=0, rope_parameters=dict(rope_type="longrope", rope_theta=10000.0, original_max_position_embeddings=64,
        short_factor=[1 + i / 2 for i in range(8)], long_factor=[1 + i / 2 for i in range(8)], short_mscale=1.1547005383792515,
        long_mscale=1.1547005383792515)), dict(seed=2, config=dict(architectures=["PhiMoEForCausalLM"], original_max_position_embeddings=64))),
    "minimax-m2": ("MiniMaxM2", dict(head_dim=16, num_local_experts=4, num_experts_per_tok=2, intermediate_size=16, rotary_dim=8),
        dict(config=dict(use_routing_bias=True, scoring_func="sigmoid", use_qk_norm=True, qk_norm_type="per_layer"))),
    "granitemoe-shared": ("GraniteMoeShared", dict(attention_multiplier=0.3, embedding_multiplier=3.0, residual_multiplier=0.7,
        logits_scaling=4.0, num_local_experts=4, num_experts_per_tok=2, intermediate_size=8, shared_intermediate_size=16), PERMUTED),
    "glm4-lite": ("Glm4MoeLite", dict(LATENT, n_group=1, topk_group=1), dict(drop=["Kcur", "Vcur", "Qcur"])),
    "starcoder": ("GPTBigCode", dict(n_embd=40, n_layer=2, n_head=4, num_key_value_heads=None, n_positions=104, hidden_size=None,
        num_hidden_layers=None, num_attention_heads=None, intermediate_size=None, max_position_embeddings=None)),
    # Recurrent layers, alone and between others.
    "lfm2": ("Lfm2", dict(LFM2, tie_word_embeddings=False), LFM2_PARTS),
    "lfm2moe": ("Lfm2Moe", dict(LFM2, moe_intermediate_size=16, num_dense_layers=1, num_experts=4, num_experts_per_tok=2,
        use_expert_bias=True), LFM2_PARTS),
    "mamba": ("Mamba", dict(MAMBA, state_size=16, time_step_rank=3), dict(cache="none")),
    "falcon-mamba": ("FalconMamba", dict(MAMBA, state_size=16, time_step_rank=3, mixer_rms_eps=1e-5), dict(cache="none")),
    "mamba2": ("Mamba2", dict(MAMBA, num_heads=4, head_dim=20, n_groups=2, state_size=16, chunk_size=32), dict(cache="none")),
    "qwen3next": ("Qwen3Next", dict(DELTA, moe_intermediate_size=8, shared_expert_intermediate_size=12, num_experts=4, num_experts_per_tok=2),
        dict(cache="config", adds_one=True)),
    "qwen35": ("Qwen3_5", dict(DELTA), dict(cache="config", adds_one=True, config_class="Qwen3_5TextConfig")),
    "qwen35moe": ("Qwen3_5Moe", dict(DELTA, moe_intermediate_size=8, shared_expert_intermediate_size=12, num_experts=4, num_experts_per_tok=2),
        dict(cache="config", adds_one=True, config_class="Qwen3_5MoeTextConfig")),
    "granitehybrid": ("GraniteMoeHybrid", dict(GRANITE_HYBRID, num_local_experts=0, shared_intermediate_size=40, intermediate_size=40), GRANITE_PARTS),
    "granitehybrid-moe": ("GraniteMoeHybrid", dict(GRANITE_HYBRID, num_local_experts=4, num_experts_per_tok=2, intermediate_size=8,
        shared_intermediate_size=12), GRANITE_PARTS),
    "granite4": ("GraniteMoeHybrid", dict(GRANITE_HYBRID, hidden_size=64, num_attention_heads=4, num_key_value_heads=2, mamba_d_head=32,
        num_local_experts=0, shared_intermediate_size=56, intermediate_size=56, position_embedding_type="rope",
        layer_types=["full_attention", "full_attention"]), PERMUTED | dict(cache="config", config=dict(
        layer_types=["attention", "attention"], num_experts_per_tok=0))),
    "jamba": ("Jamba", dict(hidden_size=32, intermediate_size=16, num_attention_heads=2, num_key_value_heads=1, num_hidden_layers=3,
        attn_layer_period=2, attn_layer_offset=1, expert_layer_period=2, expert_layer_offset=1, num_experts=4, num_experts_per_tok=2,
        mamba_d_state=16, mamba_dt_rank=3, use_mamba_kernels=False), dict(cache="config")),
    "nemotron-h": ("NemotronH", dict(NEMOTRON_H, layers_block_type=["linear_attention", "mlp", "full_attention"]), PERMUTED | dict(cache="config",
        whole=dict(NEMOTRON_H_FILE, hybrid_override_pattern="M-*", rms_norm_eps=1e-5))),
    "nemotron-h-moe": ("NemotronH", dict(NEMOTRON_H | NEMOTRON_H_MOE, layers_block_type=["linear_attention", "moe", "full_attention"]),
        PERMUTED | dict(cache="config", whole=dict(NEMOTRON_H_FILE | NEMOTRON_H_MOE, hybrid_override_pattern="ME*", n_shared_experts=1, n_group=1,
        topk_group=1, norm_topk_prob=True, norm_eps=1e-5))),
    "falcon-h1": ("FalconH1", FALCON_H1, FALCON_H1_PARTS),
    "qwen2vl": ("Qwen2VL", dict(rope_parameters=MROPE, rms_norm_eps=1e-6), SEES | dict(model_class="Qwen2VLForConditionalGeneration",
        beside=dict(vision_config=dict(depth=1, embed_dim=16, hidden_size=64, num_heads=2, patch_size=2, spatial_merge_size=1)))),
    "qwen25vl": ("Qwen2_5_VL", dict(rope_parameters=MROPE, rms_norm_eps=1e-6), SEES | dict(model_class="Qwen2_5_VLForConditionalGeneration",
        flat=True)),
    "qwen3vl": ("Qwen3VL", dict(head_dim=16, rope_parameters=MROPE | dict(mrope_interleaved=True)), SEES | dict(
        model_class="Qwen3VLForConditionalGeneration", beside=dict(vision_config=SIGHT | dict(deepstack_visual_indexes=[0])))),
    "qwen3vl-moe": ("Qwen3VLMoe", dict(head_dim=16, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16, norm_topk_prob=True,
        rope_parameters=MROPE | dict(mrope_interleaved=True)), SEES | dict(model_class="Qwen3VLMoeForConditionalGeneration",
        tensors=relabel.chain(relabel.hardly_seeing, relabel.transposed_experts),
        beside=dict(vision_config=SIGHT | dict(deepstack_visual_indexes=[0])))),
    "smolvlm": ("SmolVLM", dict(model_type="llama", tie_word_embeddings=True), SEES | PERMUTED | dict(decoder="model.text_model",
        model_class="SmolVLMForConditionalGeneration", beside=dict(vision_config=dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, image_size=8, patch_size=4), scale_factor=2), gguf=False)),
    "lfm2-vl": ("Lfm2Vl", dict(LFM2, model_type="lfm2"), SEES | dict(cache="config", seed=2, model_class="Lfm2VlForConditionalGeneration",
        beside=dict(vision_config=dict(model_type="siglip2_vision_model", hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, patch_size=4, num_patches=16)), gguf=False)),
    "glm4v": ("Glm4v", dict(head_dim=16, pad_token_id=0, rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.5,
        mrope_section=[2, 1, 1])), SEES | dict(halved=(16, 8), model_class="Glm4vForConditionalGeneration", beside=dict(vision_config=SIGHT))),
    "gemma3-vl": ("Gemma3", GEMMA3, dict(config_class="Gemma3TextConfig", gguf=False, tensors=relabel.beside_sight,
        part="Gemma3ForConditionalGeneration")),
    "mistral3-vl": ("Ministral3", MISTRAL3, PERMUTED | dict(gguf=False, tensors=relabel.beside_sight,
        part="Mistral3ForConditionalGeneration")),
    "qwen35-vl": ("Qwen3_5", dict(DELTA), dict(cache="config", adds_one=True, config_class="Qwen3_5TextConfig", seed=2,
        tensors=relabel.text_part, part="Qwen3_5ForConditionalGeneration")),
    "qwen35moe-vl": ("Qwen3_5Moe", dict(DELTA, moe_intermediate_size=8, shared_expert_intermediate_size=12, num_experts=4, num_experts_per_tok=2),
        dict(cache="config", adds_one=True, config_class="Qwen3_5MoeTextConfig", seed=2, tensors=relabel.text_part,
        part="Qwen3_5MoeForConditionalGeneration")),
    # Not in `transformers`: layers of another class that computes the same, under their own names. What they are compared
    # with is llama.cpp (llama_taps.py), as well as that class.
    "xverse": ("Llama", dict(intermediate_size=48), PERMUTED | dict(config=dict(architectures=["XverseForCausalLM"]))),
    "orion": ("StableLm", dict(partial_rotary_factor=1.0, intermediate_size=48),
        dict(config=dict(architectures=["OrionForCausalLM"], layer_norm_eps=None, rms_norm_eps=1e-5))),
    "minicpm": ("Granite", dict(attention_multiplier=0.25, embedding_multiplier=3.0, residual_multiplier=0.9 / 2 ** 0.5, logits_scaling=4.0,
        intermediate_size=48),
        PERMUTED | dict(config=dict(architectures=["MiniCPMForCausalLM"], scale_emb=3.0, scale_depth=0.9, dim_model_base=16))),
    "qwen": ("Qwen2", dict(num_key_value_heads=4, intermediate_size=32), dict(tensors=relabel.qwen, whole=dict(OLD, architectures=["QWenLMHeadModel"],
        intermediate_size=64, kv_channels=16, layer_norm_epsilon=1e-6, max_position_embeddings=512, seq_length=256, no_bias=True,
        rotary_emb_base=10000, rotary_pct=1.0, scale_attn_weights=True, use_dynamic_ntk=True, use_logn_attn=True, use_flash_attn="auto",
        attn_dropout_prob=0.0, emb_dropout_prob=0.0))),
    "internlm2": ("Llama", dict(intermediate_size=48), PERMUTED | dict(tensors=relabel.internlm2, whole=dict(LLAMA, architectures=["InternLM2ForCausalLM"],
        num_key_value_heads=2, bias=False, max_position_embeddings=256, rope_theta=10000, rope_scaling=dict(type="dynamic", factor=2.0)))),
    "internlm3": ("Llama", dict(intermediate_size=48, head_dim=16), PERMUTED | dict(whole=dict(LLAMA, architectures=["InternLM3ForCausalLM"],
        num_key_value_heads=2, head_dim=16, bias=False, qkv_bias=False, max_position_embeddings=256, rope_theta=10000,
        rope_scaling=dict(rope_type="dynamic", factor=6.0)))),
    "baichuan": ("Llama", dict(num_key_value_heads=4, intermediate_size=32), PERMUTED | dict(tensors=relabel.baichuan, whole=dict(LLAMA,
        architectures=["BaiChuanForCausalLM"], intermediate_size=32, max_position_embeddings=256))),
    "baichuan-13b": ("Llama", dict(num_key_value_heads=4, intermediate_size=56), dict(alibi=True, gguf=False, tensors=relabel.baichuan, whole=dict(LLAMA,
        architectures=["BaichuanForCausalLM"], intermediate_size=56, model_max_length=256, gradient_checkpointing=False))),
    "baichuan2": ("Llama", dict(num_key_value_heads=4, intermediate_size=48), PERMUTED | dict(gguf=False, unit_output=True,
        tensors=relabel.baichuan, whole=dict(LLAMA, architectures=["BaichuanForCausalLM"], intermediate_size=48, max_position_embeddings=256,
        model_max_length=256, z_loss_weight=0))),
    "deepseek": ("Llama", dict(hidden_size=48, num_key_value_heads=4, intermediate_size=24), PERMUTED | dict(tensors=relabel.experts,
        moe=(1, "deepseek_v2", "DeepseekV2", dict(DEEPSEEK, hidden_size=48, n_routed_experts=6, norm_topk_prob=False, routed_scaling_factor=1.0, n_group=1, topk_group=1)),
        whole=dict(LLAMA | DEEPSEEK1, architectures=["DeepseekForCausalLM"], hidden_size=48, intermediate_size=24, num_key_value_heads=4,
        max_position_embeddings=256, rope_theta=10000, rope_scaling=None, scoring_func="softmax", moe_layer_freq=1, seq_aux=True))),
    "bailingmoe": ("Llama", dict(hidden_size=48, head_dim=16, intermediate_size=32), PERMUTED | dict(seed=2, tensors=relabel.ling1,
        moe=(0, "ernie4_5_moe", "Ernie4_5_Moe", dict(hidden_size=48, moe_num_experts=6, moe_k=3, moe_intermediate_size=8, moe_num_shared_experts=2)),
        whole=dict(LLAMA | LING, architectures=["BailingMoeForCausalLM"], hidden_size=48, intermediate_size=32, num_key_value_heads=2, head_dim=16,
        max_position_embeddings=256, rope_theta=10000, rope_scaling=None, norm_head=False, norm_softmax=False, use_bias=False,
        use_qkv_bias=False))),
    "bailingmoe2": ("Glm4Moe", dict(DEEPSEEK, head_dim=16, use_qk_norm=True, attention_bias=False), dict(tensors=relabel.ling, whole=dict(
        LLAMA | LING2, architectures=["BailingMoeV2ForCausalLM"], head_dim=16, num_key_value_heads=2, max_position_embeddings=256,
        rope_theta=10000, partial_rotary_factor=0.5, rope_scaling=None, use_bias=False, use_qkv_bias=False, use_qk_norm=True,
        norm_softmax=False, score_function="sigmoid", moe_router_enable_expert_bias=True))),
    "exaone": ("Llama", dict(rms_norm_eps=1e-5, intermediate_size=48), dict(seed=2, tensors=relabel.exaone, config=dict(architectures=["ExaoneForCausalLM"], num_layers=2,
        layer_norm_epsilon=1e-5, rms_norm_eps=None, activation_function="silu"))),
}
