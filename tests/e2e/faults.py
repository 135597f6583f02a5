"""faults.py - orders and counts of faults.so (tests/faults/faults.h): operations of engine and workers that fail, or are the
last that the process does, at a point that is placed by count.

    faults = Faults(directory)
    with Daemon(config(worker("process", **faults.for_worker())), env=faults.env) as d:
        faults.engine.kill_at = faults.engine.writes + 17
"""
import mmap
import os
import struct
import unittest

from support import binary

LIBRARY = binary("tests/faults/faults.so")
NAMES = ("writes", "file_writes", "syncs", "allocations", "hits", "killed", "kill_at", "kill_after", "full_from", "full_until",
         "sync_fails_at", "no_memory_from", "no_memory_until")
NEVER = 1 << 63


class Program:
    """faults.engine.writes, faults.engine.kill_at = n."""

    def __init__(self, memory, place):
        self.__dict__.update(memory=memory, base=place * 8 * len(NAMES))

    def __getattr__(self, name):
        return struct.unpack_from("=Q", self.memory, self.base + 8 * NAMES.index(name))[0]

    def __setattr__(self, name, value):
        struct.pack_into("=Q", self.memory, self.base + 8 * NAMES.index(name), value)

    def full(self, after):
        """From the file write on that comes after so many more."""
        self.full_until = NEVER
        self.full_from = self.file_writes + 1 + after

    def space(self):
        self.full_until = self.full_from = 0

    def no_memory(self, at):
        self.no_memory_until = at + 1 if at else 0
        self.no_memory_from = at


class Faults:
    @staticmethod
    def there():
        return os.path.exists(LIBRARY)

    def __init__(self, directory):
        if not self.there():
            raise unittest.SkipTest("%s is not there: a sanitizer does not go with it" % LIBRARY)
        path = os.path.join(directory, "faults")
        with open(path, "wb") as f:
            f.truncate(2 * 8 * len(NAMES))
        with open(path, "r+b") as f:
            memory = mmap.mmap(f.fileno(), 0)
        self.engine, self.worker = Program(memory, 0), Program(memory, 1)
        self.env = {"LD_PRELOAD": LIBRARY, "FAULTS_FILE": path}
