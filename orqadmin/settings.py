"""All settings, read from the environment; docs/settings.md names each variable and its default."""

import os
import zoneinfo
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
from csp.constants import NONCE, NONE, SELF

from orqadmin import embedded

BASE_DIR = Path(__file__).resolve().parent.parent


def _listed(name: str) -> list[str]:
    return [part.strip() for part in os.environ.get(name, "").split(",") if part.strip()]


# Where it runs

DATA_DIR = Path(os.environ.get("ORQADMIN_DATA_DIR", BASE_DIR / "var")).resolve()
HOST = os.environ.get("HOST", "127.0.0.1")
PORT = int(os.environ.get("PORT", "8000"))
PUBLIC_URL = os.environ.get("ORQADMIN_PUBLIC_URL", f"http://{HOST}:{PORT}").rstrip("/")
DRAIN_S = float(os.environ.get("DRAIN_S", "10"))
DEBUG = False
SECRET_KEY = os.environ.get("SECRET_KEY") or embedded.kept_secret(DATA_DIR / "secret.key")
IS_HTTPS = PUBLIC_URL.startswith("https://")

_public_host = urlsplit(PUBLIC_URL).hostname or HOST
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", _public_host, *([HOST] if HOST != "0.0.0.0" else [])]  # noqa: S104  # compared, not bound
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
# Addresses or networks whose X-Forwarded-* headers are believed.
TRUSTED_PROXIES = [ip_network(proxy) for proxy in _listed("ORQADMIN_TRUSTED_PROXIES")]

# What it is made of

INSTALLED_APPS = [
    "orqadmin",
    "teams",
    "catalog",
    "keys",
    "usage",
    "router",
    "servestatic.runserver_nostatic",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "template_partials",
    "allauth",
    "allauth.account",
]
MIDDLEWARE = [
    "orqadmin.http.TrustedProxyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "orqadmin.urls"
ASGI_APPLICATION = "orqadmin.asgi.app"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "orqadmin.http.shell",
            ],
        },
    },
]

# Stores

DATABASES = {
    "default": {
        **dj_database_url.parse(os.environ.get("DATABASE_URL") or embedded.postgres_url(DATA_DIR)),
        "CONN_HEALTH_CHECKS": True,
        # Under ASGI each request has a thread of its own: a connection kept for the next one would be kept for nobody.
        "CONN_MAX_AGE": 0,
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = os.environ.get("REDIS_URL") or embedded.redis_url(DATA_DIR)
CACHES = {
    "default": {
        "BACKEND": "orqadmin.cache.ForgivingRedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
    },
}
OUTBOX_DIR = DATA_DIR / "outbox"
OUTBOX_SYNCHRONOUS = os.environ.get("ORQADMIN_OUTBOX_SYNCHRONOUS", "NORMAL")

# Provider keys

MASTER_KEYS = os.environ.get("ORQADMIN_MASTER_KEYS", "")
MASTER_KEYS_FILE = DATA_DIR / "master.keys"
SIMULATOR_PORT = int(os.environ.get("ORQADMIN_SIMULATOR_PORT", "8009"))
SIMULATOR_ORIGIN = f"http://127.0.0.1:{SIMULATOR_PORT}"
ALLOWED_ORIGINS = frozenset(origin.rstrip("/") for origin in _listed("ORQADMIN_ALLOWED_ORIGINS"))
# Empty: Google's own.
GOOGLE_TOKEN_URI = os.environ.get("ORQADMIN_GOOGLE_TOKEN_URI", "")

# Time-outs and bounds of the gateway

CONNECT_TIMEOUT_S = float(os.environ.get("ORQADMIN_CONNECT_TIMEOUT_S", "5"))
FIRST_BYTE_TIMEOUT_S = float(os.environ.get("ORQADMIN_FIRST_BYTE_TIMEOUT_S", "600"))
BETWEEN_BYTES_TIMEOUT_S = float(os.environ.get("ORQADMIN_BETWEEN_BYTES_TIMEOUT_S", "120"))
# For a request's body to arrive.
BODY_TIMEOUT_S = float(os.environ.get("ORQADMIN_BODY_TIMEOUT_S", "120"))
# For all of a call, retries and fallbacks included; a client may set a shorter one.
CALL_TIMEOUT_S = float(os.environ.get("ORQADMIN_CALL_TIMEOUT_S", "3600"))
# Clients give up on a stream that is silent for minutes, so it is kept alive.
PING_AFTER_S = float(os.environ.get("ORQADMIN_PING_AFTER_S", "15"))
MAX_BODY_BYTES = int(os.environ.get("ORQADMIN_MAX_BODY_BYTES", str(32 * 1024 * 1024)))

# Accounts

AUTH_USER_MODEL = "teams.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "teams.accounts.ClosedSignup"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_NOTIFICATIONS = False
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_SESSION_REMEMBER = True
ADMIN_EMAIL = os.environ.get("ORQADMIN_ADMIN_EMAIL", "")
ADMIN_PASSWORD = os.environ.get("ORQADMIN_ADMIN_PASSWORD", "")
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"

SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_NAME = "__Host-orqadmin" if IS_HTTPS else "orqadmin"
SESSION_COOKIE_HTTPONLY = True
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = 31_536_000 if IS_HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
        "frame-ancestors": [NONE],
    },
}
# An error page that showed local variables could show a secret: reports keep the traceback alone.
DEFAULT_EXCEPTION_REPORTER_FILTER = "orqadmin.http.NoVariablesFilter"

# Language and time: stored in UTC, shown in the workspace's or the viewer's zone

LANGUAGE_CODE = "en-us"
USE_I18N = False
USE_TZ = True
# Zones come from the pinned tzdata, so that days begin at the same moment on every machine.
zoneinfo.reset_tzpath([])
TIME_ZONE = "UTC"
DEFAULT_WORKSPACE_TIME_ZONE = os.environ.get("ORQADMIN_TIME_ZONE", "UTC")

# Static files

STATIC_URL = "/static/"
STATIC_ROOT = Path(os.environ.get("ORQADMIN_STATIC_ROOT", DATA_DIR / "static"))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "servestatic.storage.CompressedManifestStaticFilesStorage"},
}

# Celery: messages carry ids and are hints; what must happen is a row first

CELERY_BROKER_URL = embedded.celery_broker_url(REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 60, "socket_timeout": 5, "socket_connect_timeout": 2}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": os.environ.get("ORQADMIN_LOG_LEVEL", "INFO")},
    "loggers": {
        # Their INFO lines hold whole URLs.
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
        "django": {"handlers": [], "level": "INFO", "propagate": True},
    },
}
