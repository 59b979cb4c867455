"""Which id a model is called by from a region, and where that is served."""

import json
from pathlib import Path

import botocore
import pytest

from providers.aws_regions import (
    AREAS,
    GLOBAL,
    INFERENCE_PROFILES,
    REGIONS,
    region_served_in,
    resolve_model,
    split_profile,
)
from providers.base import WrongRegion

X = "anthropic.claude-opus-4-8"
INDIAN = "anthropic.claude-sonnet-5"
OLD = "anthropic.claude-sonnet-4-20250514-v1:0"
ARN = "arn:aws:bedrock:eu-west-1:123456789012:"


def test_every_region_that_botocore_knows_bedrock_in_is_listed() -> None:
    data = json.loads((Path(botocore.__file__).parent / "data/endpoints.json").read_text())
    known = {
        name.removeprefix("bedrock-runtime-")
        for partition in data["partitions"]
        if partition["partition"] in ("aws", "aws-us-gov")
        for name in partition["services"]["bedrock"]["endpoints"]
        if name.startswith("bedrock-runtime-") and "-fips-" not in name
    }

    assert len(known) > 20
    assert known <= set(REGIONS)


@pytest.mark.parametrize(
    ("model", "region", "profile", "called", "served_in"),
    [
        # As it is, unless the key says otherwise.
        (X, "eu-west-1", "", X, "eu-west-1"),
        (f"global.{X}", "eu-west-1", "", f"global.{X}", "global"),
        (f"eu.{X}", "eu-west-1", "", f"eu.{X}", "eu"),
        (f"us.{X}", "us-west-2", "", f"us.{X}", "us"),
        (f"us.{X}", "ca-central-1", "", f"us.{X}", "us"),
        (f"ca.{X}", "ca-central-1", "", f"ca.{X}", "ca"),
        (f"jp.{X}", "ap-northeast-3", "", f"jp.{X}", "jp"),
        (f"au.{X}", "ap-southeast-4", "", f"au.{X}", "au"),
        (f"apac.{X}", "ap-southeast-2", "", f"apac.{X}", "apac"),
        (f"us-gov.{X}", "us-gov-west-1", "", f"us-gov.{X}", "us-gov"),
        (f"in.{INDIAN}", "ap-south-1", "", f"in.{INDIAN}", "in"),
        (f"in.{INDIAN}", "ap-south-2", "geographic", f"in.{INDIAN}", "in"),
        # Nobody lists the areas of these; AWS says itself what cannot be called.
        (f"us.{X}", "sa-east-1", "", f"us.{X}", "us"),
        # The key's area, for ids that name none or the world.
        (X, "eu-west-1", "geographic", f"eu.{X}", "eu"),
        (f"global.{X}", "eu-west-1", "geographic", f"eu.{X}", "eu"),
        (f"global.{X}", "us-gov-east-1", "geographic", f"us-gov.{X}", "us-gov"),
        (X, "ca-west-1", "geographic", f"us.{X}", "us"),
        (f"ca.{X}", "ca-west-1", "geographic", f"ca.{X}", "ca"),
        (X, "ap-northeast-1", "geographic", f"jp.{X}", "jp"),
        (X, "ap-southeast-2", "geographic", f"au.{X}", "au"),
        (INDIAN, "ap-south-1", "geographic", f"in.{INDIAN}", "in"),
        (f"global.{INDIAN}", "ap-south-2", "geographic", f"in.{INDIAN}", "in"),
        (OLD, "ap-south-1", "geographic", f"apac.{OLD}", "apac"),
        (OLD, "ap-southeast-1", "geographic", f"apac.{OLD}", "apac"),
        (OLD, "ap-northeast-1", "geographic", f"apac.{OLD}", "apac"),
        # Global only widens what names no area.
        (X, "eu-west-1", "global", f"global.{X}", "global"),
        (f"eu.{X}", "eu-west-1", "global", f"eu.{X}", "eu"),
        # Nothing but the region itself.
        (f"global.{X}", "eu-west-1", "none", X, "eu-west-1"),
        (f"eu.{X}", "eu-west-1", "none", X, "eu-west-1"),
        # ARNs say it all.
        (f"{ARN}application-inference-profile/abc", "eu-west-1", "global", None, ""),
        (f"{ARN}inference-profile/eu.{X}", "eu-west-1", "none", None, "eu"),
        (f"{ARN}inference-profile/global.{X}", "eu-west-1", "", None, "global"),
        (f"arn:aws:bedrock:eu-west-1::foundation-model/{X}", "eu-west-1", "", None, "eu-west-1"),
    ],
)
def test_model_is_called_by_the_id_that_region_and_setting_make(
    model: str, region: str, profile: str, called: str | None, served_in: str
) -> None:
    assert resolve_model(model, region=region, profile=profile) == (called or model)
    assert region_served_in(model, region=region, profile=profile) == served_in


