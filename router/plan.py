"""From a request and the snapshot to the attempts worth making, in order. Pure.

A *leg* is one model at one provider, with the keys that can call it. A plan has the legs of what was asked for (a
model, the targets of a route, the arms of a load balancer), then those of the fallbacks.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final
from uuid import UUID

import msgspec

from catalog.index import CatalogEntry, CatalogIndex, UnknownModel, is_passable_id
from catalog.models import ROUTE_PREFIX
from catalog.providers import PROVIDERS
from catalog.regions import GLOBAL, is_region_allowed, name_region
from providers.base import ProviderAPI, WrongRegion
from providers.registry import PROVIDER_APIS
from router.affinity import by_preference
from router.dialects.base import CallOptions, RequestRefused, Retry
from router.snapshot import GatewayKeyEntry, ProviderKeyEntry, RouteEntry, Snapshot, VersionEntry
from teams.scopes import is_model_allowed

NO_RETRY = Retry(0)
# Names of models come from clients; plans for more of them are not kept.
MOST_KEPT: Final = 10_000
# ARNs are the longest; names become addresses and are kept with plans.
LONGEST_MODEL: Final = 500


class Offered(msgspec.Struct, frozen=True):
    """A model at a provider. ``entry`` is None for an id that the catalog does not know and the provider may."""

    provider: str
    api: ProviderAPI
    model: str
    upstream_id: str
    entry: CatalogEntry | None

    @property
    def model_string(self) -> str:
        """What a client writes to get it."""
        return self.entry.model_string if self.entry else PROVIDERS[self.provider].model_string(self.model)


class Candidate(msgspec.Struct, frozen=True):
    """One attempt that can be made: what to call, with which version of which key.

    ``priced`` has the prices that hold in ``region``; None where the catalog has none.
    """

    offered: Offered
    key: ProviderKeyEntry
    version: VersionEntry
    region: str
    leg: int = 0
    priced: CatalogEntry | None = None


class Plan(msgspec.Struct, frozen=True):
    """What may answer a request: ``candidates`` in order, at least one, and how often to try one of them again.

    ``fallback_on_codes`` are the statuses on which the next model is tried; none means whatever may pass elsewhere.
    """

    candidates: Sequence[Candidate]
    retry: Retry = NO_RETRY
    route: str = ""
    fallback_on_codes: Sequence[int] = ()

    @property
    def is_settled(self) -> bool:
        """Whether it stays the same as long as its snapshot does: there is no choice, and the version has no end."""
        return len(self.candidates) == 1 and self.candidates[0].version.until is None

    def without_leg(self, leg: int) -> "Plan":
        """Return the plan less the candidates of ``leg``, which may leave none."""
        return msgspec.structs.replace(self, candidates=[each for each in self.candidates if each.leg != leg])


class Asked(msgspec.Struct, frozen=True):
    """What a request asks of the planner. ``conversation`` is called only where there is something to choose."""

    model: str
    is_native: bool
    options: CallOptions
    conversation: Callable[[], bytes]


IsFresh = Callable[[Candidate, float], bool]


def make_plan(asked: Asked, snapshot: Snapshot, key: GatewayKeyEntry, *, is_fresh: IsFresh, now: float) -> Plan:
    """Return what to try for a request, and in which order.

    Raises RequestRefused: 400 for a name without its provider, 403 for what the key, its project, its workspace or the
    route does not allow, 404 for an unknown model or route, 422 without a usable key.
    """
    return _Planner(asked, snapshot, key, is_fresh, now).plan()


class Plans:
    """Makes plans, and makes one again only where it may come out differently."""

    def __init__(self, is_fresh: IsFresh) -> None:
        self._is_fresh = is_fresh
        self._snapshot: Snapshot | None = None
        self._kept: dict[tuple[UUID, str, bool], Plan] = {}

    def make(self, asked: Asked, snapshot: Snapshot, key: GatewayKeyEntry, *, now: float) -> Plan:
        """Return what ``make_plan`` does."""
        if snapshot is not self._snapshot:
            self._snapshot, self._kept = snapshot, {}
        name = (key.id, asked.model, asked.is_native)
        is_plain = not asked.options.steers
        plan = self._kept.get(name) if is_plain else None
        if plan is None:
            plan = make_plan(asked, snapshot, key, is_fresh=self._is_fresh, now=now)
            if is_plain and plan.is_settled and len(self._kept) < MOST_KEPT:
                self._kept[name] = plan
        return plan


class _Planner:
    """The making of one plan."""

    def __init__(self, asked: Asked, snapshot: Snapshot, key: GatewayKeyEntry, is_fresh: IsFresh, now: float) -> None:
        self._asked, self._snapshot, self._key = asked, snapshot, key
        self._is_fresh, self._now = is_fresh, now
        self._route: RouteEntry | None = None
        self._conversation: bytes | None = None
        self._wrong_region = ""

    def plan(self) -> Plan:
        options = self._asked.options
        legs = [*self._first_legs(), *self._fallback_legs()]
        usable = [self._usable(offered, is_first=not number) for number, offered in enumerate(legs)]
        if not any(usable) or (options.integration_id is not None and not usable[0]):
            raise self._no_key(legs[0])
        allowed = [[each for each in candidates if not self._forbids(each)] for candidates in usable]
        if not any(allowed):
            raise self._outside_regions(next(iter(each for candidates in usable for each in candidates)))
        ordered = [
            msgspec.structs.replace(candidate, leg=number) if number else candidate
            for number, candidates in enumerate(allowed)
            for candidate in candidates
        ]
        if len(ordered) > 1:
            # What is set aside or rests comes last, and is tried only when all else has failed.
            ordered.sort(key=lambda each: not self._is_fresh(each, self._now))
        retry = options.retry or (Retry(self._route.retries) if self._route else NO_RETRY)
        return Plan(ordered, retry, self._route.name if self._route else "", options.fallback_on_codes)

    # Which models

    def _first_legs(self) -> list[Offered]:
        options = self._asked.options
        if options.load_balancer:
            arms = [(arm.model, arm.model, arm.weight) for arm in options.load_balancer]
            names = by_preference(arms, self._the_conversation())
            offered = [self._find(name, "load_balancer") for name in names]
            # One arm answers; the next one stands in only where no key, or no region, may serve it.
            may_serve = (each for each in offered if self._may_serve(each))
            has_keys = (each for each in offered if self._usable(each))
            return [next(may_serve, None) or next(has_keys, offered[0])]
        model = self._asked.model
        if model.startswith(ROUTE_PREFIX):
            return self._legs_of_route(model)
        self._check_scope(model)
        first = self._find(model, "model")
        if self._snapshot.workspaces[self._key.workspace].same_model_fallback:
            return self._with_same_model([first])
        return [first]

    def _legs_of_route(self, model: str) -> list[Offered]:
        self._check_scope(model)
        route = self._snapshot.routes.get((self._key.workspace, model.removeprefix(ROUTE_PREFIX).lower()))
        if route is None:
            raise _unknown(f"There is no route “{model}”. See AI Gateway > Routes.")
        self._route = route
        names = [target.model for target in route.targets]
        if route.is_weighted:
            arms = [(target.model, target.model, target.weight) for target in route.targets]
            names = by_preference(arms, self._the_conversation())
        legs = self._find_targets(names)
        return self._with_same_model(legs) if route.same_model_fallback else legs

    def _find_targets(self, names: Sequence[str]) -> list[Offered]:
        """Return what a route's targets mean; one that has left the catalog is passed over while another is there."""
        found, missing = [], None
        for name in names:
            try:
                found.append(self._find(name, "model", is_target=True))
            except RequestRefused as refused:
                missing = refused
        if not found:
            raise missing or RequestRefused(
                "The route has no target.", param="model", status=404, code="model_not_found"
            )
        return found

    def _fallback_legs(self) -> list[Offered]:
        return [
            self._find(model, f"fallbacks.{number}.model") for number, model in enumerate(self._asked.options.fallbacks)
        ]

    def _with_same_model(self, legs: Iterable[Offered]) -> list[Offered]:
        """Return ``legs`` with the other offerings of each one's model behind them."""
        catalog, found = self._snapshot.catalog, list(legs)
        for first in list(found):
            if first.entry is None:
                continue
            for entry in catalog.of_model(first.entry.model):
                known = {each.entry.id for each in found if each.entry}
                is_ours = (self._key.workspace, entry.provider) in self._snapshot.provider_keys
                if entry.is_callable and is_ours and entry.id not in known and not self._scope_forbids(entry):
                    found.append(_offered_as(entry))
        return found

    def _find(self, model: str, param: str, *, is_target: bool = False) -> Offered:
        if not is_target and param != "model":
            self._check_scope(model, param)
        try:
            return find_offered(model, self._snapshot.catalog, is_native=self._asked.is_native)
        except UnknownModel as unknown:
            raise RequestRefused(str(unknown), param=param, status=unknown.status, code=unknown.code) from None

    def _check_scope(self, model: str, param: str = "model") -> None:
        allowed_models = self._key.models_allowed
        if not any(is_model_allowed(name, allowed_models) for name in (model, self._full_name(model))):
            allowed = ", ".join(allowed_models)
            message = f"This gateway key may not call {model}. It may call: {allowed}."
            raise RequestRefused(message, param=param, status=403, code="insufficient_scope")

    def _scope_forbids(self, entry: CatalogEntry) -> bool:
        allowed = self._key.models_allowed
        return bool(allowed) and not is_model_allowed(entry.model_string, allowed)

    def _full_name(self, model: str) -> str:
        """Return the catalog's own string for ``model``, under which keys allow it; else the name as it is."""
        if model.startswith(ROUTE_PREFIX):
            return model
        try:
            return find_offered(model, self._snapshot.catalog, is_native=self._asked.is_native).model_string
        except UnknownModel:
            return model

    # Which keys

    def _usable(self, offered: Offered, *, is_first: bool = True) -> list[Candidate]:
        """Return the candidates of a leg, best first, whatever their region and health."""
        keys = self._snapshot.provider_keys.get((self._key.workspace, offered.provider), ())
        wanted = self._asked.options.integration_id
        if wanted is not None:
            named = [key for key in keys if wanted in (str(key.id), key.name)]
            # A fallback at another provider cannot use the key that was named.
            keys = named if named or is_first else keys
        if len(keys) > 1:
            keys = self._in_order(keys)
        return [candidate for key in keys for candidate in self._of_key(offered, key)]

    def _of_key(self, offered: Offered, key: ProviderKeyEntry) -> list[Candidate]:
        try:
            region = offered.api.region_of(offered.upstream_id, key.target)
        except WrongRegion as error:
            self._wrong_region = str(error)
            return []
        entry = offered.entry
        priced = self._snapshot.catalog.served(entry, region) if entry and region else entry
        return [
            Candidate(offered, key, version, region, priced=priced)
            for version in key.versions
            if version.usable_at(self._now)
        ]

    def _in_order(self, keys: Sequence[ProviderKeyEntry]) -> list[ProviderKeyEntry]:
        """Return ``keys`` by their order; those of the same order by weight, as the conversation's hash has it."""
        if len({key.order for key in keys}) == len(keys):
            return list(keys)  # The snapshot has them in order.
        by_order: dict[int, list[ProviderKeyEntry]] = {}
        for key in keys:
            by_order.setdefault(key.order, []).append(key)
        return [key for order in sorted(by_order) for key in self._by_weight(by_order[order])]

    def _by_weight(self, keys: Sequence[ProviderKeyEntry]) -> list[ProviderKeyEntry]:
        if len(keys) == 1:
            return list(keys)
        return by_preference([(key, str(key.id), key.weight) for key in keys], self._the_conversation())

    def _the_conversation(self) -> bytes:
        # Once for all choices: what is random must stay the same within one plan.
        if self._conversation is None:
            self._conversation = self._asked.conversation()
        return self._conversation

    # Which regions

    def _may_serve(self, offered: Offered) -> bool:
        return not all(map(self._forbids, self._usable(offered)))

    def _forbids(self, candidate: Candidate) -> str:
        """Return whose rule keeps ``candidate`` from being used, '' if none does."""
        return next((owner for owner, allowed in self._rules() if not is_region_allowed(candidate.region, allowed)), "")

    def _rules(self) -> Iterator[tuple[str, Sequence[str]]]:
        workspace, key = self._snapshot.workspaces[self._key.workspace], self._key
        rules = [("the workspace", workspace.allowed_regions), ("the project", key.project_regions)]
        rules.append(("the gateway key", key.allowed_regions))
        if self._route:
            rules.append((f"the route {self._route.name}", self._route.allowed_regions))
        return ((owner, allowed) for owner, allowed in rules if allowed)

    def _outside_regions(self, candidate: Candidate) -> RequestRefused:
        owner = self._forbids(candidate)
        allowed = ", ".join(map(name_region, next(regions for name, regions in self._rules() if name == owner)))
        region = name_region(candidate.region) or "no region that its provider names"
        served = "anywhere (global)" if candidate.region == GLOBAL else f"in {region}"
        message = f"{candidate.offered.model_string} is served {served}; {owner} allows only {allowed}."
        if candidate.region == GLOBAL:
            message += " Ask for an offering of a region, or let the provider key call by its own region, under"
            message += " AI Gateway > BYOK."
        return RequestRefused(message, param="model", status=403, code="region_not_allowed")

    def _no_key(self, offered: Offered) -> RequestRefused:
        name, wanted = PROVIDERS[offered.provider].name, self._asked.options.integration_id
        if wanted is not None:
            message = f"No provider key of {name} in use is named “{wanted}”. See AI Gateway > BYOK."
        elif self._wrong_region:
            message = self._wrong_region
        else:
            message = f"No provider key for {name} is in use. Add or enable one under AI Gateway > BYOK."
        return RequestRefused(message, param="model", status=422, code="model_configuration_missing")


