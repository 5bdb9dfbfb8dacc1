"""What a registry alone can lie about: manifests, tags and ways. No lie is taken, every build ends right."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from distroless_rules.storage import gc
from distroless_rules.storage.connect import connect
from distroless_rules.storage.endpoint import Identity, parse
from distroless_rules.storage.faults import RemoteError
from distroless_rules.storage.messages import ActionResult, OutputFile
from distroless_rules.values.digest import Digest
from tests.support.web_caches import NAME, Handler, Registry, Web, serving
from tests.support.workshop import Workshop, action, out

LARGE = "x" * 3_000_000
CHAIN = [
    action("one", parameters={"text": "1"}),
    action("two", inputs={"1": out("one")}, parameters={"text": "2"}),
    action("large", parameters={"text": LARGE}),
]
WANTED = (out("two"), out("large"))


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with serving(Registry()) as made:
        assert isinstance(made, Registry)
        shop = Workshop(tmp_path / "first", remote=made.address, upload=True)
        assert len(shop.build(CHAIN, *WANTED).ran) == 3
        assert not shop.warnings
        yield made


def built(folder: Path, address: str) -> tuple[Workshop, set[str]]:
    """Build beside a registry, see that all is right and that nothing wrong was kept; give how the actions ended."""
    shop = Workshop(folder, remote=address)
    done = shop.build(CHAIN, *WANTED)
    assert not done.errors
    assert shop.read(done, out("two")) == b"12"
    assert shop.read(done, out("large")) == LARGE.encode()
    assert gc.verify(shop.cache) == []
    return shop, set(done.endings.values())


def manifests(registry: Web) -> list[str]:
    return [path for path in registry.kept if "/manifests/" in path]


def change(registry: Web, edit: Callable[[dict[str, Any]], Any]) -> None:
    """Change every manifest that is kept."""
    for path in manifests(registry):
        value = json.loads(registry.kept[path])
        registry.kept[path] = json.dumps(edit(value) or value).encode()


def _of(name: str, value: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda manifest: {**manifest, name: value}


def _first(name: str, value: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda manifest: manifest["layers"][0].update({name: value})


def _forged(manifest: dict[str, Any]) -> None:
    """Have the manifest hold a result of a failed action, with the digest that this has."""
    data = base64.b64decode(manifest["layers"][0]["data"]) + b"\x20\x03"
    digest = Digest.of(data)
    manifest["layers"][0].update(digest=digest.oci, size=digest.size, data=base64.b64encode(data).decode())


LIES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no layers": _of("layers", []),
    "layers that are no list": _of("layers", {"0": 1}),
    "layers that are no objects": _of("layers", ["sha256"]),
    "an image": _of("artifactType", None),
    "another artifact": _of("artifactType", "application/vnd.example.sbom"),
    "a layer of another kind": _first("mediaType", "application/octet-stream"),
    "another digest": _first("digest", Digest.of(b"evil").oci),
    "another algorithm": _first("digest", "sha512:" + "a" * 128),
    "a digest that is none": _first("digest", "sha256:../../etc/passwd"),
    "a digest of a number": _first("digest", 7),
    "another size": _first("size", 3),
    "a size below nothing": _first("size", -1),
    "a size that is none": _first("size", True),
    "other bytes": _first("data", base64.b64encode(b"evil").decode()),
    "bytes that are none": _first("data", "%%%"),
    "bytes of a number": _first("data", 7),
    "a result of a failed action": _forged,
    "a list": lambda manifest: [manifest],
    "a deep list": lambda manifest: {"layers": json.loads("[" * 500 + "]" * 500)},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_manifest_that_lies(registry: Registry, tmp_path: Path, lie: str) -> None:
    change(registry, LIES[lie])
    shop, endings = built(tmp_path / "second", registry.address)
    assert endings == {"ran"}
    assert len(shop.warnings) == 1, shop.warnings


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 100_000, b"\xff", b"null", b'{"layers": 1}'])
def test_a_manifest_that_is_none(registry: Registry, tmp_path: Path, data: bytes) -> None:
    for path in manifests(registry):
        registry.kept[path] = data
    shop, endings = built(tmp_path / "second", registry.address)
    assert endings == {"ran"}
    assert len(shop.warnings) == 1, shop.warnings


def test_tags_that_were_moved(registry: Registry, tmp_path: Path) -> None:
    tags = manifests(registry)
    kept = [registry.kept[tag] for tag in tags]
    for tag, data in zip(tags, kept[1:] + kept[:1], strict=True):
        registry.kept[tag] = data
    (warning,) = built(tmp_path / "second", registry.address)[0].warnings
    assert "it is another action's" in warning


def test_a_result_that_its_manifest_does_not_hold_is_read_beside_it(registry: Registry, tmp_path: Path) -> None:
    change(registry, lambda manifest: manifest["layers"][0].pop("data") and None)
    shop, endings = built(tmp_path / "second", registry.address)
    assert endings == {"shared"}
    assert not shop.warnings


def test_a_result_that_its_manifest_does_not_hold_is_compared(registry: Registry, tmp_path: Path) -> None:
    change(registry, lambda manifest: manifest["layers"][0].pop("data") and None)
    for path in manifests(registry):
        blob = json.loads(registry.kept[path])["layers"][0]["digest"]
        registry.kept[f"/v2/{NAME}/blobs/{blob}"] = b"evil" * 9
    assert built(tmp_path / "second", registry.address)[1] == {"ran"}


def test_blobs_that_another_server_gives(registry: Registry, tmp_path: Path) -> None:
    with serving(Web()) as store:
        store.kept = {path: data for path, data in registry.kept.items() if "/blobs/" in path}

        def elsewhere(handler: Handler, truth: bytes | None) -> bool:
            if not handler.of_blob or truth is None:
                return False
            handler.give(b"", 307, {"Location": f"http://127.0.0.1:{store.port}{handler.path}"})
            return True

        registry.lie = elsewhere
        registry.users = {"ada": "s3cr3t"}
        shop, endings = built(tmp_path / "second", registry.address.replace("//", "//ada:s3cr3t@"))
        assert endings == {"shared"}
        assert not shop.warnings
        assert {method for method, _, _ in store.asked} == {"GET", "HEAD"}
        assert not any("authorization" in headers for _, _, headers in store.asked)


@pytest.mark.parametrize("location", ["{path}", "ftp://127.0.0.1/x", "http://[", "http://127.0.0.1:99999/", ""])
def test_ways_that_lead_nowhere(registry: Registry, tmp_path: Path, location: str) -> None:
    def lead(handler: Handler, _: bytes | None) -> bool:
        handler.give(b"", 307, {"Location": location.format(path=handler.path)})
        return True

    registry.lie = lead
    shop, endings = built(tmp_path / "second", registry.address)
    assert endings == {"ran"}
    assert len(shop.warnings) == 1, shop.warnings


def test_an_upload_that_is_too_large_at_once_goes_in_parts(registry: Registry, tmp_path: Path) -> None:
    registry.kept.clear()
    registry.most = 1_000_000
    shop = Workshop(tmp_path / "second", remote=registry.address, upload=True)
    assert not shop.build(CHAIN, *WANTED).errors
    assert not shop.warnings
    assert f"/v2/{NAME}/blobs/{Digest.of(LARGE.encode()).oci}" in registry.kept


def test_a_result_is_an_artifact_that_names_what_it_needs(registry: Registry) -> None:
    seen = []
    for path in manifests(registry):
        value = json.loads(registry.kept[path])
        assert path.startswith(f"/v2/{NAME}/manifests/ac-")
        assert value["artifactType"] == "application/vnd.distroless-rules.action-result.v1"
        assert value["config"]["mediaType"] == "application/vnd.oci.empty.v1+json"
        seen += [layer["digest"] for layer in value["layers"][1:]]
    assert sorted(seen) == sorted(Digest.of(data).oci for data in (b"1", b"12", LARGE.encode()))


def test_a_result_that_no_manifest_can_hold_is_not_kept(registry: Registry) -> None:
    remote = connect(parse(registry.address, Identity()), 10)
    files = tuple(OutputFile(f"o{n}", Digest.of(b"%d" % n)) for n in range(30_000))
    with pytest.raises(RemoteError, match="a result of 30000 outputs is larger than a manifest may be"):
        remote.keep(Digest.of(b"key"), ActionResult(output_files=files))
    remote.close()
