"""Rows with sensible defaults, made the way the product makes them; a test spells out only what it is about."""

from typing import Any

from keys.models import ProviderKey
from keys.services import create_provider_key
from providers.secret import Secret
from teams.models import GatewayKey, Membership, Role, User, Workspace
from teams.services import CreatedKey, create_gateway_key

PASSWORD = "a passphrase for tests"
PLAINTEXT = "sk-ant-api03-only-for-tests-0123456789"


def make_workspace(**fields: Any) -> Workspace:
    return Workspace.objects.create(**{"slug": "acme", "name": "Acme"} | fields)


def make_member(workspace: Workspace, email: str, role: Role = Role.DEVELOPER) -> User:
    user = User.objects.create_user(email, PASSWORD)
    Membership.objects.create(user=user, workspace=workspace, role=role)
    return user


def make_provider_key(workspace: Workspace, *, plaintext: str = PLAINTEXT, **fields: Any) -> ProviderKey:
    defaults: dict[str, Any] = {"provider": "anthropic", "name": "Production", "actor": None}
    return create_provider_key(workspace, secret=Secret(plaintext), **defaults | fields)


def make_gateway_key(workspace: Workspace, **fields: Any) -> CreatedKey:
    return create_gateway_key(workspace, **{"name": "app", "actor": None} | fields)


def make_management_key(workspace: Workspace, **fields: Any) -> CreatedKey:
    return make_gateway_key(workspace, **{"name": "scripts", "kind": GatewayKey.Kind.MANAGEMENT} | fields)
