"""Which module speaks to which provider."""

from collections.abc import Mapping
from typing import Final

from providers import anthropic, vertex
from providers.base import ProviderAPI

PROVIDER_APIS: Final[Mapping[str, ProviderAPI]] = {
    "anthropic": anthropic,
    "google": vertex,
    "simulated": anthropic,
}
