"""A made-up trace of a service's day in small: when requests came, how long they and their answers were.

It has the form of the public Azure LLM inference traces (columns TIMESTAMP, ContextTokens, GeneratedTokens) and a
similar distribution, but none of their rows. ``python -m simulator.trace`` writes ``trace.csv`` anew, always the same.
"""

import csv
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

TRACE_FILE = Path(__file__).with_name("trace.csv")
ROWS = 300
SEED = 20
_COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
_FIRST_AT = datetime(2026, 1, 12, 9, 0, tzinfo=UTC)
# Natural logarithms of medians 1,470 and 13 tokens, and spreads that put one in ten above 5,200 and 55.
_CONTEXT_MU, _CONTEXT_SIGMA, _CONTEXT_MOST = 7.29, 1.0, 7_437
_GENERATED_MU, _GENERATED_SIGMA, _GENERATED_LEAST = 2.56, 1.13, 6
# Requests come in bursts: mean seconds between two of one burst, and between two bursts.
_WITHIN_BURST_S, _BETWEEN_BURSTS_S, _BURST_ENDS = 0.25, 7.0, 0.22


@dataclass(frozen=True)
class Arrival:
    """One request: seconds after the trace's first, tokens of its prompt, tokens of its answer."""

    after_s: float
    context_tokens: int
    generated_tokens: int


def read_trace(path: Path = TRACE_FILE) -> list[Arrival]:
    """Return the arrivals of a trace file in order."""
    with path.open(newline="") as file:
        rows = [(datetime.fromisoformat(row[0]), int(row[1]), int(row[2])) for row in list(csv.reader(file))[1:]]
    first_at = rows[0][0]
    return [Arrival((at - first_at).total_seconds(), context, generated) for at, context, generated in rows]


def make_trace(*, rows: int = ROWS, seed: int = SEED) -> Iterator[Arrival]:
    """Yield a made-up trace; the same seed makes the same one."""
    dice = random.Random(seed)  # noqa: S311  # repeatable on purpose, and no secret
    after_s = 0.0
    for _ in range(rows):
        context = min(max(int(dice.lognormvariate(_CONTEXT_MU, _CONTEXT_SIGMA)), 3), _CONTEXT_MOST)
        generated = max(int(dice.lognormvariate(_GENERATED_MU, _GENERATED_SIGMA)), _GENERATED_LEAST)
        yield Arrival(round(after_s, 3), context, generated)
        is_burst_over = dice.random() < _BURST_ENDS
        after_s += dice.expovariate(1 / (_BETWEEN_BURSTS_S if is_burst_over else _WITHIN_BURST_S))


def write_trace(path: Path = TRACE_FILE) -> None:
    """Write the made-up trace to ``path``."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for arrival in make_trace():
            at = _FIRST_AT.replace(tzinfo=None) + timedelta(seconds=arrival.after_s)
            writer.writerow((at.isoformat(" ", "milliseconds"), arrival.context_tokens, arrival.generated_tokens))


if __name__ == "__main__":
    write_trace()
