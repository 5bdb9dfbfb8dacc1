"""``distroless test``: tests that pass, fail, hang and die; what is shown, cached, counted and written."""

from __future__ import annotations

import json
import re
import shutil
import uuid
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from distroless_rules.logs.file import unpack
from distroless_rules.values.platform import HOST
from tests.support.built import Built, workspace

pytestmark = [
    pytest.mark.archive,
    pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed"),
]

BUILD = """
load("@distroless_rules//rules:defs.bzl", "distroless_image", "files", "genrule", "image_test", "sh_test")

sh_test(
    name = "good",
    srcs = ["good.sh"],
    args = ["$(location data.txt)", "$$"],
    data = ["data.txt"],
    env = {"MINE": "$(location data.txt)"},
)
sh_test(name = "bad", srcs = ["bad.sh"])
sh_test(name = "slow", srcs = ["slow.sh"], timeout = 1, tags = ["manual"])
sh_test(name = "dead", srcs = ["dead.sh"])
sh_test(name = "loud", srcs = ["loud.sh"])
sh_test(name = "once", srcs = ["once.sh"])
sh_test(name = "unbuilt", srcs = ["good.sh"], data = [":broken"])
genrule(name = "broken", outs = ["broken.txt"], cmd = "echo no compiler here >&2; exit 3")
test_suite(name = "suite", tests = [":good", ":inner"])
test_suite(name = "inner", tests = [":once"])

files(name = "program", srcs = {"/usr/local/bin/say": "say.sh"}, mode = "0755")
distroless_image(
    name = "image",
    contents = [":program", "@trixie//dash", "@trixie//coreutils"],
    waive = {"shell": "tests start it"},
)
image_test(name = "image_good", image = ":image", configs = ["good.yaml"])
image_test(name = "image_bad", image = ":image", configs = ["good.yaml", "bad.yaml"])
image_test(name = "image_slow", image = ":image", configs = ["slow.yaml"], timeout = 1)
image_test(name = "image_odd", image = ":image", configs = ["odd.yaml"])
"""
FILES = {
    "good.sh": '#!/bin/sh\necho "run ${TEST_RUN_NUMBER:-alone} of $TEST_TARGET"\necho "$@" "$MINE" "$EXTRA"\n'
    '[ "$(cat "$1")" = data ] && touch "$TEST_TMPDIR/x" && [ "$(ls)" = "$(printf "data.txt\\ngood.sh")" ]\n',
    "bad.sh": "#!/bin/sh\necho something is wrong\necho and more >&2\nexit 7\n",
    "slow.sh": "#!/bin/sh\necho begun\nsleep 100 &\nsleep 100\n",
    "dead.sh": "#!/bin/sh\necho dying\nkill -SEGV $$\n",
    "loud.sh": "#!/bin/sh\nprintf '\\033[31m\\a<&>\\001\\n'\nseq 1000\nexit 1\n",
    "once.sh": "#!/bin/sh\nhead -c 8 /dev/urandom | od -An -tx1\n",
    "data.txt": "data\n",
    "say.sh": '#!/bin/sh\necho "$HOME $(id -u) $*"\n',
    "good.yaml": 'schemaVersion: "2.0.0"\ncommandTests:\n- {name: says, command: say, args: [a], '
    'envVars: [{key: HOME, value: /h}], expectedOutput: ["^/h 65532 a\\n$"]}\n'
    "- {name: separate, setup: [[sh, -c, 'echo x > /home/nonroot/x']], command: cat, args: [/home/nonroot/x], "
    'expectedOutput: ["^x\\n$"]}\n'
    "- {name: nothing of it is left, command: ls, args: [/home/nonroot]}\n",
    "bad.yaml": 'schemaVersion: "2.0.0"\ncommandTests:\n- {name: says, command: say, args: [a], expectedOutput: [b]}\n'
    "- {name: outside, command: ls, args: [/build, /etc/apt], exitCode: 2, expectedOutput: [x]}\n",
    "slow.yaml": 'schemaVersion: "2.0.0"\ncommandTests:\n- {name: sleeps, command: sleep, args: ["100"]}\n',
    "odd.yaml": "schemaVersion: 3\n",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Built:
    return workspace(tmp_path_factory.mktemp("testing"), shared, {"BUILD": BUILD, **FILES})


def run_tests(shop: Built, *words: str) -> tuple[int, str, str]:
    done = shop.attempt("test", *words)
    return done.returncode, done.stdout, done.stderr


def rows(shop: Built, *words: str) -> dict[str, dict[str, object]]:
    _, out, err = run_tests(shop, "--json", *words)
    assert out, err
    return {row["label"]: row for row in json.loads(out)}


def log(shop: Built, name: str) -> str:
    return (shop.root / f"distroless-out/{name}.test.log").read_text()


def test_one_that_passes(shop: Built) -> None:
    status, out, _ = run_tests(shop, "--no-cache-test-results", "//:good")
    assert status == 0
    assert "PASSED in" in out
    assert "(cached)" not in out
    assert "run alone" not in out, "the output of what passes is not shown"
    assert log(shop, "good") == "run alone of //:good\ndata.txt $ data.txt \n"


def test_a_result_is_kept_until_something_changes(shop: Built) -> None:
    run_tests(shop, "//:once")
    first = log(shop, "once")
    assert "(cached) PASSED" in run_tests(shop, "//:once")[1]
    assert log(shop, "once") == first
    assert "(cached)" not in run_tests(shop, "--no-cache-test-results", "//:once")[1]
    assert log(shop, "once") != first
    file = shop.root / "once.sh"
    file.write_text(file.read_text() + f"# {uuid.uuid4()}\n")
    assert "(cached)" not in run_tests(shop, "//:once")[1]


def test_one_that_fails_is_shown_and_runs_again(shop: Built) -> None:
    for _ in range(2):
        status, out, err = run_tests(shop, "//:bad")
        assert status == 1
        assert "==== //:bad printed:\nsomething is wrong\nand more\n" in out
        assert "FAILED in" in out
        assert "\n  exit status 7\n  distroless-out/bad.test.log\n" in out
        assert "1 test: 0 passed, 1 not\n" in out
        assert "Traceback" not in err
    assert log(shop, "bad") == "something is wrong\nand more\n"


def test_one_that_hangs_is_ended(shop: Built) -> None:
    status, out, _ = run_tests(shop, "//:slow")
    assert status == 1
    assert "==== //:slow printed:\nbegun\n" in out
    assert "TIMEOUT in 1." in out
    assert "it was ended after 1 seconds" in out


def test_one_that_dies(shop: Built) -> None:
    out = run_tests(shop, "//:dead")[1]
    assert "printed:\ndying\n" in out
    assert "signal 11 ended it" in out


def test_what_a_terminal_would_obey_is_not_printed(shop: Built) -> None:
    out = run_tests(shop, "//:loud")[1]
    assert "\033" not in out
    assert "\a" not in out
    assert "lines are left out; all are in" in out
    assert "\n1000\n" in out


@pytest.mark.parametrize(
    ("show", "good", "bad"), [("summary", False, False), ("errors", False, True), ("all", True, True)]
)
def test_whose_output_is_shown(shop: Built, show: str, good: bool, bad: bool) -> None:
    out = run_tests(shop, f"--test_output={show}", "//:good", "//:bad")[1]
    assert ("run alone" in out, "something is wrong" in out) == (good, bad)


def test_several_runs(shop: Built) -> None:
    status, out, _ = run_tests(shop, "--runs_per_test=3", "--test_output=all", "//:good")
    assert status == 0
    assert [f"run {number} of //:good" in out for number in (1, 2, 3)] == [True] * 3
    assert "//:good (run 2 of 3)" in out
    assert "3 runs: 3 passed" in out
    assert (shop.root / "distroless-out/good.test_run_2_of_3.log").is_file()


def test_arguments_variables_and_timeouts_of_the_command_line(shop: Built) -> None:
    words = ["--test-arg=more", "--test-env=EXTRA=on", "--no-cache-test-results", "//:good"]
    assert run_tests(shop, *words)[0] == 0
    assert log(shop, "good").endswith("data.txt $ more data.txt on\n")
    assert "TIMEOUT" not in run_tests(shop, "--test-timeout=60", "//:good")[1]
    assert "TIMEOUT" in run_tests(shop, "--test-timeout=1", "//:slow")[1]


def test_what_a_log_and_events_say_of_tests(shop: Built, tmp_path: Path) -> None:
    words = ["--test-env=EXTRA=kept to ourselves", f"--build_event_json_file={tmp_path}/events", "//:good", "//:bad"]
    status, _, err = run_tests(shop, *words)
    assert status == 1
    assert re.search(r"^2 tests, \d+ actions?: \d+ up to date, \d+ disk hits?, .* 1 failed", err, re.MULTILINE)
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    results = {e["id"]["testResult"]["label"]: e["testResult"]["status"] for e in events if "testResult" in e}
    assert results == {"//:good": "PASSED", "//:bad": "FAILED"}
    assert events[-1]["finished"]["exitCode"]["name"] == "TESTS_FAILED"
    newest = max((shop.cache / "state/logs").rglob("*.log.zst"), key=lambda path: path.stat().st_mtime_ns)
    text = unpack(newest, "the log").decode()
    assert '"verb":"test"' in text
    assert '"EXTRA":"sha256:' in text
    assert "kept to ourselves" not in text + (tmp_path / "events").read_text()


def test_a_test_that_cannot_be_built_is_no_test_that_failed(shop: Built) -> None:
    status, out, err = run_tests(shop, "//:unbuilt", "//:good")
    assert status == 1
    assert "NOT BUILT" in out
    assert "BUILD:17: cannot perform Genrule for //:broken: exit status 3" in err
    assert "no compiler here" in err
    assert "2 tests: 1 passed, 1 not" in out


def test_a_suite_is_its_tests(shop: Built) -> None:
    assert set(rows(shop, "//:suite")) == {"//:good", "//:once"}


def test_patterns_take_tests_only_and_leave_manual_ones(shop: Built) -> None:
    found = rows(shop, "//...", "-//:image_slow", "-//:loud")
    assert "//:slow" not in found
    assert {label: row["verdict"] for label, row in found.items()} == {
        "//:bad": "FAILED",
        "//:dead": "FAILED",
        "//:good": "PASSED",
        "//:image_bad": "FAILED",
        "//:image_good": "PASSED",
        "//:image_odd": "NOT BUILT",
        "//:once": "PASSED",
        "//:unbuilt": "NOT BUILT",
    }


def test_no_test_at_all(shop: Built) -> None:
    status, _, err = run_tests(shop, "//:image")
    assert status == 2
    assert "cannot test //:image: there is no test among these targets" in err


def test_junit(shop: Built) -> None:
    path = shop.root / "results.xml"
    run_tests(shop, f"--junit={path}", "//:good", "//:bad", "//:loud", "//:unbuilt", "//:slow")
    suites = {suite.get("name"): suite for suite in ET.parse(path).getroot()}
    counts = {name: [suite.get(key) for key in ("tests", "failures", "errors")] for name, suite in suites.items()}
    assert counts == {
        "//:bad": ["1", "1", "0"],
        "//:good": ["1", "0", "0"],
        "//:loud": ["1", "1", "0"],
        "//:slow": ["1", "0", "1"],
        "//:unbuilt": ["1", "0", "1"],
    }
    (case,) = suites["//:bad"]
    assert (case.get("name"), case.get("classname")) == ("bad", "//")
    failure, out = case
    assert (failure.tag, failure.get("message")) == ("failure", "exit status 7")
    assert out.text == "something is wrong\nand more\n"
    (case,) = suites["//:loud"]
    assert "<&>" in (case[1].text or "")
    written = shop.attempt("test", "--junit=/none/x.xml", "//:good")
    assert written.returncode == 1
    assert 'cannot write "/none/x.xml": No such file or directory' in written.stderr


def test_images(shop: Built) -> None:
    out = run_tests(shop, "--test-output=all", "//:image_good")[1]
    assert "ok    command: says\nok    command: separate\nok    command: nothing of it is left\n" in out
    assert "(cached) PASSED" in run_tests(shop, "//:image_good")[1]
    status, out, _ = run_tests(shop, "//:image_bad")
    assert status == 1
    assert (
        "FAIL  command: says\n      standard output should match 'b', and does not\n      | /home/nonroot 65532 a\n"
        in out
    )
    assert "FAIL  command: outside" in out
    assert "cannot access '/build'" in out
    assert "2 of 5 tests fail" in out
    assert "TIMEOUT" in run_tests(shop, "//:image_slow")[1]
    assert 'cannot read odd.yaml: its schemaVersion is "3"' in run_tests(shop, "//:image_odd")[2]


def test_a_failure_on_another_machine_s_behalf_says_so(shop: Built) -> None:
    other = "arm64" if HOST.architecture == "amd64" else "amd64"
    out = run_tests(shop, f"--platform=linux/{other}", "//:bad")[1]
    assert f"exit status 7; it is for linux/{other}, and this machine is {HOST}" in out


def test_an_option_that_is_none(shop: Built) -> None:
    status, _, err = run_tests(shop, "--test-env=x", "//:good")
    assert status == 2
    assert 'cannot read --test-env "x": expected NAME=VALUE' in err
