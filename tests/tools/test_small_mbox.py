"""examples/email/small.mbox is what its generator writes, and a valid mailbox whose offsets small.tsv tells."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

EXAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "email")


def read(*path):
    with open(os.path.join(*path), "rb") as f:
        return f.read()


class SmallMbox(unittest.TestCase):
    def test_the_committed_files_are_what_the_generator_writes(self):
        with tempfile.TemporaryDirectory() as top:
            shutil.copy(os.path.join(EXAMPLE, "make-small-mbox"), top)
            subprocess.run([os.path.join(top, "make-small-mbox")], check=True)
            for name in ("small.mbox", "small.tsv"):
                self.assertEqual(read(top, name), read(EXAMPLE, name), name + " is stale: run make-small-mbox")

    def test_every_offset_in_the_table_is_a_message_and_there_is_no_other(self):
        mbox = read(EXAMPLE, "small.mbox")
        offsets = [m.start() for m in re.finditer(rb"^From ", mbox, re.M)]
        told = [int(line.split(b"\t")[0]) for line in read(EXAMPLE, "small.tsv").splitlines()[1:]]
        self.assertEqual(offsets, told)
        self.assertGreaterEqual(len(offsets), 40)
        for offset in offsets[1:]:
            self.assertEqual(mbox[offset - 2:offset], b"\n\n", "no empty line before the message at %d" % offset)


if __name__ == "__main__":
    unittest.main()
