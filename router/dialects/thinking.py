"""Thinking: the client's ``thinking`` or effort to the kind of thinking that the model has.

Source: Anthropic API documentation, "Extended thinking", "Adaptive thinking" and "Effort".
"""

from typing import Any

from router.dialects.base import ModelFacts, RequestRefused
from router.dialects.fields import Fields

LEAST_BUDGET_TOKENS = 1024
# docs/compatibility.md shows this table.
EFFORT_BUDGET_TOKENS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 32768, "max": 65536}
_EFFORT_LEVELS = ("low", "medium", "high", "xhigh", "max")
EFFORTS = ("none", *EFFORT_BUDGET_TOKENS)
_KINDS = ("enabled", "adaptive")
_OFF_KINDS = ("disabled", "between_tools")
_SHOWN = {
    "adaptive": '{"type": "adaptive"}',
    "enabled": '{"type": "enabled", "budget_tokens": …}',
    "disabled": '{"type": "disabled"}',
    "between_tools": '{"type": "between_tools"}',
}


def read_thinking(thinking: Fields, facts: ModelFacts, max_tokens: int | None) -> dict[str, Any] | None:
    """Return the Messages ``thinking`` for what the client asked. Raises RequestRefused where the model lacks it."""
    kind = thinking.one_of("type", (*_KINDS, *_OFF_KINDS))
    if kind is None:
        raise thinking.refuse("type", "must be enabled, adaptive, disabled or between_tools.")
    if kind == "disabled" and not facts.thinking:
        return None
    if kind not in facts.thinking | facts.thinking_off:
        raise thinking.refuse("type", f'cannot be "{kind}" on this model: {_what_it_has(facts)}')
    if kind == "enabled":
        budget = thinking.integer("budget_tokens", LEAST_BUDGET_TOKENS)
        if budget is None:
            raise thinking.refuse("budget_tokens", f"is required, an integer of at least {LEAST_BUDGET_TOKENS}.")
        if budget >= (max_tokens or facts.max_output_tokens):
            limit = "max_tokens, which is" if max_tokens else "the most this model gives,"
            raise thinking.refuse(
                "budget_tokens", f"must be less than {limit} {max_tokens or facts.max_output_tokens}."
            )
        return {**thinking.values, "budget_tokens": budget}
    return thinking.values


def thinking_for_effort(
    effort: str, facts: ModelFacts, max_tokens: int | None, *, path: str, tools_under_way: bool
) -> dict[str, Any] | None:
    """Return the Messages ``thinking`` that an effort stands for, or None to leave it out.

    ``tools_under_way`` says that the last turn calls tools and came without its reasoning; a budget model would
    refuse to think on from there, so it does not.
    """
    if effort == "none":
        off = next((kind for kind in _OFF_KINDS if kind in facts.thinking_off), None)
        return {"type": off} if off and facts.thinking else None
    if "adaptive" in facts.thinking:
        return {"type": "adaptive"}
    if "enabled" not in facts.thinking:
        raise RequestRefused(f"{path} needs a model that thinks; leave it out for this one.", param=path)
    room = max_tokens or facts.max_output_tokens
    if room <= LEAST_BUDGET_TOKENS:
        raise RequestRefused(f"{path} needs a max_tokens above {LEAST_BUDGET_TOKENS} on this model.", param=path)
    if tools_under_way:
        return None
    # Half of the room at most, so that an answer still fits.
    budget = min(EFFORT_BUDGET_TOKENS[effort], room // 2)
    return {"type": "enabled", "budget_tokens": max(budget, LEAST_BUDGET_TOKENS)}


def fill_max_tokens(max_tokens: int | None, thinking: dict[str, Any] | None, facts: ModelFacts) -> int:
    """Return the client's ``max_tokens``, or where it left that out the model's default beside any budget."""
    if max_tokens:
        return max_tokens
    budget: int = (thinking or {}).get("budget_tokens", 0)
    return min((facts.default_max_tokens or facts.max_output_tokens) + budget, facts.max_output_tokens)


def effort_level(effort: str | None, facts: ModelFacts, thinking: dict[str, Any] | None) -> str | None:
    """Return the ``output_config.effort`` nearest to ``effort`` among those the model takes, lower before higher.

    For none it is the least where the model cannot stop thinking. ``thinking`` is what is sent beside it.
    """
    if effort is None or "adaptive" not in facts.thinking or (effort == "none" and facts.thinking_off):
        return None
    wanted = _EFFORT_LEVELS.index("low" if effort in ("none", "minimal") else effort)
    if thinking and thinking["type"] in _OFF_KINDS and facts.thinking_off_up_to:
        wanted = min(wanted, _EFFORT_LEVELS.index(facts.thinking_off_up_to))
    nearest_first = [*reversed(_EFFORT_LEVELS[: wanted + 1]), *_EFFORT_LEVELS[wanted + 1 :]]
    return next((level for level in nearest_first if level in facts.efforts), None)


def thinks_in_silence(facts: ModelFacts) -> bool:
    """True for models that keep their thoughts to themselves unless told otherwise: those with adaptive thinking only.

    Source: Anthropic API documentation, "Adaptive thinking", on ``display``.
    """
    return "adaptive" in facts.thinking and "enabled" not in facts.thinking


def _what_it_has(facts: ModelFacts) -> str:
    if not facts.thinking:
        return "it has no thinking. Leave the field out."
    kinds = [shown for kind, shown in _SHOWN.items() if kind in facts.thinking | facts.thinking_off]
    return f"it has {' or '.join(kinds)}."
