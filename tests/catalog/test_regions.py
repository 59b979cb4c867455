"""Which regions an allow-list lets a call be served in, and that every region lies in exactly the area it should."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.regions import (
    AREAS,
    AWS_REGIONS,
    GLOBAL,
    GOOGLE_REGIONS,
    REGION_CHOICES,
    REGIONS,
    UnknownRegion,
    area_of,
    describe_regions,
    is_region_allowed,
    read_regions,
)

NAMES = [*AREAS, *REGIONS]
# What its id says of a region's area, where an id says it; London and Zurich are called "eu" and "europe" too.
PREFIX_OF_AREA = {
    "eu": ("eu-", "eusc-", "europe-"),
    "uk": ("eu-", "europe-"),
    "ch": ("eu-", "europe-"),
    "us": ("us-",),
    "us-gov": ("us-gov-",),
    "ca": ("ca-", "northamerica-"),
    "latam": ("mx-", "sa-", "southamerica-", "northamerica-south"),
    "apac": ("ap-", "asia-"),
    "jp": ("ap-northeast-", "asia-northeast"),
    "au": ("ap-southeast-", "australia-"),
    "in": ("ap-south-", "asia-south"),
    "me": ("me-", "il-"),
    "africa": ("af-", "africa-"),
}


@pytest.mark.parametrize(
    ("region", "area"),
    [
        ("eu-west-1", "eu"),
        ("eu-central-1", "eu"),
        ("europe-west1", "eu"),
        ("eu", "eu"),
        ("eu-west-2", "uk"),
        ("europe-west2", "uk"),
        ("eu-central-2", "ch"),
        ("europe-west6", "ch"),
        ("us-east-1", "us"),
        ("us-east5", "us"),
        ("us-gov-west-1", "us-gov"),
        ("ap-northeast-1", "jp"),
        ("asia-northeast1", "jp"),
        ("ap-northeast-2", "apac"),
        ("australia-southeast1", "au"),
        ("ap-south-1", "in"),
        ("ap-south-2", "in"),
        ("asia-south1", "in"),
        ("in", "in"),
        ("me-central1", "me"),
        ("me-central-1", "me"),
        ("global", "global"),
        ("", "global"),
        ("mars-north-1", ""),
    ],
)
def test_a_region_has_one_innermost_area(region: str, area: str) -> None:
    assert area_of(region) == area


@pytest.mark.parametrize(
    ("region", "allowed"),
    [
        # An area covers its regions, at every provider, and what is confined to it.
        ("eu-west-1", ["eu"]),
        ("europe-west1", ["eu"]),
        ("eu", ["eu"]),
        ("us-east-1", ["us"]),
        ("us-east5", ["us"]),
        ("us", ["us"]),
        # And the areas within it.
        ("jp", ["apac"]),
        ("au", ["apac"]),
        ("in", ["apac"]),
        ("in", ["in"]),
        ("ap-south-2", ["in"]),
        ("ap-south-1", ["apac"]),
        ("ap-northeast-1", ["apac"]),
        ("australia-southeast1", ["apac"]),
        ("us-gov", ["us"]),
        ("us-gov-west-1", ["us"]),
        # One of several is enough.
        ("eu-west-1", ["us", "eu"]),
        ("eu-west-1", ["us-east-1", "eu-west-1"]),
        # A region covers itself, known or not.
        ("eu-west-1", ["eu-west-1"]),
        ("mars-north-1", ["mars-north-1"]),
        # Global is what nobody says, too.
        ("global", ["global"]),
        ("", ["global"]),
        ("", ["eu", "global"]),
    ],
)
def test_allowed(region: str, allowed: list[str]) -> None:
    assert is_region_allowed(region, allowed)


@pytest.mark.parametrize(
    ("region", "allowed"),
    [
        # Nothing that may leave the area.
        ("global", ["eu"]),
        ("", ["eu"]),
        ("global", ["eu-west-1"]),
        ("", ["us", "eu", "apac", "jp"]),
        # Nothing outside.
        ("us-east-1", ["eu"]),
        ("us", ["eu"]),
        # What is only called European.
        ("eu-west-2", ["eu"]),
        ("europe-west2", ["eu"]),
        ("eu-central-2", ["eu"]),
        ("europe-west6", ["eu"]),
        # A region is not its area, nor its neighbour, nor one whose name begins like it.
        ("eu", ["eu-west-1"]),
        ("eu-west-3", ["eu-west-1"]),
        ("europe-west12", ["europe-west1"]),
        ("us-east-1", ["us-east1"]),
        # The larger area is not the smaller.
        ("apac", ["jp"]),
        ("apac", ["in"]),
        ("ap-southeast-1", ["in"]),
        ("ap-northeast-2", ["jp"]),
        ("us", ["us-gov"]),
        ("us-east-1", ["us-gov"]),
        # Global allows no place: whoever allows it and the EU has not allowed the US.
        ("us-east-1", ["global"]),
        ("eu", ["global"]),
        # What is not known is nowhere.
        ("mars-north-1", ["global"]),
        ("eu-west-99", ["eu"]),
        ("us-", ["us"]),
        ("EU-WEST-1", ["eu"]),
    ],
)
def test_not_allowed(region: str, allowed: list[str]) -> None:
    assert not is_region_allowed(region, allowed)


@given(st.one_of(st.sampled_from(NAMES), st.text()))
def test_an_empty_list_allows_all(region: str) -> None:
    assert is_region_allowed(region, [])


@given(st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES), min_size=1), st.sampled_from(NAMES))
def test_allowing_more_never_allows_less(region: str, allowed: list[str], more: str) -> None:
    assert is_region_allowed(region, [*allowed, more]) == (
        is_region_allowed(region, allowed) or is_region_allowed(region, [more])
    )


@given(st.sampled_from(NAMES), st.lists(st.sampled_from([name for name in NAMES if name != GLOBAL]), min_size=1))
def test_only_global_allows_what_may_be_anywhere(region: str, allowed: list[str]) -> None:
    assert not is_region_allowed(GLOBAL, allowed)
    assert not is_region_allowed("", allowed)
    assert is_region_allowed(region, [GLOBAL]) == (region == GLOBAL)


@given(st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_what_covers_a_covering_area_covers_the_region(region: str, area: str, around: str) -> None:
    if is_region_allowed(region, [area]) and is_region_allowed(area, [around]):
        assert is_region_allowed(region, [around])


@pytest.mark.parametrize("region", REGIONS.values(), ids=lambda region: region.slug)
def test_a_regions_id_fits_its_area(region: object) -> None:
    assert region.slug.startswith(PREFIX_OF_AREA[region.area])  # type: ignore[attr-defined]


@pytest.mark.parametrize("area", AREAS)
def test_every_area_but_global_has_regions(area: str) -> None:
    covered = [region for region in REGIONS if is_region_allowed(region, [area])]

    assert bool(covered) == (area != GLOBAL)


def test_no_name_means_two_things() -> None:
    assert len(NAMES) == len(set(NAMES)) == len(AREAS) + len(AWS_REGIONS) + len(GOOGLE_REGIONS)


def test_a_form_offers_every_name_once() -> None:
    assert [value for _, choices in REGION_CHOICES for value, _ in choices] == NAMES


def test_names_are_read_once_each_in_the_order_of_forms() -> None:
    assert read_regions(["us-east-1", "EU ", "eu", "global"]) == ["global", "eu", "us-east-1"]


@pytest.mark.parametrize("name", ["", "europe", "eu-west", "eu-west-99", "*", "eu,us"])
def test_a_typo_is_refused_by_name(name: str) -> None:
    with pytest.raises(UnknownRegion, match=f"“{name}”".replace("*", r"\*")):
        read_regions(["eu", name])


def test_regions_in_words() -> None:
    assert describe_regions(["global", "eu", "us-east-1"]) == "Global, European Union, us-east-1"
    assert describe_regions([]) == ""
