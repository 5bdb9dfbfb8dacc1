"""A violation of the policy as it was found, and the rows in which it is kept between actions.

Going in: what the checks find. Going out: frozen values, and JSON rows of them with a fixed order, so that equal images
give equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from distroless_rules.errors import FormatError

__all__ = ["Findings", "Violation"]


@dataclass(frozen=True, slots=True)
class Violation:
    """What a check found.

    Attributes:
        check: the check's id.
        subject: what it is about: an absolute path, or a part of the config: ``user``, ``env TOKEN``.
        message: what is wrong with it, to be read after the subject; no secret is in it.
        owner: who brings it, for people; ``""`` for the image as a whole.
        kind: the owner's kind (``closure.owner``).
        level: what it counts for where the check's own level does not say, ``""`` elsewhere.
        line: the line of the file, counted from 1; 0 if it is not about one.
    """

    check: str
    subject: str
    message: str
    owner: str = ""
    kind: str = "image"
    level: str = ""
    line: int = 0

    @property
    def is_path(self) -> bool:
        """Whether the subject is a path of the image."""
        return self.subject.startswith("/")


@dataclass(frozen=True, slots=True)
class Findings:
    """All that was found in an image, whatever its policy waives.

    Attributes:
        violations: by check and subject.
        files: how many files and links it has.
        size: bytes of its files, unpacked.
    """

    violations: tuple[Violation, ...] = ()
    files: int = 0
    size: int = 0

    @staticmethod
    def of(violations: Iterable[Violation], files: int, size: int) -> Findings:
        """Put violations in order; the same one counts once."""
        ordered = sorted(set(violations), key=lambda each: (each.check, each.subject, each.line, each.message))
        return Findings(tuple(ordered), files, size)

    def dump(self) -> bytes:
        """Write the findings as JSON."""
        rows: dict[str, Any] = {
            "files": self.files,
            "bytes": self.size,
            "violations": [asdict(each) for each in self.violations],
        }
        return json.dumps(rows, separators=(",", ":")).encode("ascii")

    @staticmethod
    def load(data: bytes) -> Findings:
        """Read what ``dump`` wrote.

        Raises:
            FormatError: if it is anything else.
        """
        try:
            rows = json.loads(data)
            return Findings(tuple(Violation(**row) for row in rows["violations"]), rows["files"], rows["bytes"])
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise FormatError("read what the policy found", f"it is not ours: {error}") from error
