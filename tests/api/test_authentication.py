"""Only a management key in use opens the REST API."""

from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from teams.models import AuditEvent, GatewayKey, GatewayKeySecret, User, Workspace
from teams.services import revoke_gateway_key
from teams.tokens import TokenKind, mint_token
from tests.api.conftest import Api
from tests.factories import make_gateway_key, make_management_key

PATHS = ["/provider-keys", "/api-keys", "/models", "/usage", "/requests"]


def code_of(api: Api, path: str = "/api-keys") -> tuple[int, str]:
    answer = api.get(path)
    return answer.status_code, answer.json().get("error", {}).get("code", "")


@pytest.mark.parametrize("path", PATHS)
def test_without_a_key_nothing_answers(db: None, path: str) -> None:
    answer = Api().get(path)

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "authentication_required"
    assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", PATHS)
def test_a_management_key_opens_its_workspace(api: Api, path: str) -> None:
    assert api.get(path).status_code == 200


def test_a_signed_in_browser_is_not_let_in(alice: User) -> None:
    client = Client()
    client.force_login(alice)

    assert Session.objects.count() == 1
    assert code_of(Api(client=client)) == (401, "authentication_required")


def test_a_gateway_key_is_refused_and_told_why(workspace: Workspace) -> None:
    answer = Api(make_gateway_key(workspace).token.text).get("/api-keys")

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "management_key_required"
    assert "calls models" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "mk-orq-",
        "mk-orq-aaaaaaaa-" + "a" * 49,
        "mk-orq-\u00e9",
        "' OR 1=1 --",
        mint_token(TokenKind.MANAGEMENT).text,
    ],
)
def test_other_text_is_refused(db: None, token: str) -> None:
    assert code_of(Api(token)) == (401, "invalid_api_key")


def test_another_scheme_than_bearer_is_refused(api: Api) -> None:
    assert Api(headers={"authorization": f"Basic {api.token}"}).get("/api-keys").status_code == 401
    assert Api(headers={"x-api-key": str(api.token)}).get("/api-keys").status_code == 401


def test_a_key_with_another_keys_public_id_is_refused(workspace: Workspace, api: Api) -> None:
    forged = mint_token(TokenKind.MANAGEMENT)
    GatewayKey.objects.filter(kind="management").update(public_id=forged.public_id)

    assert code_of(Api(forged.text)) == (401, "invalid_api_key")


def test_a_gateway_keys_row_never_opens_the_api(workspace: Workspace) -> None:
    created = make_management_key(workspace)
    GatewayKey.objects.update(kind="gateway")

    assert code_of(Api(created.token.text)) == (401, "invalid_api_key")


def test_a_revoked_key_is_refused_at_once(workspace: Workspace) -> None:
    created = make_management_key(workspace)
    assert Api(created.token.text).get("/api-keys").status_code == 200

    revoke_gateway_key(created.key, actor=None)

    assert code_of(Api(created.token.text)) == (401, "invalid_api_key")


def test_an_expired_key_is_refused_and_told_so(workspace: Workspace) -> None:
    created = make_management_key(workspace, expires_at=timezone.now() - timedelta(seconds=1))

    assert code_of(Api(created.token.text)) == (401, "expired_api_key")


def test_a_replaced_secret_works_until_its_grace_ends(workspace: Workspace) -> None:
    created = make_management_key(workspace)
    GatewayKeySecret.objects.update(grace_until=timezone.now() + timedelta(hours=1))
    assert Api(created.token.text).get("/api-keys").status_code == 200

    GatewayKeySecret.objects.update(grace_until=timezone.now())

    assert code_of(Api(created.token.text)) == (401, "invalid_api_key")


def test_changes_are_audited_under_the_management_keys_name(api: Api) -> None:
    api.post("/api-keys", {"name": "app"})

    assert AuditEvent.objects.get(action="gateway_key.create").actor == "management key scripts"


# create_management_key


def created_by_command(*arguments: str) -> str:
    out = StringIO()
    call_command("create_management_key", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_prints_the_key_and_nothing_else(db: None) -> None:
    printed = created_by_command("terraform")

    assert printed == printed.strip() + "\n"
    assert Api(printed.strip()).get("/api-keys").status_code == 200


def test_the_command_makes_the_first_workspace(db: None) -> None:
    created_by_command("terraform")

    key = GatewayKey.objects.get()
    assert (key.workspace.slug, key.kind, key.name) == ("default", "management", "terraform")


def test_the_command_takes_the_first_workspace(workspace: Workspace, other_workspace: Workspace) -> None:
    created_by_command("terraform")

    assert GatewayKey.objects.get().workspace == workspace


def test_the_command_takes_the_workspace_it_is_told(workspace: Workspace, other_workspace: Workspace) -> None:
    created_by_command("terraform", "--workspace", "umbrella")

    assert GatewayKey.objects.get().workspace == other_workspace


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["x", "--workspace", "nowhere"], "no workspace “nowhere”. There are: acme"),
        (["taken"], "“taken” exists already"),
        (["  "], "1 to 100 characters"),
        (["x" * 101], "1 to 100 characters"),
        (["a\nb"], "1 to 100 characters"),
    ],
)
def test_the_command_says_what_is_wrong(workspace: Workspace, arguments: list[str], complaint: str) -> None:
    created_by_command("taken")

    with pytest.raises(CommandError, match=complaint):
        created_by_command(*arguments)
