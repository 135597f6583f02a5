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


class Documents(unittest.TestCase):
    def test_every_relative_link_leads_to_a_file(self):
        for path in documents():
            for target in re.findall(r"\]\(([^)\s]+)\)", read(path)):
                if re.match(r"[a-z]+:|#", target):
                    continue
                full = os.path.join(os.path.dirname(path), target.split("#")[0])
                with self.subTest(document=os.path.relpath(path, TOP), link=target):
                    self.assertTrue(os.path.exists(full))

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
