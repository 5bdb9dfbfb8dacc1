"""Image: the descriptors of layers and what a BUILD file says of an image in; its config and manifest out.

Inputs: ``layer/<n>``, as the tool ``Layer`` describes it; ``report``, as the tool ``Compose`` gives it; ``verdict``, as
the tool ``Policy`` gives it: an image that does not pass is not written. Parameters: ``platform`` and those attributes
of ``distroless_image`` that a config or manifest holds; ``history``, what is in each layer.

Outputs: ``config``, ``manifest``; ``descriptor``, by which an index names the manifest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from distroless_rules.errors import AnalysisError, ConfigError
from distroless_rules.oci import document
from distroless_rules.oci.config import Config, History
from distroless_rules.oci.descriptor import CONFIG, MANIFEST, Descriptor
from distroless_rules.oci.manifest import Manifest
from distroless_rules.policy import verdict
from distroless_rules.tools import image_options
from distroless_rules.tools.tool import InputFile, Tool, Workbench
from distroless_rules.values.digest import Digest
from distroless_rules.values.platform import Platform

__all__ = ["TOOL"]


def _perform(bench: Workbench) -> None:
    given = bench.parameters
    if "verdict" in bench.inputs:
        held = verdict.Verdict.load(bench.inputs["verdict"].path.read_bytes())
        if not held.passes:
            raise verdict.error(held)
    layers = [_read(file) for name, file in bench.inputs.items() if name.startswith("layer/")]
    titles = given.get("history") or []
    if len(titles) != len(layers):
        raise AnalysisError("write an image's config", f"{len(layers)} layers have {len(titles)} entries of history")
    platform = _platform(given["platform"])
    config = Config(
        platform=platform,
        start=image_options.start(given, _read(bench.inputs["report"])),
        diff_ids=tuple(layer["diffId"] for layer in layers),
        history=tuple(History(f"distroless-rules: {title}") for title in titles),
        created=image_options.date(given.get("created") or 0),
        author=given.get("author") or "",
    ).dump()
    manifest = Manifest(
        Descriptor(CONFIG, Digest.of(config)),
        tuple(Descriptor.parse(layer, "a layer's descriptor") for layer in layers),
        image_options.texts("annotations", given),
    ).dump()
    descriptor = Descriptor(MANIFEST, Digest.of(manifest), platform)
    made = {"config": config, "manifest": manifest, "descriptor": document.canonical(descriptor.document())}
    for name, data in made.items():
        with bench.output(name) as sink:
            sink.write(data)


def _read(file: InputFile) -> Mapping[str, Any]:
    value: Mapping[str, Any] = json.loads(file.path.read_bytes())
    return value


def _platform(text: str) -> Platform:
    try:
        return Platform.parse(text)
    except ConfigError as error:
        raise AnalysisError(error.doing, error.cause, hint=error.hint) from error


TOOL = Tool("Image", "1", _perform)
