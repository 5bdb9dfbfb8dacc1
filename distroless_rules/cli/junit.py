"""Results of tests as JUnit XML, as CI services read it: a suite for each test, a case for each run.

Source: the schema of the Jenkins xUnit plugin, ``junit-10.xsd``.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable

from distroless_rules.testing import Tested, Verdict

__all__ = ["document"]

_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # section 2.2 of XML 1.0


def document(tested: Iterable[Tested]) -> bytes:
    """Write results.

    Args:
        tested: every run of every test.
    """
    suites: dict[str, list[Tested]] = {}
    for each in tested:
        suites.setdefault(each.label, []).append(each)
    root = ET.Element("testsuites")
    for label, runs in suites.items():
        counts = [sum(each.verdict in kinds for each in runs) for kinds in (_FAILURES, _ERRORS)]
        suite = ET.SubElement(root, "testsuite", name=label, tests=str(len(runs)), time=_seconds(runs))
        suite.attrib |= {"failures": str(counts[0]), "errors": str(counts[1])}
        for each in runs:
            _case(suite, each, len(runs))
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


_FAILURES = (Verdict.FAILED,)
_ERRORS = (Verdict.TIMEOUT, Verdict.NOT_BUILT)


def _case(suite: ET.Element, each: Tested, runs: int) -> None:
    package, _, name = each.label.rpartition(":")
    name = f"{name} (run {each.run})" if runs > 1 else name
    case = ET.SubElement(suite, "testcase", name=name, classname=package, time=_seconds([each]))
    if each.verdict is not Verdict.PASSED:
        kind = "failure" if each.verdict in _FAILURES else "error"
        ET.SubElement(case, kind, message=_clean(each.cause or each.verdict.value), type=each.verdict.value)
    if each.log is not None:
        ET.SubElement(case, "system-out").text = _clean(each.log.read_text("utf-8", "replace"))


def _seconds(runs: list[Tested]) -> str:
    return f"{sum(each.milliseconds for each in runs) / 1000:.3f}"


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("�", text)
