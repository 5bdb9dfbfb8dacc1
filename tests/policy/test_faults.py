"""Planted faults: an image with one thing that a hardened one has not in; the check that finds it, and where, out.

``faults.txt`` and ``near_misses.txt`` hold the cases, ``===`` between them, in the words of ``tests.support.policy``;
what a fault is found as comes first. ``@KEY@`` stands for the first line of a key, and a ``~`` for nothing.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from distroless_rules.policy.check import CHECKS
from tests.support.policy import found, found_text

HERE = Path(__file__).parent
KEY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDVW3bL7tX5q2uH"
FAULTS, NEAR_MISSES = (
    [case.strip("\n").replace("@KEY@", KEY) for case in (HERE / name).read_text("utf-8").split("===\n")]
    for name in ("faults.txt", "near_misses.txt")
)


def split(case: str) -> tuple[str, str]:
    """Give what is found in a case, and the rest of it."""
    lines = case.splitlines(keepends=True)
    count = sum(line.startswith(("error ", "warning ")) for line in lines)
    return "".join(lines[:count]), "".join(lines[count:])


@pytest.mark.parametrize("case", FAULTS, ids=lambda case: case.splitlines()[0].replace(" ", "-"))
def test_a_planted_fault_is_found_and_nothing_else(case: str) -> None:
    expected, image = split(case)
    assert found_text(image) == expected


@pytest.mark.parametrize("case", NEAR_MISSES, ids=lambda case: case.splitlines()[0][:60])
def test_a_near_miss_is_none(case: str) -> None:
    assert found_text(case) == ""


def test_there_are_enough_of_both() -> None:
    assert len(FAULTS) >= 45
    assert len(NEAR_MISSES) >= 45


def test_every_check_but_budgets_has_a_fault() -> None:
    planted = {line.split()[1] for case in FAULTS for line in split(case)[0].splitlines()}
    assert set(CHECKS) - planted == {"unowned-file", "size-budget", "file-budget", "unused-waiver"}


@pytest.mark.parametrize("case", FAULTS, ids=lambda case: case.splitlines()[0].replace(" ", "-"))
def test_no_secret_is_said(case: str) -> None:
    said = found(split(case)[1]).dump().decode()
    for secret in (
        "ghp_16C7",
        "V9xq2LmTz7",
        "MIIEvQIB",
        "4eC39HqLyj",
        "Q7ZLM4NWX2",
        "MDENGbPx",
        "eyJyb2xl",
        "b3BlbnNz",
    ):
        assert secret not in said


def test_files_of_nobody_are_noted_in_images_made_elsewhere() -> None:
    held = found("foreign yes\nimage: 0644 /opt/data = x").violations
    assert [each.subject for each in held if each.check == "unowned-file"] == ["/opt/data"]
