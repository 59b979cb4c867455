"""Where Bedrock is, and which regions a model id may be called from. Pure.

Newer Claude models are served through inference profiles only: a prefix before the model's id names the area that a
call may be served in (``us.anthropic.…``, ``global.anthropic.…``), and an area can be called from its own regions only.
Source: Amazon Bedrock User Guide, "Regional availability by endpoints", "Supported Regions and models for inference
profiles", as of 2026-09.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from providers.base import WrongRegion

REGIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "us-east-1": "US East (N. Virginia)",
        "us-east-2": "US East (Ohio)",
        "us-west-1": "US West (N. California)",
        "us-west-2": "US West (Oregon)",
        "ca-central-1": "Canada (Central)",
        "ca-west-1": "Canada West (Calgary)",
        "mx-central-1": "Mexico (Central)",
        "sa-east-1": "South America (São Paulo)",
        "eu-central-1": "Europe (Frankfurt)",
        "eu-central-2": "Europe (Zurich)",
        "eu-north-1": "Europe (Stockholm)",
        "eu-south-1": "Europe (Milan)",
        "eu-south-2": "Europe (Spain)",
        "eu-west-1": "Europe (Ireland)",
        "eu-west-2": "Europe (London)",
        "eu-west-3": "Europe (Paris)",
        "af-south-1": "Africa (Cape Town)",
        "il-central-1": "Israel (Tel Aviv)",
        "me-central-1": "Middle East (UAE)",
        "me-south-1": "Middle East (Bahrain)",
        "ap-east-2": "Asia Pacific (Taipei)",
        "ap-northeast-1": "Asia Pacific (Tokyo)",
        "ap-northeast-2": "Asia Pacific (Seoul)",
        "ap-northeast-3": "Asia Pacific (Osaka)",
        "ap-south-1": "Asia Pacific (Mumbai)",
        "ap-south-2": "Asia Pacific (Hyderabad)",
        "ap-southeast-1": "Asia Pacific (Singapore)",
        "ap-southeast-2": "Asia Pacific (Sydney)",
        "ap-southeast-3": "Asia Pacific (Jakarta)",
        "ap-southeast-4": "Asia Pacific (Melbourne)",
        "ap-southeast-5": "Asia Pacific (Malaysia)",
        "ap-southeast-6": "Asia Pacific (New Zealand)",
        "ap-southeast-7": "Asia Pacific (Thailand)",
        "us-gov-east-1": "AWS GovCloud (US-East)",
        "us-gov-west-1": "AWS GovCloud (US-West)",
    }
)

GLOBAL: Final = "global"
AREAS: Final = ("us", "eu", "apac", "jp", "au", "in", "ca", "us-gov", GLOBAL)
# What a key's setting "inference_profile" may say; without it, a model id is called as it is.
INFERENCE_PROFILES: Final = ("geographic", "global", "none")

# From here a narrower area than apac serves new models, in India a few of them; Canada's calls may be served in the
# United States.
_AREAS_OF_REGION: Final[Mapping[str, tuple[str, ...]]] = {
    "ap-northeast-1": ("jp", "apac"),
    "ap-northeast-3": ("jp", "apac"),
    "ap-south-1": ("in", "apac"),
    "ap-south-2": ("in", "apac"),
    "ap-southeast-2": ("au", "apac"),
    "ap-southeast-4": ("au", "apac"),
    "ap-southeast-6": ("au", "apac"),
}
_AREAS_OF_CONTINENT: Final[Mapping[str, tuple[str, ...]]] = {
    "us-gov": ("us-gov",),
    "us": ("us",),
    "ca": ("us", "ca"),
    "eu": ("eu",),
    "ap": ("apac",),
}
# Models that were there before Japan and Australia had areas of their own, and those of them that apac has profiles of;
# it has none of any later model.
_MODELS_BEFORE_JAPAN: Final = ("anthropic.claude-3", "anthropic.claude-sonnet-4-2025")
_APAC_MODELS: Final = (
    "anthropic.claude-3-haiku",
    "anthropic.claude-3-sonnet",
    "anthropic.claude-3-5-sonnet",
    "anthropic.claude-3-7-sonnet",
    "anthropic.claude-sonnet-4-2025",
)
# All that have a profile of India. Source: AWS, announcement of 2026-09-29.
_INDIAN_MODELS: Final = frozenset(
    ["anthropic.claude-haiku-4-5-20251001-v1:0", "anthropic.claude-opus-5", "anthropic.claude-sonnet-5"]
)
_PROFILE_ID: Final = re.compile(r"([a-z]{2,6}(?:-gov)?)\.(anthropic\..+)")
_SYSTEM_PROFILE: Final = "inference-profile/"
_APPLICATION_PROFILE: Final = ":application-inference-profile/"


def split_profile(model: str) -> tuple[str, str]:
    """Return the area that a model id names ('' if it names none) and the model's id without it."""
    profile = _PROFILE_ID.fullmatch(model)
    return (profile[1], profile[2]) if profile else ("", model)


