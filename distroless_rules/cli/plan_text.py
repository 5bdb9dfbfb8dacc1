"""A plan as a person would draw it: the build stage, what crosses, the runtime stage with its layers.

Going in: a plan. Going out: lines of at most 100 columns, states in colour for terminals.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import click

from distroless_rules.actions.action import Action
from distroless_rules.actions.analysed import Wanted
from distroless_rules.actions.artifact import Artifact, Root
from distroless_rules.actions.graph import OFFER
from distroless_rules.actions.stages import Stages
from distroless_rules.cli.common import counted
from distroless_rules.execution.forecast import Forecast, State
from distroless_rules.values.size import size_text

__all__ = ["Planned", "drawn"]

_COLUMNS = 100
_NAME, _DETAIL = 44, 16  # the most columns of the first two; what is left holds "123 cached, 1 to run, 123 may run"
_DEB = "DebUnpack"
_READ = ("Facts", "Screen")  # each deb, once
_LAYER = "Layer"
_COLOURS = {State.CACHED: "green", State.RUN: "yellow", State.OPEN: "yellow"}


@dataclass(frozen=True)
class Planned:
    """What is drawn.

    Attributes:
        wanted: the target.
        platform: what it is for.
        stages: its actions.
        states: the state of each.
        forecast: what a build would do.
    """

    wanted: Wanted
    platform: str
    stages: Stages
    states: Mapping[Action, State]
    forecast: Forecast


@dataclass
class _Item:
    """A line of the drawing with what hangs below it.

    Attributes:
        name: the first column.
        detail: the second column.
        states: of the actions that the line stands for; the third column.
        words: names that are wrapped below the line.
        items: lines below.
    """

    name: str
    detail: str = ""
    states: Sequence[State] = ()
    words: Sequence[str] = ()
    items: list[_Item] = field(default_factory=list)


def drawn(planned: Planned) -> Iterator[str]:
    """Draw a plan.

    Yields:
        lines without line ends; ``click.echo`` takes the colours away where they cannot be seen.
    """
    sketch = _Sketch(planned)
    sections = [section for section in (sketch.build(), sketch.crossings(), sketch.runtime()) if section.items]
    about = ", ".join(text for text in (planned.wanted.rule, planned.platform) if text)
    yield f"{click.style(str(planned.wanted.label), bold=True)}  {about}"
    widths = (
        max((_width(section, 1) for section in sections), default=0),
        max((_detail_width(section) for section in sections), default=0),
    )
    for section in sections:
        yield "│"
        yield from _branch(section, "", section is sections[-1], widths)
    yield ""
    yield _summary(planned)


class _Sketch:
    """Turns a plan into items."""

    def __init__(self, planned: Planned) -> None:
        self._planned = planned
        self._states = planned.states
        self._stages = planned.stages
        actions = [*planned.stages.build, *planned.stages.runtime]
        self._makers = {named.artifact: action for action in actions for named in action.outputs}
        self._platforms = {action.platform for action in actions if not _is_of_deb(action)}

    def build(self) -> _Item:
        """Give the build stage."""
        return _Item("build stage", items=self._groups(self._stages.build))

    def runtime(self) -> _Item:
        """Give the runtime stage."""
        return _Item("runtime stage", items=self._groups(self._stages.runtime))

    def crossings(self) -> _Item:
        """Give what the build stage hands to the runtime stage."""
        items = [_Item(_path(c.artifact), f"from {c.maker.owner}") for c in self._stages.crossings]
        if self._stages.offered:
            items.append(_Item("libraries that files need", f"from {counted(len(self._stages.offered), 'deb')}"))
        return _Item("crosses into the runtime stage" if self._stages.runtime else "comes out", items=items)

    def _groups(self, actions: Sequence[Action]) -> list[_Item]:
        """Give a line for the debs and one for each target; an image shows its layers."""
        debs = [action for action in actions if action.mnemonic == _DEB]
        others = [action for action in actions if not _is_of_deb(action)]
        has_layers = any(action.mnemonic == _LAYER for action in others)
        items = [self._debs(debs, named=not has_layers)] if debs else []
        order = {owner: at for at, owner in enumerate(dict.fromkeys(_owner(action) for action in others))}
        ordered = sorted(others, key=lambda action: order[_owner(action)])
        for (owner, platform), group in groupby(ordered, key=_owner):
            name = f"{owner} {platform}" if len(self._platforms) > 1 else owner
            items.append(self._target(name, list(group)))
        return items

    def _debs(self, debs: Sequence[Action], *, named: bool) -> _Item:
        size = sum(n.artifact.digest.size for deb in debs for n in deb.inputs if n.artifact.digest)
        words = sorted(_deb_name(deb) for deb in debs) if named else ()
        name = f"{len(debs)} debs" if len(debs) > 1 else "1 deb"
        return _Item(name, size_text(size) if size else "", self._of(debs), words)

    def _target(self, name: str, actions: Sequence[Action]) -> _Item:
        if not any(action.mnemonic == _LAYER for action in actions):
            count = f"{len(actions)} actions" if len(actions) > 1 else actions[0].mnemonic
            return _Item(name, count, self._of(actions))
        return _Item(name, items=[self._action(action) for action in actions])

    def _action(self, action: Action) -> _Item:
        if action.mnemonic != _LAYER:
            return _Item(action.mnemonic.lower(), "", self._of([action]))
        blob = next(named.artifact for named in action.outputs if named.name == "blob")
        digest = self._planned.forecast.digests.get(blob.path)
        name = f"layer {blob.path.rpartition('/')[2]}"
        return _Item(name, size_text(digest.size) if digest else "", self._of([action]), self._contents(action))

    def _contents(self, layer: Action) -> list[str]:
        """Name what goes into a layer: debs, and files that are not the image's own."""
        words = []
        for named in layer.inputs:
            if named.name.startswith(OFFER):
                continue
            maker = self._makers.get(named.artifact)
            if maker is not None and maker.mnemonic == _DEB:
                words.append(_deb_name(maker))
            elif maker is None or maker.owner != layer.owner:
                words.append(_path(named.artifact))
        return words

    def _of(self, actions: Iterable[Action]) -> list[State]:
        return [self._states[action] for action in actions]


