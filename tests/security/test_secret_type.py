"""A Secret cannot slip out: not by showing it, not by storing it, not through an error report."""

import copy
import json
import logging
import pickle
import sys
import traceback
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from django.core.cache.backends.locmem import LocMemCache
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest
from django.views.debug import ExceptionReporter

from orqadmin.http import NoVariablesFilter
from providers.secret import Secret

CANARY = "sk-ant-api03-canary-of-the-secret-type"


@pytest.fixture
def secret() -> Secret:
    return Secret(CANARY)


def test_reveals_only_when_asked(secret: Secret) -> None:
    assert secret.reveal() == CANARY


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        ascii,
        lambda secret: f"{secret}",
        lambda secret: f"{secret!r:>60}",
        "{:x}".format,
        lambda secret: "%s %r" % (secret, secret),  # noqa: UP031
        lambda secret: repr([secret, {"key": secret}]),
        lambda secret: repr(ValueError(secret)),
    ],
)
def test_showing_it_hides_it(secret: Secret, show: Callable[[Any], str]) -> None:
    assert "canary" not in show(secret)


@pytest.mark.parametrize(
    "store",
    [
        pickle.dumps,
        lambda secret: pickle.dumps({"args": [secret]}, protocol=2),
        json.dumps,
        lambda secret: json.dumps({"key": secret}, cls=DjangoJSONEncoder),
        msgspec.json.encode,
        msgspec.msgpack.encode,
        lambda secret: LocMemCache("secret", {}).set("key", secret),
        copy.copy,
        copy.deepcopy,
        vars,
        iter,
        bytes,
    ],
)
def test_storing_it_fails(secret: Secret, store: Callable[[Any], object]) -> None:
    with pytest.raises(TypeError) as caught:
        store(secret)

    assert "canary" not in str(caught.value)


def test_cannot_be_changed_or_extended(secret: Secret) -> None:
    for name in ("_plaintext", "other"):
        with pytest.raises(AttributeError):
            setattr(secret, name, "x")


def test_equal_secrets_do_not_compare_equal(secret: Secret) -> None:
    assert secret != Secret(CANARY)
    assert secret != CANARY


def test_a_log_line_hides_it(secret: Secret, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("tests").warning("Storing %s (%r)", secret, {"secret": secret})

    assert "Storing" in caplog.text
    assert "canary" not in caplog.text


def raise_with(secret: Secret) -> None:
    raise RuntimeError("It broke.")


def test_a_traceback_with_locals_hides_it(secret: Secret) -> None:
    try:
        raise_with(secret)
    except RuntimeError as error:
        report = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())

    assert "secret = Secret(" in report
    # The canary's own text is a global of this module, which no frame's locals hold.
    assert "canary" not in report


def raise_with_plaintext(plaintext: str) -> None:
    raise RuntimeError(f"It broke with {len(plaintext)} characters.")


def test_an_error_report_shows_neither_locals_nor_what_was_posted() -> None:
    request = HttpRequest()
    request.method = "POST"
    request.META = {"SERVER_NAME": "testserver", "SERVER_PORT": "80"}
    request.POST = request.POST.copy()
    request.POST["api_key"] = CANARY
    request.exception_reporter_filter = NoVariablesFilter()  # type: ignore[attr-defined]  # where Django looks for one
    try:
        raise_with_plaintext(CANARY)
    except RuntimeError:
        reporter = ExceptionReporter(request, *sys.exc_info())

    for report in (reporter.get_traceback_html(), reporter.get_traceback_text()):
        assert "It broke with" in report
        assert CANARY not in report
