"""SARIF logs: what the standard asks of them, and what code-scanning services show."""

from __future__ import annotations

import json
from typing import Any

import pytest

from distroless_rules.policy.check import CHECKS
from distroless_rules.policy.rules import Policy
from distroless_rules.policy.sarif import Place, dump
from tests.support.policy import verdict_of
from tests.support.sarif import invalid

IMAGE = "deb=dash: 0755 /usr/bin/dash elf\n0777 /srv/\nuser 0\n0600 /app/a b%.key = x\n"


def _log(line: int = 7) -> dict[str, Any]:
    verdict = verdict_of(IMAGE, Policy.parse({"waive": {"shell": "it is asked for"}}))
    log: dict[str, Any] = json.loads(dump([(verdict, Place("my app/BUILD", line))]))
    return log


def _result(check: str, log: dict[str, Any]) -> dict[str, Any]:
    (found,) = [each for each in log["runs"][0]["results"] if each["ruleId"] == check]
    return dict(found)


@pytest.mark.parametrize("line", [0, 7])
def test_the_schema_of_the_standard_holds(line: int) -> None:
    log = _log(line)
    assert log["runs"][0]["results"]
    assert invalid(log) == []


def test_the_schema_would_say_what_is_wrong() -> None:
    log = _log()
    log["runs"][0]["results"][0]["level"] = "fatal"
    assert invalid(log) == ["$.runs[0].results[0].level: 'fatal' is not one of ['none', 'note', 'warning', 'error']"]


def test_the_log_is_of_version_2_1_0_with_one_run_of_this_tool() -> None:
    log = _log()
    assert set(log) == {"$schema", "version", "runs"}
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    assert run["tool"]["driver"]["name"] == "distroless"
    assert set(run) <= {"tool", "results", "columnKind", "automationDetails"}
    assert run["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints")


def test_every_check_is_a_rule_with_all_that_is_shown_of_it() -> None:
    rules = _log()["runs"][0]["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(CHECKS)
    for rule in rules:
        for text in ("shortDescription", "fullDescription", "help"):
            assert rule[text]["text"].endswith(".")
        assert rule["defaultConfiguration"]["level"] in ("none", "note", "warning", "error")
        assert rule["name"].isidentifier()


def test_every_result_names_its_rule_place_and_path() -> None:
    log = _log()
    for result in log["runs"][0]["results"]:
        assert log["runs"][0]["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["message"]["text"].startswith("//:image: ")
        (location,) = result["locations"]
        physical = location["physicalLocation"]
        assert physical["artifactLocation"] == {"uri": "my%20app/BUILD", "uriBaseId": "%SRCROOT%"}
        assert physical["region"] == {"startLine": 7}
        assert set(location["logicalLocations"][0]) == {"name", "fullyQualifiedName", "kind"}
        assert all(isinstance(value, str) for value in result["partialFingerprints"].values())
    logical = _result("world-writable", log)["locations"][0]["logicalLocations"][0]
    assert logical == {"name": "srv", "fullyQualifiedName": "//:image/srv", "kind": "resource"}


def test_what_is_waived_is_suppressed_with_its_reason() -> None:
    log = _log()
    assert _result("shell", log)["suppressions"] == [
        {"kind": "inSource", "status": "accepted", "justification": "it is asked for"}
    ]
    assert "suppressions" not in _result("root-user", log)


def test_a_fingerprint_stays_when_lines_move() -> None:
    moved = [_result("root-user", _log(line))["partialFingerprints"] for line in (7, 70)]
    assert moved[0] == moved[1]
    assert _result("world-writable", _log())["partialFingerprints"] != moved[0]


def test_a_place_without_a_line_has_no_region() -> None:
    verdict = verdict_of(IMAGE, Policy())
    log = json.loads(dump([(verdict, Place("/tmp/image.tar", is_source=False))]))
    physical = _result("shell", log)["locations"][0]["physicalLocation"]
    assert physical == {"artifactLocation": {"uri": "/tmp/image.tar"}}
