"""Connecting a provider: choose how, type the key, see it checked."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_htmx.http import trigger_client_event

from catalog.providers import PROVIDERS, Provider
from keys.credentials import OriginNotAllowed
from keys.forms import NewKeyForm, NewSimulatedKeyForm
from keys.models import KeyVersion, ProviderKey, TestCall
from keys.services import NameTaken, create_provider_key, versions_with_same_secret
from keys.status import status_of_call
from keys.views.finding import find_key
from teams.access import Right, WorkspaceRequest, requires

# The event that makes an open list of keys behind the dialog load itself again.
KEYS_CHANGED = "provider-keys-changed"


@require_safe
@requires(Right.MANAGE_PROVIDER_KEYS)
def configure(request: WorkspaceRequest, provider: str) -> HttpResponse:
    """Offer one's own API key or the simulated provider."""
    info = _callable_provider(provider)
    if info.is_simulated:
        return redirect("keys:create", request.workspace.slug, info.slug)
    return render(request, "keys/configure.html", {"provider": info, "simulated": PROVIDERS["simulated"]})


@never_cache
@requires(Right.MANAGE_PROVIDER_KEYS)
def key_create(request: WorkspaceRequest, provider: str) -> HttpResponse:
    """Store a new provider key and queue its free check."""
    info = _callable_provider(provider)
    form = _new_key_form(request, info)
    same_secret: list[KeyVersion] = []
    if form.is_valid():
        if "save_anyway" not in request.POST:
            same_secret = versions_with_same_secret(request.workspace, form.cleaned_data["secret"])
        key = None if same_secret else _create(request, info, form)
        if key:
            return redirect("keys:connected", request.workspace.slug, key.pk)
    context = {"provider": info, "form": form, "same_secret": same_secret}
    return render(request, "keys/create.html", context, status=422 if form.is_bound else 200)


@require_safe
@requires(Right.MANAGE_PROVIDER_KEYS)
def key_connected(request: WorkspaceRequest, key_id: UUID) -> HttpResponse:
    """Say that the key is stored and how its first check goes; the page asks again until it is done."""
    key = find_key(request, key_id)
    calls = TestCall.objects.filter(version__provider_key=key).select_related("version__provider_key")
    call = calls.order_by("-queued_at").first()
    context = {"key": key, "provider": key.provider_info, "call": call, "status": status_of_call(call)}
    response = render(request, "keys/connected.html", context)
    return trigger_client_event(response, KEYS_CHANGED) if request.htmx else response


def _callable_provider(slug: str) -> Provider:
    info = PROVIDERS.get(slug)
    if info is None or not info.is_callable:
        raise Http404
    return info


def _new_key_form(request: WorkspaceRequest, info: Provider) -> NewKeyForm | NewSimulatedKeyForm:
    data = request.POST or None
    if info.is_simulated:
        return NewSimulatedKeyForm(data, initial={"name": info.name})
    return NewKeyForm(data, request.FILES or None, provider=info)


def _create(request: WorkspaceRequest, info: Provider, form: NewKeyForm | NewSimulatedKeyForm) -> ProviderKey | None:
    try:
        return create_provider_key(
            request.workspace,
            provider=info.slug,
            name=form.cleaned_data["name"],
            secret=form.cleaned_data["secret"],
            base_url=form.cleaned_data["base_url"],
            key_settings=form.cleaned_data["settings"],
            actor=request.user,
        )
    except NameTaken as error:
        form.add_error("name", str(error))
    except OriginNotAllowed as error:
        form.add_error(None, str(error))
    return None
