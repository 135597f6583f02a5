"""tools/check-layers refuses what it says it refuses: each test spoils one thing in a small tree that passes."""
import os
import subprocess
import tempfile
import unittest

TOOL = os.path.join(os.path.dirname(__file__), "..", "..", "tools", "check-layers")

ALL = "| `*` | every file |\n"
GOOD = {
    "src/LAYERS": "wire:\nbase:   # errors\nos: base\nqueue: base os\ndaemon: *\n",
    "src/wire/README.md": ALL, "src/wire/frame.c": '#include <string.h>\n#include "wire/frame.h"\n', "src/wire/frame.h": "",
    "src/base/README.md": ALL, "src/base/err.h": "",
    "src/os/README.md": ALL, "src/os/clock.c": '#include "base/err.h"\n#include <time.h>\n',
    "src/queue/README.md": ALL, "src/queue/order.h": "", "src/queue/order.c": '#include "queue/order.h"\n#include "os/clock.h"\n',
    "src/daemon/README.md": ALL, "src/daemon/main.c": '#include "queue/order.h"\n#include <reeve/worker.h>\n#include <jansson.h>\n',
    "include/reeve/worker.h": "#include <stdint.h>\n", "include/reeve/client.h": "#include <reeve/worker.h>\n",
    "sdk/host.h": "", "sdk/host.c": '#include "host.h"\n#include "wire/frame.h"\n#include <reeve/worker.h>\n#include <stdlib.h>\n',
    "workers/mail-sorter/README.md": ALL, "workers/mail-sorter/package.yaml": "", "workers/mail-sorter/sort.h": "",
    "workers/mail-sorter/tests/t.c": '#include "../sort.h"\n',
    "workers/mail-sorter/worker.c": '#include <reeve/worker.h>\n#include "sort.h"\n#include <gmime/gmime.h>\n',
    "workers/echo/README.md": ALL, "workers/echo/package.yaml": "", "workers/echo/worker.c": "#include <reeve/worker.h>\n",
}


