"""Calls to a gRPC server: messages in, messages out, and ``RemoteError`` for whatever goes wrong.

Nothing is asked twice here; that is ``storage.patience``. Whatever stands still, or is much slower than any network, is
given up (``storage.traffic``): a server that sends a byte a second would hold a build for ever. grpc is imported when a
channel is made. Source: grpc.github.io/grpc/python, and grpc/grpc_types.h for options.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

from distroless_rules.errors import ConfigError, DistrolessError, FormatError
from distroless_rules.storage import certificates, wire
from distroless_rules.storage.endpoint import Endpoint, Login
from distroless_rules.storage.faults import Code, RemoteError
from distroless_rules.storage.messages import Status
from distroless_rules.storage.meter import Meter, connections, cut
from distroless_rules.storage.services import Method
from distroless_rules.storage.traffic import Traffic, Watch

if TYPE_CHECKING:
    import grpc

__all__ = ["Channel"]

Q = TypeVar("Q", bound=wire.Message)
R = TypeVar("R", bound=wire.Message)

_LARGEST = 16 << 20  # bytes of a message that is received: servers keep to 4 MiB
_CLOSING = 0.5  # seconds
_LONGEST = 600.0  # seconds that a call may take, however much moves
_OPTIONS = (
    ("grpc.max_receive_message_length", _LARGEST),
    ("grpc.max_send_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),  # a channel that is made anew connects anew
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1500),  # which is the time to connect in, too
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.enable_retries", 0),
    ("grpc.primary_user_agent", "distroless-rules"),
)


_NOISE = re.compile(
    r"^(?:(?:UNKNOWN|UNAVAILABLE|INTERNAL): )?(?:ipv[46]:\S+: )?(?:Failed to connect to remote host: )?"
)


class Channel:
    """A connection to a server, made when it is first needed and again whenever it is lost; safe for many threads.

    Args:
        endpoint: the server, ``grpc`` or ``grpcs``.
        seconds: how long a small call may take; half of it, nothing at all may move.
        headers: names and values that go with each call, beside those of the endpoint.

    Attributes:
        endpoint: the server.
        traffic: how many bytes of messages went each way.

    Raises:
        ConfigError: if a certificate, key or token cannot be read.
    """

    def __init__(self, endpoint: Endpoint, seconds: float, headers: tuple[tuple[str, str | bytes], ...] = ()) -> None:
        self.endpoint = endpoint
        self.traffic = Traffic()
        self._seconds = seconds
        self._headers = headers
        self._login = Login(endpoint)
        self._login.headers()
        self._cut = partial(cut, _ports(endpoint))
        self._watch = Watch(seconds, Meter(partial(connections, _ports(endpoint))), self._cut)
        self._channel = _open(endpoint)

    def close(self) -> None:
        """End what is under way."""
        self._watch.close()
        closing = threading.Thread(target=self._channel.close, name="cache-close", daemon=True)
        closing.start()  # it waits for calls that it has cancelled, and these for what is stuck on its way
        closing.join(_CLOSING)
        if closing.is_alive():
            self._cut()
            closing.join(_CLOSING)

    def call(self, method: Method[Q, R], request: Q, *, seconds: float = 0, expects: int = 0, blobs: int = 0) -> R:
        """Ask once, and give the answer.

        Args:
            method: what is asked.
            request: with what.
            seconds: how long it may take; 0: as long as a small call, and longer for what is large.
            expects: how many bytes the answer has, if it is large.
            blobs: how many files the server has to make of the request before it answers.

        Raises:
            RemoteError: if there is no answer, or one that is not well formed.
        """
        data = wire.encode(request)
        self.traffic.sent(len(data))
        calls = _Calls()
        stub: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(method.path)
        with (
            self.traffic.during(method.name),
            self._watch.over(calls.cancel, size=len(data) + expects, seconds=seconds) as watched,
        ):
            watched.waits()
            if blobs:
                watched.sent(len(data), blobs)
            with self._errors(method, watched.why):
                call = calls.begun(stub.future(data, timeout=seconds or _LONGEST, metadata=self._metadata(method)))
                answer: bytes = call.result()
            watched.came(len(answer))
        return self._read(method, answer)

    def stream(self, method: Method[Q, R], request: Q, *, silence: float = 0) -> Generator[R, None, None]:
        """Ask once, and give each answer as it comes; closing the iterator cancels the call.

        Args:
            method: what is asked.
            request: with what.
            silence: how long the server may say nothing; 0: as long as a small call may take; infinite: for ever.

        Raises:
            RemoteError: while iterating, as ``call`` does, or if the answers come too slowly.
        """
        data = wire.encode(request)
        self.traffic.sent(len(data))
        with self._errors(method):
            stub: grpc.UnaryStreamMultiCallable[bytes, bytes] = self._channel.unary_stream(method.path)
            answers = stub(data, metadata=self._metadata(method))
        with self.traffic.during(method.name), self._watch.over(answers.cancel, seconds=silence) as watched:
            try:
                while True:
                    watched.waits()
                    with self._errors(method, watched.why):
                        answer: bytes | None = next(answers, None)
                    if answer is None:
                        return
                    watched.came(len(answer))
                    yield self._read(method, answer)
            finally:
                answers.cancel()

    def upload(self, method: Method[Q, R], requests: Iterator[Q], size: int) -> R:
        """Send requests as fast as they are taken, and give the answer; it may come before all are sent.

        Args:
            method: what is asked.
            requests: with what.
            size: bytes that the server has to keep before it answers.

        Raises:
            RemoteError: as ``call`` does.
            DistrolessError, OSError: whatever ``requests`` raises.
        """
        failed: list[DistrolessError | OSError] = []
        calls = _Calls()
        stub: grpc.StreamUnaryMultiCallable[bytes, bytes] = self._channel.stream_unary(method.path)
        with self.traffic.during(method.name), self._watch.over(calls.cancel) as watched:

            def sent() -> Iterator[bytes]:
                try:
                    for request in requests:
                        data = wire.encode(request)
                        self.traffic.sent(len(data))
                        yield data
                        watched.passed(len(data))
                        watched.waits()
                    watched.sent(size)
                except (DistrolessError, OSError) as error:  # raised here, grpc would only log it
                    failed.append(error)
                    calls.cancel()

            watched.waits()
            with self._errors(method, watched.why):
                call = calls.begun(stub.future(sent(), metadata=self._metadata(method)))
            try:
                with self._errors(method, watched.why):
                    answer: bytes = call.result()
            except RemoteError:
                if failed:
                    raise failed[0] from None
                raise
        return self._read(method, answer)

    def redact(self, text: str) -> str:
        """Give a text that the server wrote without anything secret that it was sent."""
        return self._login.redact(text)

    def _metadata(self, method: Method[Any, Any]) -> tuple[tuple[str, str | bytes], ...]:
        try:
            return (*self._headers, *self._login.headers())
        except ConfigError as error:  # it went well when the channel was made
            raise RemoteError(_doing(method, self.endpoint), str(error), Code.UNAUTHENTICATED) from error

    def _read(self, method: Method[Q, R], answer: bytes) -> R:
        self.traffic.received(len(answer))
        try:
            return wire.decode(method.response, answer)
        except FormatError as error:
            raise RemoteError(_doing(method, self.endpoint), error.cause, Code.DATA_LOSS) from error

    def _errors(self, method: Method[Q, R], why: Callable[[], str] = str) -> _Errors:
        return _Errors(method, self.endpoint, self._login, why)


class _Calls:
    """A call that may have to be cancelled before it is known, as it takes time to begin one."""

    def __init__(self) -> None:
        self._call: Any = None
        self._unwanted = False

    def begun(self, call: Any) -> Any:
        """Take and give the call."""
        self._call = call
        if self._unwanted:
            call.cancel()
        return call

    def cancel(self) -> None:
        """End the call, or have it ended as soon as it is known."""
        self._unwanted = True
        if self._call is not None:
            self._call.cancel()


class _Errors:
    """Turns grpc's errors into ours."""

    def __init__(self, method: Method[Any, Any], endpoint: Endpoint, login: Login, why: Callable[[], str]) -> None:
        self._method, self._endpoint, self._login, self._why = method, endpoint, login, why

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        import grpc

        if not isinstance(error, (grpc.RpcError, grpc.FutureCancelledError, ValueError)):
            return
        doing = _doing(self._method, self._endpoint)
        if isinstance(error, ValueError):  # "Cannot invoke RPC on closed channel!"
            raise RemoteError(doing, "the connection is closed", Code.CANCELLED) from error
        if why := self._why():
            raise RemoteError(doing, why, Code.DEADLINE_EXCEEDED) from error
        if not isinstance(error, grpc.Call):
            raise RemoteError(doing, "it was cancelled", Code.CANCELLED) from error
        code = Code(error.code().value[0])
        if code is Code.UNAUTHENTICATED:
            self._login.forget()
        cause, hint = _explain(code, self._login.redact(error.details() or ""), self._endpoint.secure)
        if code is Code.UNAUTHENTICATED and self._login.overlooked:
            cause += f"; {self._login.overlooked}"
        hint = hint.replace("[cache]", f"[{self._endpoint.table}]")
        raise RemoteError(doing, cause, code, hint=hint, said=_status(error)) from error


