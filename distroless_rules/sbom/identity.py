"""What tells one document from another: derived from the image, never from the clock or from chance."""

from __future__ import annotations

import re
import uuid
from datetime import datetime, timezone

from distroless_rules.sbom.component import Subject

__all__ = ["TOOL", "instant", "serial"]

TOOL = "distroless-rules"
"""Who makes the documents. Its version is not said: another version that says the same gives the same bytes."""

_SECONDS = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)")


def serial(subject: Subject) -> uuid.UUID:
    """Give the identifier of the document about an image: UUID version 5 (RFC 9562) of its digest and name."""
    digest = subject.digest or ",".join(subject.diff_ids)
    return uuid.uuid5(uuid.NAMESPACE_URL, f"oci:{subject.name}@{digest}")


def instant(created: str) -> datetime:
    """Give a date of RFC 3339 to the second, in UTC; what is none is the beginning of 1970."""
    match = _SECONDS.fullmatch(created)
    try:
        parsed = datetime.fromisoformat(f"{match[1]}{match[2].replace('Z', '+00:00')}") if match else None
        return (parsed or datetime(1970, 1, 1, tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return datetime(1970, 1, 1, tzinfo=timezone.utc)
