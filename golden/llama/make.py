#!/usr/bin/env python3
"""Makes the golden values of this folder with a built llama.cpp from npm (see `llama_capi.py`).

usage: make.py JOB... --models DIR [--work DIR] [--cpu LEVEL]
JOB: greedy | logits | exact | tiny | stories | all. DIR holds SmolLM2-135M-Instruct.Q4_1.gguf and, for `tiny`,
the synthetic files that the command lines in `tiny_logits.json` write.

All values but those under `spread` come from llama.cpp with weight repacking off, on 1 thread, the prompt
in one batch: the arithmetic of its generic int8 block dot products. With repacking on (its default) the
same file gives other roundings; `spread` says how far apart the two are, which is the scale on which
another implementation should be judged.
Left out: perplexity and speed (`perplexity.json`, `bench.json` say how they were measured).
"""
import argparse
import hashlib
import json
import pathlib
import re
import tempfile

import numpy as np

from dequantized import dequantized
from gguf_v1 import upgrade
from llama_capi import PACKAGE, RELEASE, Library, Model, fetch_package

HERE = pathlib.Path(__file__).parent
SMOLLM2 = "SmolLM2-135M-Instruct.Q4_1.gguf"
GREEDY_STEPS = 96
STORIES_STEPS = 200
PROMPTS = [
    "The capital of France is",
    "Once upon a time, in a small village by the sea,",
    "def fibonacci(n):\n    \"\"\"Return the n-th Fibonacci number.\"\"\"\n",
    "The three laws of thermodynamics can be summarised as follows:\n1.",
    "Dear Sir or Madam,\n\nI am writing to",
    "To bake a simple loaf of bread you need flour, water, salt and",
    "In 1969, the Apollo 11 mission",
    "Q: What is the difference between a virus and a bacterium?\nA:",
    "| Country | Capital | Population |\n|---|---|---|\n| Japan |",
    "Die Hauptstadt von Deutschland ist Berlin. Die Stadt",
]
LOGITS_PROMPT = "The quick brown fox jumps over the lazy dog, and then it runs away"
JOBS = ["greedy", "logits", "exact", "tiny", "stories"]
TINY = ["Q4_0", "Q8_0", "Q2_K", "Q6_K", "Q4_K_M", "F16"]
TINY_TOKENS = [1, 450, 4996, 17354, 1701, 29916, 12500, 975, 278, 17366, 11203, 29889]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("jobs", nargs="+", choices=[*JOBS, "all"])
    parser.add_argument("--models", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "llama-package")
    parser.add_argument("--cpu", help="llama.cpp's backend level, e.g. icelake; default: its own choice")
    options = parser.parse_args()
    library = Library(fetch_package(options.work), options.cpu)
    jobs = JOBS if "all" in options.jobs else options.jobs
    for job in jobs:
        globals()[job](library, options)


def greedy(library, options):
    """Continuations at temperature 0 with the gap between the two best logits at each step."""
    path = options.models / SMOLLM2
    with Model(library, path, repack=False) as model:
        records = [greedy_record(model, prompt) for prompt in PROMPTS]
    with Model(library, path, repack=True) as model:
        for record in records:
            model.clear()
            record["spread"] = {"repack_first_difference": first_difference(
                record["tokens"], continue_greedily(model, record["prompt_tokens"], GREEDY_STEPS)[0])}
    write("greedy.json", header(library, path, steps=GREEDY_STEPS, repack=False), prompts=records)


def greedy_record(model, prompt):
    model.clear()
    prompt_tokens = model.tokenize(prompt)
    tokens, gaps = continue_greedily(model, prompt_tokens, GREEDY_STEPS)
    text = b"".join(map(model.piece, tokens)).decode("utf-8", "replace")
    ended = next((i for i, token in enumerate(tokens) if model.is_end(token)), None)
    return {"prompt": prompt, "prompt_tokens": prompt_tokens, "tokens": tokens, "text": text,
            "first_end_of_generation": ended, "smallest_gap": min(gaps), "gaps": gaps}


def continue_greedily(model, prompt_tokens, steps):
    """Token ids of `steps` greedy steps (end-of-generation tokens do not stop it) and top-2 logit gaps."""
    logits, tokens, gaps = model.decode(prompt_tokens)[-1], [], []
    for step in range(steps):
        second, first = np.partition(logits, -2)[-2:]
        tokens.append(int(logits.argmax()))
        gaps.append(round(float(first - second), 5))
        if step + 1 < steps:
            logits = model.decode(tokens[-1:])[-1]
    return tokens, gaps


def first_difference(left, right):
    """Index of the first step where two continuations differ; None if they are equal."""
    return next((i for i, pair in enumerate(zip(left, right)) if pair[0] != pair[1]), None)


