"""How a page shown in the dialog is left."""

from django.http import HttpResponse, HttpResponseRedirect
from django_htmx.http import HttpResponseClientRedirect

from teams.access import WorkspaceRequest


def leave_dialog(request: WorkspaceRequest, url: str) -> HttpResponse:
    """Lead to ``url``; where a dialog sent the form, the whole page goes there."""
    return HttpResponseClientRedirect(url) if request.htmx else HttpResponseRedirect(url)
