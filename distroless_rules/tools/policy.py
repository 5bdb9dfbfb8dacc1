"""Policy: what was found in an image, and the policy that it is held to, in; a verdict out.

Input ``findings`` (the tool ``Findings``). Parameters: ``image``, its label; ``policy`` (``policy.rules``); ``place``,
[file, line] of the image in its BUILD file.

Outputs ``verdict`` (``policy.verdict``), ``sarif`` (``policy.sarif``). An image that does not pass is no failure here:
the tool ``Image`` refuses to write its manifest.
"""

from __future__ import annotations

from typing import Any

from distroless_rules.policy import sarif
from distroless_rules.policy.rules import Policy
from distroless_rules.policy.verdict import hold
from distroless_rules.policy.violation import Findings
from distroless_rules.tools.tool import Tool, Workbench

__all__ = ["TOOL"]


def _perform(bench: Workbench) -> None:
    told: Any = bench.parameters
    findings = Findings.load(bench.inputs["findings"].path.read_bytes())
    verdict = hold(told["image"], findings, Policy.parse(told["policy"]))
    file, line = told.get("place") or ["", 0]
    place = sarif.Place(file, line)
    for name, data in (("verdict", verdict.dump()), ("sarif", sarif.dump([(verdict, place)]))):
        with bench.output(name) as sink:
            sink.write(data)


TOOL = Tool("Policy", "3", _perform)
