"""The debs of an image: closures, cuts, base debs, local files, and what two archives must not both give."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distroless_rules.actions.action import Action
from distroless_rules.actions.artifact import Artifact, Root
from distroless_rules.actions.debs import Debs
from distroless_rules.deb.cuts import cut
from distroless_rules.values.archive import Lock, LockedDeb
from distroless_rules.values.platform import Platform
from tests.support.workspace import fails, small_lock

AMD64 = Platform.parse("amd64")
LOCK = small_lock(
    "base-files 13",
    "base-passwd 3",
    "libc-bin 2.41: libc6",
    "libc6 2.41 size=3000: libgcc-s1",
    "libgcc-s1 14: libc6",
    "curl 8: libc6 libcurl4 debconf",
    "libcurl4 8: libc6",
    "debconf 1: perl",
    "perl 5",
)


def closure(
    lock: Lock = LOCK,
    roots: list[tuple[str, str]] | None = None,
    local: list[Artifact] | None = None,
    exclude: tuple[str, ...] = (),
    keep: tuple[str, ...] = (),
    platform: Platform = AMD64,
) -> tuple[str, str, list[str]]:
    """Give the names of the debs, of the base debs, and the cuts."""
    found = Debs(lock, cut, "trixie", lambda action: None).closure(roots or [], local or [], exclude, keep, platform)
    return (
        " ".join(each.deb.name for each in found.debs),
        " ".join(each.deb.name for each in found.base),
        [f"{deb} -> {dependency}" for deb, dependency, _ in found.cuts],
    )


def test_what_a_deb_needs_without_what_only_its_scripts_need() -> None:
    assert closure(roots=[("trixie", "curl")]) == (
        "curl libc6 libcurl4 libgcc-s1",
        "base-files base-passwd libc-bin",
        ["curl -> debconf"],
    )


def test_what_is_kept_is_not_cut() -> None:
    assert closure(roots=[("trixie", "curl")], keep=("debconf",))[0] == "curl debconf libc6 libcurl4 libgcc-s1 perl"


def test_no_debs_still_have_a_base() -> None:
    assert closure() == ("", "base-files base-passwd libc-bin", [])
    assert closure(Lock()) == ("", "", [])


def test_nothing_is_there_for_another_platform() -> None:
    assert closure(platform=Platform.parse("arm64"))[:2] == ("", "")


def local_deb(name: str, *depends: str) -> LockedDeb:
    return LockedDeb("", name, "1", "amd64", name, f"debs/{name}.deb", 10, "a" * 64, depends=depends)


def test_local_debs_are_solved_in_their_archive() -> None:
    lock = replace(LOCK, local={"debs/mine.deb": local_deb("mine", "libcurl4", "other"),
                                "debs/other.deb": local_deb("other")}, local_archive="trixie")  # fmt: skip
    files = [Artifact(Root.SOURCE, f"debs/{name}.deb") for name in ("mine", "other")]
    assert closure(lock, local=files)[0] == "libc6 libcurl4 libgcc-s1 mine other"
    assert closure(lock, [("trixie", "perl")], files)[0] == "libc6 libcurl4 libgcc-s1 mine other perl"


def test_a_local_deb_needs_one_that_the_image_does_not_name() -> None:
    lock = replace(LOCK, local={"debs/mine.deb": local_deb("mine", "libc6", "other"),
                                "debs/other.deb": local_deb("other")}, local_archive="trixie")  # fmt: skip
    mine = [Artifact(Root.SOURCE, "debs/mine.deb")]
    assert fails(lambda: closure(lock, local=mine)) == (
        'cannot use "other": "mine" needs it, and only "debs/other.deb" gives it, which the image does not name; '
        'add "//debs:other.deb" to its contents'
    )
    assert closure(lock, local=mine, exclude=("other",))[0] == "libc6 libgcc-s1 mine"
    assert fails(lambda: closure(replace(lock, local={"debs/mine.deb": local_deb("mine", "gone")}), local=mine)) == (
        'cannot use "gone": "mine" needs it, and distroless.lock does not have it'
    )


def test_a_deb_of_the_archive_needs_a_local_one() -> None:
    user = small_lock("libc6 2", "curl 8: libc6 other")
    lock = replace(user, local={"other.deb": local_deb("other")}, local_archive="trixie")
    assert fails(lambda: closure(lock, [("trixie", "curl")])) == (
        'cannot use "other": "curl" needs it, and only "other.deb" gives it, which the image does not name; '
        'add "//:other.deb" to its contents'
    )


def test_local_debs_that_do_not_fit() -> None:
    one, two = local_deb("mine"), replace(local_deb("mine"), version="2")
    lock = Lock(local={"1.deb": one, "2.deb": two, "all.deb": replace(local_deb("all"), architecture="all")})
    files = [Artifact(Root.SOURCE, f"{name}.deb") for name in (1, 2)]
    assert fails(lambda: closure(lock, local=files)) == (
        'cannot put the image together: "mine" would come from two files: "1.deb" and "2.deb"'
    )
    assert closure(lock, local=[files[0], files[0]])[0] == "mine"
    arm64 = Platform.parse("arm64")
    assert fails(lambda: closure(lock, local=files, platform=arm64)) == (
        'cannot use "1.deb" for linux/arm64: it is for amd64'
    )
    assert closure(lock, local=[Artifact(Root.SOURCE, "all.deb")], platform=arm64)[0] == "all"


def test_local_debs_without_an_archive() -> None:
    lock = Lock(local={"debs/mine.deb": local_deb("mine")})
    assert closure(lock, local=[Artifact(Root.SOURCE, "debs/mine.deb")])[0] == "mine"


@pytest.mark.parametrize("root", [Root.SOURCE, Root.DERIVED])
def test_a_local_deb_must_be_locked(root: Root) -> None:
    assert fails(lambda: closure(local=[Artifact(root, "debs/new.deb")])) == (
        'cannot use "debs/new.deb": distroless.lock does not have it; run `distroless lock`'
    )


def test_two_archives_may_not_give_one_deb() -> None:
    bookworm = small_lock("libc6 2.36", "wget 1: libc6", archive="bookworm")
    both = Lock({**LOCK.archives, **bookworm.archives})
    assert fails(lambda: closure(both, [("trixie", "curl"), ("bookworm", "wget")])) == (
        'cannot put the image together: "libc6" would come from two archives: trixie 2.41 and bookworm 2.36; '
        "take all debs of an image from one archive"
    )
    assert closure(both, [("trixie", "perl"), ("bookworm", "libc6")])[0] == "libc6 perl"


def test_two_archives_may_have_the_same_deb() -> None:
    sid = small_lock("curl 8: libc6", "libc6 2.41 size=3000", archive="sid")
    actions: list[Action] = []
    debs = Debs(Lock({**LOCK.archives, **sid.archives}), cut, "trixie", actions.append)
    for archive in ("trixie", "sid"):
        debs.closure([(archive, "curl")], [], (), (), AMD64)
    made = [out.artifact.path for action in actions for out in action.outputs]
    assert len(set(made)) == len(made)
    unpacked = [action for action in actions if action.progress == "Unpacking curl"]
    assert [action.owner for action in unpacked] == ["@trixie//curl", "@sid//curl"]
    assert len({action.inputs[0].artifact.digest for action in unpacked}) == 1


def test_a_local_deb_stands_in_for_the_archives() -> None:
    lock = replace(LOCK, local={"debs/libcurl4.deb": local_deb("libcurl4", "libc6")}, local_archive="trixie")
    actions: list[Action] = []
    debs = Debs(lock, cut, "trixie", actions.append)
    found = debs.closure([("trixie", "curl")], [Artifact(Root.SOURCE, "debs/libcurl4.deb")], (), (), AMD64)
    (mine,) = [each for each in found.debs if each.deb.name == "libcurl4"]
    assert mine.deb.archive == ""
    assert [action.owner for action in actions if "libcurl4" in action.owner] == ["//debs/libcurl4.deb"] * 5


def test_each_deb_is_unpacked_once_for_all_images() -> None:
    actions: list[Action] = []
    debs = Debs(LOCK, cut, "trixie", actions.append)
    for roots in ([("trixie", "curl")], [("trixie", "curl"), ("trixie", "perl")], []):
        debs.closure(roots, [], (), (), AMD64)
    assert sorted(action.progress for action in actions if action.mnemonic == "DebUnpack") == [
        "Unpacking base-files", "Unpacking base-passwd", "Unpacking curl", "Unpacking libc-bin",
        "Unpacking libc6", "Unpacking libcurl4", "Unpacking libgcc-s1", "Unpacking perl",
    ]  # fmt: skip
    (libc,) = [action for action in actions if action.progress == "Unpacking libc6"]
    assert libc.parameters == '{"architecture":"amd64","name":"libc6","version":"2.41"}'
    assert (libc.mnemonic, libc.owner, libc.weight) == ("DebUnpack", "@trixie//libc6", 3000)
    (deb,) = libc.inputs
    assert (deb.name, deb.artifact.root, deb.artifact.path) == (
        "deb", Root.LOCKED, "trixie/pool/main/l/libc6_2.41_amd64.deb",
    )  # fmt: skip
    locked = LOCK.archives["trixie"].debs["amd64"]["libc6"]
    assert (deb.artifact.digest and deb.artifact.digest.hash) == locked.sha256
    folder = f"debs/trixie/libc6_2.41_amd64_{locked.sha256[:12]}"
    assert [(out.name, out.artifact.path) for out in libc.outputs] == [
        ("index", f"{folder}/index"),
        ("tree", f"{folder}/tree"),
    ]


def test_what_is_excluded_of_the_build_stage_is_known() -> None:
    debs = Debs(LOCK, cut, "trixie", lambda action: None)
    indexes = [each.index for each in debs.closure([("trixie", "curl")], [], (), (), AMD64).debs]
    words = ("libcurl4", "libcurl5", "libgcc-s1")
    assert debs.barred(indexes, words, (), AMD64) == ["libcurl4", "libgcc-s1"]
    assert debs.barred([], words, (), AMD64) == []
    offered = {offer.unpacked.deb.name for offer in debs.offers(indexes, words, (), AMD64)}
    assert offered == {"curl", "libc6"}
