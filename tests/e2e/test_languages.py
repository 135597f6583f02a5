"""Workers in C++ and Rust: from one source a process and a module, with the same answers."""
import os
import shutil
import subprocess
import tempfile
import unittest

from jobs import config, ended
from support import BUILD, TOP, Daemon, binary


def sanitized():
    """Whoever links a libreeve that was built with a sanitizer must be built with it, too."""
    with open(binary("libreeve.so"), "rb") as f:
        content = f.read()
    return b"__asan_init" in content or b"__tsan_init" in content


@unittest.skipIf(sanitized(), "libreeve was built with a sanitizer")
class Languages(unittest.TestCase):
    timeout_s = 240

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def answers(self, name, capability, input, expected):
        for placement in ("process", "module"):
            path = os.path.join(self.folder, name)
            declared = {"id": name, "type": placement}
            if placement == "process":
                declared["execution"] = {"executable_path": path}
            else:
                declared["module"] = {"module_path": path + ".so"}
            with self.subTest(placement), Daemon(config(declared)) as d:
                answer = d.http("POST", "/v1/jobs", {"capability": capability, "input": input})
                self.assertEqual(answer.status, 202)
                self.assertEqual(ended(d, answer.json()["job_id"])["result"], expected)

    def build(self, *command):
        subprocess.run(command, check=True, cwd=self.folder)

    def test_cpp(self):
        source = os.path.join(TOP, "examples", "worker-cpp", "worker.cpp")
        common = ["c++", "-std=c++17", "-fPIC", "-I" + os.path.join(TOP, "include"), source, "-L" + BUILD, "-Wl,-rpath," + BUILD]
        self.build(*common, "-pie", "-lreeve-main", "-lreeve", "-o", "worker-cpp")
        self.build(*common, "-shared", "-lreeve", "-o", "worker-cpp.so")
        self.answers("worker-cpp", "cpp.reverse", "drawer", {"reversed": "reward"})

    @unittest.skipUnless(shutil.which("rustc"), "there is no rustc here")
    def test_rust(self):
        source = os.path.join(TOP, "examples", "worker-rust", "worker.rs")
        common = ["rustc", "-O", "--edition", "2021", "-L", BUILD, "-l", "reeve", "-C", "link-arg=-Wl,-rpath," + BUILD, source]
        self.build(*common, "-o", "worker-rust")
        self.build(*common, "--cfg", "module", "--crate-type", "cdylib", "-o", "worker-rust.so")
        self.answers("worker-rust", "rust.sum", [1, 2, 39], {"sum": 42})


if __name__ == "__main__":
    unittest.main()
