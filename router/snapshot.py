"""What the gateway knows, held in memory: keys, gateway keys and the catalog as of one moment.

It is built in a thread from the database, and again whenever a trigger on what it reads sends NOTIFY, on reconnect, and
every 10 s if the version counter moved. With the database away the last one goes on serving.
"""

import asyncio
import gc
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

import msgspec
import psycopg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import DatabaseError, connection

from catalog.index import CatalogIndex
from catalog.models import Route
from catalog.queries import load_index
from keys.crypto import CryptoError, open_with
from keys.models import KeyVersion, ProviderKey, SetAside
from keys.prompts import PromptSealer, load_sealers
from keys.services import keyring
from providers.base import Target
from providers.secret import Secret
from router.dialects.base import WeightedModel
from teams.models import GatewayKey, Workspace

logger = logging.getLogger(__name__)

T = TypeVar("T")

CHANNEL = "orqadmin_snapshot"
POLL_S = 10.0
RECONNECT_S = 1.0
GATHER_S = 0.1


# A provider key's version, for the upstream's id of a model; an empty model means all.
KeyName = tuple[UUID, int, str]


class WorkspaceEntry(msgspec.Struct, frozen=True):
    """What a workspace lets its calls do; no allowed regions means all."""

    id: UUID
    allowed_regions: Sequence[str] = ()
    fetch_urls: bool = False
    same_model_fallback: bool = False


class GatewayKeyEntry(msgspec.Struct, frozen=True):
    """A gateway key that may call; ``expires_at`` in Unix seconds. No models or regions allowed means all."""

    id: UUID
    workspace: UUID
    sha256s: Sequence[bytes]
    expires_at: float | None
    models_allowed: Sequence[str] = ()
    allowed_regions: Sequence[str] = ()
    project: UUID | None = None
    project_regions: Sequence[str] = ()


class RouteEntry(msgspec.Struct, frozen=True):
    """A route in use, its targets in order."""

    name: str
    is_weighted: bool
    retries: int
    allowed_regions: Sequence[str]
    same_model_fallback: bool
    targets: Sequence[WeightedModel]


class VersionEntry(msgspec.Struct, frozen=True):
    """One version of a provider key: sealed, with its data key unwrapped; ``until`` in Unix seconds."""

    number: int
    ciphertext: bytes
    additional_data: bytes
    data_key: AESGCM
    until: float | None

    def usable_at(self, now: float) -> bool:
        """Whether it is in use, or still stands by as fallback."""
        return self.until is None or now < self.until

    def open(self) -> Secret:
        """Return the secret; raises CannotOpen."""
        return open_with(self.data_key, self.ciphertext, self.additional_data)


class ProviderKeyEntry(msgspec.Struct, frozen=True):
    """A provider key in use, its version in use first and its fallbacks after."""

    id: UUID
    workspace: UUID
    name: str
    provider: str
    target: Target
    order: int
    weight: int
    versions: Sequence[VersionEntry]


class Snapshot(msgspec.Struct, frozen=True):
    """All that a request needs to be decided."""

    version: int
    workspaces: Mapping[UUID, WorkspaceEntry]
    gateway_keys: Mapping[str, GatewayKeyEntry]
    provider_keys: Mapping[tuple[UUID, str], Sequence[ProviderKeyEntry]]
    routes: Mapping[tuple[UUID, str], RouteEntry]
    catalog: CatalogIndex
    # (outcome, until in Unix seconds) of what some gateway leaves alone for a while.
    set_asides: Mapping[KeyName, tuple[str, float]]
    prompt_sealers: Mapping[UUID, PromptSealer]


def load_snapshot() -> Snapshot:
    """Read a snapshot from the database."""
    # The counter is read first: a change that comes in between is seen again as a newer version.
    version = read_version()
    return Snapshot(
        version,
        _load_workspaces(),
        _load_gateway_keys(),
        _load_provider_keys(),
        _load_routes(),
        load_index(),
        _load_set_asides(),
        load_sealers(),
    )


