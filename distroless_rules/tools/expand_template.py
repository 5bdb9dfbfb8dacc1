"""ExpandTemplate: a file (``template``) and words with what takes their place (``substitutions``) in, a file out.

All words are looked for at once, the longest first, so that what took a word's place is not searched again.
"""

from __future__ import annotations

import re

from distroless_rules.errors import AnalysisError
from distroless_rules.tools.tool import Tool, Workbench

__all__ = ["TOOL"]


def _perform(bench: Workbench) -> None:
    words = {key.encode(): value.encode() for key, value in bench.parameters["substitutions"].items()}
    if b"" in words:
        raise AnalysisError("expand a template", "a word to be replaced is empty")
    text = bench.inputs["template"].path.read_bytes()
    if words:
        pattern = b"|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
        text = re.sub(pattern, lambda match: words[match[0]], text)
    with bench.output("out") as sink:
        sink.write(text)


TOOL = Tool("ExpandTemplate", "1", _perform)
