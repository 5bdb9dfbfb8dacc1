"""The wire format of Protocol Buffers, for messages that are described by frozen dataclasses.

Going in and out: values of message classes whose fields are declared with the functions below, and bytes. Bytes are
canonical: ascending field numbers, defaults left out, so that the digest of a message is that of any other program.
Unknown fields are skipped. Bytes from elsewhere cost memory in proportion to their length, and are a ``FormatError``
where they are not a message. Source: protobuf.dev, "Encoding"; messages do not contain themselves, so depth is bounded.

    @dataclass(frozen=True, slots=True)
    class FileNode(Message):
        name: str = string(1)
        digest: Digest | None = digest(2)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, TypeVar

from distroless_rules.errors import FormatError
from distroless_rules.values.digest import Digest

__all__ = [
    "Message",
    "boolean",
    "data",
    "decode",
    "digest",
    "digests",
    "encode",
    "integer",
    "integers",
    "message",
    "messages",
    "string",
    "strings",
    "varint",
]

MAX_PARTS = 1_000_000  # values in one message, those of messages inside it included

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MASK = (1 << 64) - 1
_KEY = "wire"
_CUT = "it ends within a field"


class Message:
    """What every message is; its fields are those of the dataclass."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Any]]


M = TypeVar("M", bound=Message)


@dataclasses.dataclass(frozen=True, slots=True)
class _Kind:
    """How values of a field are written and read.

    Attributes:
        wire: the wire type.
        write: a value -> its bytes, without tag and length.
        read: what stood there (a number, or bytes), and a budget of parts -> a value.
        repeated: whether the field holds a tuple of values.
        inner: whether a value is a message.
    """

    wire: int
    write: Callable[[Any], bytes]
    read: Callable[[Any, _Budget], Any]
    repeated: bool = False
    inner: bool = False