def _unknown(message: str) -> RequestRefused:
    return RequestRefused(message, param="model", status=404, code="model_not_found")


def find_offered(model: str, catalog: CatalogIndex, *, is_native: bool) -> Offered:
    """Return what a client means by ``model``; raises UnknownModel.

    The native endpoint's clients send bare ids of Anthropic's, and a new model must work on the day it comes out.
    """
    if len(model) > LONGEST_MODEL:
        raise UnknownModel("The model's name is too long to be one.", status=404, code="model_not_found")
    provider, slash, name = model.partition("/")
    if is_native and not slash:
        provider, name = "anthropic", model
        known = catalog.find(provider, name)
    else:
        known = catalog.find(provider, name)
        if known is None and not _passes_unknown(provider, name, is_native=is_native):
            known = catalog.resolve(model)
    if known is not None:
        return _offered_as(known)
    return Offered(provider, PROVIDER_APIS[provider], name, name, None)


def _passes_unknown(provider: str, name: str, *, is_native: bool) -> bool:
    if provider not in PROVIDER_APIS:
        return False
    return is_passable_id(provider, name) or (is_native and name.startswith("claude-"))


def _offered_as(entry: CatalogEntry) -> Offered:
    return Offered(entry.provider, PROVIDER_APIS[entry.provider], entry.model, entry.upstream_id, entry)