def _ports(endpoint: Endpoint) -> set[int]:
    """Give the ports that connections to a server lead to: its own, and those of proxies where these are used."""
    found = {endpoint.port}
    for proxy in () if endpoint.local else getproxies_environment().values():
        with suppress(ValueError):
            found.add(urlsplit(proxy).port or 80)
    return found


def _doing(method: Method[Any, Any], endpoint: Endpoint) -> str:
    return f"{method.words} {endpoint.shown}"


def _explain(code: Code, details: str, secure: bool) -> tuple[str, str]:
    """Say why a call failed, and which setting to change."""
    if found := _no_connection(code, details, secure):
        return found
    if code is Code.UNAUTHENTICATED:
        return (
            f"it does not know who asks: {_short(details)}",
            'see "token_file", "credential_helper" and "headers" in [cache]',
        )
    if code is Code.PERMISSION_DENIED:
        return (
            f"it does not allow it: {_short(details)}",
            'see "token_file" in [cache]; without the right to write set upload = false',
        )
    if code is Code.DEADLINE_EXCEEDED:
        return "it gave no answer in time", ""
    if code is Code.UNAVAILABLE:
        return f"it cannot be reached: {_short(details)}", 'see "remote" in [cache]'
    if code is Code.UNIMPLEMENTED:
        return f"it does not offer this: {_short(details)}", "see whether it speaks the Remote Execution API"
    return f"{code.name}: {_short(details)}", ""


