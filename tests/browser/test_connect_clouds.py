"""Connecting Bedrock and Vertex AI in a browser: the fields of the chosen credential, and a key file."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from keys.models import KeyVersion, ProviderKey
from keys.services import keyring
from tests.browser.conftest import Product
from tests.providers.vertex_keys import key_file

pytestmark = pytest.mark.browser

SECRET_ACCESS_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.fixture
def byok(page: Page, product: Product, settings: Any) -> Page:
    """The page of provider keys, where there are none yet, opened by the owner; checks go to the simulator."""
    settings.GOOGLE_TOKEN_URI = f"{product.simulator_origin}/token"
    ProviderKey.objects.all().delete()
    product.sign_in(page)
    page.goto(f"{product.url}/w/default/byok/")
    return page


@pytest.fixture
def bedrock(byok: Page) -> Page:
    byok.get_by_role("link", name="Configure AWS Bedrock").click()
    byok.get_by_role("link", name="Setup your own credential").click()
    return byok


def stored() -> str:
    version = KeyVersion.objects.select_related("provider_key").get()
    return keyring().open(version.sealed, version.seal_context).reveal()


def save(page: Page, product: Product) -> None:
    dialog = page.get_by_role("dialog")
    if not dialog.get_by_label("Base URL").is_visible():
        dialog.get_by_text("Advanced", exact=True).click()
    dialog.get_by_label("Base URL").fill(product.simulator_origin)
    dialog.get_by_role("button", name="Save").click()


def test_only_the_fields_of_the_chosen_credential_are_shown(bedrock: Page) -> None:
    dialog = bedrock.get_by_role("dialog")
    expect(dialog.get_by_label("Secret access key")).to_be_visible()
    expect(dialog.get_by_role("textbox", name="Bedrock API key")).to_be_hidden()

    dialog.get_by_role("radio", name="Bedrock API key").check()

    expect(dialog.get_by_label("Secret access key")).to_be_hidden()
    expect(dialog.get_by_role("textbox", name="Bedrock API key")).to_be_visible()


def test_a_refused_credential_stays_typed_and_is_mended(bedrock: Page, product: Product) -> None:
    dialog = bedrock.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Bedrock")
    dialog.get_by_label("Access key ID").fill("ASIAIOSFODNN7EXAMPLE")
    dialog.get_by_label("Secret access key").fill(SECRET_ACCESS_KEY)
    dialog.get_by_label("Region").select_option("eu-central-1")
    save(bedrock, product)
    expect(dialog.get_by_text("This is a temporary AWS access key ID")).to_be_visible()
    expect(dialog.get_by_label("Secret access key")).to_have_value(SECRET_ACCESS_KEY)

    dialog.get_by_label("Access key ID").fill("AKIAIOSFODNN7EXAMPLE")
    save(bedrock, product)

    expect(dialog.get_by_text("Next: Create API Key")).to_be_visible()
    assert json.loads(stored())["access_key_id"] == "AKIAIOSFODNN7EXAMPLE"


def test_a_service_accounts_file_is_chosen_and_sent(byok: Page, product: Product, tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    file.write_text(key_file())
    byok.get_by_role("link", name="Configure Google Vertex AI").click()
    byok.get_by_role("link", name="Setup your own service account").click()
    dialog = byok.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Vertex")
    dialog.get_by_label("Or choose the file").set_input_files(file)
    dialog.get_by_label("Location").select_option("europe-west1")
    save(byok, product)

    expect(dialog.get_by_text("Next: Create API Key")).to_be_visible()
    assert json.loads(stored())["project_id"] == "example-project"
    assert ProviderKey.objects.get().settings == {"project_id": "example-project", "location": "europe-west1"}
