"""The documents' commands work as written, and what a script makes of them is what stands there.

A block that begins with ```sh is run; the blocks of one document are one script, in a copy of the checkout made of links, with
$REEVE_BUILD as its build/. What is only to be looked at stands indented, or in another kind of block.
"""
import os
import re
import subprocess
import tempfile
import unittest

from support import BUILD, TOP, Daemon, binary

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


class Named(unittest.TestCase):
    """What the documents name is there: commands, routes."""

    def test_every_command_that_is_named_exists(self):
        said = subprocess.run([binary("reeve"), "help"], check=True, text=True, stdout=subprocess.PIPE).stdout
        known = set(re.findall(r"^  reeve ((?:[a-z]+ ?)+)", said, re.M))
        known = {k.strip() for k in known}
        nouns = {k.split()[0] for k in known if " " in k}
        example = "queue drop"  # CONTRIBUTING.md adds it
        for where, _, files in os.walk(os.path.join(TOP, "docs")):
            for name in files:
                self.look(os.path.join(where, name), known, nouns)
        for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"):
            self.look(os.path.join(TOP, name), known | {example}, nouns)

    def look(self, path, known, nouns):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        for noun, verb in re.findall(r"(?:`|^ *|\$\()(?:build/)?reeve ([a-z]+)(?: ([a-z]+))?", text, re.M):
            with self.subTest(document=os.path.relpath(path, TOP), command=noun + " " + verb):
                self.assertTrue(noun in known or noun in nouns and (not verb or noun + " " + verb in known))

    def test_the_page_of_the_api_names_every_route_and_no_other(self):
        with Daemon("workers: []\n") as d:
            paths = d.http("GET", "/openapi.json").json()["paths"]
        routes = {(m.upper(), self.plain(p)) for p, methods in paths.items() for m in methods if m != "parameters"}
        known = {p for _, p in routes}
        named = set()
        with open(os.path.join(TOP, "docs", "reference", "http-api.md"), encoding="utf-8") as f:
            for line in f:
                methods, waiting, last = ["GET"], [], ""
                for method, path in re.findall(r"`(?:(GET|POST|PUT|PATCH|DELETE)(?: |(?=`)))?(/[^?`\s]*)?(?:\?[^`]*)?`", line):
                    if method:
                        waiting.append(method)
                    if not path:
                        continue
                    methods, waiting = waiting or methods, []
                    path = self.plain(path)
                    last = path if path in known or not last else last.rsplit("/", 1)[0] + path  # `/resume` beside `…/pause`
                    named.update((m, last) for m in methods)
        self.assertEqual(sorted(named - routes), [], "are no routes")
        self.assertEqual(sorted(routes - named), [], "are not in docs/reference/http-api.md")

    @staticmethod
    def plain(path):
        return re.sub(r"\{[^}]*\}", "{}", path)


if __name__ == "__main__":
    unittest.main()
