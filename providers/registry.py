"""Which module speaks to which provider."""

from collections.abc import Mapping
from typing import Final

from providers import anthropic, bedrock, openai, vertex
from providers.base import ProviderAPI

PROVIDER_APIS: Final[Mapping[str, ProviderAPI]] = {
    "anthropic": anthropic,
    "aws": bedrock,
    "google": vertex,
    "openai": openai,
    "simulated": anthropic,
}
