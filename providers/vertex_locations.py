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
_REGION: Final = re.compile(r"[a-z]{2,20}-[a-z]{2,20}\d{1,2}")


def origin_of(location: str) -> str:
    """Return the address that serves ``location``: one of LOCATIONS, or a region newer than that list.

    Raises ValueError for anything else: the text becomes a part of the host that credentials are sent to.
    """
    if location == "global":
        return "https://aiplatform.googleapis.com"
    if location in ("us", "eu"):
        return f"https://aiplatform.{location}.rep.googleapis.com"
    if not _REGION.fullmatch(location):
        raise ValueError("This is not a location of Vertex AI.")
    return f"https://{location}-aiplatform.googleapis.com"