def _no_connection(code: Code, details: str, secure: bool) -> tuple[str, str] | None:
    """Say why there is no connection, None if there is one."""
    lower = details.lower()
    if "certificate has expired" in lower:
        return "its certificate has expired", ""
    if "certificate_verify_failed" in lower or "certificate verify failed" in lower:
        return "its certificate is not one that is trusted", 'name the authority\'s file as "ca" in [cache]'
    if "wrong_version_number" in lower:
        return "it does not speak TLS", 'write grpc:// as "remote" in [cache] if that is meant'
    if "no_application_protocol" in lower or "failed parsing http/2" in lower:
        return "what answers there does not speak gRPC", 'see "remote" in [cache]'
    if "ssl" in lower or "tls" in lower:
        return "TLS fails: " + _short(details), "see whether the server expects grpc:// or a client certificate"
    if "domain name not found" in lower or "errors resolving" in lower:
        return "it cannot be reached: no host of this name is known", 'see "remote" in [cache]'
    if "socket closed" in lower and code is Code.UNAVAILABLE:
        other = 'a client certificate: "certificate" and "key"' if secure else 'grpcs://: "remote"'
        return "it closes the connection", f"see whether it is running, and expects {other} in [cache]"
    return None


def _short(details: str) -> str:
    """Give what a person can use of gRPC's words about an error."""
    text = _NOISE.sub("", details.rpartition("last error: ")[2].strip()) or "it says nothing more"
    text = text[:1].lower() + text[1:]
    return text if len(text) <= 300 else f"{text[:300]}..."


def _status(error: Any) -> Status | None:
    """Give the status with details that a server may send beside its code."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            try:
                return wire.decode(Status, value)
            except FormatError:
                return None  # details that cannot be read are as good as none
    return None


def _open(endpoint: Endpoint) -> grpc.Channel:
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # it writes to standard error what calls raise, too
    import grpc

    options = [*_OPTIONS, ("grpc.enable_http_proxy", 0 if endpoint.local else 1)]
    if not endpoint.secure:
        return grpc.insecure_channel(endpoint.target, options)
    ca, certificate, key = certificates.read(endpoint)
    return grpc.secure_channel(endpoint.target, grpc.ssl_channel_credentials(ca, key, certificate), options)
