#!/usr/bin/env python3
"""Writes the fixtures of the quant block layouts, from the `gguf` package (0.19.0) and numpy.

    pip install gguf==0.19.0 && python3 golden/quant/make.py

Reading: `<type>.blocks` is a run of records, each
    the block's bytes, the FNV-1a hash (u64) of its weights' f32 bits, 4 of the weights (f32):
    the first, those at one and two thirds, the last.
Blocks are random bytes with finite scales, then edge cases: scales of 0, -0, the least and the
greatest f16, each with payload bytes of 00, ff and at random. Blocks of IQ types also walk through
every pattern of the codebook, those of MXFP4 and NVFP4 through the scales.

Writing: `weights.f32` is 16 rows of 256 floats, `<type>.quant` the blocks that they become.

For types that the package cannot read or write, the functions of ORACLES and WRITERS below say
what the layout means in a few lines of numpy, written from the layout and not from our code.
All numbers are little-endian.
"""

from pathlib import Path

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as T
from gguf.quants import _type_traits, dequantize, quantize

HERE = Path(__file__).parent
N_RANDOM = 20

# Weights and bytes of a block. The package does not know Q2_0, and still gives Q8_1 two f32.
SIZES = {t.name: s for t, s in GGML_QUANT_SIZES.items()} | {"Q2_0": (64, 18), "Q8_1": (32, 36)}

# Byte offsets of the f16 scales in a block.
SCALES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q8_1": [0, 2],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "Q8_K": [],
    "IQ1_S": [0], "IQ1_M": [], "IQ2_XXS": [0], "IQ2_XS": [0], "IQ2_S": [0], "IQ3_XXS": [0],
    "IQ3_S": [0], "IQ4_NL": [0], "IQ4_XS": [0], "TQ1_0": [52], "TQ2_0": [64], "MXFP4": [],
    "NVFP4": [], "Q1_0": [0], "Q2_0": [0],
}


def f16(block, at):
    return np.frombuffer(block[at:at + 2], np.float16).astype(np.float32)[0]


def read_q8_1(b):
    return f16(b, 0) * np.frombuffer(b[4:], np.int8).astype(np.float32)


def read_q8_k(b):
    d = np.frombuffer(b[:4], np.float32)[0]
    return d * np.frombuffer(b[4:260], np.int8).astype(np.float32)


def read_q1_0(b):
    bits = np.unpackbits(np.frombuffer(b[2:], np.uint8), bitorder="little")
    return np.where(bits == 1, f16(b, 0), -f16(b, 0))


