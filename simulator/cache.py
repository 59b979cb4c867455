"""The prompt cache: which part of a prompt is read from it and which is written to it.

Reads go to the longest cached prefix that ends at a breakpoint of this request or up to twenty blocks before one.
Everything from there to the last breakpoint is written. A prefix below the model's minimum is neither. Each use
renews an entry for its own TTL. Organisations and models share nothing.

Source: Anthropic documentation, "Prompt caching" (mixing different TTLs: positions A, B and C).
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from simulator.prompt import Block

LOOKBACK_BLOCKS = 20
# Some 20 MB. Beyond it the prefix that was not used for longest goes, expired or not.
MOST_ENTRIES = 50_000


@dataclass(frozen=True)
class CacheUse:
    """Tokens read from the cache and written to it, by TTL; the rest of the prompt was processed uncached."""

    read: int = 0
    written_5m: int = 0
    written_1h: int = 0

    @property
    def written(self) -> int:
        return self.written_5m + self.written_1h


@dataclass
class _Entry:
    ttl_s: int
    expires_at: float


_Key = tuple[str, str, bytes]


class PromptCache:
    """All cached prefixes. Times are seconds of whatever clock the caller goes by."""

    def __init__(self) -> None:
        # The one not used for longest comes first.
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()

    def use(
        self, organisation: str, model: str, blocks: Sequence[Block], *, minimum_tokens: int | None, now: float
    ) -> CacheUse:
        """Read and write the cache for one request at ``now``, and say what was read and written.

        Without ``minimum_tokens`` the model caches nothing.
        """
        if minimum_tokens is None:
            return CacheUse()
        ends = list(accumulate(block.tokens for block in blocks))
        keys = [(organisation, model, block.prefix) for block in blocks]
        marked = [at for at, block in enumerate(blocks) if block.ttl_s is not None and ends[at] >= minimum_tokens]
        if not marked:
            return CacheUse()
        hit = self._longest_hit(keys, marked, now)
        read = 0 if hit is None else ends[hit]
        for at in {*marked, *(() if hit is None else (hit,))}:
            if ends[at] > read:
                self._store(keys[at], blocks[at].ttl_s or 0, now)
            else:
                self._renew(keys[at], now)
        # Positions A (read), B (boundary) and C of the documentation.
        boundary = max([read, *(ends[at] for at in marked if blocks[at].ttl_s == 3_600)])
        return CacheUse(read, written_5m=max(boundary, ends[marked[-1]]) - boundary, written_1h=boundary - read)

    def _longest_hit(self, keys: Sequence[_Key], marked: Sequence[int], now: float) -> int | None:
        """Return the index of the last block of the longest live prefix that the breakpoints look back to."""
        for breakpoint_at in reversed(marked):
            for at in range(breakpoint_at, max(-1, breakpoint_at - LOOKBACK_BLOCKS), -1):
                entry = self._entries.get(keys[at])
                if entry is not None and entry.expires_at > now:
                    return at
        return None

    def _store(self, key: _Key, ttl_s: int, now: float) -> None:
        self._entries[key] = _Entry(ttl_s, now + ttl_s)
        self._entries.move_to_end(key)
        if len(self._entries) > MOST_ENTRIES:
            self._entries.popitem(last=False)

    def _renew(self, key: _Key, now: float) -> None:
        entry = self._entries.get(key)
        if entry is not None and entry.expires_at > now:
            entry.expires_at = now + entry.ttl_s
            self._entries.move_to_end(key)
