"""The formats that documents are written in, by the names that users give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from distroless_rules.sbom import cyclonedx, spdx
from distroless_rules.sbom.component import Inventory

__all__ = ["WRITERS"]

WRITERS: Mapping[str, Callable[[Inventory], bytes]] = {"cyclonedx-json": cyclonedx.dump, "spdx-json": spdx.dump}
"""From the name of a format to what writes it; the libraries are imported when that happens."""
