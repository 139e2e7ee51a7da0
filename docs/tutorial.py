"""Runs every block of tutorial.md, in order, in an empty folder:

    MODEL=model.gguf PORT=8123 python3 docs/tutorial.py path/to/ingle

The words after a block's language say how: `settings` is skipped, since MODEL and PORT come from the environment (or are
the tutorial's own); `setup` runs where PYTHON does not name an interpreter that has the packages; `serve` runs beside the
blocks after it. A block that fails, or says nothing, is an error with its line.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

BLOCK = re.compile(r"^```(\w+)(?: (\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PATIENCE = 300


def wait_for(url, process):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            return urllib.request.urlopen(url, timeout=5).read()
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise SystemExit(f"the server is not ready at {url}")


def main(program):
    text = (pathlib.Path(__file__).parent / "tutorial.md").read_text()
    environment = {"MODEL": "smollm2", "PORT": "8080", **os.environ}
    python = os.environ.get("PYTHON")
    serving, num_run = None, 0
    with tempfile.TemporaryDirectory() as folder:
        bin_folder = pathlib.Path(folder) / "bin"
        bin_folder.mkdir()
        (bin_folder / "ingle").symlink_to(program)
        environment["PATH"] = f"{bin_folder}{os.pathsep}{environment['PATH']}"
        try:
            for match in BLOCK.finditer(text):
                language, how, code = match.groups()
                place = f"tutorial.md:{text[:match.start()].count(chr(10)) + 1}"
                if how == "settings" or how == "setup" and python:
                    continue
                if how == "serve":
                    serving = subprocess.Popen(["sh", "-c", f"exec {code}"], cwd=folder, env=environment)
                    wait_for(f"http://127.0.0.1:{environment['PORT']}/health", serving)
                    continue
                words = ["sh", "-ec"] if language == "sh" else [python or f"{folder}/venv/bin/python", "-c"]
                done = subprocess.run([*words, code], cwd=folder, env=environment, timeout=PATIENCE,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
                print(f"-- {place}\n{done.stdout}", end="")
                if done.returncode != 0 or how != "setup" and not done.stdout.strip():
                    raise SystemExit(f"{place}: ended with {done.returncode}")
                num_run += 1
        finally:
            if serving:
                serving.terminate()
                serving.wait(timeout=60)
    assert num_run >= 7, f"only {num_run} blocks were found"
    print(f"tutorial: {num_run} blocks run")


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]))
