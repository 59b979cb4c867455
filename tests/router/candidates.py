"""Candidates made by hand, for what is tested without a gateway."""

from uuid import UUID, uuid5

from providers.base import Target
from providers.registry import PROVIDER_APIS
from router.plan import Candidate, Offered
from router.snapshot import ProviderKeyEntry, VersionEntry

_NAMESPACE = UUID(int=0)


def candidate(
    key: str = "one", *, model: str = "claude-sonnet-4-6", leg: int = 0, version: int = 1, origin: str = "https://here"
) -> Candidate:
    """Return a candidate of Anthropic's that the catalog seems to know."""
    entry = ProviderKeyEntry(uuid5(_NAMESPACE, key), _NAMESPACE, key, "anthropic", Target(origin), 0, 1, [])
    offered = Offered("anthropic", PROVIDER_APIS["anthropic"], model, model, KNOWN)
    return Candidate(offered, entry, VersionEntry(version, b"", b"", None, None), "", leg)  # type: ignore[arg-type]


class _Known:
    """Stands for a catalog entry; nothing here looks into it."""

    model_string = "anthropic/known"


KNOWN: object = _Known()
