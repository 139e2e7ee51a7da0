"""Rewrites a GGUF version 1 file as version 3, which today's llama.cpp needs.

Version 1 writes every count and length as u32 where version 2 and later write u64; everything else
is the same (GGUF specification, "Historical State"). Tensor data is copied as it is.
Left out: big-endian files, alignments other than 32.
"""
import struct
import sys

ALIGNMENT = 32
SCALAR_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
STRING, ARRAY = 8, 9


class Upgrade:
    """Walks the old header and appends the new one to `out`."""

    def __init__(self, old):
        self.old, self.at, self.out = old, 0, bytearray()

    def take(self, size):
        self.at += size
        return self.old[self.at - size:self.at]

    def copy(self, size):
        taken = self.take(size)
        self.out += taken
        return taken

    def widen(self):
        """Reads a u32 count, writes it as u64."""
        count = struct.unpack("<I", self.take(4))[0]
        self.out += struct.pack("<Q", count)
        return count

    def string(self):
        self.copy(self.widen())

    def value(self, kind):
        if kind == STRING:
            self.string()
        elif kind == ARRAY:
            element = struct.unpack("<I", self.copy(4))[0]
            for _ in range(self.widen()):
                self.value(element)
        else:
            self.copy(SCALAR_BYTES[kind])

    def run(self):
        """Returns the bytes of the version 3 file."""
        magic, version = struct.unpack("<4sI", self.take(8))
        if (magic, version) != (b"GGUF", 1):
            raise SystemExit(f"expected a GGUF version 1 file, found {magic} version {version}")
        self.out += struct.pack("<4sI", magic, 3)
        tensors, pairs = self.widen(), self.widen()
        for _ in range(pairs):
            self.string()
            self.value(struct.unpack("<I", self.copy(4))[0])
        for _ in range(tensors):
            self.string()
            for _ in range(struct.unpack("<I", self.copy(4))[0]):
                self.widen()
            self.copy(4 + 8)  # type, offset
        self.out += bytes(-len(self.out) % ALIGNMENT)
        return bytes(self.out + self.old[self.at + -self.at % ALIGNMENT:])


def upgrade(source, target):
    with open(source, "rb") as file:
        new = Upgrade(file.read()).run()
    with open(target, "wb") as file:
        file.write(new)


if __name__ == "__main__":
    upgrade(*sys.argv[1:])