class CheckLayers(unittest.TestCase):
    def check(self, changes):
        """The tool's exit status and output on GOOD with `changes` (None removes a file)."""
        with tempfile.TemporaryDirectory() as top:
            for path, text in {**GOOD, **changes}.items():
                if text is None:
                    continue
                path = os.path.join(top, path)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w", encoding="utf-8") as f:
                    f.write(text)
            p = subprocess.run([TOOL, top], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return p.returncode, p.stdout

    def refused(self, changes, *words):
        rc, out = self.check(changes)
        self.assertEqual(rc, 1, out)
        self.assertEqual(len(out.splitlines()), 1, out)
        for word in words:
            self.assertIn(word, out)

    def test_a_good_tree_passes_in_silence(self):
        self.assertEqual(self.check({}), (0, ""))

    def test_a_source_file_that_the_readme_does_not_name_is_refused(self):
        self.refused({"src/queue/README.md": "| `orders` | |\n", "src/queue/order.h": None,
                      "src/queue/order.c": "", "src/daemon/main.c": ""}, "src/queue/README.md:1:", "does not name order.c")

    def test_a_header_is_named_with_its_source_file(self):
        self.assertEqual(self.check({"src/queue/README.md": "The order is in `order.c`.\n"}), (0, ""))

    def test_a_file_that_the_readme_names_and_nobody_has_is_refused(self):
        self.refused({"src/queue/README.md": "| `order` | |\n| `gone.c` | |\n"}, "src/queue/README.md:2:", "gone.c", "no such file")

    def test_an_include_against_the_arrows_is_refused_with_file_and_line(self):
        self.refused({"src/base/err.c": '\n#include "os/clock.h"\n'}, "src/base/err.c:2:", "base may not include os/clock.h", "nothing")

    def test_a_sideways_include_that_the_line_does_not_name_is_refused(self):
        self.refused({"src/queue/order.c": '#include "wire/frame.h"\n'}, "queue may not include wire/frame.h", "base os")

    def test_an_indented_include_is_seen(self):
        self.refused({"src/base/err.c": '  #  include "os/clock.h"\n'}, "base may not include")

    def test_a_layer_that_names_one_below_it_is_refused(self):
        self.refused({"src/LAYERS": GOOD["src/LAYERS"].replace("os: base", "os: base queue")}, "src/LAYERS:3:", "os may not name queue")

    def test_a_folder_named_twice_is_refused(self):
        self.refused({"src/LAYERS": GOOD["src/LAYERS"] + "os: base\n"}, "os stands here a second time")

    def test_a_folder_without_a_line_is_refused(self):
        self.refused({"src/extra/a.c": ""}, "src/extra", "no line in src/LAYERS")

    def test_a_line_without_a_folder_is_refused(self):
        self.refused({"src/LAYERS": GOOD["src/LAYERS"] + "ghost: base\n"}, "ghost", "no such folder")

    def test_a_path_that_climbs_is_refused(self):
        self.refused({"src/queue/order.c": '#include "../base/err.h"\n'}, "climbs")

    def test_an_unknown_folder_is_refused(self):
        self.refused({"src/queue/order.c": '#include "sdk/host.h"\n'}, "no folder of src/LAYERS")

    def test_our_header_in_angle_brackets_is_refused(self):
        self.refused({"src/base/err.c": "#include <os/clock.h>\n", "src/os/clock.h": ""}, "<os/clock.h> is ours")

    def test_wire_does_no_io(self):
        self.refused({"src/wire/frame.c": "#include <stdio.h>\n"}, "wire may not include <stdio.h>")

    def test_wire_tests_may_use_cmocka(self):
        self.assertEqual(self.check({"src/wire/frame_test.c": "#include <cmocka.h>\n"})[0], 0)

    def test_the_sdk_includes_nothing_of_the_daemon(self):
        self.refused({"sdk/host.c": '#include "base/err.h"\n'}, "sdk/host.c:1:", "sdk/ may include reeve/, wire/ and itself")

    def test_who_may_include_the_sdk_has_it_in_its_line(self):
        changes = {"src/LAYERS": GOOD["src/LAYERS"].replace("os: base", "sdk: wire\nos: base sdk"), "src/os/host.c": '#include "sdk/host.h"\n'}
        self.assertEqual(self.check(changes)[0], 0)
        self.refused({**changes, "src/queue/order.c": '#include "sdk/host.h"\n'}, "queue may not include sdk/host.h")

    def test_a_public_header_includes_nothing_of_ours(self):
        self.refused({"include/reeve/worker.h": '#include "wire/frame.h"\n'}, "include/reeve/worker.h:1:")

    def test_a_worker_includes_nothing_of_the_daemon(self):
        self.refused({"workers/echo/worker.c": '#include "base/err.h"\n'}, "workers/echo/worker.c:1:", "not in this worker's folder")

    def test_a_worker_cannot_hide_it_in_angle_brackets(self):
        self.refused({"workers/echo/worker.c": "#include <base/err.h>\n"}, "Reeve's inside")

    def test_a_worker_cannot_climb_into_another(self):
        self.refused({"workers/echo/worker.c": '#include "../mail-sorter/sort.h"\n'}, "not in this worker's folder")

    def test_a_workers_name_in_the_source_is_refused(self):
        self.refused({"src/daemon/main.c": "// the mail-sorter is special\n"}, "src/daemon/main.c:1:", "names the worker mail-sorter")

    def test_a_workers_name_with_underscores_is_refused_too(self):
        self.refused({"src/daemon/main.c": "int mail_sorter;\n"}, "names the worker mail-sorter")

    def test_a_one_word_name_is_refused_as_a_string_only(self):
        self.assertEqual(self.check({"src/daemon/main.c": "/* no echo here */\n"})[0], 0)
        self.refused({"src/daemon/main.c": 'x("echo");\n'}, "names the worker echo")

    def test_a_missing_readme_is_refused(self):
        self.refused({"src/os/README.md": None}, "src/os/README.md:1: is missing")

    def test_a_worker_without_a_package_file_is_refused(self):
        self.refused({"workers/echo/package.yaml": None}, "workers/echo/package.yaml:1: is missing")


if __name__ == "__main__":
    unittest.main()
