"""The planted faults again, in images that are really built of debs and files, or read from layouts of others."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.policy.test_faults import FAULTS, NEAR_MISSES, split
from tests.support.planted import Planted
from tests.support.sarif import invalid

EXPECTED = [*(split(case)[0] for case in FAULTS), *("" for _ in NEAR_MISSES)]
CASES = [*(split(case)[1] for case in FAULTS), *NEAR_MISSES]
# What an image of ours cannot have, as something else sees to it: the gate ends the build, or the number is written.
OTHERWISE = {
    "error dangling-link /app/current\n": '"/app/current" of //:f{} is a link to "releases/7"',
    "error dangling-link /etc/app.conf\n": '"/etc/app.conf" of //:f{} is a link to "/opt/app.conf"',
    "error entrypoint /app/data\n": '"/app/data" of the image is what the image starts, and is not executable',
    "error entrypoint /app/sever\n": '"/app/sever" of the image is what the image starts, and is not in it',
    "warning user-by-name user\n": "",
}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """Give all cases, built once; tests of it are few, as each worker builds them."""
    return Planted(tmp_path_factory.mktemp("planted"), CASES)


def test_what_is_found_is_what_was_planted(planted: Planted) -> None:
    for number, expected in enumerate(EXPECTED):
        if expected in OTHERWISE:
            said = planted.many.said.get(number, "").removeprefix("cannot put the image together: ")
            assert said.startswith(OTHERWISE[expected].format(number)), CASES[number]
        elif planted.ways[number]:
            assert planted.found.get(number) == expected, (CASES[number], planted.many.said.get(number))
    made = Counter(zip(planted.ways, (bool(expected) for expected in EXPECTED), strict=True))
    assert made["build", True] >= 90
    assert made["layout", True] >= 8
    assert made["build", False] >= 75

    # An error leaves nothing behind; whatever else was found, the image is there.
    built = [number for number, way in enumerate(planted.ways) if way == "build"]
    there = {number for number in built if planted.many.beside(number, "").exists()}
    assert there == {number for number in built if "error " not in EXPECTED[number]}

    # No secret is said, neither where it was found nor where it was not looked at closer.
    for secret in ("ghp_16C7", "V9xq2LmTz7", "MIIEvQIB", "4eC39HqLyj", "Q7ZLM4NWX2", "MDENGbPx", "eyJyb2xl"):
        assert secret not in planted.many.err

    logs = [json.loads(planted.many.beside(number, ".policy.sarif").read_bytes()) for number in sorted(there)]
    read = planted.many.commands.run("check", "--format=sarif", *map(str, planted.layouts))
    logs.append(json.loads(read.out))
    assert len(logs[-1]["runs"][0]["results"]) >= 8
    together = {**logs[0], "runs": [run for log in logs for run in log["runs"]]}
    assert invalid(together) == []
