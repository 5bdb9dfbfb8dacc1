"""Manifests, indexes and the descriptors in them: what is written, and what is refused when read."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.errors import FormatError
from distroless_rules.oci.descriptor import CONFIG, LAYERS, MANIFEST, Descriptor
from distroless_rules.oci.manifest import Index, Manifest
from distroless_rules.values.digest import Digest
from distroless_rules.values.platform import Platform

HEX = "b" * 64
ZSTD = next(media for media, how in LAYERS.items() if how == "zstd")
MANIFEST_TEXT = (
    '{"annotations":{"k":"v"},'
    f'"config":{{"digest":"sha256:{HEX}","mediaType":"application/vnd.oci.image.config.v1+json","size":2}},'
    f'"layers":[{{"digest":"sha256:{HEX}","mediaType":"application/vnd.oci.image.layer.v1.tar+zstd","size":3}}],'
    '"mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2}'
)
INDEX_TEXT = (
    f'{{"manifests":[{{"annotations":{{"a":"b"}},"digest":"sha256:{HEX}",'
    '"mediaType":"application/vnd.oci.image.manifest.v1+json",'
    '"platform":{"architecture":"arm","os":"linux","variant":"v7"},"size":4}],'
    '"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}'
)


def test_manifest_is_one_text() -> None:
    manifest = Manifest(Descriptor(CONFIG, Digest(HEX, 2)), (Descriptor(ZSTD, Digest(HEX, 3)),), annotations={"k": "v"})
    assert manifest.dump().decode() == MANIFEST_TEXT
    assert Manifest.loads(manifest.dump()) == manifest


def test_index_is_one_text() -> None:
    index = Index((Descriptor(MANIFEST, Digest(HEX, 4), Platform("linux", "arm", "v7"), {"a": "b"}),))
    assert index.dump().decode() == INDEX_TEXT
    assert Index.loads(index.dump()) == index


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        ('"schemaVersion":2', '"schemaVersion":1', '"schemaVersion" is not 2'),
        ("manifest.v1+json", "index.v1+json", 'it says that it is "application/vnd.oci.image.index.v1+json"'),
        ('"config":{', '"config":1,"other":{', "a descriptor is not an object"),
        (f'"sha256:{HEX}"', f'"sha512:{HEX}"', 'a digest begins with "sha512", and only sha256 is known'),
        (f'"sha256:{HEX}"', '"sha256:AB"', "not 64 lower-case hexadecimal digits"),
        ('"size":2', '"size":-2', "negative size -2"),
        ('"size":2', '"size":true', '"size" is missing or of the wrong type'),
        ('"size":2', '"size":"2"', '"size" is missing or of the wrong type'),
        ('"layers":[', '"manifests":[],"layers":[', "it is a manifest and an index at once"),
        ('"layers":[', '"layers":null,"other":[', '"layers" is missing or of the wrong type'),
        ('{"k":"v"}', '{"k":1}', '"annotations" does not map strings to strings'),
    ],
)
def test_malformed_manifests_are_refused(old: str, new: str, cause: str) -> None:
    changed = MANIFEST_TEXT.replace(old, new, 1)
    assert changed != MANIFEST_TEXT
    with pytest.raises(FormatError) as caught:
        Manifest.loads(changed.encode())
    assert caught.value.cause == cause


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        ('"platform":{', '"platform":1,"other":{', '"platform" is not an object'),
        ('"os":"linux",', "", '"os" is missing or of the wrong type'),
        ('"manifests":[', '"layers":[],"manifests":[', "it is a manifest and an index at once"),
    ],
)
def test_malformed_indexes_are_refused(old: str, new: str, cause: str) -> None:
    with pytest.raises(FormatError) as caught:
        Index.loads(INDEX_TEXT.replace(old, new, 1).encode())
    assert caught.value.cause == cause


def test_manifest_with_too_many_layers_is_refused() -> None:
    layer = Descriptor(ZSTD, Digest(HEX, 3))
    with pytest.raises(FormatError, match="10001 entries, more than 10000"):
        Manifest.loads(Manifest(layer, (layer,) * 10_001).dump())


@given(st.integers(0, len(MANIFEST_TEXT)), st.integers(0, 20), st.binary(max_size=10))
def test_any_change_is_read_or_refused(at: int, length: int, new: bytes) -> None:
    data = MANIFEST_TEXT.encode()
    with suppress(FormatError):
        Manifest.loads(data[:at] + new + data[at + length :])
