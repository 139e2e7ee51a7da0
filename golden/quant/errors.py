#!/usr/bin/env python3
"""Writes `errors.json`: how far llama.cpp's and the `gguf` package's quantisers are from the weights they are given.

    pip install gguf==0.19.0 numpy && python3 golden/quant/errors.py FOLDER

The error is the root of the mean square, relative to that of the weights. Without an importance matrix, as
`llama-quantize` without one. `normal` and `laplace` are 256 rows of 256 from the generator below, which the test
has too; `stories` are the last 1000 rows of 256 in golden/models/stories260K-f32.gguf, which end the file as
little-endian f32: weights that were trained. FOLDER holds the built llama.cpp that golden/llama/llama_capi.py fetches.
"""

import ctypes as c
import json
import sys
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf.quants import dequantize, quantize

HERE = Path(__file__).parent
TYPES = ["Q8_0", "Q6_K", "Q5_K", "Q4_K", "Q4_0", "Q3_K", "Q2_K", "MXFP4"]
ROWS = 256


def uniforms(seed: int, n: int) -> np.ndarray:
    """xorshift32, as fractions above 0."""
    out, state = np.empty(n), seed
    for i in range(n):
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        out[i] = state / 2**32
    return out


def weights() -> dict[str, np.ndarray]:
    n = ROWS * 256
    normal = uniforms(1, 12 * n).reshape(n, 12).sum(axis=1) - 6.0
    pairs = uniforms(2, 2 * n).reshape(n, 2)
    laplace = np.where(pairs[:, 0] < 0.5, 1.0, -1.0) * -np.log(pairs[:, 1])
    stories = np.frombuffer((HERE.parent / "models/stories260K-f32.gguf").read_bytes()[-1000 * 1024 :], np.float32)
    return {k: v.astype(np.float32).reshape(-1, 256) for k, v in
            (("normal", normal), ("laplace", laplace), ("stories", stories))}


def library(folder: Path):
    lib = c.CDLL(str(next(folder.rglob("libggml-base.so"))), mode=c.RTLD_GLOBAL)
    lib.ggml_quantize_chunk.restype = c.c_size_t
    lib.ggml_quantize_chunk.argtypes = [c.c_int, c.c_void_p, c.c_void_p, c.c_int64, c.c_int64, c.c_int64, c.c_void_p]
    return lib


def error(x: np.ndarray, back: np.ndarray) -> float:
    x, back = x.astype(np.float64), back.astype(np.float64)
    return float(np.sqrt(((x - back) ** 2).mean() / (x**2).mean()))


def main() -> None:
    lib = library(Path(sys.argv[1]))
    result = {}
    for kind, x in weights().items():
        for name in TYPES:
            out = np.zeros(x.size * 4, np.uint8)
            used = lib.ggml_quantize_chunk(T[name].value, x.ctypes.data, out.ctypes.data, 0, x.shape[0], 256, None)
            row = {"llama.cpp": error(x, dequantize(out[:used].reshape(x.shape[0], -1), T[name]))}
            try:
                row["gguf"] = error(x, dequantize(quantize(x, T[name]), T[name]))
            except NotImplementedError:
                pass
            result.setdefault(name, {})[kind] = row
    text = json.dumps(result, indent=1)
    (HERE / "errors.json").write_text(text + "\n")
    print(text)


main()