def read_version() -> int:
    """Return the counter that every change to what the snapshot reads moves."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(version), 0) FROM router_snapshotversion")
        return int(cursor.fetchone()[0])


class SnapshotHolder:
    """Keeps the current snapshot; ``follow`` is its background task."""

    def __init__(self, on_load: Callable[[Snapshot], None]) -> None:
        self.current: Snapshot | None = None
        self._on_load = on_load
        self.loaded = asyncio.Event()

    async def reload(self) -> None:
        """Build a new snapshot in a thread and put it in place."""
        self.current = await asyncio.to_thread(_in_own_connection, load_snapshot)
        self._on_load(self.current)
        self.loaded.set()
        # What was built now stays: the garbage collector need not walk through it again and again. Collected first, for
        # a cycle that is frozen as garbage would never be freed.
        gc.collect()
        gc.freeze()

    async def follow(self, connect: Callable[[], Any]) -> None:
        """Stay current until cancelled. ``connect`` returns an awaitable psycopg.AsyncConnection in autocommit mode."""
        while True:
            try:
                async with await connect() as listening:
                    await listening.execute(f"LISTEN {CHANNEL}")
                    await self.reload()
                    await self._listen(listening)
            except (psycopg.Error, DatabaseError) as error:
                logger.warning("The database is away, the last snapshot serves: %s", type(error).__name__)
            except Exception:
                logger.exception("The snapshot cannot be built, the last one serves")
            await asyncio.sleep(RECONNECT_S)

    async def _listen(self, listening: "psycopg.AsyncConnection[Any]") -> None:
        while True:
            changed = False
            async for _ in listening.notifies(timeout=POLL_S, stop_after=1):
                changed = True
            if changed:
                # One change seldom comes alone, and a reload is work for all.
                await asyncio.sleep(GATHER_S)
            if changed or await self._has_moved():
                await self.reload()

    async def _has_moved(self) -> bool:
        return self.current is None or await asyncio.to_thread(_in_own_connection, read_version) != self.current.version


def _in_own_connection(read: Callable[[], T]) -> T:
    try:
        return read()
    finally:
        connection.close()


def _load_workspaces() -> dict[UUID, WorkspaceEntry]:
    return {
        workspace.pk: WorkspaceEntry(
            workspace.pk, workspace.allowed_regions, workspace.fetch_urls, workspace.same_model_fallback
        )
        for workspace in Workspace.objects.all()
    }


def _load_routes() -> dict[tuple[UUID, str], RouteEntry]:
    return {
        (route.workspace_id, route.name.lower()): RouteEntry(
            route.name,
            route.is_weighted,
            route.retries,
            route.allowed_regions,
            route.same_model_fallback,
            [WeightedModel(target.model_string, target.weight) for target in route.targets.all()],
        )
        for route in Route.objects.filter(enabled=True).prefetch_related("targets")
    }


def _load_set_asides() -> dict[KeyName, tuple[str, float]]:
    return {
        (each.provider_key_id, each.version, each.model): (each.outcome, each.until.timestamp())
        for each in SetAside.objects.all()
    }


def _load_gateway_keys() -> dict[str, GatewayKeyEntry]:
    keys = GatewayKey.objects.for_clients().usable().select_related("project").prefetch_related("secrets")
    return {
        key.public_id: GatewayKeyEntry(
            key.pk,
            key.workspace_id,
            [bytes(secret.sha256) for secret in key.secrets.all()],
            key.expires_at.timestamp() if key.expires_at else None,
            key.models_allowed,
            key.allowed_regions,
            key.project_id,
            key.project.allowed_regions if key.project else (),
        )
        for key in keys
    }


def _load_provider_keys() -> dict[tuple[UUID, str], list[ProviderKeyEntry]]:
    versions = (
        KeyVersion.objects.filter(
            provider_key__enabled=True,
            provider_key__deleted_at=None,
            state__in=[KeyVersion.State.ACTIVE, KeyVersion.State.DRAINING],
        )
        .select_related("provider_key")
        .order_by("provider_key__order", "provider_key__name", "state", "-number")
    )
    by_key: dict[ProviderKey, list[VersionEntry]] = defaultdict(list)
    for version in versions:
        entry = _version_entry(version)
        if entry:
            by_key[version.provider_key].append(entry)
    keys: dict[tuple[UUID, str], list[ProviderKeyEntry]] = defaultdict(list)
    for key, entries in by_key.items():
        keys[key.workspace_id, key.provider].append(
            ProviderKeyEntry(
                key.pk,
                key.workspace_id,
                key.name,
                key.provider,
                Target(key.url, key.settings),
                key.order,
                key.weight,
                entries,
            )
        )
    return dict(keys)


def _version_entry(version: KeyVersion) -> VersionEntry | None:
    context, until = version.seal_context, version.draining_until
    try:
        data_key = keyring().unwrap(version.sealed, context)
    except CryptoError as error:
        logger.error("Version %s cannot be opened and is left out: %s", version.pk, type(error).__name__)
        return None
    return VersionEntry(
        version.number,
        bytes(version.ciphertext),
        context.additional_data("secret"),
        data_key,
        until.timestamp() if until else None,
    )
