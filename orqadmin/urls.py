"""Every address of the web application. The gateway's paths never come here: orqadmin/asgi.py takes them first."""

from allauth.account import views as account_views
from django.urls import URLPattern, URLResolver, include, path

from orqadmin.api import api
from teams.views import entry

# Only what works without e-mail; sign-up is there to answer that it is closed.
_account_urls: list[URLPattern] = [
    path("login/", account_views.login, name="account_login"),
    path("logout/", account_views.logout, name="account_logout"),
    path("signup/", account_views.signup, name="account_signup"),
    path("inactive/", account_views.account_inactive, name="account_inactive"),
    path("password/change/", account_views.password_change, name="account_change_password"),
    path("reauthenticate/", account_views.reauthenticate, name="account_reauthenticate"),
]

_workspace_urls: list[URLPattern | URLResolver] = [
    path("", entry.workspace_home, name="workspace"),
    path("byok/", include("keys.urls")),
    path("", include("catalog.urls")),
    path("", include("usage.urls")),
    path("", include("teams.urls")),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", entry.home, name="home"),
    path("setup/<str:token>/", entry.setup, name="setup"),
    path("account/", entry.account, name="account"),
    path("accounts/", include(_account_urls)),
    path("api/v1/", api.urls),
    path("w/<slug:workspace>/", include(_workspace_urls)),
]
