#!/usr/bin/env python3
"""The seeds in tokenizer/: one tiny vocabulary of each kind, as GGUF, with text behind it.

usage: make.py            (needs gguf; writes beside itself, always the same bytes)
"""
import pathlib

import gguf
from gguf import TokenType as T

HERE = pathlib.Path(__file__).parent / "tokenizer"
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
TEXT = "Hello <s> the größte 漢字 🦀\n\n  x==1 don't".encode()


def write(kind, tokens, types, scores=None, merges=None, pre=None, **special):
    writer = gguf.GGUFWriter(HERE / f"{kind}.gguf", "llama")
    writer.add_tokenizer_model(kind)
    if pre:
        writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    if scores:
        writer.add_token_scores(scores)
    if merges:
        writer.add_token_merges(merges)
    for role, token in special.items():
        writer.add_uint32(f"tokenizer.ggml.{role}_token_id", token)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with open(HERE / f"{kind}.gguf", "ab") as file:
        file.write(TEXT)


def byte_level():
    """The characters that byte-level BPE writes for bytes: itself if printable, else the next from U+0100."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(others))]


def main():
    words = ["▁", "H", "e", "l", "o", "He", "ll", "Hell", "Hello", "▁Hello", "▁t", "h", "▁th", "▁the"]
    special = ["<unk>", "<s>", "</s>"]
    kinds = [T.UNKNOWN, T.CONTROL, T.CONTROL]
    scores = [0.0] * 259 + [-float(i) for i in range(len(words))]
    types = kinds + [T.BYTE] * 256 + [T.NORMAL] * len(words)
    write("llama", special + BYTES + words, types, scores, unknown=0, bos=1, eos=2)
    write("t5", special + BYTES + words, types, scores, unknown=0, eos=2)

    merges = ["H e", "l l", "He ll", "Hell o", "Ġ t", "Ġt h", "Ġth e"]
    tokens = byte_level() + [merge.replace(" ", "") for merge in merges] + ["<s>"]
    write("gpt2", tokens, [T.NORMAL] * (len(tokens) - 1) + [T.CONTROL], merges=merges, pre="gpt-2", bos=len(tokens) - 1)

    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "▁hello", "▁the", "▁do", "##n", "##t", "▁'", "x", "▁x", "▁漢"]
    write("bert", tokens, [T.CONTROL] * 4 + [T.NORMAL] * 9, padding=0, unknown=1, cls=2, seperator=3)


if __name__ == "__main__":
    main()
