"""Whether a workspace keeps prompts and answers, and for how long."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from teams.access import Right, WorkspaceRequest, requires
from teams.dialogs import leave_dialog
from teams.forms import PromptStorageForm
from usage.models import StoredExchange
from usage.prompt_storage import delete_stored_prompts, set_prompt_storage


@requires(Right.MANAGE_WORKSPACE)
def prompt_storage(request: WorkspaceRequest) -> HttpResponse:
    """Switch the storage of prompts on or off; switching it off offers to delete what is stored."""
    workspace = request.workspace
    stored = StoredExchange.objects.in_workspace(workspace).count()
    form = PromptStorageForm(
        request.POST or None,
        initial={"store_prompts": workspace.store_prompts, "retention_days": workspace.prompt_retention_days},
    )
    if form.is_valid():
        chosen = form.cleaned_data
        is_on = chosen["store_prompts"]
        set_prompt_storage(workspace, store=is_on, retention_days=chosen["retention_days"], actor=request.user)
        if chosen["delete_stored"] and not is_on:
            delete_stored_prompts(workspace, actor=request.user)
        messages.success(
            request, "Prompts and answers are stored from now on." if is_on else "From now on no prompt is stored."
        )
        return leave_dialog(request, _settings_url(request))
    context = {"form": form, "stored": stored}
    return render(request, "teams/prompt_storage.html", context, status=422 if form.is_bound else 200)


@requires(Right.MANAGE_WORKSPACE)
def stored_prompts_delete(request: WorkspaceRequest) -> HttpResponse:
    """Ask, then delete every stored prompt and answer."""
    if request.method != "POST":
        stored = StoredExchange.objects.in_workspace(request.workspace).count()
        return render(request, "teams/stored_prompts_delete.html", {"stored": stored})
    deleted = delete_stored_prompts(request.workspace, actor=request.user)
    messages.success(request, f"Deleted {deleted:,} stored {'prompt' if deleted == 1 else 'prompts'}.")
    return leave_dialog(request, _settings_url(request))


def _settings_url(request: WorkspaceRequest) -> str:
    return reverse("teams:settings", args=[request.workspace.slug])
