"""Where Vertex AI serves models, and the address of each place.

Source: Google Cloud, "Generative AI on Vertex AI locations", and the endpoints that Anthropic's own Vertex client uses.
"""

import re
from collections.abc import Mapping
from typing import Final

# Id → the place in words, in the order of a list to choose from. Not every model is served in every place.
LOCATIONS: Final[Mapping[str, str]] = {
    "global": "Global: wherever there is capacity",
    "us": "United States: any region there",
    "eu": "European Union: any region there",
    "us-central1": "Iowa, United States",
    "us-east1": "South Carolina, United States",
    "us-east4": "Northern Virginia, United States",
    "us-east5": "Columbus, Ohio, United States",
    "us-south1": "Dallas, Texas, United States",
    "us-west1": "Oregon, United States",
    "us-west4": "Las Vegas, Nevada, United States",
    "northamerica-northeast1": "Montréal, Canada",
    "southamerica-east1": "São Paulo, Brazil",
    "europe-central2": "Warsaw, Poland",
    "europe-north1": "Finland",
    "europe-southwest1": "Madrid, Spain",
    "europe-west1": "Belgium",
    "europe-west2": "London, United Kingdom",
    "europe-west3": "Frankfurt, Germany",
    "europe-west4": "Netherlands",
    "europe-west6": "Zürich, Switzerland",
    "europe-west8": "Milan, Italy",
    "europe-west9": "Paris, France",
    "asia-east1": "Taiwan",
    "asia-east2": "Hong Kong",
    "asia-northeast1": "Tokyo, Japan",
    "asia-northeast3": "Seoul, South Korea",
    "asia-south1": "Mumbai, India",
    "asia-southeast1": "Singapore",
    "australia-southeast1": "Sydney, Australia",
    "me-central1": "Doha, Qatar",
    "me-central2": "Dammam, Saudi Arabia",
    "me-west1": "Tel Aviv, Israel",
}
GLOBAL: Final = "global"
# Where tokens are counted, and the one of these places that is nearest, by how a region's name begins.
# Source: Google Cloud, "Count tokens for Claude models", as of 2026-10; regions that it named before are left out.
_COUNTING: Final = (GLOBAL, "us", "eu", "asia-southeast1")
_NEAREST_COUNTING: Final[Mapping[str, str]] = {
    "us": "us",
    "northamerica": "us",
    "southamerica": "us",
    "europe": "eu",
    "me": "eu",
    "africa": "eu",
    "asia": "asia-southeast1",
    "australia": "asia-southeast1",
}
_REGION: Final = re.compile(r"[a-z]{2,20}-[a-z]{2,20}\d{1,2}")


def origin_of(location: str) -> str:
    """Return the address that serves ``location``: one of LOCATIONS, or a region newer than that list.

    Raises ValueError for anything else: the text becomes a part of the host that credentials are sent to.
    """
    if location == GLOBAL:
        return "https://aiplatform.googleapis.com"
    if location in ("us", "eu"):
        return f"https://aiplatform.{location}.rep.googleapis.com"
    if not _REGION.fullmatch(location):
        raise ValueError("This is not a location of Vertex AI.")
    return f"https://{location}-aiplatform.googleapis.com"


def counting_place(location: str) -> str:
    """Return the place nearest to ``location`` that counts tokens. Raises ValueError if it is no location."""
    origin_of(location)
    return location if location in _COUNTING else _NEAREST_COUNTING.get(location.partition("-")[0], GLOBAL)
