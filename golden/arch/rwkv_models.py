#!/usr/bin/env python3
"""Makes the goldens of RWKV 6 and 7, which `transformers` lacks, as make.py does for the others.

usage: rwkv_models.py
pip install rwkv==0.8.32, and what make.py needs

The reference is BlinkDL's own inference code (package `rwkv`, strategy `cpu fp32`), fed weights under his names. The
folder has the names of RWKV/v6-Finch (`Rwkv6ForCausalLM`) and of flash-linear-attention (`RWKV7ForCausalLM`), and
llama.cpp's converter makes the GGUF of it. Epsilons: the reference norms heads with 64e-5, which folders of 7 have
as the head's width times `norm_eps`.
"""
import importlib
import json
import os
import shutil
import tempfile

import safetensors.torch
import torch
import torch.nn.functional as F

from convert import convert
from make import HERE, N_TOKENS, write_taps

VOCAB, LAYERS = 48, 2
os.environ |= dict(RWKV_JIT_ON="0", RWKV_CUDA_ON="0")


def reference(v7):
    """The package, set up for a generation when it is imported."""
    os.environ["RWKV_V7_ON"] = "1" if v7 else "0"
    return importlib.reload(importlib.import_module("rwkv.model"))


def exact(x):
    return x.half().float()


def matrix(n, k, size=1.0):
    return exact(size * torch.randn(n, k) / k ** 0.5)


def norm(weights, name, d):
    weights[f"{name}.weight"] = exact(1 + 0.3 * torch.randn(d))
    weights[f"{name}.bias"] = exact(0.3 * torch.randn(d))


def common(d, d_ff, part):
    """What both have; `part` makes a layer."""
    weights = {"emb.weight": exact(torch.randn(VOCAB, d)), "head.weight": matrix(VOCAB, d)}
    norm(weights, "blocks.0.ln0", d)
    norm(weights, "ln_out", d)
    for i in range(LAYERS):
        block = f"blocks.{i}."
        for name in ["ln1", "ln2", "att.ln_x"]:
            norm(weights, block + name, d)
        for name in ["receptance", "key", "value", "output"]:
            weights[f"{block}att.{name}.weight"] = matrix(d, d)
        weights[f"{block}ffn.key.weight"] = matrix(d_ff, d)
        weights[f"{block}ffn.value.weight"] = matrix(d, d_ff)
        part(weights, i)
    return weights


