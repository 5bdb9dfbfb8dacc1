"""Documents: what the formats' own validators say of them, that each file is in them, and that nothing else is."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import example, given, settings
from hypothesis import strategies as st
from spdx_tools.spdx.model import Document
from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from distroless_rules.sbom import cyclonedx, spdx
from distroless_rules.sbom.identity import instant
from tests.sbom.test_debs import stanza
from tests.support.billed import DIGEST, billed

_FORMAT = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: "
IMAGE: Mapping[str, str | bytes] = {
    "etc/os-release": 'ID=debian\nVERSION_ID="13"\n',
    "usr/bin/a b": "spaces",
    "usr/bin/ä\udcff": "not UTF-8",
    "usr/bin/ä\\xff": "which it could be taken for",
    "usr/bin/@": "no letters",
    "usr/share/doc/x/copyright": f"{_FORMAT}GPL-2+ or custom\n Text & <more>.\n",
    "usr/share/doc/y/copyright": "prose",
    "usr/share/doc/z/copyright": "prose",
    "var/lib/dpkg/status.d/x": stanza("x", Depends="y", Maintainer="Ä <no address>", Homepage="not an address"),
    "var/lib/dpkg/status.d/x.md5sums": f"{'0' * 32}  usr/bin/a b\n{'0' * 32}  usr/share/doc/x/copyright\n",
    "var/lib/dpkg/status.d/y": stanza(
        "y", Depends="x", Maintainer="B <b@b.example>", Homepage="https://b.example/?q=1"
    ),
    "var/lib/dpkg/status.d/z": stanza("z", Source="y", Homepage="http://[::1", Description="\n"),
    "app/node_modules/n/package.json": '{"name": "n", "version": "1 2", "license": "SEE LICENSE IN x"}',
}
_ENDS = ("spdxElementId", "relationshipType", "relatedSpdxElement")
LINKS = {"bin": "usr/bin", "lost": "\udcfe\n\x01"}


def parsed(document: bytes) -> Document:
    return JsonLikeDictParser().parse(json.loads(document))


def files_of(document: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Give SHA-1 and SHA-256 of each file of a document of CycloneDX, wherever it stands, by its reference."""
    found = {}
    waiting = list(document["components"])
    while waiting:
        each = waiting.pop()
        waiting.extend(each.get("components", []))
        if each["type"] == "file":
            sums = {row["alg"]: row["content"] for row in each["hashes"]}
            found[each["bom-ref"]] = sums["SHA-1"], sums["SHA-256"]
    return found


