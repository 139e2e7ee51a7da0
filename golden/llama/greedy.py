#!/usr/bin/env python3
"""Compares greedy texts of `ingle run` with llama.cpp's, on a model dequantised to F32.

usage: greedy.py MODEL.gguf --ingle PROGRAM [--steps 64] [--prompts 10] [--threads 1] [--work DIR]

With weights in F32 no activation is rounded to int8 on either side, so texts part only where two logits are about
equal. For each of `make.py`'s prompts this prints whether the texts are equal, or at which step they part and how
far apart llama.cpp's two best logits are there; the last line counts those that part at gaps of 0.02 and more.
needs: as `llama_capi.py` and `dequantized.py`
"""
import argparse
import json
import pathlib
import subprocess
import tempfile

from dequantized import dequantized
from llama_capi import Library, Model, fetch_package
from make import PROMPTS, continue_greedily

GAP = 0.02


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--ingle", required=True)
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--prompts", type=int, default=len(PROMPTS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "llama-package")
    options = parser.parse_args()
    library = Library(fetch_package(options.work), None)
    wide = options.work / f"{options.model.stem}-f32.gguf"
    if not wide.exists():
        dequantized(options.model, wide)
    equal = close = wrong = 0
    with Model(library, wide, threads=options.threads, repack=False) as model:
        for prompt in PROMPTS[:options.prompts]:
            model.clear()
            tokens, gaps = continue_greedily(model, model.tokenize(prompt), options.steps)
            ended = next((i for i, token in enumerate(tokens) if model.is_end(token)), len(tokens))
            pieces = [model.piece(token) for token in tokens[:ended]]
            step = first_difference(pieces, reply(options, wide, prompt))
            if step is None:
                equal += 1
                print(f"equal for {ended} tokens: {prompt!r}", flush=True)
                continue
            gap = gaps[step]
            close, wrong = close + (gap < GAP), wrong + (gap >= GAP)
            print(f"part at token {step}, gap {gap}: {prompt!r}", flush=True)
    print(f"{equal} equal, {close} part at gaps below {GAP}, {wrong} at larger ones")


def reply(options, path, prompt):
    """What the program says, as bytes."""
    command = [options.ingle, "run", "-m", path, "--raw", "--special", "--temp", "0", "--json", "-c", "1024",
               "-n", str(options.steps), "-t", str(options.threads), prompt]
    output = subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL).stdout
    return json.loads(output)["text"].encode()


def first_difference(pieces, text):
    """The first step after which the text is another one; None if there is none."""
    whole = b""
    for step, piece in enumerate(pieces):
        whole += piece
        # A character may be cut off at the end.
        common = text[:len(whole)]
        if not whole.startswith(common.removesuffix("\ufffd".encode())) or len(common) < len(whole) - 4:
            return step
    return None


if __name__ == "__main__":
    main()
