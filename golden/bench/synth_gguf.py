#!/usr/bin/env python3
"""Writes a GGUF file of a known model's shape with random weights: for speed and memory, never for text.

usage: synth_gguf.py PRESET QUANT FILE [--pure]

QUANT is a tensor type (`Q4_0`, `IQ3_S`, `MXFP4`, ...) or one of llama-quantize's mixes (`Q4_K_M`, ...). As
llama-quantize does without an importance matrix, a mix gives some tensors more bits, the output matrix
(or the embedding that stands for it) gets Q6_K unless it is Q8_0 already, and rows that are not whole blocks get a type with blocks of
32. `--pure` gives every matrix the type itself.

Blocks are random bytes, which are valid codes in every format; only their f16 scales are set, so that
weights come out with standard deviation 1 / (2 sqrt(inputs)), measured with gguf-py's own dequantizer.
Norms are ones. Vocabularies are those of `../vocab`, cut or filled up to size.
Left out: rules for mixes with an importance matrix. Experts are as in a Llama with them (Mixtral), whatever family the
shape is of.

needs: pip install gguf numpy
"""
import argparse
import gzip
import pathlib
import tempfile

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

VOCAB = pathlib.Path(__file__).resolve().parent.parent / "vocab"

SHAPES = {  # architecture, layers, width, FFN, heads, KV heads, head size, vocabulary, its file, context, rope base, tied
    "smollm2-135m": ("llama", 30, 576, 1536, 9, 3, 64, 49152, "gpt-2", 8192, 1e5, True),
    "llama-3.2-1b": ("llama", 16, 2048, 8192, 32, 8, 64, 128256, "llama-bpe", 131072, 5e5, True),
    "qwen2.5-1.5b": ("qwen2", 28, 1536, 8960, 12, 2, 128, 151936, "qwen2", 32768, 1e6, True),
    "yi-9b": ("llama", 48, 4096, 11008, 32, 4, 128, 64000, "llama-spm", 4096, 5e6, False),
    "granite-1b-a400m": ("llama", 24, 1024, 512, 16, 8, 64, 49152, "gpt-2", 8192, 1e6, True),
    "gemma-2-9b": ("gemma2", 42, 3584, 14336, 16, 8, 256, 256000, "llama-spm", 8192, 1e4, True),
}
EXPERTS = {"granite-1b-a400m": (32, 8)}  # how many, and how many a token uses
KEYS = ("arch", "layers", "d", "d_ff", "heads", "kv_heads", "head_dim", "vocab", "vocab_file", "ctx", "theta", "tied")