class _Budget:
    """How many more values may be read."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_PARTS


def _declare(number: int, kind: _Kind, default: Any) -> Any:
    return dataclasses.field(default=() if kind.repeated else default, metadata={_KEY: (number, kind)})


def string(number: int) -> str:
    """Declare a field of type ``string``."""
    return _declare(number, _TEXT, "")  # type: ignore[no-any-return]


def strings(number: int) -> tuple[str, ...]:
    """Declare a field of type ``repeated string``."""
    return _declare(number, dataclasses.replace(_TEXT, repeated=True), ())  # type: ignore[no-any-return]


def data(number: int) -> bytes:
    """Declare a field of type ``bytes``."""
    return _declare(number, _DATA, b"")  # type: ignore[no-any-return]


def integer(number: int) -> int:
    """Declare a field of type ``int32``, ``int64``, ``uint32`` or an enumeration."""
    return _declare(number, _INTEGER, 0)  # type: ignore[no-any-return]


def integers(number: int) -> tuple[int, ...]:
    """Declare a field of the type ``repeated`` of an enumeration; it is written packed and read either way."""
    return _declare(number, dataclasses.replace(_INTEGER, repeated=True), ())  # type: ignore[no-any-return]


def boolean(number: int) -> bool:
    """Declare a field of type ``bool``."""
    return _declare(number, _BOOLEAN, False)  # type: ignore[no-any-return]


def digest(number: int) -> Digest | None:
    """Declare a field of type ``Digest``; one without a hash is read as None."""
    return _declare(number, dataclasses.replace(_DIGEST, read=_read_digest_or_none), None)  # type: ignore[no-any-return]


def digests(number: int) -> tuple[Digest, ...]:
    """Declare a field of type ``repeated Digest``."""
    return _declare(number, dataclasses.replace(_DIGEST, repeated=True), ())  # type: ignore[no-any-return]


def message(number: int, kind: type[M]) -> M | None:
    """Declare a field that holds a message; None where there is none."""
    return _declare(number, _of(kind), None)  # type: ignore[no-any-return]


def messages(number: int, kind: type[M]) -> tuple[M, ...]:
    """Declare a field that holds messages."""
    return _declare(number, dataclasses.replace(_of(kind), repeated=True), ())  # type: ignore[no-any-return]


def encode(value: Message) -> bytes:
    """Give the canonical bytes of a message.

    Raises:
        FormatError: if a text in it is not Unicode.
    """
    parts: list[bytes] = []
    for name, kind, head in _WRITERS.get(type(value)) or _writers(type(value)):
        given = getattr(value, name)
        if not given and (given is None or not kind.inner):
            continue
        if kind.repeated:
            if kind.wire == _VARINT:
                packed = b"".join(map(kind.write, given))
                parts += (head, varint(len(packed)), packed)
            else:
                for written in map(kind.write, given):
                    parts += (head, varint(len(written)), written)
        else:
            written = kind.write(given)
            parts += (head, written) if kind.wire == _VARINT else (head, varint(len(written)), written)
    return b"".join(parts)


def decode(kind: type[M], data: bytes) -> M:
    """Read a message.

    Raises:
        FormatError: if the bytes are no such message, a digest in it is malformed, or it holds more than a million
            values.
    """
    try:
        return _decode(kind, data, _Budget())
    except IndexError as error:
        raise FormatError(f"read a {kind.__name__} message", _CUT) from error
    except ValueError as error:  # UnicodeDecodeError is one
        raise FormatError(f"read a {kind.__name__} message", str(error)) from error


def varint(value: int) -> bytes:
    """Give the variable-length form of an integer; a negative one has ten bytes."""
    if 0 <= value < 0x80:
        return _SMALL[value]
    value &= _MASK
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


_SMALL = [bytes((value,)) for value in range(0x80)]


def _decode(kind: type[M], data: bytes, budget: _Budget) -> M:
    readers = _READERS.get(kind) or _readers(kind)
    values: dict[str, Any] = {}
    at, end = 0, len(data)
    while at < end:  # written out, as most of the time that a message takes is spent here
        tag, at = (data[at], at + 1) if data[at] < 0x80 else _varint_at(data, at)
        raw, at = _value_at(data, at, tag & 7)
        if at > end:
            raise ValueError(_CUT)
        found = readers.get(tag)
        if found is None:
            if not 0 < tag >> 3 < 1 << 29:
                raise ValueError(f"there is no field number {tag >> 3}")
            continue
        budget.left -= 1
        if budget.left < 0:
            raise ValueError(f"it holds more than {MAX_PARTS} values")
        name, field, packed = found
        if packed:
            values.setdefault(name, []).extend(_packed(raw, field, budget))
        elif field.repeated:
            values.setdefault(name, []).append(field.read(raw, budget))
        elif field.inner and values.get(name) is not None:  # "merged", as the specification says
            values[name] = field.read(field.write(values[name]) + raw, budget)
        else:
            values[name] = field.read(raw, budget)
    for name, value in values.items():
        if type(value) is list:
            values[name] = tuple(value)
    return kind(**values)


def _value_at(data: bytes, at: int, wire: int) -> tuple[Any, int]:
    """Give what stands there, a number or bytes, and where it ends; that may be behind the end of ``data``."""
    if wire == _BYTES:
        size, at = (data[at], at + 1) if data[at] < 0x80 else _varint_at(data, at)
        return data[at : at + size], at + size
    if wire == _VARINT:
        return _varint_at(data, at)
    if wire in (_FIXED32, _FIXED64):
        size = 4 if wire == _FIXED32 else 8
        return int.from_bytes(data[at : at + size], "little"), at + size
    raise ValueError(f"there is no wire type {wire}")


def _varint_at(data: bytes, at: int) -> tuple[int, int]:
    value = data[at]
    at += 1
    if value < 0x80:
        return value, at
    value &= 0x7F
    for shift in range(7, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _MASK, at
    raise ValueError("a number in it has more than ten bytes")


def _packed(raw: bytes, field: _Kind, budget: _Budget) -> Iterator[Any]:
    at = 0
    while at < len(raw):
        number, at = _varint_at(raw, at)
        budget.left -= 1
        if budget.left < 0:
            raise ValueError(f"it holds more than {MAX_PARTS} values")
        yield field.read(number, budget)


_WRITERS: dict[type[Message], tuple[tuple[str, _Kind, bytes], ...]] = {}
_READERS: dict[type[Message], dict[int, tuple[str, _Kind, bool]]] = {}


def _writers(kind: type[Message]) -> tuple[tuple[str, _Kind, bytes], ...]:
    """Give name, kind and tag of each field, ascending; repeated numbers are written packed."""
    rows = []
    for field in kind.__dataclass_fields__.values():
        number, how = field.metadata[_KEY]
        wire = _BYTES if how.repeated else how.wire
        rows.append((number, field.name, how, varint(number << 3 | wire)))
    found = tuple((name, how, head) for _, name, how, head in sorted(rows, key=lambda row: row[0]))
    return _WRITERS.setdefault(kind, found)


def _readers(kind: type[Message]) -> dict[int, tuple[str, _Kind, bool]]:
    """Give for each tag that is understood the field's name, kind, and whether it is a packed one."""
    found = {}
    for field in kind.__dataclass_fields__.values():
        number, how = field.metadata[_KEY]
        found[number << 3 | how.wire] = (field.name, how, False)
        if how.repeated and how.wire == _VARINT:
            found[number << 3 | _BYTES] = (field.name, how, True)
    return _READERS.setdefault(kind, found)


def _write_text(value: str) -> bytes:
    try:
        return value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise FormatError(f"send {value[:100]!a}", "it is not Unicode") from error


def _signed(value: int, _: _Budget) -> int:
    return value - (1 << 64) if value >> 63 else value


def _write_digest(value: Digest) -> bytes:
    size = b"\x10" + varint(value.size) if value.size else b""
    return b"\x0a\x40" + value.hash.encode() + size


def _read_digest(raw: bytes, budget: _Budget) -> Digest:
    if raw[:2] == b"\x0a\x40" and len(raw) > 67 and raw[66] == 0x10:  # as everybody writes it
        size, at = _varint_at(raw, 67)
        if at == len(raw):
            return Digest(raw[2:66].decode("utf-8"), _signed(size, budget))
    told = _decode(_Digest, raw, budget)
    return Digest(told.hash, told.size)


def _read_digest_or_none(raw: bytes, budget: _Budget) -> Digest | None:
    return _read_digest(raw, budget) if raw else None


def _of(kind: type[Message]) -> _Kind:
    return _Kind(_BYTES, encode, lambda raw, budget: _decode(kind, raw, budget), inner=True)


_TEXT = _Kind(_BYTES, _write_text, lambda raw, _: raw.decode("utf-8"))
_DATA = _Kind(_BYTES, bytes, lambda raw, _: raw)
_INTEGER = _Kind(_VARINT, varint, _signed)
_BOOLEAN = _Kind(_VARINT, varint, lambda raw, _: bool(raw))
_DIGEST = _Kind(_BYTES, _write_digest, _read_digest, inner=True)


@dataclasses.dataclass(frozen=True, slots=True)
class _Digest(Message):
    """A ``Digest`` that may be malformed."""

    hash: str = string(1)
    size: int = integer(2)