def _is_of_deb(action: Action) -> bool:
    """Tell whether an action is one that every image with a deb shares: such are for no platform."""
    return action.mnemonic in (_DEB, *_READ) and not action.platform


def _owner(action: Action) -> tuple[str, str]:
    return action.owner, action.platform


def _deb_name(action: Action) -> str:
    return str(json.loads(action.parameters)["name"])


def _path(artifact: Artifact) -> str:
    """Give a path as BUILD files know it, without the folder of the configuration."""
    return artifact.path.partition("/")[2] if artifact.root is Root.DERIVED else artifact.path


def _width(item: _Item, depth: int) -> int:
    """Give the columns that the names below an item need, lines and all."""
    here = depth * 3 + len(item.name) if item.detail or item.states else 0
    return min(_NAME, max([here, *(_width(below, depth + 1) for below in item.items)]))


def _detail_width(item: _Item) -> int:
    """Give the columns that details below an item need where a state follows."""
    here = len(item.detail) if item.states else 0
    return min(_DETAIL, max([here, *(_detail_width(below) for below in item.items)]))


def _branch(item: _Item, before: str, last: bool, widths: tuple[int, int]) -> Iterator[str]:
    head = f"{before}{'└─' if last else '├─'} "
    below = f"{before}{'   ' if last else '│  '}"
    width, detail_width = widths
    if item.states or item.detail:
        line = f"{head}{_shortened(item.name, width - len(head)):<{width - len(head)}}"
    else:
        line = f"{head}{_shortened(item.name, _COLUMNS - len(head))}"
    if item.states:
        detail = f"  {_shortened(item.detail, detail_width):<{detail_width}}" if detail_width else ""
        line += f"{detail}  {_states_text(item.states)}"
    elif item.detail:
        line += f"  {_shortened(item.detail, _COLUMNS - width - 2)}"
    yield line
    margin = f"{below}{'│  ' if item.items else '   '}"
    text = " ".join(word.replace(" ", "\0") for word in item.words)
    for words in textwrap.wrap(text, _COLUMNS - len(margin), break_on_hyphens=False):
        yield margin + words.replace("\0", " ")
    for each in item.items:
        yield from _branch(each, below, each is item.items[-1], widths)


def _shortened(text: str, room: int) -> str:
    return text if len(text) <= room else f"…{text[len(text) - room + 1 :]}"


def _states_text(states: Sequence[State]) -> str:
    counts = {state: count for state in State if (count := states.count(state))}
    return ", ".join(
        click.style(state.value if len(counts) == 1 else f"{count} {state.value}", fg=_COLOURS[state])
        for state, count in counts.items()
    )


def _summary(planned: Planned) -> str:
    states = list(planned.states.values())
    line = f"{counted(len(states), 'action')}: {states.count(State.CACHED)} cached, {states.count(State.RUN)} to run"
    if maybe := states.count(State.OPEN):
        line += f", {maybe} may run (it depends on what runs before)"
    downloads = planned.forecast.downloads
    if downloads:
        size = sum(artifact.digest.size for artifact in downloads if artifact.digest)
        line += f"; {counted(len(downloads), 'deb')} to fetch ({size_text(size)})"
    return line