# Where a block keeps its f16 scale, and its f16 minimum with the factor that centres random codes.
SCALES = {
    "Q4_0": (0,), "Q4_1": (0, 2, -7.5), "Q5_0": (0,), "Q5_1": (0, 2, -15.5), "Q8_0": (0,),
    "Q2_K": (80, 82, 1.5), "Q3_K": (108,), "Q4_K": (0, 2, 7.5), "Q5_K": (0, 2, 15.5), "Q6_K": (208,),
    "IQ1_S": (0,), "IQ2_XXS": (0,), "IQ2_XS": (0,), "IQ2_S": (0,), "IQ3_XXS": (0,), "IQ3_S": (0,),
    "IQ4_NL": (0,), "IQ4_XS": (0,), "TQ1_0": (52,), "TQ2_0": (64,),
}
# Types whose scale is not an f16 in a place of its own.
OTHERS = ["IQ1_M", "MXFP4", "F16", "BF16"]
MIXES = {"Q2_K": "Q2_K", "Q3_K_M": "Q3_K", "Q4_K_M": "Q4_K", "Q5_K_M": "Q5_K"}
# What llama-quantize takes for rows that are not whole blocks of 256.
NARROW = {"Q2_K": "Q4_0", "Q3_K": "Q4_0", "Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("preset", choices=list(SHAPES))
    parser.add_argument("quant", choices=sorted({*SCALES, *OTHERS, *MIXES}))
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--pure", action="store_true")
    options = parser.parse_args()
    write(options.preset, options.quant, options.pure, options.file)


def write(preset, quant, pure, path):
    """Writes the file under another name first, so that a file of that name is a whole one."""
    shape = dict(zip(KEYS, SHAPES[preset]))
    shape["experts"], shape["used"] = EXPERTS.get(preset, (0, 0))
    part = path.with_name(path.name + ".part")
    writer = gguf.GGUFWriter(part, shape["arch"])
    writer.add_name(f"{preset} {quant}, random weights")
    metadata(writer, shape)
    vocabulary(writer, shape)
    plan = [(name, dims, choose(name, dims, shape, quant, pure)) for name, dims in tensors(shape)]
    for name, dims, dtype in plan:
        per_block, block_bytes = gguf.GGML_QUANT_SIZES[dtype]
        stored = (*dims[:-1], dims[-1] // per_block * block_bytes)
        kind = {Type.F32: np.float32, Type.F16: np.float16}.get(dtype, np.uint8)
        size = int(np.prod(stored, dtype=np.int64))
        raw = None if kind != np.uint8 else dtype
        writer.add_tensor_info(name, dims if raw is None else stored, np.dtype(kind), size, raw_dtype=raw)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    weights = Weights()
    for _, dims, dtype in plan:
        writer.write_tensor_data(weights.make(dims, dtype))
    writer.close()
    part.replace(path)


def metadata(writer, shape):
    writer.add_context_length(shape["ctx"])
    writer.add_embedding_length(shape["d"])
    writer.add_block_count(shape["layers"])
    writer.add_feed_forward_length(shape["d_ff"])
    writer.add_head_count(shape["heads"])
    writer.add_head_count_kv(shape["kv_heads"])
    writer.add_key_length(shape["head_dim"])
    writer.add_value_length(shape["head_dim"])
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(shape["vocab"])
    writer.add_rope_freq_base(shape["theta"])
    if shape["arch"] == "llama":
        writer.add_rope_dimension_count(shape["head_dim"])
    if shape["experts"]:
        writer.add_expert_count(shape["experts"])
        writer.add_expert_used_count(shape["used"])
    if shape["arch"] == "gemma2":
        writer.add_attn_logit_softcapping(50.0)
        writer.add_final_logit_softcapping(30.0)
        writer.add_sliding_window(4096)


def vocabulary(writer, shape):
    """The tokenizer of a file in `../vocab`, cut or filled up to the shape's size."""
    with tempfile.NamedTemporaryFile(suffix=".gguf") as plain:
        plain.write(gzip.decompress((VOCAB / f"{shape['vocab_file']}.gguf.gz").read_bytes()))
        plain.flush()
        fields = gguf.GGUFReader(plain.name).fields
        values = {key: (field.contents(), field.types) for key, field in fields.items()
                  if key.startswith("tokenizer.")}
    filler = {"tokens": lambda i: f"<unused_{i}>", "scores": lambda i: -1e4, "token_type": lambda i: 5}
    for key, (value, types) in values.items():
        if types[0] != gguf.GGUFValueType.ARRAY:
            writer.add_key_value(key, value, types[0])
            continue
        if fill := filler.get(key.rsplit(".", 1)[1]):
            value = [*value[:shape["vocab"]], *map(fill, range(len(value), shape["vocab"]))]
        writer.add_array(key, value)


def tensors(shape):
    """Names and shapes, rows first, in the order of use."""
    d, d_ff = shape["d"], shape["d_ff"]
    q, kv = shape["heads"] * shape["head_dim"], shape["kv_heads"] * shape["head_dim"]
    yield "token_embd.weight", (shape["vocab"], d)
    for layer in range(shape["layers"]):
        block = f"blk.{layer}."
        yield block + "attn_norm.weight", (d,)
        for name, rows in (("q", q), ("k", kv), ("v", kv)):
            yield f"{block}attn_{name}.weight", (rows, d)
            if shape["arch"] == "qwen2":
                yield f"{block}attn_{name}.bias", (rows,)
        yield block + "attn_output.weight", (d, q)
        yield block + "ffn_norm.weight", (d,)
        all_of, many = "", ()
        if shape["experts"]:
            all_of, many = "_exps", (shape["experts"],)
            yield block + "ffn_gate_inp.weight", (*many, d)
        yield f"{block}ffn_gate{all_of}.weight", (*many, d_ff, d)
        yield f"{block}ffn_up{all_of}.weight", (*many, d_ff, d)
        yield f"{block}ffn_down{all_of}.weight", (*many, d, d_ff)
        if shape["arch"] == "gemma2":
            yield block + "post_attention_norm.weight", (d,)
            yield block + "post_ffw_norm.weight", (d,)
    yield "output_norm.weight", (d,)
    if not shape["tied"]:
        yield "output.weight", (shape["vocab"], d)


def choose(name, dims, shape, quant, pure):
    """The type that llama-quantize would give the tensor."""
    if len(dims) == 1 or "ffn_gate_inp" in name:
        return Type.F32
    chosen = base = MIXES.get(quant, quant)
    if not pure:
        chosen = mixed(name, shape, quant, base)
    is_narrow = dims[-1] % gguf.GGML_QUANT_SIZES[Type[chosen]][0] != 0
    is_output = name == ("token_embd.weight" if shape["tied"] else "output.weight")
    if is_narrow:
        chosen = "Q8_0" if is_output and not pure else NARROW.get(chosen, "Q4_0")
    return Type[chosen]


def mixed(name, shape, quant, base):
    if name == ("token_embd.weight" if shape["tied"] else "output.weight"):
        return base if base in ("Q8_0", "F16", "BF16") else "Q6_K"
    if quant not in MIXES or not name.startswith("blk."):
        return base
    layer, layers = int(name.split(".")[1]), shape["layers"]
    more_bits = layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2
    if "attn_v" in name or "ffn_down" in name:
        if quant in ("Q4_K_M", "Q5_K_M"):
            return "Q6_K" if more_bits else base
        if quant == "Q3_K_M":
            early = layer < (2 if "attn_v" in name else layers // 16)
            return "Q5_K" if early else "Q4_K"
        grouped = shape["heads"] // shape["kv_heads"] >= 4
        return "Q4_K" if "attn_v" in name and grouped else "Q3_K"
    if "attn_output" in name:
        return {"Q2_K": "Q3_K", "Q3_K_M": "Q4_K"}.get(quant, base)
    return base


class Weights:
    """Random tensors."""

    def __init__(self):
        self.random = np.random.Generator(np.random.SFC64(1))
        self.spreads = {}

    def make(self, dims, dtype):
        if len(dims) == 1:
            return np.ones(dims, np.float32)
        std = 0.5 / np.sqrt(dims[-1])
        if dtype in (Type.F32, Type.F16, Type.BF16):
            values = self.random.standard_normal(dims, np.float32) * np.float32(std)
            if dtype == Type.F32:
                return values
            if dtype == Type.F16:
                return values.astype(np.float16)
            return (values.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)
        per_block = gguf.GGML_QUANT_SIZES[dtype][0]
        blocks = self.blocks(dtype, int(np.prod(dims, dtype=np.int64)) // per_block, std / self.spread(dtype))
        return blocks.reshape(*dims[:-1], -1)

    def spread(self, dtype):
        """Standard deviation of weights with scale 1."""
        if dtype not in self.spreads:
            scale = 2.0 ** -6
            found = gguf.quants.dequantize(self.blocks(dtype, 4096, scale), dtype).std()
            self.spreads[dtype] = float(found) / scale
        return self.spreads[dtype]

    def blocks(self, dtype, count, scale):
        block_bytes = gguf.GGML_QUANT_SIZES[dtype][1]
        blocks = np.frombuffer(bytearray(self.random.bytes(count * block_bytes)), np.uint8).reshape(count, block_bytes)
        half = lambda value: np.frombuffer(np.float16(value).tobytes(), np.uint8)
        if dtype == Type.MXFP4:  # a power of two
            blocks[:, 0] = np.clip(np.round(np.log2(scale)) + 127, 0, 254)
        elif dtype == Type.IQ1_M:  # the nibbles of the f16 are the top ones of four u16 at byte 48
            bits = int(np.float16(scale).view(np.uint16))
            for k in range(4):
                blocks[:, 49 + 2 * k] = blocks[:, 49 + 2 * k] & 0x0F | (bits >> 4 * k & 15) << 4
        else:
            at, *minimum = SCALES[dtype.name]
            blocks[:, at:at + 2] = half(scale)
            if minimum:
                blocks[:, minimum[0]:minimum[0] + 2] = half(scale * minimum[1])
        return blocks


if __name__ == "__main__":
    main()
