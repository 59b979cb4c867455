"""What one gateway process holds from start to stop: snapshot, outbox, upstream connections and the calls under way."""

import asyncio
import gc
import logging
import time
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.db import connection
from psycopg import AsyncConnection

from router.asgi_types import Receive
from router.body import BodyReader
from router.call import Call, Means
from router.fetching import UrlFetcher
from router.health import Health
from router.outbox import OutboxUnavailable, OutboxWriter
from router.plan import Plans
from router.snapshot import Snapshot, SnapshotHolder
from router.tokens import AccessTokens
from router.upstream import Timeouts, UpstreamClient
from usage.records import SetAsideRecord

logger = logging.getLogger(__name__)

# After the server has stopped waiting for clients, calls still running get this long before they are cut.
STOP_GRACE_S = 2.0
FIRST_SNAPSHOT_S = 20.0
# How long a call runs before anybody looks whether its client is still there; most are over by then.
WATCH_AFTER_S = 0.05
# Requests leave hardly any cycles behind: looking for them every 700 objects takes a tenth of the time.
COLLECT_EVERY = 50_000


class _Carried:
    """A call under way, and who watches its client."""

    __slots__ = ("begun", "call", "receive", "task", "watching")

    def __init__(self, call: Call, task: "asyncio.Task[Any]", receive: Receive) -> None:
        self.call, self.task, self.receive = call, task, receive
        self.begun = time.monotonic()
        self.watching: asyncio.Task[None] | None = None

    async def watch(self) -> None:
        """Abandon the call when its client leaves."""
        # The body is read, so the next message says that the client has left.
        await self.receive()
        if not self.call.reply.is_complete:
            self.call.abandon(self.task)


class Gateway:
    """One process's gateway; made once there is an event loop."""

    def __init__(self) -> None:
        gc.set_threshold(COLLECT_EVERY)
        self.bodies = BodyReader(most_bytes=settings.MAX_BODY_BYTES, longest_s=settings.BODY_TIMEOUT_S)
        self.outbox = OutboxWriter(settings.OUTBOX_DIR, flush_to_disk=settings.OUTBOX_SYNCHRONOUS == "FULL")
        self.health = Health(self._record_set_aside)
        self.plans = Plans(self.health.is_fresh)
        upstream = UpstreamClient()
        self.means = Means(
            upstream=upstream,
            outbox=self.outbox,
            health=self.health,
            tokens=AccessTokens(upstream, token_uri=settings.GOOGLE_TOKEN_URI),
            fetcher=UrlFetcher(),
            timeouts=Timeouts(
                connect=settings.CONNECT_TIMEOUT_S,
                first_byte=settings.FIRST_BYTE_TIMEOUT_S,
                between_bytes=settings.BETWEEN_BYTES_TIMEOUT_S,
                whole=settings.CALL_TIMEOUT_S,
            ),
        )
        self.holder = SnapshotHolder(self._take_over)
        self._carried: dict[asyncio.Task[Any], _Carried] = {}
        self._background = [
            asyncio.create_task(self.holder.follow(_connect)),
            asyncio.create_task(self._watch_clients()),
        ]

    async def wait_for_snapshot(self) -> None:
        """Wait for the first snapshot, but not for ever: without a database ``/readyz`` says so."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.holder.loaded.wait(), FIRST_SNAPSHOT_S)

    async def carry(self, call: Call, receive: Receive) -> None:
        """Run ``call`` in this task, which outlives the client, and abandon it when the client leaves."""
        task = asyncio.current_task()
        if task is None:
            raise AssertionError("coroutines run in tasks")
        carried = self._carried[task] = _Carried(call, task, receive)
        try:
            await call.run()
        finally:
            del self._carried[task]
            if carried.watching is not None:
                carried.watching.cancel()

    async def close(self) -> None:
        """Let the calls that still run end, then cut them; each is settled either way."""
        await self._wait_for_calls()
        for task in self._carried:
            task.cancel()
        await self._wait_for_calls()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self.means.tokens.close()
        await self.means.fetcher.close()
        await self.means.upstream.close()
        self.outbox.close()

    async def _wait_for_calls(self) -> None:
        if self._carried:
            await asyncio.wait(list(self._carried), timeout=STOP_GRACE_S)

    async def _watch_clients(self) -> None:
        # One look at all calls, now and then, costs less than a timer for each.
        while True:
            await asyncio.sleep(WATCH_AFTER_S)
            try:
                await self._look_at_calls(time.monotonic())
            except Exception:
                # Without this task nobody would notice clients that leave, for as long as the process lives.
                logger.exception("A look at the calls under way failed")

    async def _look_at_calls(self, now: float) -> None:
        self.bodies.end_slow(now)
        for carried in list(self._carried.values()):
            if carried.watching is None and carried.begun < now - WATCH_AFTER_S:
                carried.watching = asyncio.create_task(carried.watch())
            await carried.call.reply.ping(now, after_s=settings.PING_AFTER_S)

    def _take_over(self, snapshot: Snapshot) -> None:
        self.health.sync(snapshot.set_asides)
        in_use = [
            (key.id, version.number)
            for keys in snapshot.provider_keys.values()
            for key in keys
            for version in key.versions
        ]
        self.means.tokens.forget(keep=in_use)

    def _record_set_aside(self, change: SetAsideRecord) -> None:
        try:
            self.outbox.note(change)
        except OutboxUnavailable as error:
            logger.error("A key set aside could not be recorded, so pages do not show it: %s", error)


async def _connect() -> AsyncConnection[tuple[object, ...]]:
    # A direct connection of our own: LISTEN does not work through a transaction pooler.
    parameters = connection.get_connection_params()
    return await AsyncConnection.connect(
        **{name: parameters[name] for name in ("dbname", "user", "password", "host", "port") if name in parameters},
        autocommit=True,
        connect_timeout=5,
    )
