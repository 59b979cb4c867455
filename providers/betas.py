"""What becomes of the betas that a client names in its header, at a cloud that knows fewer than Anthropic. Pure.

A cloud refuses a whole request for one beta that it does not know, and clients that believe they talk to Anthropic name
many. Each cloud's module has a table of them. What is in no table goes on, for clients use new betas on the day they
come out.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

BETA_HEADER: Final = "anthropic-beta"


class BetaTable(msgspec.Struct, frozen=True):
    """The betas that a cloud is known to refuse, and those that it knows by another name."""

    refused: frozenset[str]
    renamed: Mapping[str, str]

    def passed_on(self, header: str) -> list[str]:
        """Return what goes on of the betas in ``header``: in their order, each once, by the cloud's names."""
        named = dict.fromkeys(self.renamed.get(beta, beta) for beta in betas_in(header))
        return [beta for beta in named if beta not in self.refused]


def betas_in(header: str) -> list[str]:
    """Return the betas that the header's value lists."""
    return [beta for part in header.split(",") if (beta := part.strip())]