@pytest.mark.parametrize(
    ("model", "region", "profile"),
    [
        (f"us.{X}", "eu-west-1", ""),
        (f"us.{X}", "eu-west-1", "geographic"),
        (f"us.{X}", "eu-west-1", "none"),
        (f"us.{X}", "us-gov-west-1", ""),
        (f"eu.{X}", "us-east-1", "global"),
        (f"jp.{X}", "ap-southeast-2", ""),
        (f"au.{X}", "ap-south-1", ""),
        (f"in.{INDIAN}", "us-east-1", ""),
        (f"in.{INDIAN}", "ap-southeast-1", ""),
        (X, "sa-east-1", "geographic"),
        (X, "ap-southeast-1", "geographic"),
        (f"global.{X}", "ap-south-1", "geographic"),
        ("anthropic.claude-3-opus-20240229-v1:0", "ap-northeast-1", "geographic"),
        (f"{ARN}application-inference-profile/abc", "us-east-1", ""),
        ("arn:broken", "us-east-1", ""),
    ],
)
def test_model_that_cannot_be_called_from_there_is_refused(model: str, region: str, profile: str) -> None:
    with pytest.raises(WrongRegion, match=region):
        resolve_model(model, region=region, profile=profile)


def test_plan_may_ask_where_a_model_is_served_that_cannot_be_called() -> None:
    assert region_served_in(f"us.{X}", region="eu-west-1") == "us"
    assert region_served_in(f"{ARN}provisioned-model/abc", region="us-east-1") == "eu-west-1"
    assert region_served_in(X, region="sa-east-1", profile="geographic") == "sa-east-1"


@pytest.mark.parametrize("profile", ["", *INFERENCE_PROFILES])
@pytest.mark.parametrize("area", [area for area in AREAS if area != GLOBAL])
def test_area_that_the_id_names_is_never_left(area: str, profile: str) -> None:
    served_in = {region: region_served_in(f"{area}.{X}", region=region, profile=profile) for region in REGIONS}

    assert {region: place for region, place in served_in.items() if place not in (area, region)} == {}


def test_every_id_of_the_catalog_can_be_called_from_somewhere() -> None:
    ids = _catalog_ids()

    assert ids
    assert [model for model in ids if not any(_can_call(model, region) for region in REGIONS)] == []


def test_model_without_a_profile_of_the_area_is_refused_with_the_way_out() -> None:
    with pytest.raises(WrongRegion, match=f"profile of “{X}” for ap-southeast-1.* to global"):
        resolve_model(f"global.{X}", region="ap-southeast-1", profile="geographic")


@pytest.mark.parametrize("region", ["ap-southeast-1", "ap-northeast-2", "ap-south-1", "ap-south-2"])
def test_geographic_profiles_of_asia_are_those_of_the_catalog(region: str) -> None:
    ids = _catalog_ids()
    areas = ("in", "apac") if region.startswith("ap-south-") else ("apac",)

    for base in {split_profile(model)[1] for model in ids}:
        in_catalog = next((f"{area}.{base}" for area in areas if f"{area}.{base}" in ids), None)
        assert _geographic(base, region) == in_catalog


def _catalog_ids() -> list[str]:
    catalog = json.loads((Path(__file__).resolve().parents[2] / "catalog/claude.json").read_text())
    return [
        offering["upstream_id"]
        for model in catalog["models"]
        for offering in model["offerings"]
        if offering["provider"] == "aws"
    ]


def _geographic(base: str, region: str) -> str | None:
    try:
        return resolve_model(base, region=region, profile="geographic")
    except WrongRegion:
        return None


def _can_call(model: str, region: str) -> bool:
    try:
        return resolve_model(model, region=region) == model
    except WrongRegion:
        return False
