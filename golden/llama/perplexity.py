#!/usr/bin/env python3
"""Perplexity by llama-perplexity's method with the built llama.cpp from npm, for any model and text.

usage: perplexity.py MODEL TEXT [--chunks N] [--ctx N] [--threads N] [--repack] [--ours FILE] [--work DIR]

Chunks of `ctx` tokens, each from an empty context, its first token replaced by the start token if the
vocabulary adds one; the second half of each chunk's predictions counts. `--ours` is a file with the output of
`ingle perplexity MODEL -f TEXT -c CTX`: the two are then compared chunk by chunk, which says how much of
their difference is chance. Int8 activations move a chunk's value by some 0.5 %, either way.

needs: numpy, npm
"""
import argparse
import pathlib
import re
import tempfile

import numpy as np

from llama_capi import Library, Model, fetch_package


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("text", type=pathlib.Path)
    parser.add_argument("--chunks", type=int, default=20)
    parser.add_argument("--ctx", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repack", action="store_true", help="llama.cpp's own default")
    parser.add_argument("--ours", type=pathlib.Path)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "llama-package")
    options = parser.parse_args()
    library = Library(fetch_package(options.work))
    with Model(library, options.model, n_ctx=options.ctx, threads=options.threads, repack=options.repack) as model:
        theirs = []
        for chunk in chunks(model, options):
            theirs.append(mean_nll(model, chunk))
            print(f"[{len(theirs)}]{np.exp(np.mean(theirs)):.4f}", end=" ", flush=True)
    print()
    if options.ours:
        compare(per_chunk(options.ours.read_text()), np.array(theirs))


def chunks(model, options):
    # A token is seldom longer than 8 bytes, and only the chunks asked for must be whole.
    text = options.text.read_text()[:8 * options.ctx * (options.chunks + 1)]
    tokens = model.tokenize(text, special=False)
    start = model.tokenize("", special=False)
    for i in range(min(options.chunks, len(tokens) // options.ctx)):
        chunk = tokens[i * options.ctx:(i + 1) * options.ctx]
        yield start[:1] + chunk[1:] if start else chunk, chunk


def mean_nll(model, chunk):
    fed, targets = chunk
    first, last = len(fed) // 2, len(fed) - 1
    model.clear()
    logits = model.decode(fed)[first:last].astype(np.float64)
    top = logits.max(-1)
    log_sum = top + np.log(np.exp(logits - top[:, None]).sum(-1))
    return float(np.mean(log_sum - logits[np.arange(last - first), targets[first + 1:]]))


def per_chunk(output):
    """Mean negative log-likelihood of each chunk from the running perplexities that are printed."""
    running = np.log([float(x) for x in re.findall(r"\[\d+(?:/\d+)?\]\s*([\d.]+)", output)])
    sums = running * np.arange(1, len(running) + 1)
    return np.diff(sums, prepend=0)


def compare(ours, theirs):
    n = min(len(ours), len(theirs))
    difference = ours[:n] - theirs[:n]
    error = difference.std(ddof=1) / n ** 0.5
    print(f"{n} chunks: ours {np.exp(ours[:n].mean()):.4f}, llama.cpp {np.exp(theirs[:n].mean()):.4f}, "
          f"difference {100 * difference.mean():+.3f} % ± {100 * error:.3f} %")


if __name__ == "__main__":
    main()
