#!/usr/bin/env python3
"""ingle against llama.cpp on the same files, in turns; prints a Markdown table. `cargo xtask bench` runs this.

usage: compare.py --ingle PROGRAM [MODEL...] [-p N,...] [-n N,...] [--batch K,...] [-d N,...] [-t N] [-r N]
                  [--rounds N] [--cpu LEVEL] [--models DIR] [--work DIR] [--lock FILE] [--jsonl FILE]

MODEL is a GGUF file, or PRESET/QUANT for random weights of a known shape (`synth_gguf.py`), such as
`qwen2.5-1.5b/Q4_K_M` or `gemma-2-9b/pure-IQ3_S`; such files are made once, in DIR.

A round is: ingle, llama.cpp with repacked weights, llama.cpp without, each with `-r` samples. Speeds are
medians over all rounds. llama.cpp counts with the better of its settings, test by test. The share is that of
the limit which ingle measured around each of its tests: int8 products for pp, reading memory for the rest.
A run during which other programs (or the host) took more than 5 % of a processor is repeated, twice at most,
and marked if it stays so. `--lock FILE` takes an exclusive lock (flock) for each run, for builders to share.
`--cpu LEVEL` forces llama.cpp's backend (`haswell` for AVX2); INGLE_ISA forces ours.

needs: numpy, gguf (for PRESET/QUANT), npm, x86-64 Linux
"""
import argparse
import contextlib
import fcntl
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SETTINGS = {"ingle": None, "repacked": 1, "as is": 0}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="*")
    parser.add_argument("--ingle", required=True)
    parser.add_argument("-p", "--n-prompt", default="512")
    parser.add_argument("-n", "--n-gen", default="128")
    parser.add_argument("--batch", default="")
    parser.add_argument("-d", "--n-depth", default="0")
    parser.add_argument("-t", "--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("-r", "--repetitions", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cpu")
    parser.add_argument("--models", dest="folder", type=pathlib.Path, default=pathlib.Path("."))
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "llama-package")
    parser.add_argument("--lock", type=pathlib.Path)
    parser.add_argument("--jsonl", type=pathlib.Path, help="add every line of every run to this file")
    options = parser.parse_args()
    table = Table()
    for model in options.models:
        path = find(model, options.folder)
        for _ in range(options.rounds):
            for setting in SETTINGS:
                for line in run(setting, path, options):
                    table.add(model, setting, line)
                    if options.jsonl:
                        with open(options.jsonl, "a") as file:
                            file.write(json.dumps({"setting": setting, **line}) + "\n")
        table.print_model(model)
    table.print_foot(options)


def find(model, folder):
    """The file of a model; made if it is a shape."""
    if pathlib.Path(model).is_file():
        return pathlib.Path(model)
    preset, _, quant = model.partition("/")
    path = folder / f"{preset}-{quant}.gguf"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        pure = ["--pure"] if quant.startswith("pure-") else []
        command = [sys.executable, HERE / "synth_gguf.py", preset, quant.removeprefix("pure-"), path, *pure]
        if subprocess.run(command).returncode != 0:
            sys.exit(f"`{model}` is no file, and no shape that can be made")
    return path


def run(setting, path, options):
    """The lines of one run, repeated while others disturb it."""
    tests = ["-p", options.n_prompt, "-n", options.n_gen, "-d", options.n_depth, "-t", str(options.threads),
             "-r", str(options.repetitions)]
    if options.batch:
        tests += ["--batch", options.batch]
    if setting == "ingle":
        command = [options.ingle, "bench", str(path), *tests, "--limits", "--json"]
    else:
        command = [sys.executable, str(HERE / "llama_bench.py"), str(path), *tests, "--work", str(options.work),
                   "--repack", str(SETTINGS[setting])]
        command += ["--cpu", options.cpu] if options.cpu else []
    for attempt in range(3):
        with locked(options.lock):
            start, others = time.monotonic(), other_seconds()
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
            others = (other_seconds() - others) / (time.monotonic() - start)
        if done.returncode != 0:
            sys.exit(f"`{' '.join(command)}` ended with {done.returncode}")
        if others <= 0.05:
            break
        print(f"{setting}: others took {others:.0%} of a processor", file=sys.stderr)
    return [{**json.loads(line), "others": others} for line in done.stdout.splitlines()]


@contextlib.contextmanager
def locked(path):
    if path is None:
        yield
        return
    with open(path, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def other_seconds():
    """Processor time that went to anything but us and our children, the host included."""
    names = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
    with open("/proc/stat") as file:
        ticks = dict(zip(names, map(int, file.readline().split()[1:])))
    busy = sum(ticks[name] for name in names if name not in ("idle", "iowait")) / os.sysconf("SC_CLK_TCK")
    ours = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return busy - sum(usage.ru_utime + usage.ru_stime for usage in ours)


class Table:
    """Samples by model, test and setting."""

    def __init__(self):
        self.samples, self.shares, self.limits, self.disturbed, self.programs = {}, {}, {}, 0, {}

    def add(self, model, setting, line):
        key = (model, line["test"])
        self.samples.setdefault(key, {}).setdefault(setting, []).extend(line["samples_ts"])
        self.disturbed += line["others"] > 0.05
        self.programs[setting] = f"{line.get('program', 'ingle')}, {line['level']}"
        if setting == "ingle":
            self.shares.setdefault(key, []).append(line["limit_share"])
            for name, value in line["limits"].items():
                self.limits.setdefault(name, []).append(value)

    def print_model(self, model):
        head = ["model", "test", "ingle t/s", "llama.cpp t/s", "(other setting)", "ratio", "share of limit",
                "llama.cpp's share"]
        if len({name for name, _ in self.samples}) == 1:
            print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
        for (name, test), samples in self.samples.items():
            if name != model:
                continue
            median = {setting: statistics.median(values) for setting, values in samples.items()}
            best, other = sorted(["repacked", "as is"], key=median.get, reverse=True)
            share = statistics.median(self.shares[name, test])
            ratio = median["ingle"] / median[best]
            cells = [pathlib.Path(name).name if name.endswith(".gguf") else name, test, spread(samples["ingle"]),
                     f"{spread(samples[best])} {best}", f"{median[other]:.4g} {other}", f"{ratio:.2f}",
                     f"{share:.0%}", f"{share / ratio:.0%}"]
            print("| " + " | ".join(cells) + " |", flush=True)

    def print_foot(self, options):
        print()
        if self.limits:
            limit = {name: statistics.median(values) for name, values in self.limits.items()}
            print(f"Limits: {limit['int8_ops_per_s'] / 1e12:.3f} T int8 operations/s, "
                  f"{limit['read_bytes_per_s'] / 1e9:.1f} GB/s read ({limit['read_bytes_per_s_1'] / 1e9:.1f} by one "
                  f"thread; from {min(self.limits['read_bytes_per_s']) / 1e9:.1f} "
                  f"to {max(self.limits['read_bytes_per_s']) / 1e9:.1f}).")
        for setting, program in self.programs.items():
            print(f"{setting}: {program}.")
        print(f"{options.threads} threads, medians of {options.rounds} rounds of {options.repetitions} samples "
              f"(lowest to highest in brackets), {processor()}.")
        if self.disturbed:
            print(f"{self.disturbed} tests ran while others took more than 5 % of a processor.")


def spread(samples):
    return f"{statistics.median(samples):.4g} ({min(samples):.4g}–{max(samples):.4g})"


def processor():
    with open("/proc/cpuinfo") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown")


if __name__ == "__main__":
    main()