def read_q2_0(b):
    code = lambda j: b[2 + j // 4] >> (2 * (j % 4)) & 3
    return f16(b, 0) * np.array([code(j) - 1 for j in range(64)], np.float32)


ORACLES = {"Q8_1": read_q8_1, "Q8_K": read_q8_k, "Q1_0": read_q1_0, "Q2_0": read_q2_0}


def write_q8_1(x):
    d = np.abs(x).max() / np.float32(127)
    q = x * (np.float32(1) / d if d else np.float32(0))
    q = np.sign(q) * np.floor(np.abs(q) + np.float32(0.5))
    s = d * np.float32(q.sum())
    return np.float16([d, s]).tobytes() + q.astype(np.int8).tobytes()


def write_q8_k(x):
    top = x[np.abs(x).argmax()]
    if top == 0:
        return bytes(292)
    inverse = np.float32(-127) / top
    q = np.minimum(np.rint(inverse * x), 127).astype(np.int8)
    sums = q.reshape(16, 16).astype(np.int16).sum(axis=1, dtype=np.int16)
    return np.float32(1 / inverse).tobytes() + q.tobytes() + sums.tobytes()


def write_q1_0(x):
    # cumsum adds in order, as the reference does; sum would add in pairs.
    d = np.cumsum(np.abs(x), dtype=np.float32)[-1] / np.float32(128)
    return np.float16(d).tobytes() + np.packbits(x >= 0, bitorder="little").tobytes()


def write_nvfp4(x):
    traits = _type_traits[T.NVFP4]
    groups = x.reshape(4, 16)
    e = traits.fp32_to_ue4m3(np.abs(groups).max(axis=1) / np.float32(6))
    d = traits.ue4m3_to_fp32(e).astype(np.float32)
    table = np.array(traits.kvalues, np.float32)
    q = np.abs(d[:, None, None] * table - groups[:, :, None]).argmin(axis=-1).astype(np.uint8)
    return e.tobytes() + (q[:, :8] | q[:, 8:] << 4).tobytes()


WRITERS = {"Q8_1": write_q8_1, "Q8_K": write_q8_k, "Q1_0": write_q1_0, "NVFP4": write_nvfp4}


def read(name, block):
    if name in ORACLES:
        return ORACLES[name](block)
    return dequantize(np.frombuffer(block, np.uint8), T[name])


def put_scale(name, block, i, value):
    """Sets scale number i of a block; types with scales of their own kind take it as it comes."""
    if name == "Q8_K":
        block[:4] = np.frombuffer(np.float32(value).tobytes(), np.uint8)
    elif name == "IQ1_M":
        bits = int(np.float16(value).view(np.uint16))
        for k in range(4):
            high = block[48 + 2 * k + 1]
            block[48 + 2 * k + 1] = high & 0x0F | (bits >> (4 * k) & 15) << 4
    elif SCALES[name]:
        at = SCALES[name][i]
        block[at:at + 2] = np.frombuffer(np.float16(value).tobytes(), np.uint8)


def walk(name, i, block, rng):
    """Changes block i so that all blocks together use every pattern or scale; False when done."""
    def codes(n, per_block):
        return np.arange(i * per_block, (i + 1) * per_block) if i * per_block < n else None

    if name in ("MXFP4", "NVFP4"):
        n = 1 if name == "MXFP4" else 4
        if (c := codes(256, n)) is None:
            return False
        block[:n] = c
    elif name in ("IQ3_XXS", "IQ3_S"):
        if (c := codes(256 if name == "IQ3_XXS" else 512, 64)) is None:
            return False
        block[2:66] = c & 255
        if name == "IQ3_S":
            block[66:74] = np.packbits(c >> 8 & 1, bitorder="little")
    elif name == "IQ2_XXS":
        if (c := codes(256, 32)) is None:
            return False
        block[2:66].reshape(8, 8)[:, :4] = c.reshape(8, 4)
    elif name == "IQ2_XS":
        if (c := codes(512, 32)) is None:
            return False
        signs = rng.integers(0, 128, 32)
        block[2:66] = (c | signs << 9).astype(np.uint16).view(np.uint8)
    elif name == "IQ2_S":
        if (c := codes(1024, 32)) is None:
            return False
        block[2:34] = c & 255
        block[66:74] = ((c >> 8).reshape(8, 4) << [0, 2, 4, 6]).sum(axis=1)
    elif name == "IQ1_S":
        if (c := codes(2048, 32)) is None:
            return False
        block[2:34] = c & 255
        rest = rng.integers(0, 16, 8) << 12
        high = ((c >> 8).reshape(8, 4) << [0, 3, 6, 9]).sum(axis=1)
        block[34:50] = (high | rest).astype(np.uint16).view(np.uint8)
    else:
        return False
    return True


def blocks_of(name, rng):
    size = SIZES[name][1]
    n_scales = max(1, len(SCALES[name]))

    def fresh():
        block = rng.integers(0, 256, size, dtype=np.uint8)
        for i in range(n_scales):
            put_scale(name, block, i, rng.choice([-1, 1]) * 2.0 ** rng.uniform(-14, 4))
        return block

    for _ in range(N_RANDOM):
        yield fresh()
    for value in (0.0, -0.0, 2.0 ** -24, -65504.0):
        for fill in (0, 255, None):
            block = fresh()
            if fill is not None:
                block[:] = fill
            for i in range(n_scales):
                put_scale(name, block, i, value)
            yield block
    i = 0
    while walk(name, i, block := fresh(), rng):
        yield block
        i += 1


def fnv1a(data):
    h = 0xCBF29CE484222325
    for byte in data:
        h = (h ^ byte) * 0x100000001B3 % 2 ** 64
    return h.to_bytes(8, "little")


def weights(rng):
    n = 256
    rows = [
        np.zeros(n),
        rng.normal(0, 0.02, n),
        rng.normal(0, 1, n),
        rng.uniform(-1, 1, n),
        np.full(n, 0.5),
        np.full(n, -0.25),
        np.arange(n) - 128,                                      # whole codes
        np.where(np.arange(n) % 32 == 5, -3, rng.normal(0, 0.02, n)),  # one outlier a block
        rng.normal(0, 1e-6, n),                                  # scales below the least f16
        rng.normal(0, 1e4, n),
        rng.integers(-16, 17, n) / 2,                            # codes that are ties
        rng.uniform(3, 4, n),                                    # minimum above zero
        rng.uniform(-4, -3, n),
        rng.integers(-1, 2, n) * 0.03,                           # ternary
        rng.standard_t(3, n) * 0.02,                             # heavy tails
        np.where(np.arange(n) // 32 % 2, 0, rng.normal(0, 0.1, n)),    # blocks of zeros
    ]
    rows = np.array(rows, np.float32)
    rows[0, 128:] = -0.0
    return rows


def write(name, rows):
    if name in WRITERS:
        return b"".join(WRITERS[name](b) for b in rows.reshape(-1, SIZES[name][0]))
    return quantize(rows, T[name]).tobytes()


def main():
    np.seterr(all="ignore")
    for old in [*HERE.glob("*.blocks"), *HERE.glob("*.quant")]:
        old.unlink()
    for name in SCALES:
        rng = np.random.default_rng(T[name].value if name in T.__members__ else 42)
        with open(HERE / f"{name.lower()}.blocks", "wb") as out:
            for block in blocks_of(name, rng):
                values = np.ascontiguousarray(read(name, block.tobytes()), np.float32)
                n = len(values)
                assert n == SIZES[name][0], name
                samples = values[[0, n // 3, 2 * n // 3, n - 1]]
                out.write(block.tobytes() + fnv1a(values.tobytes()) + samples.tobytes())

    rows = weights(np.random.default_rng(0))
    (HERE / "weights.f32").write_bytes(rows.tobytes())
    for name in ["F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "TQ1_0", "TQ2_0", "MXFP4",
                 *WRITERS]:
        (HERE / f"{name.lower()}.quant").write_bytes(write(name, rows))


if __name__ == "__main__":
    main()
