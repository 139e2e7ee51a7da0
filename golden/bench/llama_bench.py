#!/usr/bin/env python3
"""Speed of llama.cpp, measured as its llama-bench measures it, from the libraries that npm carries.

usage: llama_bench.py MODEL [-p N,...] [-n N,...] [--batch K,...] [-d N] [-t N] [-r N] [--repack 0|1] [--cpu LEVEL]

The package has no llama-bench, so this is llama-bench's loop over the C API (`../llama/llama_capi.py`):
random tokens; `ppN` decodes N tokens in batches of 512 with logits for the last, `tgN` decodes N tokens one
by one; the cache holds `-d` tokens before each; a whole prompt (`pp`) or one token (`tg`) is run before the
clock; flash attention on, f16 keys and values, a thread pool that lasts. `--repack 0` keeps llama.cpp from
rewriting the weights for its interleaved kernels (its default is 1). One JSON object per test, with
llama-bench's names where it has one, as `ingle bench --json` writes them.
`--batch K` is ours: a step of K tokens with logits for each, 16 steps a sample, test `stepK`.
Left out: GPUs, other cache types, load time.

needs: numpy, npm, x86-64 Linux
"""
import argparse
import ctypes as c
import json
import pathlib
import random
import re
import resource
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "llama"))
from llama_capi import PACKAGE, Library, Model, fetch_package

STEPS_PER_SAMPLE = 16


def main():
    numbers = lambda text: [int(word) for word in text.split(",")]
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("-p", "--n-prompt", type=numbers, default=[512])
    parser.add_argument("-n", "--n-gen", type=numbers, default=[128])
    parser.add_argument("--batch", type=numbers, default=[])
    parser.add_argument("-d", "--n-depth", type=numbers, default=[0])
    parser.add_argument("-t", "--threads", type=int, default=2)
    parser.add_argument("-r", "--repetitions", type=int, default=3)
    parser.add_argument("--repack", type=int, choices=[0, 1], default=1)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "llama-package",
                        help="folder for the package")
    parser.add_argument("--cpu", help="llama.cpp's backend level, e.g. haswell; default: its own choice")
    options = parser.parse_args()
    library = Library(fetch_package(options.work), options.cpu)
    tests = [("pp", n) for n in options.n_prompt if n] + [("tg", n) for n in options.n_gen if n]
    tests += [("step", k) for k in options.batch if k]
    longest = max((n for _, n in tests), default=0) + max(options.n_depth)
    with Model(library, options.model, n_ctx=longest + 1, threads=options.threads, repack=bool(options.repack),
               flash_attention=1) as model:
        pool = library.threadpool(options.threads)
        library.api.llama_attach_threadpool(model.context, pool, pool)
        for depth in options.n_depth:
            bench = Bench(library.api, model, depth)
            for kind, n in tests:
                report(options, bench.measure(kind, n, options.repetitions), kind, n, depth,
                       library.api.llama_model_size(model.model))


class Bench:
    """Tests on one context that holds `depth` tokens when each of them begins."""

    def __init__(self, api, model, depth):
        self.api, self.context, self.n_vocab = api, model.context, model.n_vocab
        self.memory = api.llama_get_memory(self.context)
        self.depth = depth
        self.api.llama_memory_clear(self.memory, True)
        self.prompt(depth)
        size = api.llama_state_seq_get_size(self.context, 0)
        self.state = c.create_string_buffer(size)
        assert api.llama_state_seq_get_data(self.context, self.state, size, 0) > 0, "the state was saved"

    def rewind(self):
        self.api.llama_memory_clear(self.memory, False)
        if self.depth:
            restored = self.api.llama_state_seq_set_data(self.context, self.state, len(self.state), 0)
            assert restored > 0, "the state was restored"

    def decode(self, count):
        tokens = (c.c_int32 * count)(*(random.randrange(self.n_vocab) for _ in range(count)))
        if self.api.llama_decode(self.context, self.api.llama_batch_get_one(tokens, count)) != 0:
            raise SystemExit("llama_decode failed")

    def prompt(self, count):
        while count > 0:
            self.decode(min(count, 512))
            count -= 512
        self.api.llama_synchronize(self.context)

    def generate(self, count):
        for _ in range(count):
            self.decode(1)
            self.api.llama_synchronize(self.context)

    def step(self, count):
        """One batch with logits for every token."""
        batch = self.api.llama_batch_init(count, 0, 1)
        batch.n_tokens = count
        for i in range(count):
            batch.token[i], batch.pos[i], batch.n_seq_id[i] = random.randrange(self.n_vocab), self.depth + i, 1
            batch.seq_id[i][0], batch.logits[i] = 0, 1
        status = self.api.llama_decode(self.context, batch)
        self.api.llama_synchronize(self.context)
        self.api.llama_batch_free(batch)
        if status != 0:
            raise SystemExit("llama_decode failed")

    def measure(self, kind, n, repetitions):
        """Tokens per second of each repetition."""
        run = {"pp": self.prompt, "tg": self.generate, "step": self.step}[kind]
        samples = []
        for repetition in range(repetitions + 1):
            steps = STEPS_PER_SAMPLE if kind == "step" else 1
            elapsed = 0.0
            for _ in range(steps):
                self.rewind()
                start = time.perf_counter()
                run(1 if kind == "tg" and repetition == 0 else n)
                elapsed += time.perf_counter() - start
            samples.append(n * steps / elapsed)
        return samples[1:]


def report(options, samples, kind, n, depth, size):
    maps = pathlib.Path("/proc/self/maps").read_text()
    mean = sum(samples) / len(samples)
    variance = sum((x - mean) ** 2 for x in samples) / max(len(samples) - 1, 1)
    print(json.dumps({
        "program": f"llama.cpp of {PACKAGE}",
        "model": options.model.name,
        "size": size,
        "threads": options.threads,
        "level": re.search(r"libggml-cpu-(\w+)\.so", maps).group(1),
        "repack": bool(options.repack),
        "test": f"{kind}{n}" + (f" @ d{depth}" if depth else ""),
        "n_prompt": n if kind != "tg" else 0,
        "n_gen": n if kind == "tg" else 0,
        "n_depth": depth,
        "avg_ts": mean,
        "stddev_ts": variance ** 0.5,
        "samples_ts": samples,
        "peak_rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }), flush=True)


if __name__ == "__main__":
    main()
