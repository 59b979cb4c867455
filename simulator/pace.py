"""How long answers take."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Seconds before the first byte, and for each token after it."""

    first_token_s: float = 0.0
    token_s: float = 0.0


INSTANT = Pace()
# About what a fast model does: a first token after a third of a second, then 90 tokens a second.
NATURAL = Pace(first_token_s=0.35, token_s=0.011)
