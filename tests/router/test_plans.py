"""A plan is kept only where asking again could not give another one."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace

from catalog.index import CatalogIndex
from providers.base import Target
from router.dialects.base import CallOptions, RequestRefused, Retry, WeightedModel
from router.plan import LONGEST_MODEL, MOST_KEPT, Asked, Plan, Plans
from router.snapshot import GatewayKeyEntry, ProviderKeyEntry, Snapshot, VersionEntry, WorkspaceEntry

WORKSPACE = WorkspaceEntry(uuid4())
KEY = GatewayKeyEntry(uuid4(), WORKSPACE.id, [], None)
MODEL = "claude-not-in-the-catalog"
NOW = 1_790_000_000.0


def version(number: int = 1, until: float | None = None) -> VersionEntry:
    return VersionEntry(number, b"", b"", None, until)  # type: ignore[arg-type]


def snapshot(*keys: Sequence[VersionEntry]) -> Snapshot:
    """Return a snapshot with one provider key of Anthropic's for each list of versions."""
    entries = [
        ProviderKeyEntry(uuid4(), WORKSPACE.id, f"key {number}", "anthropic", Target(), number, 1, versions)
        for number, versions in enumerate(keys)
    ]
    provider_keys = {(WORKSPACE.id, "anthropic"): entries}
    return Snapshot(1, {WORKSPACE.id: WORKSPACE}, {}, provider_keys, {}, CatalogIndex([]), {}, {})


class Asking:
    """A short word for making a plan."""

    def __init__(self) -> None:
        self.plans = Plans(lambda candidate, now: True)

    def __call__(
        self, seen: Snapshot, *, model: str = MODEL, key: GatewayKeyEntry = KEY, now: float = NOW, **options: Any
    ) -> Plan:
        return self.plans.make(Asked(model, True, CallOptions(**options), lambda: b""), seen, key, now=now)


@pytest.fixture
def ask() -> Asking:
    return Asking()


def test_a_plan_without_a_choice_is_kept(ask: Asking) -> None:
    seen = snapshot([version()])

    assert ask(seen) is ask(seen)


def test_what_does_not_steer_does_not_matter(ask: Asking) -> None:
    seen = snapshot([version()])

    assert ask(seen) is ask(seen, metadata={"team": "search"}, tags=("a",), timeout_ms=5)


def test_a_new_snapshot_makes_new_plans(ask: Asking) -> None:
    ask(snapshot([version(1)]))

    assert ask(snapshot([version(2)])).candidates[0].version.number == 2
    with pytest.raises(RequestRefused):
        ask(snapshot())


@pytest.mark.parametrize(
    "steering",
    [
        {"retry": Retry(2)},
        {"fallbacks": ("anthropic/claude-other",)},
        {"fallback_on_codes": (500,)},
        {"integration_id": "key 0"},
    ],
)
def test_a_request_that_steers_gets_its_own_plan(ask: Asking, steering: dict[str, Any]) -> None:
    seen = snapshot([version()])
    kept = ask(seen)

    assert ask(seen, **steering) is not kept
    assert ask(seen) is kept


def test_keys_and_models_have_plans_of_their_own(ask: Asking) -> None:
    seen = snapshot([version()])
    ask(seen)
    narrow = GatewayKeyEntry(uuid4(), WORKSPACE.id, [], None, models_allowed=["anthropic/claude-opus-4-6"])

    assert ask(seen, model="claude-another").candidates[0].offered.model == "claude-another"
    with pytest.raises(RequestRefused):
        ask(seen, key=narrow)


def test_where_there_is_a_choice_it_is_made_each_time(ask: Asking) -> None:
    seen = snapshot([version()], [version()])

    assert ask(seen) is not ask(seen)


def test_a_version_that_ends_is_not_planned_with_after_its_end(ask: Asking) -> None:
    seen = snapshot([version(until=NOW + 1)])
    ask(seen)

    with pytest.raises(RequestRefused):
        ask(seen, now=NOW + 2)


def test_names_without_end_do_not_fill_the_memory(ask: Asking) -> None:
    seen = snapshot([version()])

    for number in range(MOST_KEPT + 100):
        ask(seen, model=f"claude-{number}")

    assert len(ask.plans._kept) == MOST_KEPT


def test_endless_name_is_no_model(ask: Asking) -> None:
    with pytest.raises(RequestRefused) as refused:
        ask(snapshot([version()]), model="claude-" + "x" * LONGEST_MODEL)

    assert refused.value.status == 404


def test_fallback_is_told_as_one_where_nothing_can_call_the_model_itself(ask: Asking) -> None:
    profile = "aws/arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc"

    plan = ask(snapshot([version()]), model=profile, fallbacks=(MODEL,))

    assert [candidate.leg for candidate in plan.candidates] == [1]


def test_load_balancer_passes_over_arms_outside_the_regions(ask: Asking) -> None:
    abroad, at_home = (f"aws/arn:aws:bedrock:{region}::foundation-model/x" for region in ("us-east-1", "eu-west-1"))
    keys = [
        ProviderKeyEntry(uuid4(), WORKSPACE.id, region, "aws", Target(settings={"region": region}), 0, 1, [version()])
        for region in ("us-east-1", "eu-west-1")
    ]
    seen = replace(snapshot(), provider_keys={(WORKSPACE.id, "aws"): keys})
    european = replace(KEY, allowed_regions=["eu"])

    for weights in ((1_000.0, 0.001), (0.001, 1_000.0)):
        arms = tuple(map(WeightedModel, (abroad, at_home), weights))
        plan = ask(seen, model="ignored", key=european, load_balancer=arms)

        assert [candidate.region for candidate in plan.candidates] == ["eu-west-1"]
