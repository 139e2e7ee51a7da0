#!/usr/bin/env python3
"""Makes one small random model per family and what `transformers` computes with it, tap by tap.

usage: make.py [FAMILY...]     all families if none is named
pip install torch==2.15.0 transformers==5.23.0 gguf==0.19.0 numpy==2.4.6     (any build of torch: CPU only)

For each family two files are written here:
  FAMILY.gguf       the model: 2 layers, 64 wide, matrices in F16
  FAMILY.taps.gguf  tensors `TAP` and `TAP-LAYER` (llama.cpp's names), F32 [positions, width]; metadata
                    `golden.tokens`, `golden.positions`: the tokens fed, and the positions that are kept

One sequence of 100 tokens is computed; attention looks back only, so its rows hold for every shorter one.
Kept positions lie on both sides of tile edges (4, 8, 16), of KV blocks (32, 64, 96), and where the window
of 24 first moves and leaves a KV block (24, 55, 87).

The reference runs in f32 with its `eager` attention, except that keys and values are rounded to f16
first, as our cache holds them: without that every later tap would differ by f16's 1/4000.
Gains are stored as GGUF has them (Gemma's with their 1 added); rows of query and key of families that
GGUF permutes (Llama) are permuted as llama.cpp's converter does, and so are the taps that show them.
"""
import pathlib
import sys

import gguf
import numpy as np
import torch
import transformers

HERE = pathlib.Path(__file__).parent
N_TOKENS = 100
POSITIONS = [0, 1, 3, 4, 7, 8, 15, 16, 23, 24, 31, 32, 33, 54, 55, 63, 64, 87, 95, 96, 99]
SHAPE = dict(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, vocab_size=80, max_position_embeddings=256, attn_implementation="eager")
# Caps low enough to bend every score and logit; a head that is not the width divided by the heads.
GEMMA2 = dict(head_dim=20, query_pre_attn_scalar=20, sliding_window=24, attn_logit_softcapping=4.0,
              final_logit_softcapping=6.0)
FAMILIES = {  # name: (config, model, settings, whether GGUF permutes query and key)
    "llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM, dict(tie_word_embeddings=False), True),
    "qwen2": (transformers.Qwen2Config, transformers.Qwen2ForCausalLM, dict(tie_word_embeddings=False), False),
    "gemma2": (transformers.Gemma2Config, transformers.Gemma2ForCausalLM, GEMMA2, False),
}


def main():
    for name in sys.argv[1:] or FAMILIES:
        config_class, model_class, settings, permuted = FAMILIES[name]
        torch.manual_seed(1)
        config = config_class(**SHAPE, **settings)
        model = model_class(config).eval()
        randomize(model)
        tokens = torch.randint(config.vocab_size, (1, N_TOKENS))
        write_model(HERE / f"{name}.gguf", name, model, permuted)
        write_taps(HERE / f"{name}.taps.gguf", tokens[0], taps(model, tokens), model.config, permuted)


def randomize(model):
    """Weights that keep the size of the stream about as it is, exact in F16; queries and keys twice as large."""
    for name, tensor in model.named_parameters():
        random = torch.randn_like(tensor)
        if tensor.dim() == 1:
            # Gains are about 1, or about 0 where 1 is added to them; biases are about 0.
            centre = 0.0 if name.endswith("bias") or adds_one(model) else 1.0
            random = centre + 0.3 * random
        elif "embed_tokens" not in name:
            random *= (2 if "q_proj" in name or "k_proj" in name else 1) / tensor.shape[1] ** 0.5
        tensor.data.copy_(random.half())


def adds_one(model):
    return model.config.model_type == "gemma2"


