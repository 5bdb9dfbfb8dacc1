"""Which results that others have made count here, and what is said of those that do not.

A result that this machine made counts. One that was found elsewhere counts if nothing is said about keys, or if a
trusted key has signed it; it is kept with the key that was found to have signed it, so that it no longer counts here
either once that key is trusted no more.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import replace

from distroless_rules.storage.signatures import Verifier
from distroless_rules.storage.store import HERE, ActionResult
from distroless_rules.values.digest import Digest
from distroless_rules.values.signing_key import PublicKey

__all__ = ["Trust"]

_KEPT = "kept here from builds that trusted others"
_KINDS = 3  # reasons that are told


class Trust:
    """Judges results; safe for many threads.

    Args:
        keys: the trusted ones; None: whatever a shared cache holds counts.
        accept: whether results that others have made count at all.

    Attributes:
        accept: the same.
    """

    def __init__(self, keys: Collection[PublicKey] | None = None, accept: bool = True) -> None:
        self.accept = accept
        self._keys = None if keys is None else frozenset(map(str, keys))
        self._verifier = None if keys is None else Verifier(keys)
        self._lock = threading.Lock()
        self._refused: dict[str, str] = {}  # key of an action -> why its result does not count

    @property
    def everybody(self) -> bool:
        """Whether results count that nobody vouches for."""
        return self.accept and self._keys is None

    def takes(self, key: str, result: ActionResult) -> bool:
        """Say whether a result counts that is kept on this machine.

        Args:
            key: of its action.
            result: as it is kept.
        """
        if result.voucher == HERE:
            return True
        if not self.accept:
            return False
        if self._keys is None or result.voucher in self._keys:
            return True
        with self._lock:
            self._refused.setdefault(key, _KEPT)
        return False

    def judged(self, key: Digest, result: ActionResult, signatures: Iterable[str]) -> ActionResult | None:
        """Give a result that was found elsewhere with who vouches for it, None if it does not count.

        Args:
            key: the digest of its action.
            result: as it was found, and whole; nobody vouches for it.
            signatures: that came with it.
        """
        if self._verifier is None:
            return result
        signer, cause = self._verifier.signer(key, result, signatures)
        with self._lock:
            if signer is None:
                self._refused[key.hash] = cause
                return None
            self._refused.pop(key.hash, None)
        return replace(result, voucher=str(signer))

    def refused(self) -> str:
        """Say how many results did not count for want of a trusted key's signature, and why; ``""``: none."""
        with self._lock:
            counts = Counter(self._refused.values())
        if not counts:
            return ""
        total = sum(counts.values())
        several = [f"{count} {'is' if count == 1 else 'are'} {cause}" for cause, count in counts.most_common(_KINDS)]
        rest = total - sum(count for _, count in counts.most_common(_KINDS))
        causes = ", ".join([*several, *([f"{rest} have other causes"] if rest else [])])
        what = "1 result" if total == 1 else f"{total} results"
        return f'cannot use {what} that others made: {causes}; see "trusted_keys" in [cache]'
