"""An analysis is read again as it is written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.actions import codec
from distroless_rules.actions.action import Action, Named
from distroless_rules.actions.analysed import Analysis, Layout, Wanted
from distroless_rules.actions.artifact import Artifact, Root
from distroless_rules.errors import Location
from distroless_rules.values.digest import Digest
from distroless_rules.values.label import Label
from tests.support.workspace import analysed, small_lock

_TEXT = st.text(max_size=5)
_ARTIFACT = st.builds(
    Artifact,
    st.sampled_from(Root),
    _TEXT,
    st.none() | st.binary(max_size=3).map(Digest.of),
    _TEXT,
)
_NAMED = st.lists(st.builds(Named, _TEXT, _ARTIFACT), max_size=3).map(tuple)
_ACTION = st.builds(
    Action,
    mnemonic=_TEXT,
    owner=_TEXT,
    parameters=_TEXT,
    inputs=_NAMED,
    outputs=_NAMED,
    stage=st.sampled_from(["build", "runtime"]),
    platform=_TEXT,
    progress=_TEXT,
    weight=st.integers(0, 2**40),
)
_FILES = st.lists(_ARTIFACT, max_size=3).map(tuple)
_LAYOUT = st.none() | st.builds(Layout, _ARTIFACT, _FILES, st.none() | _ARTIFACT)
_WANTED = st.builds(Wanted, st.builds(Label, _TEXT, _TEXT, _TEXT), _TEXT, _FILES, _LAYOUT)
_ANALYSIS = st.builds(
    Analysis,
    st.lists(_ACTION, max_size=3).map(tuple),
    st.lists(_WANTED, max_size=2).map(tuple),
    st.lists(_TEXT, max_size=2).map(tuple),
    st.dictionaries(_TEXT, st.builds(Location, _TEXT, st.integers(0, 2**31), st.integers(0, 2**31)), max_size=2),
)


@given(_ANALYSIS)
def test_any_analysis(analysis: Analysis) -> None:
    assert codec.load(codec.dump(analysis)) == analysis


def test_a_real_one_with_its_owners() -> None:
    text = """
load("@distroless_rules//rules:defs.bzl", "distroless_image")
print("hello")
distroless_image(name = "image", contents = ["@trixie//curl"])
"""
    analysis = analysed(text, lock=small_lock("curl 8: libc6", "libc6 2.41"))
    again = codec.load(codec.dump(analysis))
    assert again == analysis
    assert [[each.artifact.owner for each in action.inputs] for action in again.actions] == [
        [each.artifact.owner for each in action.inputs] for action in analysis.actions
    ]
    assert codec.dump(again) == codec.dump(analysis)
