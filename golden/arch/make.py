#!/usr/bin/env python3
"""Makes one small random model per family and what `transformers` computes with it, tap by tap.

usage: make.py [NAME...]     all of families.py if none is named
pip install torch==2.15.0 transformers==5.23.0 numpy==2.4.6 sentencepiece     (any build of torch: CPU only)

For each name a folder is written here:
  config.json, model.safetensors   the model as Hugging Face has it: 2 layers, 64 wide, in F16; not where we cannot
                                   read that yet
  model.gguf                       the same, as llama.cpp's converter makes it (convert.py); not where that leaves
                                   something out
  taps.gguf                        (not where weights are quantised: then only both forms are compared)
                                   tensors `TAP` and `TAP-LAYER` (llama.cpp's names), F32 [positions, width]; metadata
                                   `golden.tokens`, `golden.positions`: the tokens fed, and the positions that are kept;
                                   `golden.ctx`: the context in use, if the model is to know; `golden.layers_of`: whose
                                   layers these are, if `transformers` has not the family itself: then llama_taps.py
                                   makes another reference, `llama_taps.gguf`

One sequence of 100 tokens is computed; attention looks back only, so its rows hold for every shorter one.
Kept positions lie at the edges of tiles (4, 8, 16), on both sides of the KV block's (64), and where the window
of 24 first moves.

The reference runs in f32 with its `eager` attention, except that keys and values are rounded to f16
first, as our cache holds them: without that every later tap would differ by f16's 1/4000.
Rows of query and key of families that GGUF permutes (Llama) are permuted in the taps as they are there.
"""
import importlib
import json
import pathlib
import shutil
import sys
import tempfile

import numpy as np
import safetensors.torch
import torch
import transformers

from convert import convert
import gguf  # after `convert`, which says which
from families import COMMON, FAMILIES

HERE = pathlib.Path(__file__).parent
N_TOKENS = 100
POSITIONS = [0, 1, 4, 8, 16, 24, 55, 63, 64, 99]
# What a family may call each part; the first that is there counts.
DECODERS = ["model", "transformer", "gpt_neox", "backbone"]
LAYERS = ["layers", "h", "blocks"]
OUTPUT_NORMS = ["norm", "embedding_norm", "ln_f", "final_layer_norm", "final_layernorm", "norm_f"]
ATTENTIONS = ["self_attn", "attn", "attention", "self_attention", "conv", "mixer", "linear_attn", "mamba"]
FFNS = ["mlp", "block_sparse_moe", "feed_forward", "ffn", "moe"]
MIXER_NORMS = ["input_layernorm", "operator_norm", "ln_1", "norm_1", "ln_attn", "norm"]
FFN_NORMS = ["pre_feedforward_layernorm", "pre_ff_layernorm", "ffn_norm", "post_attention_layernorm", "ln_2", "norm_2", "ln_mlp"]


def main():
    for name in [name for name in sys.argv[1:] if name != "-v"] or FAMILIES:
        class_name, settings, *options = FAMILIES[name]
        try:
            make(name, class_name, settings, options[0] if options else {})
        except Exception as error:
            if "-v" in sys.argv:
                raise
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
            shutil.rmtree(HERE / name, ignore_errors=True)
            continue
        print(name, sum(file.stat().st_size for file in (HERE / name).iterdir()), "bytes")


def make(name, class_name, settings, options):
    settings = COMMON | settings
    settings = {key: None if value is ... else value for key, value in settings.items() if value is not None}
    torch.manual_seed(options.get("seed", 1))
    # The text model of one that sees is a part of it.
    settings = dict(options["beside"], text_config=settings) if "beside" in options else settings
    config = getattr(transformers, options.get("config_class", f"{class_name}Config"))(**settings)
    model = getattr(transformers, options.get("model_class", f"{class_name}ForCausalLM"))(config).eval()
    if "moe" in options:
        put_experts(model, *options["moe"])
    randomize(model, options)
    config = config.get_text_config()
    tokens = torch.randint(config.vocab_size, (1, N_TOKENS))
    if options.get("unit_output"):
        # The family scales rows of the output matrix to length 1 while it runs; its files have them as they were trained.
        trained = model.lm_head.weight.data
        model.lm_head.weight.data = torch.nn.functional.normalize(trained)
    found = taps(model, tokens, options) if options.get("taps", True) else None
    if options.get("unit_output"):
        model.lm_head.weight.data = trained
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with tempfile.TemporaryDirectory() as saved:
        model.half()
        for parameter, tensor in model.named_parameters():
            if parameter.endswith("A_log"):
                # As files have it: the converter takes the exponential in the type that it finds.
                tensor.data = tensor.data.float()
        model.save_pretrained(saved)
        for file in ["config.json", "model.safetensors"]:
            shutil.copy(pathlib.Path(saved) / file, folder)
    if "tensors" in options:
        path = folder / "model.safetensors"
        tensors = options["tensors"](safetensors.torch.load_file(path))
        safetensors.torch.save_file(tensors, path, {"format": "pt"})
    if options.get("flat"):
        # As older files have it.
        path = folder / "config.json"
        whole = json.loads(path.read_text())
        text = whole.pop("text_config")
        text["rope_scaling"] = dict(type="mrope", mrope_section=text.pop("rope_parameters")["mrope_section"])
        path.write_text(json.dumps(text | dict(rope_theta=10000.0) | whole, indent=1) + "\n")
    if "whole" in options:
        (folder / "config.json").write_text(json.dumps(options["whole"], indent=1) + "\n")
    if "part" in options:
        # The text model inside of one that sees, too.
        path = folder / "config.json"
        text = json.loads(path.read_text())
        text.pop("architectures")
        whole = dict(architectures=[options["part"]], model_type="whole", text_config=text, vision_config=dict(depth=1))
        path.write_text(json.dumps(whole, indent=1) + "\n")
    if "config" in options:
        # What files of the hub say and the package no longer writes.
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | options["config"], indent=1) + "\n")
    if options.get("gguf", True):
        convert(folder, folder / "model.gguf")
    of = json.loads((folder / "config.json").read_text())["architectures"][0]
    if of.lower() not in map(str.lower, dir(transformers)):
        options = options | dict(layers_of=f"transformers' {class_name}")
    if not options.get("folder", True):
        for file in ["config.json", "model.safetensors"]:
            (folder / file).unlink()
    if found is None:
        return
    if options.get("permuted"):
        for tap in found:
            if tap.startswith(("Qcur", "Kcur")):
                found[tap] = permute(found[tap], config)
    if options.get("halved"):
        for tap in found:
            if tap.startswith(("Qcur", "Kcur")):
                found[tap] = halve(found[tap], *options["halved"])
    write_taps(folder / "taps.gguf", tokens[0], found, options)


