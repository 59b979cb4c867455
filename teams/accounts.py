"""How allauth behaves here: nobody signs up by themselves."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class ClosedSignup(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no type information
    """Accounts are made by the set-up link and, later, by invitation; never by the sign-up form."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