def weights6(d, dim, d_ff, mix, decay):
    def part(weights, i):
        att, ffn = f"blocks.{i}.att.", f"blocks.{i}.ffn."
        for name in "xwkvrg":
            weights[f"{att}time_maa_{name}"] = exact(torch.rand(1, 1, d))
        weights[f"{att}time_maa_w1"] = matrix(5 * mix, d).T.contiguous()
        weights[f"{att}time_maa_w2"] = exact(torch.randn(5, mix, d) / mix ** 0.5)
        weights[f"{att}time_decay"] = exact(-2 + 1.5 * torch.randn(1, 1, d))
        weights[f"{att}time_decay_w1"] = matrix(decay, d).T.contiguous()
        weights[f"{att}time_decay_w2"] = matrix(d, decay).T.contiguous()
        weights[f"{att}time_faaaa"] = exact(torch.randn(d // dim, dim))
        weights[f"{att}gate.weight"] = matrix(d, d)
        weights[f"{ffn}time_maa_k"], weights[f"{ffn}time_maa_r"] = exact(torch.rand(2, 1, 1, d))
        weights[f"{ffn}receptance.weight"] = matrix(d, d)
    return common(d, d_ff, part)


def weights7(d, dim, d_ff, ranks):
    def part(weights, i):
        att = f"blocks.{i}.att."
        for name in "rwkvag":
            weights[f"{att}x_{name}"] = exact(torch.rand(d))
        for name, rank in ranks.items():
            if name == "v" and i == 0:
                continue
            if name != "g":
                weights[f"{att}{name}0"] = exact(torch.randn(d) - (1 if name == "w" else 0))
            weights[f"{att}{name}1"] = matrix(rank, d).T.contiguous()
            weights[f"{att}{name}2"] = matrix(d, rank, 2.0).T.contiguous()
        weights[f"{att}k_k"], weights[f"{att}k_a"] = exact(0.7 + 0.3 * torch.randn(d)), exact(torch.rand(d))
        weights[f"{att}r_k"] = exact(0.5 * torch.randn(d // dim, dim))
        weights[f"blocks.{i}.ffn.x_k"] = exact(torch.rand(d))
    return common(d, d_ff, part)


def taps6(weights, tokens):
    found, calls = {}, []
    with tempfile.TemporaryDirectory() as folder:
        torch.save(dict(weights), f"{folder}/model.pth")
        model = reference(False).RWKV(f"{folder}/model", "cpu fp32", verbose=False)
    for part in ["att_seq_v6_0", "ffn_seq_v6"]:
        inner = getattr(model, part)

        def watched(x, *arguments, inner=inner):
            given = inner(x, *arguments)
            calls.append((x, given[0]))
            return given

        setattr(model, part, watched)
    found["result_output"], _ = model.forward(tokens, None, full_output=True)
    found["inp_embd"] = calls[0][0]
    for i in range(LAYERS):
        (x, middle), (_, out) = calls[2 * i : 2 * i + 2]
        found |= {f"attn_out-{i}": middle - x, f"ffn_inp-{i}": middle, f"ffn_out-{i}": out - middle, f"l_out-{i}": out}
    found["result_norm"] = F.layer_norm(out, out.shape[-1:], weights["ln_out.weight"], weights["ln_out.bias"])
    return found


def taps7(weights, tokens, dim, eps):
    code = reference(True)
    d = weights["ln_out.weight"].shape[0]
    heads, w = d // dim, weights
    layer_norm = lambda x, name: F.layer_norm(x, (d,), w[f"{name}.weight"], w[f"{name}.bias"], eps)
    x = layer_norm(w["emb.weight"], "blocks.0.ln0")[tokens]
    found, first = {"inp_embd": x}, torch.empty(0)
    for i in range(LAYERS):
        att, ffn = f"blocks.{i}.att.", f"blocks.{i}.ffn."
        lows = [w.get(att + name) for name in ["w0", "w1", "w2", "a0", "a1", "a2", "v0", "v1", "v2", "g1", "g2"]]
        # The first layer has no use for them.
        lows = [torch.zeros(1) if low is None else low for low in lows]
        normed = layer_norm(x, f"blocks.{i}.ln1")
        out, _, _, first = code.RWKV_x070_TMix_seq(
            i, heads, dim, normed, torch.zeros(d), first, torch.zeros(heads, dim, dim), *[w[f"{att}x_{name}"] for name in "rwkvag"],
            *lows, w[f"{att}k_k"], w[f"{att}k_a"], w[f"{att}r_k"].flatten(),
            *[w[f"{att}{name}.weight"].T for name in ["receptance", "key", "value", "output"]],
            w[f"{att}ln_x.weight"], w[f"{att}ln_x.bias"])
        middle = x + out
        normed2 = layer_norm(middle, f"blocks.{i}.ln2")
        mixed, _ = code.RWKV_x070_CMix_seq(normed2, torch.zeros(d), w[f"{ffn}x_k"], w[f"{ffn}key.weight"].T, w[f"{ffn}value.weight"].T)
        x = middle + mixed
        found |= {f"attn_norm-{i}": normed, f"attn_out-{i}": out, f"ffn_inp-{i}": middle, f"ffn_norm-{i}": normed2,
                  f"ffn_out-{i}": mixed, f"l_out-{i}": x}
    found["result_norm"] = layer_norm(x, "ln_out")
    found["result_output"] = found["result_norm"] @ w["head.weight"].T
    return found


def names6(name):
    for there, here in [("blocks.0.ln0", "rwkv.blocks.0.pre_ln"), ("blocks.", "rwkv.blocks."), (".att.", ".attention."),
                        (".ffn.", ".feed_forward."), ("emb.", "rwkv.embeddings."), ("ln_out", "rwkv.ln_out")]:
        if there in name and here not in name:
            name = name.replace(there, here)
    return name


def names7(name):
    for there, here in [("blocks.0.ln0", "blocks.0.pre_norm"), ("blocks.", "model.layers."), (".att.", ".attn."), ("ln_x", "g_norm"),
                        ("ln1", "attn_norm"), ("ln2", "ffn_norm"), ("emb.", "model.embeddings."), ("ln_out", "model.norm"),
                        ("head.", "lm_head.")]:
        name = name.replace(there, here)
    for part in ["receptance", "key", "value", "output"]:
        name = name.replace(f"attn.{part}.", f"attn.{part[0]}_proj.")
    for part in "wavg":
        name = name.replace(f"attn.{part}1", f"attn.{part}_lora.lora.0.weight").replace(f"attn.{part}2", f"attn.{part}_lora.lora.2.weight")
        name = name.replace(f"attn.{part}0", f"attn.{part}_lora.lora.2.bias")
    return name


def write(name, config, tensors, tokens, found):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    safetensors.torch.save_file({name: x.half().contiguous() for name, x in tensors.items()}, folder / "model.safetensors", {"format": "pt"})
    convert(folder, folder / "model.gguf")
    write_taps(folder / "taps.gguf", torch.tensor(tokens), {name: x.detach().reshape(N_TOKENS, -1) for name, x in found.items()},
               dict(layers_of="the package rwkv"))
    print(name, sum(file.stat().st_size for file in folder.iterdir()), "bytes")


def main():
    torch.manual_seed(1)
    tokens = torch.randint(VOCAB, (N_TOKENS,)).tolist()
    with torch.no_grad():
        # The converter's ranks are 32 and 64.
        weights = weights6(32, 16, 48, 32, 64)
        config = dict(architectures=["Rwkv6ForCausalLM"], model_type="rwkv6", attention_hidden_size=32, head_size=16, head_size_divisor=8,
                      hidden_size=32, intermediate_size=48, layer_norm_epsilon=1e-5, num_attention_heads=16, num_hidden_layers=LAYERS,
                      rescale_every=6, tie_word_embeddings=False, use_cache=True, vocab_size=VOCAB, bos_token_id=0, eos_token_id=0)
        found = taps6(weights, tokens)
        write("rwkv6", config, {names6(name): x for name, x in weights.items()}, tokens, found)

        d, dim, eps, ranks = 48, 16, 4e-5, dict(w=12, a=8, v=4, g=20)
        weights = weights7(d, dim, 96, ranks)
        config = dict(architectures=["RWKV7ForCausalLM"], model_type="rwkv7", attn=None, attn_mode="chunk", hidden_size=d, hidden_ratio=2.0,
                      intermediate_size=None, num_hidden_layers=LAYERS, head_dim=dim, num_heads=None, decay_low_rank_dim=ranks["w"],
                      gate_low_rank_dim=ranks["g"], a_low_rank_dim=ranks["a"], v_low_rank_dim=ranks["v"], hidden_act="sqrelu",
                      norm_first=True, norm_bias=True, norm_eps=eps, fuse_norm=True, fuse_cross_entropy=True, tie_word_embeddings=False,
                      initializer_range=0.006, max_position_embeddings=2048, use_cache=True, vocab_size=VOCAB)
        # llama.cpp's converter takes the usual width if there is none: four times.
        config["intermediate_size"] = 96
        found = taps7(weights, tokens, dim, eps)
        tensors = {names7(name): x.T if name[-2:] in ("w1", "w2", "a1", "a2", "v1", "v2", "g1", "g2") else x for name, x in weights.items()}
        tensors = {name: x[None, None] if ".attn.x_" in name else x for name, x in tensors.items()}
        write("rwkv7", config, tensors, tokens, found)


main()
