"""What is built is hardened and exports what it should; what is installed stands on its own, away from the checkout."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from support import BUILD, TOP, Daemon, binary

with open(binary("libreeve.so"), "rb") as library:
    SANITIZED = re.search(b"__[at]san_init", library.read()) is not None

LINKERS_OWN = {"__bss_start", "_edata", "_end"}  # ld adds them where a library that is linked asks for them


def said(*command, **more):
    """What a command prints; it must succeed."""
    p = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    if p.returncode != 0:
        raise AssertionError("%s ended with %d:\n%s" % (" ".join(command), p.returncode, p.stdout))
    return p.stdout


def is_elf(path):
    with open(path, "rb") as f:
        return f.read(4) == b"\x7fELF"


def products():
    """Programs and shared objects that are installed."""
    found = [binary(name) for name in ("reeve", "reeved", "reeve-engine", "libreeve.so")]
    workers = binary("workers")
    for name in sorted(os.listdir(workers)):
        for end in ("", ".so"):
            path = os.path.join(workers, name, name + end)
            if os.path.isfile(path):
                found.append(path)
    return found


@unittest.skipIf(SANITIZED, "built with a sanitizer")
class Hardening(unittest.TestCase):
    def each(self):
        for path in products():
            with self.subTest(product=os.path.relpath(path, BUILD)):
                yield path

    def test_there_are_products_to_look_at(self):
        self.assertGreaterEqual(len(products()), 4 + 7)

    def test_every_product_is_position_independent(self):
        for path in self.each():
            self.assertRegex(said("readelf", "-hW", path), r"Type:\s+DYN")

    def test_every_product_has_full_relro(self):
        for path in self.each():
            self.assertIn("GNU_RELRO", said("readelf", "-lW", path))
            self.assertRegex(said("readelf", "-dW", path), r"BIND_NOW|Flags:.*\bNOW\b")

    def test_no_product_has_an_executable_stack_or_a_segment_that_is_writable_and_executable(self):
        for path in self.each():
            segments = said("readelf", "-lW", path)
            self.assertRegex(segments, r"GNU_STACK.* RW ")
            self.assertNotRegex(segments, r"LOAD.* RWE ")

    def test_every_product_has_stack_protectors_and_fortified_calls(self):
        for path in self.each():
            symbols = said("readelf", "-sW", path)
            self.assertIn("__stack_chk_fail", symbols)
            self.assertRegex(symbols, r"__(?!stack)\w+_chk\b")

    def test_libreeve_exports_only_what_is_public(self):
        names = [line.split()[-1].split("@")[0] for line in said("nm", "-D", "--defined-only", binary("libreeve.so")).splitlines()
                 if line.split()[-2] != "A"]
        self.assertIn("reeve_client_submit", names)
        self.assertEqual([n for n in names if not n.startswith("reeve_")], [])

    def test_a_worker_s_module_exports_one_symbol(self):
        for path in self.each():
            if path.startswith(binary("workers")) and path.endswith(".so"):
                names = {line.split()[-1] for line in said("nm", "-D", "--defined-only", path).splitlines()}
                self.assertEqual(names - LINKERS_OWN, {"reeve_export"})


@unittest.skipIf(SANITIZED, "what is installed is built without a sanitizer")
class Installed(unittest.TestCase):
    timeout_s = 600
    alone = True  # it changes the prefix of the build folder that the others run from

    @classmethod
    def setUpClass(cls):
        cls._folder = tempfile.TemporaryDirectory(prefix="reeve-")
        cls.folder = cls._folder.name
        cls.prefix = os.path.join(cls.folder, "opt")
        cls.staged = os.path.join(cls.folder, "stage")
        make = ["make", "-s", "-C", TOP, "install"]
        said(*make, "PREFIX=/opt/reeve", "DESTDIR=" + cls.staged)
        said(*make, "PREFIX=" + cls.prefix)
        cls.pkgconfig = [where for where, _, files in os.walk(cls.prefix) if "libreeve.pc" in files][0]
        cls.env = {**os.environ, "PKG_CONFIG_PATH": cls.pkgconfig}

    @classmethod
    def tearDownClass(cls):
        cls._folder.cleanup()

    def files(self, root):
        return [os.path.join(where, name) for where, _, names in os.walk(root) for name in names]

    def test_the_same_files_go_below_destdir_and_prefix(self):
        staged, real = os.path.join(self.staged, "opt/reeve"), self.prefix
        self.assertEqual(sorted(os.path.relpath(f, staged) for f in self.files(self.staged)),
                         sorted(os.path.relpath(f, real) for f in self.files(real)))

    def test_no_installed_file_names_the_checkout_or_destdir(self):
        for path in self.files(self.staged):
            with self.subTest(file=os.path.relpath(path, self.staged)), open(path, "rb") as f:
                content = f.read()
                self.assertNotIn(TOP.encode(), content)
                self.assertNotIn(self.staged.encode(), content)

    def test_no_installed_program_looks_for_libraries_in_the_build_folder(self):
        for path in self.files(self.prefix):
            if is_elf(path):
                for runpath in re.findall(r"R(?:UN)?PATH.*\[(.*)\]", said("readelf", "-dW", path)):
                    with self.subTest(file=os.path.relpath(path, self.prefix)):
                        found = os.path.normpath(runpath.replace("$ORIGIN", os.path.dirname(path)))
                        self.assertTrue(os.path.exists(os.path.join(found, "libreeve.so.0")), runpath)

    def test_the_installed_daemon_runs_the_installed_workers_in_both_placements(self):
        message = "From: a@example.org\nTo: b@example.org\nSubject: hello\nDate: Sat, 21 Nov 2026 10:00:00 +0000\n\nhello\n"
        for placement in ("process", "module"):
            workers = [{"id": "p", "type": placement, "package": "email-parser:1.0.0"},
                       {"id": "e", "type": "process", "exec": [{"capability": "cat", "command": ["cat"]}]}]
            with self.subTest(placement), InstalledDaemon(self.prefix, json.dumps({"workers": workers}) + "\n") as d:
                self.assertEqual(d.json("job", "invoke", "cat", "--input", '{"n":7}'), {"n": 7})
                blob = d.http("POST", "/v1/blobs", message.encode()).json()["blob"]
                answer = d.http("POST", "/v1/invoke/email.parse", {"blob": blob})
                self.assertEqual(answer.status, 200, answer)

    def test_a_worker_copied_out_builds_and_runs_against_what_is_installed(self):
        folder = os.path.join(self.folder, "away")
        shutil.copytree(os.path.join(TOP, "workers/email-insights"), folder)
        libraries = os.path.dirname(self.pkgconfig)
        env = {**self.env, "LD_LIBRARY_PATH": libraries}
        said("make", "-s", cwd=folder, env=env)
        self.assertIn(libraries, said("ldd", "./email-insights", cwd=folder, env=env))
        out = said("./email-insights", "--run", "email.insights", "--input", "sample.ndjson", cwd=folder, env=env)
        self.assertIn("pipeline_summary", out)

    def test_a_new_worker_builds_and_passes_its_tests(self):
        env = {**self.env, "LD_LIBRARY_PATH": os.path.dirname(self.pkgconfig)}
        said(os.path.join(self.prefix, "bin/reeve"), "worker", "new", "my-worker", cwd=self.folder)
        said("make", "-s", "test", cwd=os.path.join(self.folder, "my-worker"), env=env)


class InstalledDaemon(Daemon):
    def __init__(self, prefix, config):
        super().__init__(config)
        self.program = os.path.join(prefix, "bin/reeve")

    def run(self, *args, **more):
        return super().run(*args, program=self.program, **more)


class FrontDoor(unittest.TestCase):
    def test_make_help_names_every_target(self):
        with open(os.path.join(TOP, "Makefile"), encoding="utf-8") as f:
            targets = re.search(r"^\.PHONY: (.*)$", f.read(), re.M).group(1).split()
        shown = [line.split()[0] for line in said("make", "-s", "-C", TOP, "help").splitlines()]
        self.assertEqual(sorted(targets), sorted(shown))


if __name__ == "__main__":
    unittest.main()
