"""The documents' commands work as written, and what a script makes of them is what stands there.

A block that begins with ```sh is run; the blocks of one document are one script, in a copy of the checkout made of links, with
$REEVE_BUILD as its build/. What is only to be looked at stands indented, or in another kind of block.
"""
import os
import re
import subprocess
import tempfile
import unittest

from support import BUILD, TOP, binary

OURS = ("README.md", "CONTRIBUTING.md", "docs/tutorial", "docs/howto")


def documents():
    for name in OURS:
        full = os.path.join(TOP, name)
        if os.path.isfile(full):
            yield name
        else:
            yield from sorted(os.path.join(name, f) for f in os.listdir(full) if f.endswith(".md"))


def script(document):
    with open(os.path.join(TOP, document), encoding="utf-8") as f:
        return "\n".join(re.findall(r"^```sh\n(.*?)^```$", f.read(), re.M | re.S))


class Commands(unittest.TestCase):
    timeout_s = 300

    def view(self):
        """A folder that looks like the checkout, and in which files can be made."""
        folder = tempfile.TemporaryDirectory(prefix="reeve-")
        self.addCleanup(folder.cleanup)
        for name in os.listdir(TOP):
            if not name.startswith("build") and name != ".git":
                os.symlink(os.path.join(TOP, name), os.path.join(folder.name, name))
        os.symlink(BUILD, os.path.join(folder.name, "build"))
        return folder.name

    def test_every_block_of_commands_runs(self):
        ran = 0
        for document in documents():
            commands = script(document)
            if not commands:
                continue
            ran += 1
            with self.subTest(document=document):
                folder = self.view()
                env = {k: v for k, v in os.environ.items() if not k.startswith("REEVE_")}
                # Whatever happens in between, no daemon stays.
                whole = "set -euxo pipefail\ntrap '%s down >/dev/null 2>&1 || true' EXIT\n%s" % (binary("reeve"), commands)
                p = subprocess.run(["bash", "-c", whole], cwd=folder, env=env, text=True, timeout=self.timeout_s - 20,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                self.assertEqual(p.returncode, 0, p.stdout)
        self.assertGreaterEqual(ran, 4)


class Generated(unittest.TestCase):
    def test_the_configuration_reference_is_that_of_the_schema(self):
        schema = subprocess.run([binary("reeve"), "config", "schema"], check=True, stdout=subprocess.PIPE).stdout
        page = subprocess.run([os.path.join(TOP, "tools", "config-reference")], input=schema, check=True, stdout=subprocess.PIPE).stdout
        with open(os.path.join(TOP, "docs", "reference", "configuration.md"), "rb") as f:
            self.assertEqual(f.read(), page, "run: build/reeve config schema | tools/config-reference >docs/reference/configuration.md")


if __name__ == "__main__":
    unittest.main()