def put_experts(model, first, package, class_name, settings):
    """Layers from `first` on get another class's mixture of experts."""
    package = importlib.import_module(f"transformers.models.{package}")
    code = sys.modules[getattr(package, f"{class_name}PreTrainedModel").__module__]
    config = getattr(package, f"{class_name}Config")(**COMMON | settings)
    moe = next(getattr(code, name) for name in (f"{class_name}MoE", f"{class_name}Moe", f"{class_name}SparseMoeBlock") if hasattr(code, name))
    for layer in model.model.layers[first:]:
        layer.mlp = moe(config).eval()


def randomize(model, options):
    """Weights that keep the size of the stream about as it is, exact in F16; queries and keys twice as large."""
    adds_one = options.get("adds_one", model.config.model_type.startswith("gemma"))
    for name, tensor in model.named_parameters():
        random = torch.randn_like(tensor)
        if "moe" in options and "moe_statics" in name:
            # The family has no bias for the choice.
            random.zero_()
        if tensor.dim() == 1:
            # Gains are about 1, or about 0 where 1 is added to them; biases are about 0.
            is_gain = "norm" in name or "ln_" in name
            adds = adds_one and "linear_attn" not in name
            centre = 1.0 if is_gain and not name.endswith("bias") and not adds else 0.0
            random = centre + 0.3 * random
            if adds:
                # The converter adds in f16: let the sum be exact there.
                random = torch.round(random * 512) / 512
        elif not any(part in name for part in ("embed_tokens", "wte", "wpe", "embed_in", "word_embeddings")):
            random *= (2 if "q_proj" in name or "k_proj" in name else 1) / tensor.shape[-1] ** 0.5
        tensor.data.copy_(random.half())
        if name.endswith("A_log"):
            tensor.data.copy_(decays(random))
    for name, buffer in model.named_buffers():
        if name.endswith(("e_score_correction_bias", "expert_bias")) and "moe" not in options:
            # Large enough to change the choice.
            buffer.copy_((0.3 * torch.randn_like(buffer)).half())


def decays(random):
    """Logarithms exact in F16, whose exponentials `torch` rounds correctly, so that others get the same."""
    logs = (0.5 * random).half().float()
    return torch.where(logs.exp() == logs.double().exp().float(), logs, 0.0)


class F16Cache(transformers.DynamicCache):
    """Gives keys and values back as a cache in f16 holds them, and shows them to `keep`."""

    def __init__(self, keep, **settings):
        super().__init__(**settings)
        self.keep = keep

    def update(self, key, value, layer, *arguments, **settings):
        self.keep(f"Kcur-{layer}", key.transpose(1, 2))
        self.keep(f"Vcur-{layer}", value.transpose(1, 2))
        return key.half().float(), value.half().float()


def first(module, names):
    return next((getattr(module, name) for name in names if getattr(module, name, None) is not None), None)


def inner(module, path):
    return path and module.get_submodule(path)


