#!/usr/bin/env python3
"""Small GGUF files written by the `gguf` package, and text files of what is in them.

usage: make.py            (needs gguf 0.19.0 and numpy; writes beside itself, always the same bytes)

FILE.txt has one line per metadata key and per tensor, in file order:

    NAME TYPE VALUE             bool: true|false; integers: decimal; floats: their bits in hex;
    NAME [TYPE] VALUE ...       strings: quoted, all but printable ASCII escaped byte by byte
    NAME DTYPE [SHAPE] BYTES    shape outermost first; data in hex
"""
import pathlib
import struct

import gguf
import numpy as np
from gguf import GGMLQuantizationType as D
from gguf import GGUFValueType as T

HERE = pathlib.Path(__file__).parent
NAMES = {T.UINT8: "u8", T.INT8: "i8", T.UINT16: "u16", T.INT16: "i16", T.UINT32: "u32", T.INT32: "i32",
         T.FLOAT32: "f32", T.BOOL: "bool", T.STRING: "string", T.UINT64: "u64", T.INT64: "i64", T.FLOAT64: "f64"}
VALUES = {
    T.UINT8: [0, 1, 255], T.INT8: [-128, 0, 127], T.UINT16: [0, 65535], T.INT16: [-32768, 32767],
    T.UINT32: [0, 2**32 - 1], T.INT32: [-(2**31), 2**31 - 1], T.UINT64: [0, 2**64 - 1],
    T.INT64: [-(2**63), 2**63 - 1], T.FLOAT32: [0.0, -0.0, 1.5, float("inf"), float("-inf"), float("nan")],
    T.FLOAT64: [0.1, -1e300, float("inf")], T.BOOL: [True, False, True],
    # The last two are no UTF-8: half a character, as byte-level vocabularies have, and a stray byte.
    T.STRING: ["", "plain", "tab\tnew\nline \"quoted\" back\\slash", "größe 漢字 🦀", b"\xe6\xbc", b"a\xffb"],
}


def text(value, kind):
    if kind == T.STRING:
        raw = value.encode() if isinstance(value, str) else value
        return '"' + "".join(escape(byte) for byte in raw) + '"'
    if kind == T.BOOL:
        return "true" if value else "false"
    if kind in (T.FLOAT32, T.FLOAT64):
        return struct.pack(">f" if kind == T.FLOAT32 else ">d", value).hex()
    return str(value)


def escape(byte):
    short = {9: "\\t", 10: "\\n", 13: "\\r", 34: '\\"', 39: "\\'", 92: "\\\\"}
    return short.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}")


class File:
    """A GGUF file and the lines of its description."""

    def __init__(self, name, **split):
        self.path = HERE / f"{name}.gguf"
        self.writer = gguf.GGUFWriter(self.path, "test", **split)
        self.lines = ['general.architecture string "test"']

    def value(self, key, value, kind):
        self.writer.add_key_value(key, value, kind)
        self.lines.append(f"{key} {NAMES[kind]} {text(value, kind)}")

    def array(self, key, values, kind):
        self.writer.add_key_value(key, values, T.ARRAY, sub_type=kind)
        self.lines.append(" ".join([key, f"[{NAMES[kind]}]"] + [text(value, kind) for value in values]))

    def tensor(self, name, array, dtype=None):
        """Plain numbers as they are; with a `dtype`, floats are quantised to it."""
        shape = list(array.shape)
        if dtype is not None:
            array = gguf.quants.quantize(array, dtype)
        self.writer.add_tensor(name, array, raw_dtype=dtype)
        kind = dtype.name if dtype is not None else {"f": "F", "i": "I"}[array.dtype.kind] + str(array.itemsize * 8)
        self.lines.append(f"{name} {kind} {shape} {array.tobytes().hex()}")

    def close(self):
        self.writer.write_header_to_file()
        self.writer.write_kv_data_to_file()
        self.writer.write_tensors_to_file()
        self.writer.close()
        self.path.with_suffix(".txt").write_text("\n".join(self.lines) + "\n")


def types():
    """Every metadata type, alone and in an array; tensors of all dimensions, with data that needs padding."""
    file = File("types")
    for kind, values in VALUES.items():
        for i, value in enumerate(values):
            file.value(f"one.{NAMES[kind]}.{i}", value, kind)
        file.array(f"many.{NAMES[kind]}", values, kind)
    numbers = np.arange(1, 25)
    file.tensor("d1", numbers[:3].astype(np.float32))
    file.tensor("d2", numbers[:6].reshape(2, 3).astype(np.float16))
    file.tensor("d3", numbers.reshape(2, 3, 4).astype(np.int8))
    file.tensor("d4", numbers.reshape(2, 1, 4, 3).astype(np.int64))
    for dtype in (np.int16, np.int32, np.float64):
        file.tensor(np.dtype(dtype).name, numbers[:5].astype(dtype))
    weights = np.linspace(-1, 1, 64, dtype=np.float32).reshape(2, 32)
    for dtype in (D.Q4_0, D.Q5_1, D.Q8_0, D.BF16):
        file.tensor(f"quantized.{dtype.name}", weights, dtype)
    file.close()


def aligned():
    """An alignment of its own."""
    file = File("aligned")
    file.writer.add_custom_alignment(128)
    file.lines.append("general.alignment u32 128")
    file.tensor("a", np.ones(3, np.float32))
    file.tensor("b", np.ones(40, np.float32))
    file.close()


def split():
    """A model in three parts."""
    file = File("split", split_max_tensors=2)
    for i in range(5):
        file.tensor(f"blk.{i}", np.full((2, 3), i, np.float32))
    for key, value in (("split.no", 0), ("split.count", 3)):
        file.lines.insert(-5, f"{key} u16 {value}")
    file.lines.insert(-5, "split.tensors.count i32 5")
    file.close()


if __name__ == "__main__":
    types()
    aligned()
    split()
