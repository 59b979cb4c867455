"""What became of a request's attempts, in plain words: what followed each, and what the cache did. Pure."""

from usage.models import Attempt


def what_followed(attempt: Attempt, later: Attempt | None, key_name: str | None) -> str:
    """Say what came after ``attempt``: ``later``, whose provider key is called ``key_name``, or nothing."""
    if attempt.state == Attempt.State.OPEN:
        return "It is under way."
    if later is not None:
        return _next_step(attempt, later, key_name or "another key")
    if not attempt.final:
        return "Another attempt follows."
    if not attempt.error_code:
        return "It answered the request."
    if attempt.error_code == "client_closed_request":
        return "Nobody was left to answer."
    if attempt.ttft_ms is not None or attempt.certainty == Attempt.Certainty.PARTIAL:
        return "The answer had begun, so nothing else could take over."
    return "Nothing was left to try."


def _next_step(attempt: Attempt, later: Attempt, key_name: str) -> str:
    if (attempt.provider, attempt.model) != (later.provider, later.model):
        return f"Fallback: {later.provider}/{later.model} was tried next."
    if attempt.provider_key_id != later.provider_key_id:
        return f"Next key: {key_name} was tried next."
    if attempt.provider_key_version != later.provider_key_version:
        return f"Next version: v{later.provider_key_version} of the same key was tried next."
    if attempt.region != later.region:
        return f"Next region: {later.region or 'any'} was tried next."
    return "Retry: the same was tried again."


def usage_words(attempt: Attempt) -> str:
    """Say how sure an attempt's token counts are, or why there are none."""
    if attempt.state == Attempt.State.OPEN:
        return "Not known yet"
    if attempt.certainty == Attempt.Certainty.EXACT and not attempt.has_usage:
        return "None used"
    return str(attempt.get_certainty_display())


def cache_words(attempt: Attempt, min_cacheable_tokens: int | None) -> list[str]:
    """Say what the prompt cache did for ``attempt``, one sentence each; ``min_cacheable_tokens`` is the model's."""
    read, total = attempt.cache_read_input_tokens, attempt.input_tokens
    if not attempt.has_usage or total is None or read is None:
        return ["Not known." if attempt.certainty != Attempt.Certainty.EXACT else "Nothing was sent to it to cache."]
    written = [
        f"{tokens:,} for {time}"
        for tokens, time in (
            (attempt.cache_write_5m_input_tokens, "5 minutes"),
            (attempt.cache_write_1h_input_tokens, "1 hour"),
        )
        if tokens
    ]
    if not read and not written:
        return [_nothing_cached(total, min_cacheable_tokens)]
    found = f"Read {read:,} of {total:,} input tokens from the cache." if read else "Nothing was read from the cache."
    return [found, f"Wrote {' and '.join(written)}."] if written else [found]


def _nothing_cached(total: int, minimum: int | None) -> str:
    if minimum is not None and total < minimum:
        return (
            f"Nothing was cached: {total:,} input tokens are fewer than the {minimum:,} "
            "that this model needs before it caches anything."
        )
    needed = f" A marked part must be at least {minimum:,} tokens long." if minimum else ""
    return f"Nothing was read or written. A prompt is cached only where it is marked with cache_control.{needed}"


def savings_words(attempt: Attempt) -> str:
    """Say what caching did to the cost; empty where it did nothing."""
    if not attempt.cache_savings_nano or not attempt.has_usage:
        return ""
    if attempt.cache_savings_nano > 0:
        return "saved against the same tokens uncached"
    return "more than the same tokens uncached; reading what was written earns it back"
