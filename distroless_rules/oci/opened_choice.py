"""Which image of a layout or archive is meant: indexes and what the user asks for in, one manifest out.

Source: OCI image-spec 1.1, image-index.md and annotations.md; docker's manifest version 2, schema 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from distroless_rules.errors import FormatError, RequestError
from distroless_rules.oci import document
from distroless_rules.oci.descriptor import INDEX, MANIFEST, Descriptor
from distroless_rules.values.digest import Digest
from distroless_rules.values.platform import HOST, Platform

__all__ = ["Candidate", "candidates", "choose", "choose_docker", "is_meant", "manifest"]

_INDEXES = (INDEX, "application/vnd.docker.distribution.manifest.list.v2+json")
_MANIFESTS = (MANIFEST, "application/vnd.docker.distribution.manifest.v2+json")
_NAMES = ("org.opencontainers.image.ref.name", "io.containerd.image.name")
_ATTESTATION = "vnd.docker.reference.type"
_MAX_NESTING = 4
_MAX_MANIFESTS = 10_000
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image that could be meant: what names its manifest, and its tag, ``""`` for none."""

    descriptor: Descriptor
    tag: str


def candidates(index: Mapping[str, Any], read: Callable[[Descriptor], bytes]) -> list[Candidate]:
    """Give every image of an index, what indexes in it name included; attestations are passed over.

    Args:
        index: the document ``index.json``.
        read: gives the document that a descriptor names.

    Raises:
        FormatError: if a document is malformed, missing or damaged.
    """
    return list(_walk(index, "", read, 0, set()))


def _walk(
    index: Mapping[str, Any], tag: str, read: Callable[[Descriptor], bytes], depth: int, seen: set[Digest]
) -> Iterator[Candidate]:
    what = "an image index"
    rows = document.field(index, "manifests", list, what)
    for row in rows:
        descriptor = Descriptor.parse(row, what)
        name = next((descriptor.annotations[key] for key in _NAMES if key in descriptor.annotations), tag)
        if _ATTESTATION in descriptor.annotations:
            continue
        if descriptor.media_type in _MANIFESTS:
            yield Candidate(descriptor, name)
        elif descriptor.media_type in _INDEXES and depth < _MAX_NESTING and descriptor.digest not in seen:
            seen.add(descriptor.digest)
            if len(seen) > _MAX_MANIFESTS:
                raise FormatError(f"read {what}", f"it names more than {_MAX_MANIFESTS} others")
            yield from _walk(document.loads(read(descriptor), what), name, read, depth + 1, seen)


def manifest(value: Mapping[str, Any]) -> tuple[Descriptor, tuple[Descriptor, ...]]:
    """Give what names the config and the layers, the lowest first, of a manifest of OCI's or docker's.

    Raises:
        FormatError: if it is malformed.
    """
    what = "an image's manifest"
    layers = document.field(value, "layers", list, what)
    return Descriptor.parse(value.get("config"), what), tuple(Descriptor.parse(row, what) for row in layers)


def choose(
    name: str,
    found: Iterable[Candidate],
    wanted: str,
    platform: Platform | None,
    platform_of: Callable[[Candidate], Platform],
) -> Candidate:
    """Choose by tag or digest, then by platform.

    Args:
        name: what the user wrote.
        found: the images.
        wanted: a tag or digest, ``""`` for any.
        platform: what it must run on; None: what this machine is, or the only one.
        platform_of: tells what an image runs on.

    Raises:
        RequestError: if none is left, or several.
    """
    doing = f'read the image "{name}"'
    once = {(each.descriptor.digest, each.tag): each for each in found}
    every = list(once.values())
    tags = [each for each in every if is_meant(each, wanted)]
    if not tags:
        known = sorted({each.tag for each in every if each.tag})
        hint = f"it has: {', '.join(known[:_SHOWN])}" if known else ""
        raise RequestError(doing, f'it has no "{wanted}"' if wanted else "it has no image", hint=hint)
    once_each = list({each.descriptor.digest: each for each in tags}.values())
    if len(once_each) == 1 and platform is None:
        return once_each[0]
    platforms = {each.descriptor.digest: platform_of(each) for each in once_each}
    fitting = [each for each in once_each if _same(platforms[each.descriptor.digest], platform or HOST)]
    if len(fitting) == 1:
        return fitting[0]
    shown = ", ".join(
        sorted(
            {f"{each.tag or each.descriptor.digest.oci} ({platforms[each.descriptor.digest]})" for each in once_each}
        )[:_SHOWN]
    )
    if not fitting:
        raise RequestError(
            doing, f"it has none for {platform or HOST}", hint=f"it has: {shown}; choose with --platform"
        )
    raise RequestError(doing, f"it has {len(fitting)} images", hint=f"name one, as FOLDER:TAG: {shown}")


def is_meant(candidate: Candidate, wanted: str) -> bool:
    """Tell whether a tag or digest means an image; ``""`` means each."""
    if not wanted:
        return True
    digest, tag = candidate.descriptor.digest.oci, candidate.tag
    return wanted in (digest, tag) or (bool(tag) and tag.rpartition(":")[2] == wanted)


def _same(a: Platform, b: Platform) -> bool:
    """Whether two platforms are one; arm64 has but one variant."""
    plain = {("arm64", "v8"): ""}
    found = [
        (each.os, each.architecture, plain.get((each.architecture, each.variant), each.variant)) for each in (a, b)
    ]
    return found[0] == found[1]


def choose_docker(name: str, rows: list[dict[str, Any]], wanted: str) -> dict[str, Any]:
    """Choose an image of docker's ``manifest.json``.

    Raises:
        RequestError: if none is left, or several.
    """
    tags = [[tag for tag in row.get("RepoTags") or [] if isinstance(tag, str)] for row in rows]
    meant = [
        row
        for row, names in zip(rows, tags, strict=True)
        if not wanted or any(wanted in (tag, tag.rpartition(":")[2]) for tag in names)
    ]
    if len(meant) == 1:
        return meant[0]
    shown = ", ".join(sorted(tag for names in tags for tag in names)[:_SHOWN])
    cause = f"it has {len(meant)} images" if meant else f'it has no "{wanted}"'
    raise RequestError(f'read the image "{name}"', cause, hint=f"name one, as FILE:TAG: {shown}" if shown else "")