def test_spdx_is_valid_and_holds_every_file() -> None:
    inventory = billed(IMAGE, LINKS)
    document = parsed(spdx.dump(inventory))
    assert validate_full_spdx_document(document) == []
    names = [file.name for file in document.files]
    assert len(names) == len(IMAGE)
    assert {"./usr/bin/a b", "./usr/bin/ä\\xff", "./usr/bin/@"} <= set(names)
    ids = [each.spdx_id for each in (*document.packages, *document.files)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", each) for each in ids)
    sums = {(f.name, *(each.value for each in f.checksums)) for f in document.files}
    assert {row[1:] for row in sums} == {(each.sha1, each.sha256) for each in inventory.hashes.values()}
    held = [
        each.related_spdx_element_id for each in document.relationships if each.relationship_type.name == "CONTAINS"
    ]
    assert sorted(each for each in held if "-File-" in each) == sorted(file.spdx_id for file in document.files)


def test_cyclonedx_is_valid_and_holds_every_file() -> None:
    inventory = billed(IMAGE, LINKS)
    text = cyclonedx.dump(inventory).decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    found, refs = files_of(json.loads(text)), re.findall(r'"bom-ref": ("[^\n]*")', text)
    assert len(set(refs)) == len(refs)
    assert len(found) == len(IMAGE)
    assert set(found.values()) == {tuple(sums) for sums in inventory.hashes.values()}


def test_documents_say_who_needs_whom_and_what_they_are_made_of() -> None:
    inventory = billed(IMAGE, LINKS)
    document = json.loads(spdx.dump(inventory))
    rows = {tuple(re.sub("-[0-9a-f]{16}$", "", row[key]) for key in _ENDS) for row in document["relationships"]}
    assert {
        ("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-Image"),
        ("SPDXRef-Package-x", "DEPENDS_ON", "SPDXRef-Package-y"),
        ("SPDXRef-Package-y", "DEPENDS_ON", "SPDXRef-Package-x"),
        ("SPDXRef-Package-z", "GENERATED_FROM", "SPDXRef-Source-y"),
        ("SPDXRef-Package-x", "CONTAINS", "SPDXRef-File-a-b"),
        ("SPDXRef-Image", "CONTAINS", "SPDXRef-Package-x"),
    } <= rows
    bom = json.loads(cyclonedx.dump(inventory))
    needs = {row["ref"]: row.get("dependsOn", []) for row in bom["dependencies"]}
    x, y = (f"pkg:deb/debian/{name}@1.0-1?arch=amd64&distro=debian-13" for name in "xy")
    assert (needs[x], needs[y]) == ([y], [x])


def test_links_and_licences_that_have_no_identifier_are_told() -> None:
    inventory = billed(IMAGE, LINKS)
    document = json.loads(spdx.dump(inventory))
    image = next(each for each in document["packages"] if each["SPDXID"] == "SPDXRef-Image")
    assert "symbolic link: bin -> usr/bin" in [each["comment"] for each in image["annotations"]]
    texts = {each["name"]: each["extractedText"] for each in document["hasExtractedLicensingInfos"]}
    assert texts["custom"] == 'The copyright file of x calls it "custom" and says no more of it.'
    assert texts["copyright of y"] == "prose", "z, of the same source, has the same"
    licences = {each["name"]: each.get("licenses") for each in json.loads(cyclonedx.dump(inventory))["components"]}
    assert re.fullmatch(r"GPL-2.0-or-later OR LicenseRef-custom-[0-9a-f]{8}", licences["x"][0]["expression"])
    assert licences["y"][0]["license"] == {
        "name": "copyright of y",
        "text": {"content": "prose", "contentType": "text/plain"},
    }


def test_what_tells_documents_apart_is_the_image() -> None:
    spdx_, bom = (json.loads(write(billed(IMAGE))) for write in (spdx.dump, cyclonedx.dump))
    assert spdx_["creationInfo"]["created"] == "2024-05-06T07:08:09Z"
    assert bom["metadata"]["timestamp"].startswith("2024-05-06T07:08:09")
    assert spdx_["documentNamespace"] == bom["serialNumber"] == "urn:uuid:493cb045-8959-5c5c-ac22-7609982ef5d2"
    assert bom["metadata"]["component"]["version"] == DIGEST
    purl = f"pkg:oci/image@{DIGEST}?arch=amd64"
    assert bom["metadata"]["component"]["purl"] == purl


@pytest.mark.parametrize("write", [spdx.dump, cyclonedx.dump])
def test_an_image_without_anything_is_documented(write: Any) -> None:
    document = write(billed({}))
    if write is spdx.dump:
        assert validate_full_spdx_document(parsed(document)) == []
    else:
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(document.decode()) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-05-06T07:08:09.123456789Z", "2024-05-06T07:08:09+00:00"),
        ("2024-05-06T07:08:09+02:00", "2024-05-06T05:08:09+00:00"),
        ("0001-01-01T00:00:00+02:00", "1970-01-01T00:00:00+00:00"),
        ("2024-99-99T00:00:00Z", "1970-01-01T00:00:00+00:00"),
        ("", "1970-01-01T00:00:00+00:00"),
    ],
)
def test_dates_are_to_the_second(text: str, expected: str) -> None:
    assert instant(text).isoformat() == expected


_PATHS = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8)
_NAMES = st.text(max_size=8)


@settings(deadline=None, max_examples=40)
@given(st.dictionaries(_PATHS, st.binary(max_size=4), max_size=5), _NAMES, _NAMES, _NAMES)
@example({}, "\r", "0", "")
@example({}, "/\r/", "0", "")
@example({}, "a/ /", "0", "")
@example({}, "a", "\r", "")
def test_whatever_names_are_in_an_image_documents_are_valid(
    held: dict[str, bytes], name: str, version: str, licence: str
) -> None:
    said = json.dumps({"name": name, "version": version, "license": licence})
    image = {f"d/{path}": data for path, data in held.items() if path not in (".", "..")}
    inventory = billed(image | {"node_modules/n/package.json": said})
    assert validate_full_spdx_document(parsed(spdx.dump(inventory))) == []
    text = cyclonedx.dump(inventory).decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert len(files_of(json.load(io.StringIO(text)))) == len(inventory.hashes)
