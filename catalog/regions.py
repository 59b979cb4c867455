"""Where models are served: the regions of AWS and Google Cloud, the areas they lie in, and which are allowed. Pure.

An area has borders ("eu", "us", "jp"): it is what an inference profile of Bedrock or a multi-region of Vertex AI is
confined to. A region is one of a provider's places within it. "global" is no area around all others but the absence
of any promise: a global endpoint, and whoever does not say where it runs, such as Anthropic's own API.

Sources: AWS, "Supported Regions and models for inference profiles"; Google Cloud, "Locations" of Vertex AI.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

GLOBAL: Final = "global"


@dataclass(frozen=True, slots=True)
class Area:
    """Land with borders; ``within`` is the larger area around it, '' if there is none."""

    slug: str
    label: str
    within: str = ""


@dataclass(frozen=True, slots=True)
class Region:
    """One place of a cloud provider, by the id it goes by there, and the innermost area it lies in."""

    slug: str
    place: str
    area: str


class UnknownRegion(ValueError):
    """A name that is neither an area nor a region; the text is for people."""


AREAS: Final[Mapping[str, Area]] = {
    area.slug: area
    for area in (
        Area(GLOBAL, "Global endpoints and Anthropic’s own API"),
        Area("eu", "European Union"),
        Area("uk", "United Kingdom"),
        Area("ch", "Switzerland"),
        Area("us", "United States"),
        Area("us-gov", "United States, GovCloud", within="us"),
        Area("ca", "Canada"),
        Area("latam", "Latin America"),
        Area("apac", "Asia Pacific"),
        Area("jp", "Japan", within="apac"),
        Area("au", "Australia", within="apac"),
        Area("in", "India", within="apac"),
        Area("me", "Middle East"),
        Area("africa", "Africa"),
    )
}

AWS_REGIONS: Final[Sequence[Region]] = (
    Region("eu-central-1", "Frankfurt", "eu"),
    Region("eu-north-1", "Stockholm", "eu"),
    Region("eu-south-1", "Milan", "eu"),
    Region("eu-south-2", "Spain", "eu"),
    Region("eu-west-1", "Ireland", "eu"),
    Region("eu-west-3", "Paris", "eu"),
    Region("eusc-de-east-1", "Brandenburg, European Sovereign Cloud", "eu"),
    Region("eu-west-2", "London", "uk"),
    Region("eu-central-2", "Zurich", "ch"),
    Region("us-east-1", "N. Virginia", "us"),
    Region("us-east-2", "Ohio", "us"),
    Region("us-west-1", "N. California", "us"),
    Region("us-west-2", "Oregon", "us"),
    Region("us-gov-east-1", "GovCloud, East", "us-gov"),
    Region("us-gov-west-1", "GovCloud, West", "us-gov"),
    Region("ca-central-1", "Montreal", "ca"),
    Region("ca-west-1", "Calgary", "ca"),
    Region("mx-central-1", "Mexico", "latam"),
    Region("sa-east-1", "São Paulo", "latam"),
    Region("ap-northeast-1", "Tokyo", "jp"),
    Region("ap-northeast-3", "Osaka", "jp"),
    Region("ap-southeast-2", "Sydney", "au"),
    Region("ap-southeast-4", "Melbourne", "au"),
    Region("ap-south-1", "Mumbai", "in"),
    Region("ap-south-2", "Hyderabad", "in"),
    Region("ap-east-1", "Hong Kong", "apac"),
    Region("ap-east-2", "Taipei", "apac"),
    Region("ap-northeast-2", "Seoul", "apac"),
    Region("ap-southeast-1", "Singapore", "apac"),
    Region("ap-southeast-3", "Jakarta", "apac"),
    Region("ap-southeast-5", "Malaysia", "apac"),
    Region("ap-southeast-6", "New Zealand", "apac"),
    Region("ap-southeast-7", "Thailand", "apac"),
    Region("il-central-1", "Tel Aviv", "me"),
    Region("me-central-1", "United Arab Emirates", "me"),
    Region("me-south-1", "Bahrain", "me"),
    Region("af-south-1", "Cape Town", "africa"),
)

GOOGLE_REGIONS: Final[Sequence[Region]] = (
    Region("europe-central2", "Warsaw", "eu"),
    Region("europe-north1", "Finland", "eu"),
    Region("europe-north2", "Stockholm", "eu"),
    Region("europe-southwest1", "Madrid", "eu"),
    Region("europe-west1", "Belgium", "eu"),
    Region("europe-west3", "Frankfurt", "eu"),
    Region("europe-west4", "Netherlands", "eu"),
    Region("europe-west8", "Milan", "eu"),
    Region("europe-west9", "Paris", "eu"),
    Region("europe-west10", "Berlin", "eu"),
    Region("europe-west12", "Turin", "eu"),
    Region("europe-west2", "London", "uk"),
    Region("europe-west6", "Zurich", "ch"),
    Region("us-central1", "Iowa", "us"),
    Region("us-east1", "South Carolina", "us"),
    Region("us-east4", "N. Virginia", "us"),
    Region("us-east5", "Columbus", "us"),
    Region("us-south1", "Dallas", "us"),
    Region("us-west1", "Oregon", "us"),
    Region("us-west2", "Los Angeles", "us"),
    Region("us-west3", "Salt Lake City", "us"),
    Region("us-west4", "Las Vegas", "us"),
    Region("northamerica-northeast1", "Montreal", "ca"),
    Region("northamerica-northeast2", "Toronto", "ca"),
    Region("northamerica-south1", "Mexico", "latam"),
    Region("southamerica-east1", "São Paulo", "latam"),
    Region("southamerica-west1", "Santiago", "latam"),
    Region("asia-northeast1", "Tokyo", "jp"),
    Region("asia-northeast2", "Osaka", "jp"),
    Region("australia-southeast1", "Sydney", "au"),
    Region("australia-southeast2", "Melbourne", "au"),
    Region("asia-south1", "Mumbai", "in"),
    Region("asia-south2", "Delhi", "in"),
    Region("asia-east1", "Taiwan", "apac"),
    Region("asia-east2", "Hong Kong", "apac"),
    Region("asia-northeast3", "Seoul", "apac"),
    Region("asia-southeast1", "Singapore", "apac"),
    Region("asia-southeast2", "Jakarta", "apac"),
    Region("asia-southeast3", "Bangkok", "apac"),
    Region("me-central1", "Doha", "me"),
    Region("me-central2", "Dammam", "me"),
    Region("me-west1", "Tel Aviv", "me"),
    Region("africa-south1", "Johannesburg", "africa"),
)

REGIONS: Final[Mapping[str, Region]] = {region.slug: region for region in (*AWS_REGIONS, *GOOGLE_REGIONS)}

# For a form: areas first, then each provider's regions.
REGION_CHOICES: Final[Sequence[tuple[str, Sequence[tuple[str, str]]]]] = (
    ("Areas", [(area.slug, area.label) for area in AREAS.values()]),
    ("Single regions of AWS", [(region.slug, f"{region.slug}, {region.place}") for region in AWS_REGIONS]),
    ("Single regions of Google Cloud", [(region.slug, f"{region.slug}, {region.place}") for region in GOOGLE_REGIONS]),
)


def area_of(region: str) -> str:
    """Return the innermost area of a region; an area is its own, '' is "global", and a region not known has none ('').

    ``region`` is what a provider module's ``region_of`` returns.
    """
    if not region:
        return GLOBAL
    if region in AREAS:
        return region
    return REGIONS[region].area if region in REGIONS else ""


def is_region_allowed(region: str, allowed: Sequence[str]) -> bool:
    """Whether a call may be served in ``region``, where areas and regions in ``allowed`` are; none allows all.

    An allowed area covers its regions and the areas within it, an allowed region covers exactly itself. What is served
    anywhere, or nobody knows where ('' and "global"), only "global" allows; and "global" allows nothing else.
    A region that is not known is in no area, so only its own name allows it.
    """
    return not allowed or not _names_covering(region).isdisjoint(allowed)


def read_regions(names: Iterable[str]) -> list[str]:
    """Return ``names`` each once, in the order of forms.

    Raises UnknownRegion for the first that is neither an area nor a region: a typo would silently allow nothing.
    """
    wanted = {name.strip().lower() for name in names}
    known = [*AREAS, *REGIONS]
    for name in sorted(wanted.difference(known)):
        raise UnknownRegion(f"“{name}” is no region. Use an area ({', '.join(AREAS)}) or a region such as eu-west-1.")
    return [name for name in known if name in wanted]


def describe_regions(allowed: Iterable[str]) -> str:
    """Return allowed regions in short words: "European Union, us-east-1"; '' where all are allowed."""
    return ", ".join(_describe(name) for name in allowed)


def name_region(name: str) -> str:
    """Return an area or region in words, with its name in rules and ids behind it: "European Union (eu)"."""
    if name == GLOBAL:
        return name
    words = AREAS[name].label if name in AREAS else REGIONS[name].place if name in REGIONS else ""
    return f"{words} ({name})" if words else name


def _describe(name: str) -> str:
    if name == GLOBAL:
        return "Global"
    return AREAS[name].label if name in AREAS else name


@cache
def _covering_of_known() -> Mapping[str, frozenset[str]]:
    return {name: frozenset(_climb(name)) for name in (*AREAS, *REGIONS)}


def _names_covering(region: str) -> frozenset[str]:
    """Return all names whose being allowed allows ``region``."""
    known = _covering_of_known().get(region or GLOBAL)
    return frozenset((region,)) if known is None else known


def _climb(name: str) -> Iterable[str]:
    yield name
    area = area_of(name)
    while area:
        yield area
        area = AREAS[area].within
