#!/usr/bin/python3
"""run_test.py TESTWORKER: a worker without a daemon: --run, --describe, exit codes. Prints TAP."""
import hashlib
import json
import os
import subprocess
import sys
import tempfile

worker = os.path.abspath(sys.argv[1])
tests = []


def test(function):
    tests.append(function)
    return function


def run(*words, stdin=b"", code=0):
    p = subprocess.run([worker, *words], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    assert p.returncode == code, (words, p.returncode, p.stdout, p.stderr)
    return p.stdout, p.stderr


@test
def stdin_is_the_input_and_stdout_has_the_result():
    assert run("--run", "test.echo", stdin=b'{"a":1}')[0] == b'{"a":1}\n'


@test
def nothing_is_an_empty_object():
    assert run("--run", "test.echo")[0] == b"{}\n"


@test
def an_error_is_json_on_stderr_and_the_exit_status_is_1():
    out, err = run("--run", "test.fail", stdin=b'{"code":"X","retryable":1}', code=1)
    assert out == b"" and json.loads(err.splitlines()[-1]) == {"code": "X", "message": "asked to fail", "retryable": True}


@test
def the_configuration_is_a_word_or_a_file():
    assert run("--run", "test.config", "--config", '{"x":1}')[0] == b'{"x":1}\n'
    with open("config.json", "w", encoding="ascii") as f:
        f.write('{"y":2}')
    assert run("--run", "test.config", "--config", "@config.json")[0] == b'{"y":2}\n'
    assert b"not a JSON object" in run("--run", "test.config", "--config", "[1]", code=2)[1]


@test
def a_file_is_the_blob_and_stdin_its_options():
    content = os.urandom(3000000)
    with open("blob", "wb") as f:
        f.write(content)
    out = json.loads(run("--run", "test.blob", "--input", "blob", stdin=b'{"store":1}')[0])
    assert out == {"bytes": len(content), "sum": sum(content), "name": "sha256:" + hashlib.sha256(content).hexdigest()}
    assert b"a JSON object" in run("--run", "test.blob", "--input", "blob", stdin=b"[1]", code=2)[1]


@test
def what_is_no_json_is_a_blob():
    assert run("--run", "test.echo", stdin=b"From me")[0] == b"null\n"
    assert json.loads(run("--run", "test.blob", stdin=b"x" * 2000000)[0])["bytes"] == 2000000


@test
def a_blob_that_only_a_daemon_has_is_refused():
    assert b"--input" in run("--run", "test.echo", stdin=b'{"blob":"sha256:' + b"a" * 64 + b'"}', code=2)[1]


@test
def items_come_before_the_result_or_in_their_file():
    lines = run("--run", "test.emit", stdin=b'{"n":3}')[0].splitlines()
    assert [json.loads(line).get("key") for line in lines] == [0, 1, 2, None]
    out = run("--run", "test.emit", "--items", "items", "--output", "result", stdin=b'{"n":3}')[0]
    assert out == b""
    with open("items", "rb") as f:
        assert f.read().splitlines() == lines[:3]
    with open("result", "rb") as f:
        assert f.read().strip() == lines[3]


@test
def an_attempt_goes_on_from_the_checkpoint_file():
    run("--run", "test.emit", "--checkpoint", "at", stdin=b'{"n":25}')
    out = run("--run", "test.emit", "--checkpoint", "at", stdin=b'{"n":25}')[0].splitlines()
    assert len(out) == 6 and json.loads(out[-1]) == {"emitted": 25, "resumed_at": 20}


@test
def blobs_are_kept_where_one_says():
    os.mkdir("blobs")
    name = json.loads(run("--run", "test.blob", "--blobs", "blobs", stdin=b'{"file":1}')[0])["blob"]
    with open("blobs/" + name.split(":")[1], "rb") as f:
        assert f.read() == b'{"file":1}'


@test
def a_handler_may_finish_later_and_call_others():
    assert run("--run", "test.pending")[0] == b'{"finished":"later"}\n'
    assert run("--run", "test.call", stdin=b'{"capability":"test.echo","input":{"z":1}}')[0] == b'{"z":1}\n'
    err = run("--run", "test.call", stdin=b'{"capability":"test.fail","input":{}}', code=1)[1]
    assert json.loads(err.splitlines()[-1])["code"] == "CALLEE_FAILED"


@test
def the_scratch_directory_is_gone_afterwards():
    assert not os.path.exists(json.loads(run("--run", "test.scratch")[0])["path"])


@test
def a_start_that_fails_is_an_error():
    assert b"start returned -2" in run("--run", "test.echo", "--config", '{"start":"fail"}', code=1)[1]


@test
def what_is_not_understood_is_refused_with_a_word():
    assert b"no capability" in run("--run", "test.nothing", code=2)[1]
    assert b"usage" in run("--frobnicate", code=2)[1]
    assert b"usage" in run("extra", code=2)[1]
    assert b"number" in run("--run", "test.echo", "--repeat", "0", code=2)[1]
    assert b"the daemon starts it" in run(code=2)[1]


@test
def it_describes_itself():
    d = json.loads(run("--describe")[0])
    assert d["name"] == "testworker" and d["abi"] == 1
    c = {c["name"]: c for c in d["capabilities"]}
    assert c["test.serial"]["serial"] and c["test.emit"]["stream"] and c["test.fail"]["errors"][0]["code"] == "TEST_FAILED"
    assert b"testworker 1.0.0" in run("--version")[0] and b"--run" in run("--help")[0]


print("1..%d" % len(tests))
failed = 0
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    for n, t in enumerate(tests, 1):
        name = t.__name__
        try:
            t()
            print("ok %d - %s" % (n, name), flush=True)
        except (AssertionError, KeyError, ValueError, OSError, subprocess.TimeoutExpired) as e:
            failed += 1
            print("# %r" % (e,))
            print("not ok %d - %s" % (n, name), flush=True)
    os.chdir("/")
sys.exit(1 if failed else 0)
