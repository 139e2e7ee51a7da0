#!/usr/bin/env python3
"""What llama.cpp computes with the small models of this folder: a second reference, and a table of how far both are apart.

usage: llama_taps.py taps NAME...      writes `llama_taps.gguf`, as taps.gguf with fewer positions
       llama_taps.py table [NAME...]   compares all, or those, with taps.gguf; writes their rows of README.md's table
       llama_taps.py show NAME         compares one, tap by tap
needs what make.py does, and npm (`golden/llama/llama_capi.py`)

llama.cpp gets `model.gguf` with weights in F32 (products with F16 would round activations), no vocabulary, a cache in
F32 whose keys and values are rounded to f16 (as make.py's), no flash attention, and its kernels without vectors: those
of RWKV take heads of 64 elements only. What else it wants of a model that is as small as these stands in `WANTS`.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ["GGML_NO_BACKTRACE"] = "1"
HERE = pathlib.Path(__file__).parent
sys.path.append(str(HERE.parent / "llama"))

import numpy as np

from convert import convert
import gguf  # after `convert`, which says which
from llama_capi import Library, Model, fetch_package

KEPT = [24, 63, 99]
# Our names, and llama.cpp's where they differ: the last of these that it shows counts.
NAMES = {"inp_embd": ["embd", "inp_scaled", "inp_norm"], "l_out": ["l_out", "nemotron_h_block_out"]}
PER_LAYER = ["attn_norm", "Qcur", "Kcur", "Vcur", "kqv_out", "attn_out", "ffn_inp", "ffn_norm", "ffn_out", "l_out"]
# It tells models of a family by their number of layers: `layers` appends some that give nothing. `set` and `drop` are for
# keys that its converter writes otherwise than its loader wants them, or that have a meaning in large models only.
# `unit_output`: its converter leaves it to others to scale those rows.
EPSILON = {"set": {"attention.layer_norm_rms_epsilon": 1e-6}}
SIGMOID = {"set": {"expert_gating_func": 2}}
SECTIONS = {"set": {"rope.dimension_sections": [1, 1, 0, 0]}}
WANTS = {
    "baichuan": dict(layers=32), "baichuan2": dict(layers=32, unit_output=True), "baichuan-13b": dict(layers=40),
    "bailingmoe2": {"set": {"expert_shared_count": 1}},
    "exaone": {"set": {"attention.layer_norm_rms_epsilon": 1e-5}}, "qwen": EPSILON,
    "exaone4": dict(layers=64), "deepseek2-lite": dict(layers=27),
    "glm4-lite": SIGMOID, "dots1": SIGMOID,
    "granitehybrid": dict(drop=["expert_used_count"]),
    "phi3-longrope-short": {"set": {"rope.scaling.original_context_length": 256}},
    "qwen35": SECTIONS, "qwen35moe": SECTIONS, "qwen35-vl": SECTIONS, "qwen35moe-vl": SECTIONS,
}
WINDOWS = "llama.cpp's converter leaves out the windows"
NOT_CONVERTED = {"mistral-window": WINDOWS, "ministral": WINDOWS, "bitnet": "llama.cpp's converter leaves out the scales",
                 "smolvlm": "a folder of which llama.cpp's converter makes what it makes of llama",
                 "lfm2-vl": "a folder of which llama.cpp's converter makes what it makes of lfm2"}
TABLE_OF_GELU = "GELU out of a table in f16"
WHY = {
    "gpt-oss": "rounds the ends of YaRN's ramp, which `truncate: false` forbids",
    "phimoe": "RMSNorm instead of LayerNorm; softmax instead of SparseMixer",
    "qwen2vl": "does not read RMSNorm's epsilon: 0", "qwen25vl": "does not read RMSNorm's epsilon: 0",
    "deepseek2": "a group of experts counts by its two best, not by its best",
} | dict.fromkeys(["bloom", "falcon", "falcon-40b", "gpt2", "gptneox", "mpt", "phi2", "starcoder", "starcoder2", "gemma", "gemma2",
                   "gemma3", "gemma3-vl"], TABLE_OF_GELU)


def tensors_of(path):
    """Name: values, `[rows, columns]`, of an F32 or F16 file."""
    return {t.name: gguf.quants.dequantize(t.data, t.tensor_type).reshape([int(n) for n in t.shape[::-1]])
            for t in gguf.GGUFReader(path).tensors}


def golden(name):
    """Tokens, positions, length of the context, and taps of what make.py wrote."""
    reader = gguf.GGUFReader(HERE / name / "taps.gguf")
    tokens, positions = ([int(x) for x in reader.get_field(f"golden.{key}").contents()] for key in ("tokens", "positions"))
    ctx = reader.get_field("golden.ctx")
    return tokens, positions, int(ctx.contents()) if ctx else 256, tensors_of(HERE / name / "taps.gguf")


def for_llama(source, target, wants, vocab_size):
    """Writes a model as llama.cpp wants it; returns the number of its own layers."""
    reader = gguf.GGUFReader(source)
    arch = reader.get_field("general.architecture").contents()
    writer = gguf.GGUFWriter(target, arch)
    layers = int(reader.get_field(f"{arch}.block_count").contents())
    more = {f"{arch}.{key}": value for key, value in wants.get("set", {}).items()}
    without = {f"{arch}.{key}" for key in wants.get("drop", [])} | {"general.architecture", "general.file_type"}
    if "layers" in wants:
        more[f"{arch}.block_count"] = wants["layers"]
    for key, field in reader.fields.items():
        kind, value = field.types[0], more.pop(key, field.contents())
        if key.startswith("GGUF.") or key in without:
            continue
        if kind == gguf.GGUFValueType.ARRAY:
            writer.add_array(key, list(value))
        else:
            writer.add_key_value(key, value, kind)
    for key, value in more.items():
        {float: writer.add_float32, int: writer.add_uint32, list: writer.add_array}[type(value)](key, value)
    writer.add_string("tokenizer.ggml.model", "none")
    if f"{arch}.vocab_size" not in reader.fields:
        writer.add_uint32(f"{arch}.vocab_size", vocab_size)
    tensors = {name: np.ascontiguousarray(x, np.float32) for name, x in tensors_of(source).items()}
    if wants.get("unit_output"):
        tensors["output.weight"] /= np.linalg.norm(tensors["output.weight"], axis=-1, keepdims=True)
    last = f"blk.{layers - 1}."
    for layer in range(layers, wants.get("layers", 0)):
        for name, x in list(tensors.items()):
            if name.startswith(last):
                silent = "attn_output" in name or "ffn_down" in name
                tensors[name.replace(last, f"blk.{layer}.")] = np.zeros_like(x) if silent else x
    for name, x in tensors.items():
        writer.add_tensor(name, x)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return layers


def llama_taps(name, wants=None):
    """Every tap of ours that llama.cpp has, `[tokens, width]`."""
    tokens, _, ctx, taps = golden(name)
    vocab_size = taps["result_output"].shape[1]
    seen = {}
    library = Library(fetch_package(pathlib.Path(tempfile.gettempdir()) / "llama-package"), "x64")
    with tempfile.TemporaryDirectory() as folder:
        source, target = HERE / name / "model.gguf", pathlib.Path(folder) / "llama.gguf"
        if not source.exists():
            source = pathlib.Path(folder) / "model.gguf"
            convert(HERE / name, source)
        layers = for_llama(source, target, WANTS.get(name, {}), vocab_size)
        with Model(library, target, n_ctx=ctx, repack=False, flash_attention=0, watch=seen.__setitem__) as model:
            logits = model.decode(tokens)
    found = {}
    for ours in ["inp_embd", *(f"{part}-{layer}" for layer in range(layers) for part in PER_LAYER), "result_norm"]:
        part, dash, layer = ours.partition("-")
        for theirs in NAMES.get(part, [part]):
            tensor = seen.get(theirs + dash + layer)
            if tensor is not None and tensor.size % len(tokens) == 0:
                found[ours] = tensor.reshape(len(tokens), -1)
    return found | {"result_output": logits}


def relative(a, b):
    return float(np.sqrt(np.square(a - b, dtype=np.float64).sum() / np.square(b, dtype=np.float64).sum()))


def errors(name):
    """Relative error of llama.cpp's taps, as far as both have them in the same width."""
    _, positions, _, taps = golden(name)
    found = llama_taps(name)
    return {tap: relative(found[tap][positions], x) for tap, x in taps.items()
            if tap in found and found[tap].shape[1] == x.shape[1]}


