"""Writes a GGUF file again with every weight as F32, by the `gguf` Python package's own dequantisation.

With such a file no activation is rounded to int8, so two right implementations agree to about 1e-3
in every logit: the strict test of a forward pass. Metadata is kept, but for the file type.

needs: pip install gguf numpy
"""
import sys

import gguf
import numpy as np


def dequantized(source, target):
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, reader.get_field("general.architecture").contents())
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key in ("general.architecture", "general.file_type"):
            continue
        kind, value = field.types[0], field.contents()
        if kind == gguf.GGUFValueType.ARRAY:
            writer.add_array(key, list(value))
        else:
            writer.add_key_value(key, value, kind)
    writer.add_file_type(int(gguf.LlamaFileType.ALL_F32))
    shapes = [[int(n) for n in tensor.shape[::-1]] for tensor in reader.tensors]
    for tensor, shape in zip(reader.tensors, shapes):
        writer.add_tensor_info(tensor.name, shape, np.dtype(np.float32), 4 * int(np.prod(shape)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    # One at a time: all together would take twice the file in memory.
    for tensor, shape in zip(reader.tensors, shapes):
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        writer.write_tensor_data(values.reshape(shape))
    writer.close()


if __name__ == "__main__":
    dequantized(*sys.argv[1:])