def logits(library, options):
    """Logits at every position of one short prompt, fed as one batch."""
    path = options.models / SMOLLM2
    with Model(library, path, repack=False) as model:
        tokens = model.tokenize(LOGITS_PROMPT)
        plain = model.decode(tokens)
    write("logits.json", header(library, path, repack=False), prompt=LOGITS_PROMPT, tokens=tokens,
          spread=spread(library, path, tokens, plain), positions=positions(plain, 64))


def exact(library, options):
    """The greedy texts and logits again, from the same weights as F32: no rounding to int8 anywhere."""
    path = options.models / SMOLLM2
    with tempfile.TemporaryDirectory() as folder:
        wide = pathlib.Path(folder) / "f32.gguf"
        dequantized(path, wide)
        with Model(library, wide, repack=False) as model:
            records = [greedy_record(model, prompt) for prompt in PROMPTS]
            model.clear()
            tokens = model.tokenize(LOGITS_PROMPT)
            plain = model.decode(tokens)
        how_far = spread(library, wide, tokens, plain)
    write("exact.json", header(library, path, steps=GREEDY_STEPS, repack=False, weights="dequantised to F32"),
          prompts=records, logits_prompt=LOGITS_PROMPT, logits_tokens=tokens, spread=how_far,
          positions=positions(plain, 64))


def tiny(library, options):
    """Logits of small random models, one per quantisation mix, for a fixed list of token ids."""
    records = []
    for quant in TINY:
        path = options.models / f"tiny-{quant.lower()}.gguf"
        with Model(library, path, repack=False) as model:
            plain = model.decode(TINY_TOKENS)
        records.append({
            "file": path.name, "command": f"synth_gguf.py --preset tiny --quant {quant} --out {path.name}",
            "sha256": sha256(path), "spread": spread(library, path, TINY_TOKENS, plain),
            "positions": positions(plain, 32)})
    write("tiny_logits.json", header(library, None, repack=False), tokens=TINY_TOKENS, models=records)


def stories(library, options):
    """Checks that llama.cpp gives llama2.c's published text for stories260K and records the token ids."""
    models = HERE.parent / "models"
    source = models / "stories260K-f32.gguf"
    expected = (models / "stories260K.txt").read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        target = pathlib.Path(folder) / "v3.gguf"
        upgrade(source, target)
        with Model(library, target, n_ctx=512) as model:
            bos = model.tokenize("")
            # llama2.c counts the step that reads BOS and prints what follows it: 200 steps, 200 tokens.
            tokens, gaps = continue_greedily(model, bos, STORIES_STEPS)
            text = b"".join(map(model.piece, tokens))
    write("stories260k.json", header(library, source), prompt_tokens=bos, tokens=tokens, smallest_gap=min(gaps),
          equals_published_text=text.removeprefix(b" ") == expected, text=text.decode())


def positions(values, count):
    """Per position: best token, its logit, log of the sum of exponentials, first `count` logits."""
    best = values.argmax(-1)
    wide = values.astype(np.float64)
    top = wide.max(-1)
    log_sum = top + np.log(np.exp(wide - top[:, None]).sum(-1))
    return [{"argmax": int(best[i]), "max": float32(top[i]), "logsumexp": round(float(log_sum[i]), 6),
             "logits": [float32(x) for x in values[i, :count]]} for i in range(len(values))]


def spread(library, path, tokens, plain):
    """How far llama.cpp's other ways to compute the same logits are from `plain`, over the whole vocabulary."""
    result = {"std_of_logits": round(float(plain.std()), 4)}
    for name, settings in [("repack", {"repack": True}), ("token_by_token", {"repack": False}),
                           ("no_flash_attention", {"repack": False, "flash_attention": 0})]:
        with Model(library, path, **settings) as model:
            if name == "token_by_token":
                other = np.concatenate([model.decode([token]) for token in tokens])
            else:
                other = model.decode(tokens)
        error = np.abs(other.astype(np.float64) - plain)
        result[name] = {"max_abs": round(float(error.max()), 6), "rms": round(float(np.sqrt((error ** 2).mean())), 6)}
    return result


def float32(x):
    """The shortest decimal that reads back as the same f32."""
    return float(str(np.float32(x)))


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def header(library, path, **settings):
    made = {"by": "golden/llama/make.py", "package": PACKAGE, "llama_cpp": RELEASE,
            "cpu": library.api.llama_print_system_info().decode().strip(" |"), "threads": 1, **settings}
    return {**made, "model": path.name, "sha256": sha256(path)} if path else made


def write(name, made, **content):
    """Writes JSON with one number list per line, so that a change shows as a short diff."""
    text = json.dumps({"made": made, **content}, ensure_ascii=False, indent=1)
    (HERE / name).write_text(join_number_lists(text) + "\n")


def join_number_lists(text):
    return re.sub(r"\[\s+(-?[\d.e+-]+(?:,\s+-?[\d.e+-]+)*)\s+\]", lambda m: "[" + " ".join(m[1].split()) + "]", text)


if __name__ == "__main__":
    main()