def arn_region(model: str) -> str:
    """Return the region that an ARN stands in, '' if ``model`` is no ARN."""
    parts = model.split(":", 5)
    return parts[3] if parts[0] == "arn" and len(parts) == 6 else ""


def known_region(region: str) -> str:
    """Return ``region``, for it becomes a part of host names. Raises WrongRegion if Bedrock is not there."""
    if not region:
        raise WrongRegion("This key has no region. Choose the one its AWS account uses Bedrock in.")
    if region not in REGIONS:
        raise WrongRegion("This key's region is not one that Bedrock is in. Choose one from the list.")
    return region


def resolve_model(model: str, *, region: str, profile: str = "") -> str:
    """Return the id to call ``model`` by from ``region``, under a key's setting ``profile``.

    An area that the id names is never widened: "geographic" and "none" narrow a global profile, "none" an area's too.
    An id without an area gets the one the setting asks for; an ARN stays as it is. Raises WrongRegion if the id cannot
    be called from ``region``.
    """
    if model.startswith("arn:"):
        return _arn_in(region, model)
    area, base = split_profile(model)
    if area in AREAS and not _is_callable(area, region):
        raise WrongRegion(
            f"“{model}” can be called from regions of “{area}” only, and this key's region is {region}. "
            "Use the model's global profile, or add a key with a region there."
        )
    if profile == "none":
        return base
    if profile == "geographic" and area in ("", GLOBAL):
        return f"{_own_area(region, base)}.{base}"
    return f"{GLOBAL}.{base}" if profile == "global" and not area else model


def region_served_in(model: str, *, region: str, profile: str = "") -> str:
    """Return the area or region that a call of ``model`` from ``region`` may be served in, '' if nobody says.

    An application inference profile does not say: it may be made of one that serves everywhere.
    """
    try:
        model = resolve_model(model, region=region, profile=profile)
    except WrongRegion:
        pass  # no call will be made; what the id says is the best answer
    if _APPLICATION_PROFILE in model:
        return ""
    name = model.partition(_SYSTEM_PROFILE)[2] if f":{_SYSTEM_PROFILE}" in model else model
    return split_profile(name)[0] or arn_region(model) or region


def foundation_model(model: str) -> str:
    """Return the id of the model itself, without an inference profile; an application's profile stays as it is."""
    if model.startswith("arn:"):
        name = model.rpartition("/")[2]
        return split_profile(name)[1] if ".anthropic." in f".{name}" else model
    return split_profile(model)[1]


def has_own_profiles(region: str) -> bool:
    """Whether the area around ``region`` has geographic profiles of its own for the models of today.

    India's are of a few models, and the rest of Asia's of old ones: who keeps to them can call little. Canada's may be
    served in the United States, which nobody means who chose Canada.
    """
    return bool(set(_areas_of(region)[:1]) - {"in", "apac"}) and not region.startswith("ca-")


def _arn_in(region: str, model: str) -> str:
    if arn_region(model) != region:
        raise WrongRegion(f"This ARN is not in {region}, the region of this key. Use one that is, or another key.")
    return model


def _areas_of(region: str) -> tuple[str, ...]:
    # Empty for continents whose areas nobody lists; AWS then says itself what cannot be called.
    continent = "us-gov" if region.startswith("us-gov-") else region.partition("-")[0]
    return _AREAS_OF_REGION.get(region) or _AREAS_OF_CONTINENT.get(continent, ())


def _is_callable(area: str, region: str) -> bool:
    areas = _areas_of(region)
    return area == GLOBAL or not areas or area in areas


def _own_area(region: str, base: str) -> str:
    for area in _areas_of(region):
        if _has_profile(base, area):
            return area
    raise WrongRegion(
        f"There is no geographic inference profile of “{base}” for {region}. "
        "Set this key's inference profile to global, or choose another region."
    )


def _has_profile(base: str, area: str) -> bool:
    match area:
        case "in":
            return base in _INDIAN_MODELS
        case "apac":
            return base.startswith(_APAC_MODELS)
        case "jp" | "au":
            return not base.startswith(_MODELS_BEFORE_JAPAN)
        case _:
            return True