def taps(model, tokens, options):
    """Every intermediate result by llama.cpp's name, [tokens, width]."""
    found, drop = {}, options.get("drop", ())
    decoder = inner(model, options.get("decoder")) or first(model, DECODERS)
    layers = first(decoder, LAYERS)

    def keep(name, tensor):
        if name.rpartition("-")[0] not in drop and name not in drop:
            found[name] = tensor.detach().clone().reshape(N_TOKENS, -1)

    def after(name):
        return lambda module, inputs, output: keep(name, output[0] if isinstance(output, tuple) else output)

    def before(name):
        return lambda module, inputs, settings: keep(name, inputs[0] if inputs else settings["hidden_states"])

    def watch(module, name, when=after):
        if module is not None:
            register = module.register_forward_hook if when is after else module.register_forward_pre_hook
            register(when(name), **({} if when is after else {"with_kwargs": True}))

    code = sys.modules[type(model).__module__]
    if options.get("alibi"):
        # Heads that turn by nothing.
        decoder.rotary_emb.inv_freq.zero_()
    eager = getattr(code, "eager_attention_forward", None)

    def watched(module, query, key, value, *arguments, **settings):
        keep(f"Qcur-{module.layer_idx}", query.transpose(1, 2))
        if options.get("alibi"):
            heads = query.shape[1]
            ahead = torch.arange(N_TOKENS)[None, :] - torch.arange(N_TOKENS)[:, None]
            slopes = torch.tensor([2.0 ** (-8.0 * (i + 1) / heads) for i in range(heads)])
            arguments = (arguments[0] + slopes[None, :, None, None] * ahead, *arguments[1:])
        out, probs = eager(module, query, key, value, *arguments, **settings)
        keep(f"kqv_out-{module.layer_idx}", out)
        return out, probs

    if eager:
        code.eager_attention_forward = watched
    watch(layers[0], "inp_embd", before)
    for i, layer in enumerate(layers):
        if getattr(layer, "block_type", None) in ("mlp", "moe"):
            # A network in a layer of its own.
            watch(layer.norm, f"ffn_inp-{i}", before)
            watch(layer.norm, f"ffn_norm-{i}")
            watch(layer.mixer, f"ffn_out-{i}")
            watch(layer, f"l_out-{i}")
            continue
        post_norms = getattr(layer, "post_feedforward_layernorm", None) is not None
        watch(first(layer, MIXER_NORMS), f"attn_norm-{i}")
        # Some add the stream inside: then the last matrix gives what is meant.
        watch(options.get("attn_out") != "sum" and inner(layer, options.get("attn_out")) or first(layer, ATTENTIONS), f"attn_out-{i}")
        if post_norms:
            watch(layer.post_attention_layernorm, f"attn_post_norm-{i}")
            watch(layer.post_feedforward_layernorm, f"ffn_post_norm-{i}")
            ffn_norm = getattr(layer, "pre_feedforward_layernorm", None)
        else:
            ffn_norm = first(layer, FFN_NORMS)
        watch(ffn_norm, f"ffn_inp-{i}", before)
        watch(ffn_norm, f"ffn_norm-{i}")
        watch(inner(layer, options.get("ffn_out")) or first(layer, FFNS), f"ffn_out-{i}")
        if hasattr(layer, "shared_mlp"):
            # Beside the experts, not in them.
            layer.shared_mlp.register_forward_hook(lambda module, inputs, output, i=i: keep(f"ffn_out-{i}", found.get(f"ffn_out-{i}", 0) + output.flatten(0, 1)))
        watch(layer, f"l_out-{i}")
    watch(first(decoder, OUTPUT_NORMS), "result_norm")
    with torch.no_grad():
        # One that knows the layers' kinds has room for states too; without attention none is needed.
        cache = F16Cache(keep, **(dict(config=model.config) if options.get("cache") == "config" else {}))
        cache = dict(use_cache=False) if options.get("cache") == "none" else dict(past_key_values=cache, use_cache=True)
        keep("result_output", model(tokens, **cache).logits)
    if options.get("attn_out") == "sum":
        # Two mixers side by side: what the stream has more of behind them.
        for i in range(len(layers)):
            keep(f"attn_out-{i}", found[f"ffn_inp-{i}"] - found[f"l_out-{i - 1}" if i else "inp_embd"])
    if eager:
        code.eager_attention_forward = eager
    return found


def permute(x, config):
    """Columns of heads from (i, i + dim / 2) to (2i, 2i + 1), the order of Llama's GGUF files."""
    dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return x.reshape(len(x), -1, 2, dim // 2).transpose(2, 3).reshape(len(x), -1)


def halve(x, dim, part):
    """The other way round, the first `part` of `dim` columns of each head."""
    heads = x.reshape(len(x), -1, dim)
    turned = heads[..., :part].reshape(*heads.shape[:2], part // 2, 2).transpose(2, 3).flatten(2)
    return torch.cat([turned, heads[..., part:]], -1).reshape(len(x), -1)


def write_taps(path, tokens, found, options):
    writer = gguf.GGUFWriter(path, "taps")
    writer.add_array("golden.tokens", tokens.tolist())
    writer.add_array("golden.positions", POSITIONS)
    if "layers_of" in options:
        writer.add_string("golden.layers_of", options["layers_of"])
    if "ctx" in options:
        writer.add_uint32("golden.ctx", options["ctx"])
    for name, x in found.items():
        writer.add_tensor(name, np.ascontiguousarray(x[POSITIONS].numpy(), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
