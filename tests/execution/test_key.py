"""Keys: what changes one, what does not, and that they stay what they are."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.actions.action import Action, Named
from distroless_rules.actions.artifact import Artifact, Root
from distroless_rules.execution.key import key, walk
from distroless_rules.values.digest import EMPTY, Digest
from tests.support.workshop import locked, out, source

DEB = Digest.of(b"deb")
ACTION = Action(
    mnemonic="DebUnpack",
    owner="@debian//libc6",
    parameters='{"architecture":"amd64"}',
    inputs=(Named("deb", locked("pool/libc6.deb", b"deb")), Named("rules", source("rules.txt"))),
    outputs=(Named("index", out("libc6", "index")), Named("tree", out("libc6", "tree"))),
    platform="linux/amd64",
)
INPUTS = {"deb": DEB, "rules": EMPTY}
# Changed only together with key.FORMAT: every result that is kept anywhere becomes unfindable.
GOLDEN = "556db736c7103e09e5ff12374bee249edd428a0a8117b0d6eca59a4fe927b13c"


def test_the_key_stays_what_it_is() -> None:
    assert key(ACTION, INPUTS, "7").hash == GOLDEN


def test_the_form_is_what_is_documented() -> None:
    assert list(walk(ACTION, INPUTS, "7")) == [
        ("format", "1"),
        ("mnemonic", "DebUnpack"),
        ("code", "7"),
        ("platform", "linux/amd64"),
        ("parameters", '{"architecture":"amd64"}'),
        ("input/deb", f"{DEB.hash}/3"),
        ("input/rules", f"{EMPTY.hash}/0"),
        ("output/index", "file"),
        ("output/tree", "file"),
    ]
    form = "".join(f"{len(path)} {len(value)} {path}{value}\n" for path, value in walk(ACTION, INPUTS, "7"))
    assert Digest.of(form.encode()) == key(ACTION, INPUTS, "7")


CHANGES: dict[str, tuple[Action, dict[str, Digest], str]] = {
    "mnemonic": (replace(ACTION, mnemonic="DebUnpack2"), INPUTS, "7"),
    "version of the tool": (ACTION, INPUTS, "8"),
    "platform": (replace(ACTION, platform="linux/arm64"), INPUTS, "7"),
    "parameters": (replace(ACTION, parameters='{"architecture":"arm64"}'), INPUTS, "7"),
    "digest of an input": (ACTION, INPUTS | {"deb": Digest.of(b"dev")}, "7"),
    "size of an input": (ACTION, INPUTS | {"deb": Digest(DEB.hash, 4)}, "7"),
    "inputs changed about": (ACTION, {"deb": EMPTY, "rules": DEB}, "7"),
    "name of an input": (
        replace(ACTION, inputs=(ACTION.inputs[0], Named("rulez", source("rules.txt")))),
        {"deb": DEB, "rulez": EMPTY},
        "7",
    ),
    "an input less": (replace(ACTION, inputs=ACTION.inputs[:1]), {"deb": DEB}, "7"),
    "name of an output": (
        replace(ACTION, outputs=(ACTION.outputs[0], Named("trees", ACTION.outputs[1].artifact))),
        INPUTS,
        "7",
    ),
    "an output less": (replace(ACTION, outputs=ACTION.outputs[:1]), INPUTS, "7"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_decides_the_outputs_changes_the_key(change: str) -> None:
    assert key(*CHANGES[change]) != key(ACTION, INPUTS, "7")


def test_every_change_gives_a_key_of_its_own() -> None:
    assert len({key(*change) for change in CHANGES.values()}) == len(CHANGES)


@pytest.mark.parametrize(
    "same",
    [
        replace(ACTION, owner="//other:target"),
        replace(ACTION, progress="Unpacking"),
        replace(ACTION, weight=9),
        replace(ACTION, stage="build"),
        replace(ACTION, inputs=(Named("deb", Artifact(Root.LOCKED, "elsewhere.deb", DEB)), ACTION.inputs[1])),
        replace(ACTION, outputs=(Named("index", out("x", "index")), Named("tree", out("x", "tree")))),
    ],
    ids=["owner", "progress", "weight", "stage", "input path", "output path"],
)
def test_what_does_not_decide_the_outputs_does_not(same: Action) -> None:
    assert key(same, INPUTS, "7") == key(ACTION, INPUTS, "7")


texts = st.text(st.characters(codec=None), max_size=8)


@given(first=st.tuples(texts, texts, texts, texts), second=st.tuples(texts, texts, texts, texts))
def test_no_two_actions_share_a_form(first: tuple[str, ...], second: tuple[str, ...]) -> None:
    """Whatever stands in the fields: line feeds, digits, surrogates."""
    keys = [
        key(replace(ACTION, mnemonic=mnemonic, platform=platform, parameters=parameters), INPUTS, version)
        for mnemonic, platform, parameters, version in (first, second)
    ]
    assert (keys[0] == keys[1]) == (first == second)