def taps(model, tokens):
    """Every intermediate result by llama.cpp's name, [tokens, width]."""
    found, layers = {}, model.model.layers
    keep = lambda name, tensor: found.__setitem__(name, tensor.detach().reshape(len(tokens[0]), -1))
    after = lambda name: lambda module, inputs, output: keep(name, output[0] if isinstance(output, tuple) else output)
    before = lambda name: lambda module, inputs: keep(name, inputs[0])

    code = sys.modules[type(model).__module__]
    eager = code.eager_attention_forward

    def f16_cache(module, query, key, value, *arguments, **settings):
        """The model's own eager attention, on keys and values as an f16 cache gives them back."""
        for name, x in [("Qcur", query), ("Kcur", key), ("Vcur", value)]:
            keep(f"{name}-{module.layer_idx}", x.transpose(1, 2))
        out, probs = eager(module, query, key.half().float(), value.half().float(), *arguments, **settings)
        keep(f"kqv_out-{module.layer_idx}", out)
        return out, probs

    code.eager_attention_forward = f16_cache
    model.model.embed_tokens.register_forward_hook(after("inp_scaled" if adds_one(model) else "inp_embd"))
    for i, layer in enumerate(layers):
        post_norms = hasattr(layer, "pre_feedforward_layernorm")
        ffn_norm = layer.pre_feedforward_layernorm if post_norms else layer.post_attention_layernorm
        layer.input_layernorm.register_forward_hook(after(f"attn_norm-{i}"))
        layer.self_attn.register_forward_hook(after(f"attn_out-{i}"))
        ffn_norm.register_forward_pre_hook(before(f"ffn_inp-{i}"))
        ffn_norm.register_forward_hook(after(f"ffn_norm-{i}"))
        layer.mlp.register_forward_hook(after(f"ffn_out-{i}"))
        layer.register_forward_hook(after(f"l_out-{i}"))
        if post_norms:
            layer.post_attention_layernorm.register_forward_hook(after(f"attn_post_norm-{i}"))
            layer.post_feedforward_layernorm.register_forward_hook(after(f"ffn_post_norm-{i}"))
    model.model.norm.register_forward_hook(after("result_norm"))
    with torch.no_grad():
        keep("result_output", model(tokens, use_cache=False).logits)
    code.eager_attention_forward = eager
    return found


def write_model(path, name, model, permuted):
    config = model.config
    writer = gguf.GGUFWriter(path, name)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    if head_dim(config) * config.num_attention_heads != config.hidden_size:
        writer.add_key_length(head_dim(config))
        writer.add_value_length(head_dim(config))
    if adds_one(model):
        writer.add_sliding_window(config.sliding_window)
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
        writer.add_final_logit_softcapping(config.final_logit_softcapping)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[name.upper()], config.num_hidden_layers)
    for hf_name, tensor in model.named_parameters():
        x = tensor.detach()
        if permuted and ("q_proj" in hf_name or "k_proj" in hf_name):
            x = permute(x.T, config).T
        if hf_name.endswith("norm.weight") and adds_one(model):
            x = x + 1
        dtype = np.float16 if x.dim() == 2 else np.float32
        writer.add_tensor(names.get_name(hf_name, (".weight", ".bias")), np.ascontiguousarray(x.numpy(), dtype))
    finish(writer)


def write_taps(path, tokens, found, config, permuted):
    writer = gguf.GGUFWriter(path, "taps")
    writer.add_array("golden.tokens", tokens.tolist())
    writer.add_array("golden.positions", POSITIONS)
    for name, x in found.items():
        if permuted and name.startswith(("Qcur", "Kcur")):
            x = permute(x, config)
        writer.add_tensor(name, np.ascontiguousarray(x[POSITIONS].numpy(), np.float32))
    finish(writer)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def head_dim(config):
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def permute(x, config):
    """Columns of heads from (i, i + dim / 2) to (2i, 2i + 1), the order of Llama's GGUF files."""
    dim = head_dim(config)
    return x.reshape(len(x), -1, 2, dim // 2).transpose(2, 3).reshape(len(x), -1)


if __name__ == "__main__":
    main()
