"""What the documents point to exists, and tools/check-words finds what it is for."""
import os
import re
import subprocess
import tempfile
import unittest

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SKIP = {".git", "build", "node_modules"}


def documents():
    for where, dirs, files in os.walk(TOP):
        dirs[:] = [d for d in dirs if d not in SKIP and not d.startswith("build-")]
        for name in files:
            if name.endswith(".md"):
                yield os.path.join(where, name)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def anchors(path):
    """What a link into this page may end with: its headings, as web pages of repositories spell them."""
    headings = re.findall(r"^#+ +(.*)$", re.sub(r"^```.*?^```$", "", read(path), flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w -]", "", h.strip().lower()).replace(" ", "-") for h in headings}


def tests():
    """Every test by the name under which script/test knows it: folder/name in C, test_x and test_x.Class in Python."""
    names = set()
    for where, dirs, files in os.walk(TOP):
        dirs[:] = [d for d in dirs if d not in SKIP and not d.startswith("build")]
        if "meson.build" in files:
            names.update(re.findall(r"(?:\[|test\()'(\w+/\w+)'", read(os.path.join(where, "meson.build"))))
    names.update("fuzz/" + f[len("fuzz_"):-2] for f in os.listdir(os.path.join(TOP, "tests", "fuzz")) if re.match(r"fuzz_\w+\.c$", f))
    for file in os.listdir(os.path.join(TOP, "tests", "e2e")):
        if file.startswith("test_"):
            names.add(file[:-3])
            names.update(file[:-3] + "." + c for c in re.findall(r"^class (\w+)", read(os.path.join(TOP, "tests", "e2e", file)), re.M))
    return names


class Documents(unittest.TestCase):
    def test_every_relative_link_leads_to_a_file_and_to_a_heading(self):
        for path in documents():
            for target in re.findall(r"\]\(([^)\s]+)\)", read(path)):
                if re.match(r"[a-z]+:", target):
                    continue
                file, _, heading = target.partition("#")
                full = os.path.join(os.path.dirname(path), file) if file else path
                with self.subTest(document=os.path.relpath(path, TOP), link=target):
                    self.assertTrue(os.path.exists(full))
                    if heading:
                        self.assertIn(heading, anchors(full))

    def test_every_page_stands_in_the_index(self):
        top = os.path.join(TOP, "docs")
        index = re.findall(r"\]\(([^)]+)\)", read(os.path.join(top, "README.md")))
        for folder in ("tutorial", "howto", "concepts", "reference"):
            for name in os.listdir(os.path.join(top, folder)):
                self.assertIn(folder + "/" + name, index)

    def test_every_promise_names_tests_that_exist(self):
        known, rows = tests(), 0
        for line in read(os.path.join(TOP, "docs", "concepts", "promises.md")).split("\n"):
            cells = line.split(" | ")
            if not line.startswith("| ") or line.startswith("| promise") or cells[-1] == "shown by |":
                continue
            rows += 1
            named = [n for n in re.findall(r"`([^`]+)`", cells[-1]) if re.match(r"test_|\w+/", n)]
            with self.subTest(promise=cells[0]):
                self.assertTrue(named)
                for name in named:
                    self.assertTrue(name in known or name.endswith("/*"), name)
        self.assertGreater(rows, 40)

    def test_the_architecture_names_every_layer(self):
        page = read(os.path.join(TOP, "ARCHITECTURE.md"))
        for layer in re.findall(r"^(\w+):", read(os.path.join(TOP, "src", "LAYERS")), re.M):
            with self.subTest(layer=layer):
                self.assertTrue(layer == "sdk" or re.search(r"(?m)^\| \w+ \|[^|]*`%s`" % layer, page))  # sdk/ is beside src/

    def test_every_file_that_the_front_pages_name_exists(self):
        """`folder/file.ext` in backticks stands in the checkout."""
        for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/decisions/README.md"):
            for path in re.findall(r"`([\w.-]+(?:/[\w.-]+)+\.(?:c|h|md|py|yaml|mbox|build))`", read(os.path.join(TOP, name))):
                if path.startswith(("build/", "my-worker/")):
                    continue
                with self.subTest(document=name, path=path):
                    self.assertTrue(os.path.exists(os.path.join(TOP, path)))

    def test_every_path_from_the_top_that_a_document_names_exists(self):
        folders = "src|sdk|tools|tests|workers|examples|script|docs|include|bench"
        for document in documents():
            for path in re.findall(r"`((?:%s)/[\w./-]*\w)`" % folders, read(document)):
                if "NAME" in path:
                    continue
                with self.subTest(document=os.path.relpath(document, TOP), path=path):
                    self.assertTrue(os.path.exists(os.path.join(TOP, path)) or os.path.exists(os.path.join(os.path.dirname(document), path))
                                    or any(os.path.exists(os.path.join(TOP, path + end)) for end in (".c", ".h", "_test.c")))

    def test_every_library_of_the_build_is_among_the_dependencies(self):
        page = read(os.path.join(TOP, "docs", "reference", "dependencies.md"))
        run = read(os.path.join(TOP, "script", "setup")).split("dev_packages")[0]
        for package in re.findall(r"^(\S+-dev) ", run, re.M):
            self.assertIn(package, page)

    def test_the_decisions_are_all_in_their_index(self):
        folder = os.path.join(TOP, "docs", "decisions")
        index = read(os.path.join(folder, "README.md"))
        for name in os.listdir(folder):
            if name != "README.md":
                self.assertIn("(%s)" % name, index)


class Words(unittest.TestCase):
    def found(self, text):
        with tempfile.TemporaryDirectory() as top:
            path = os.path.join(top, "a.c")
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            p = subprocess.run([os.path.join(TOP, "tools", "check-words"), path], stdout=subprocess.PIPE, text=True)
        self.assertEqual(p.returncode, 1 if p.stdout else 0)
        return p.stdout.count("\n")

    def test_good_text_passes(self):
        self.assertEqual(self.found('open("/etc/hostname"); mkstemp("run-XXXXXX"); /* see network/home/ */\n'), 0)

    def test_each_bad_word_is_found(self):
        for bad in ("/home/someone/x", "/tmp/stuff/x", "https://registry.example/y", "// TODO later", "not implemented"):  # check-words: fine
            with self.subTest(word=bad):
                self.assertEqual(self.found("int a;\n" + bad + "\n"), 1)


if __name__ == "__main__":
    unittest.main()
