"""Labels and patterns: what is read, how it is written again, what is refused and in which words."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from distroless_rules.errors import LabelError, Location
from distroless_rules.values.label import Label, Pattern
from tests.support.workspace import fails


@pytest.mark.parametrize(
    ("text", "parts", "canonical"),
    [
        ("//a/b:c", ("", "a/b", "c"), "//a/b:c"),
        ("//a/b", ("", "a/b", "b"), "//a/b:b"),
        ("//a", ("", "a", "a"), "//a:a"),
        ("//:c", ("", "", "c"), "//:c"),
        (":c", ("", "here/now", "c"), "//here/now:c"),
        ("c", ("", "here/now", "c"), "//here/now:c"),
        ("c/d.txt", ("", "here/now", "c/d.txt"), "//here/now:c/d.txt"),
        ("@//a:b", ("", "a", "b"), "//a:b"),
        ("@trixie//curl", ("trixie", "curl", "curl"), "@trixie//curl"),
        ("@trixie//:curl", ("trixie", "", "curl"), "@trixie//:curl"),
        ("@trixie//libstdc++6", ("trixie", "libstdc++6", "libstdc++6"), "@trixie//libstdc++6"),
        ("@trixie", ("trixie", "", "trixie"), "@trixie//:trixie"),
        ("@distroless_rules//rules:defs.bzl", ("distroless_rules", "rules", "defs.bzl"), None),
        ("@r//a/b", ("r", "a/b", "b"), "@r//a/b:b"),
        ("//a b:c d", ("", "a b", "c d"), "//a b:c d"),
        ("//späß:日本語.txt", ("", "späß", "日本語.txt"), "//späß:日本語.txt"),
        ("//a:b=c,d", ("", "a", "b=c,d"), "//a:b=c,d"),
        ("//a:...", ("", "a", "..."), "//a:..."),
    ],
)
def test_labels(text: str, parts: tuple[str, str, str], canonical: str | None) -> None:
    label = Label.parse(text, package="here/now")
    assert (label.repo, label.package, label.name) == parts
    assert str(label) == (canonical or text)
    assert Label.parse(str(label)) == label


def test_a_label_without_a_repository_stays_in_the_one_of_its_file() -> None:
    assert str(Label.parse(":x", repo="distroless_rules", package="rules")) == "@distroless_rules//rules:x"
    assert str(Label.parse("//a:x", repo="distroless_rules")) == "@distroless_rules//a:x"
    assert str(Label.parse("@//a:x", repo="distroless_rules")) == "//a:x"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "its name is empty"),
        (":", "its name is empty"),
        ("//", "its name is empty"),
        ("//a:", "its name is empty"),
        ("/a", "it starts with a single slash"),
        ("//a//b:c", 'the package "a//b" has the part ""'),
        ("//a/:c", 'the package "a/" has the part ""'),
        ("///a:c", 'the package "/a" has the part ""'),
        ("//a/../b:c", 'the package "a/../b" has the part ".."'),
        ("//a:../b", 'the name "../b" has the part ".."'),
        ("./a", 'the name "./a" has the part "."'),
        ("a/", 'the name "a/" has the part ""'),
        ("a:b", 'the name "a:b" has the part "a:b"'),
        ("//a:b:c", 'the name "b:c" has the part "b:c"'),
        ("//a\\b", r'the package "a\\b" has the part "a\\b"'),
        ("//a:b\nc", r'the name "b\nc" has the part "b\nc"'),
        ("//a:b\0", r'the name "b\u0000" has the part "b\u0000"'),
        ("//a:\u202eb", 'the name "\u202eb" has the part "\u202eb"'),
        ("@tri xie//curl", '"tri xie" is not a repository name'),
        ("@-x//curl", '"-x" is not a repository name'),
        ("@@trixie//curl", '"@trixie" is not a repository name'),
        ("@", "its name is empty"),
    ],
)
def test_malformed_labels(text: str, cause: str) -> None:
    with pytest.raises(LabelError) as caught:
        Label.parse(text, package="here", at=Location("app/BUILD", 3, 5))
    assert caught.value.cause == cause
    assert str(caught.value).startswith("app/BUILD:3:5: cannot read label ")
    assert caught.value.hint.startswith("expected //package:name, :name")


def test_a_long_label_is_not_shown_whole() -> None:
    assert len(fails(lambda: Label.parse("//" + "a:" * 100_000))) < 1000


_PART = st.text("ab.-_+=%$é文/:@ \\\n\0", max_size=6)


@given(
    _PART, _PART, _PART, st.sampled_from(["{0}", ":{0}", "//{1}:{0}", "//{1}", "@{2}//{1}:{0}", "@{2}//{1}", "@{2}"])
)
@example("a/b", "a/b", "r", "@{2}//{1}:{0}")
@example("all", "", "", "{0}")
def test_a_label_is_read_again_as_it_is_written(name: str, package: str, repo: str, form: str) -> None:
    try:
        label = Label.parse(form.format(name, package, repo), package="here", repo="r")
    except LabelError as refused:
        error = refused
    else:
        error = None
    if error:
        assert len(str(error).splitlines()) == 1
        return
    assert Label.parse(str(label)) == label
    assert ".." not in label.path.split("/")
    assert not label.path.startswith("/")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("//...", "//..."),
        ("...", "//app/..."),
        ("./...", "//app/..."),
        ("../...", "//..."),
        ("../lib/...", "//lib/..."),
        ("//a/...", "//a/..."),
        ("//a/...:all", "//a/..."),
        ("//a/...:*", "//a/..."),
        ("//...:all-targets", "//..."),
        ("x/...", "//app/x/..."),
        ("//a:all", "//a:all"),
        ("//a:*", "//a:all"),
        (":all", "//app:all"),
        ("x:all", "//app/x:all"),
        ("//a:b", "//a:b"),
        ("//a", "//a:a"),
        (":b", "//app:b"),
        ("x:y", "//app/x:y"),
        ("x", "//app/x:x"),
        ("x/", "//app/x:x"),
        ("../lib:y", "//lib:y"),
        (".:y", "//app:y"),
        ("@trixie//curl", "@trixie//curl"),
        ("@trixie//...", "@trixie//..."),
        ("@r//a/...", "@r//a/..."),
        ("@r//a:all", "@r//a:all"),
        ("-//a/...", "-//a/..."),
        ("-//a:b", "-//a:b"),
        ("-@trixie//curl", "-@trixie//curl"),
        ("-:b", "-//app:b"),
        ("//all", "//all:all"),
        ("all", "//app/all:all"),
    ],
)
def test_patterns(text: str, canonical: str) -> None:
    pattern = Pattern.parse(text, package="app")
    assert str(pattern) == canonical
    if text not in ("//all", "all"):  # a target named all can be asked for only by the short form of its label
        assert Pattern.parse(canonical) == pattern


@pytest.mark.parametrize(
    "text", ["", "-", "//", "--//a", "//a/..:b", "../../x", "/a", "//a/.../b", "@x y//a", "//a:b/..."]
)
def test_malformed_patterns(text: str) -> None:
    if text in ("//a/.../b", "//a:b/..."):  # three dots are a name like any other, as long as no pattern begins there
        assert Pattern.parse(text).name in ("b", "b/...")
    else:
        assert fails(lambda: Pattern.parse(text, package="app")).startswith("cannot read label ")


@given(st.text("/.:-@ab*l", max_size=10))
def test_a_pattern_is_read_again_as_it_is_written(text: str) -> None:
    try:
        pattern = Pattern.parse(text, package="app")
    except LabelError:
        return
    if pattern.name not in ("all", "*"):
        assert Pattern.parse(str(pattern)) == pattern