def write_taps(name):
    reader = gguf.GGUFReader(HERE / name / "taps.gguf")
    writer = gguf.GGUFWriter(HERE / name / "llama_taps.gguf", "taps")
    writer.add_array("golden.tokens", [int(x) for x in reader.get_field("golden.tokens").contents()])
    writer.add_array("golden.positions", KEPT)
    same = errors(name)
    for tap, x in llama_taps(name).items():
        # A name may stand for another value there: queries that are scaled, an embedding that is not.
        if tap.startswith(("l_out", "result")) or same.get(tap, 1.0) < 0.01:
            writer.add_tensor(tap, np.ascontiguousarray(x[KEPT]))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def note(name):
    """What llama.cpp was given, or why it computes something else."""
    wants = WANTS.get(name, {})
    parts = [f"{wants['layers']} layers"] if "layers" in wants else []
    parts += [f"`{key}` {value:g}" if not isinstance(value, list) else f"`{key}` {value}" for key, value in wants.get("set", {}).items()]
    parts += [f"no `{key}`" for key in wants.get("drop", [])]
    parts += ["rows of the output of length 1"] if "unit_output" in wants else []
    return "; ".join(parts + [WHY[name]] if name in WHY else parts)


def row(name):
    """A row of the table; each in a process of its own, as llama.cpp aborts if it does not like what it gets."""
    if name in NOT_CONVERTED:
        return f"| {name} | – | | {NOT_CONVERTED[name]} |"
    run = subprocess.run([sys.executable, __file__, "show", name], capture_output=True, text=True)
    found = [line.split()[1:] for line in run.stdout.splitlines() if line.startswith(f"{name} ")]
    if run.returncode or not found:
        return f"| {name} | refused | | {run.stderr.strip().splitlines()[-1]} |"
    first = next((tap for tap, error in found if tap.startswith(("l_out", "result")) and not float(error) <= 1e-4), "")
    return f"| {name} | {found[-1][1]} | {first} | {note(name)} |"


def table(names):
    """Rows of README.md's table: all anew, or those."""
    head, line, *rows = (HERE / "README.md").read_text().partition("| golden |")[2].splitlines()
    rows = {row.split()[1]: row for row in rows} if names else {}
    for name in names or [path.parent.name for path in HERE.glob("*/taps.gguf")]:
        rows[name] = row(name)
    text = (HERE / "README.md").read_text().partition("| golden |")
    lines = [text[0] + text[1] + head, line, *(rows[name] for name in sorted(rows))]
    (HERE / "README.md").write_text("\n".join(lines) + "\n")


def main():
    command, *names = sys.argv[1:]
    if command == "table":
        return table(names)
    for name in names:
        if command == "taps":
            write_taps(name)
        else:
            for tap, error in errors(name).items():
                print(f"{name} {tap} {error:.1e}")


if __name__ == "__main__":
    main()
