"""Every setting, read from the environment. `docs/operating.md` explains each variable."""

from __future__ import annotations

import os
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from config import paths
from config.env import env_bool, env_choice, env_int, env_list, env_secret, env_str

# --- Core -----------------------------------------------------------------------------------------
BASE_DIR = paths.BASE_DIR
DEBUG = False  # never: an error page must not show a customer's trace
SECRET_KEY = env_secret("RUNWOOD_SECRET_KEY") or paths.secret_key()
HOST = env_str("RUNWOOD_HOST", "127.0.0.1")
PORT = env_int("RUNWOOD_PORT", 8000, minimum=1, maximum=65535)


def _own_url() -> str:
    """Return where a browser on this machine finds us: a command in a second terminal asks what runs."""
    if "RUNWOOD_PORT" not in os.environ and (running := paths.running_address()):
        return running
    host = "localhost" if HOST in ("0.0.0.0", "::") else HOST
    return f"http://{f'[{host}]' if ':' in host else host}:{PORT}"


GIVEN_PUBLIC_URL = env_str("RUNWOOD_PUBLIC_URL", "").rstrip("/")
PUBLIC_URL = GIVEN_PUBLIC_URL or _own_url()
ALLOWED_HOSTS = env_list("RUNWOOD_ALLOWED_HOSTS", ["*"])
CSRF_TRUSTED_ORIGINS = env_list("RUNWOOD_CSRF_TRUSTED_ORIGINS", [PUBLIC_URL])
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False
APPEND_SLASH = False  # an SDK's POST must never be answered by a redirect

# --- Apps -----------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "collector",
    "viewer",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "django_htmx",
    "template_partials",
    "csp",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",  # the host's name, and Content-Length
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "config.middleware.PageMiddleware",
]
PAGE_MIDDLEWARE = [
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "viewer.middleware.GzipPages",  # outside of all that writes to a page, and of no static file
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
# First segments of paths that are the API's alone: no page may begin so.
API_ROOTS = (
    *("api", "v1", "otel", "info", "runs", "sessions", "orgs", "workspaces", "annotation-queues"),
    *("feedback", "feedback-configs", "attachments", "model-prices", "model-price-map"),
)
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "builtins": [
                "template_partials.templatetags.partials",
                "viewer.templatetags.viewer_tags",
            ],
        },
    }
]

# --- Database -------------------------------------------------------------------------------------
# DATABASE_URL may point at a pooler; DATABASE_DIRECT_URL is for LISTEN, migrations and the broker.
DATABASE_URL = env_secret("DATABASE_URL") or ""
EMBEDDED_POSTGRES = not DATABASE_URL
if EMBEDDED_POSTGRES:
    DATABASE_URL = f"host={paths.socket_dir()} user=postgres dbname=runwood"
DATABASE_DIRECT_URL = env_secret("DATABASE_DIRECT_URL") or DATABASE_URL


def database_settings(url: str) -> dict[str, Any]:
    try:
        values = conninfo_to_dict(url)
    except ProgrammingError:  # its words may hold the password
        raise ImproperlyConfigured(
            "DATABASE_URL or DATABASE_DIRECT_URL is no address of a Postgres: use"
            " postgresql://user:password@host:5432/name"
        ) from None
    parts = {key: str(value) for key, value in values.items() if value is not None}
    return {
        "ENGINE": "config.pooled_postgres",
        "NAME": parts.pop("dbname", "runwood"),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": parts.pop("port", ""),
        "OPTIONS": {
            "connect_timeout": 3,
            # over TCP, a host that is gone is found out in so long; a process that hangs is not
            "keepalives_idle": 30,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 15_000,
            # bytes as hex literals cost 4 times the CPU (500 KB insert: 4.2 ms against 2.0)
            "server_side_binding": True,
            "pool": {
                "min_size": 1,
                "max_size": env_int("RUNWOOD_DB_POOL_SIZE", 8, minimum=1),
                "timeout": 2.0,
                "reconnect_timeout": 1.0,
            },
            **parts,
        },
    }


DATABASES = {"default": database_settings(DATABASE_URL)}

# --- Celery ---------------------------------------------------------------------------------------
# A message carries no data: it is a doorbell. Any broker may lose all of them.
CELERY_BROKER_URL = env_secret("CELERY_BROKER_URL") or "pgmq://"
EMBEDDED_BROKER = CELERY_BROKER_URL == "pgmq://"
WORKERS = env_int("RUNWOOD_WORKERS", 2, minimum=1)  # processes: each drains on one core
WEB_WORKERS = env_int("RUNWOOD_WEB_WORKERS", 2, minimum=1)

# --- Ingest limits ----------------------------------------------------------------------------------
# Reasons and the peers' figures: docs/protocol.md. All are told to clients by GET /info or in the error.
INGEST_MAX_BODY_BYTES = env_int("RUNWOOD_MAX_BODY_BYTES", 32 << 20)
INGEST_MAX_DECODED_BYTES = env_int("RUNWOOD_MAX_DECODED_BYTES", 100 << 20)
INGEST_MAX_IN_FLIGHT_BYTES = env_int("RUNWOOD_MAX_IN_FLIGHT_BYTES", 256 << 20)
INGEST_MAX_RUN_BYTES = env_int("RUNWOOD_MAX_RUN_BYTES", 20 << 20)
INGEST_MAX_RUNS = env_int("RUNWOOD_MAX_RUNS_PER_REQUEST", 5_000)
BODY_SECONDS = env_int("RUNWOOD_BODY_SECONDS", 30, minimum=1)  # and more while it comes at 16 KiB/s
INGEST_MAX_INBOX_BYTES = env_int("RUNWOOD_MAX_INBOX_BYTES", 10 << 30)
# Every body is read by the decoders, never into request.POST; Django's own cap must not be lower.
DATA_UPLOAD_MAX_MEMORY_SIZE = None
DATA_UPLOAD_MAX_NUMBER_FIELDS = (
    5_000  # so that a form with more rows than may be selected is told so
)

# --- Authentication -------------------------------------------------------------------------------
AUTH_USER_MODEL = "collector.User"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "/sign-in"
LOGIN_REDIRECT_URL = "/projects"
SIGN_IN_LINK_SECONDS = 600
SESSION_COOKIE_NAME = "runwood_session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = env_bool(
    "RUNWOOD_SECURE_COOKIES", default=PUBLIC_URL.startswith("https://")
)
CSRF_COOKIE_SECURE = SESSION_COOKIE_SECURE
CSRF_COOKIE_HTTPONLY = True

# --- API ------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["collector.auth.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["collector.auth.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["collector.api.rendering.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "collector.api.errors.exception_handler",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Runwood API",
    "DESCRIPTION": "LangSmith's tracing protocol, served from your own machine.",
    "VERSION": "0.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "PREPROCESSING_HOOKS": ["collector.api.schema.keep_one_prefix"],
}

# --- Pages ----------------------------------------------------------------------------------------
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True  # straight from the apps: there is no collectstatic
WHITENOISE_MAX_AGE = 300
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
if env_bool("RUNWOOD_TRUST_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    }
}

# --- Logging --------------------------------------------------------------------------------------
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "collector.logs.RedactingFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s: %(message)s",
        }
    },
    # 503 is an answer (overload, not ready yet), not an accident; a crash is a 500 with its traceback
    "filters": {
        "unexpected": {
            "()": "django.utils.log.CallbackFilter",
            "callback": lambda record: getattr(record, "status_code", None) != 503,
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env_choice("RUNWOOD_LOG_LEVEL", "INFO", LOG_LEVELS)},
    "loggers": {
        "django.request": {"level": "ERROR", "filters": ["unexpected"]},
        "celery": {"level": "WARNING"},
        "kombu.connection": {
            "level": "ERROR"
        },  # warns of pgmq:// having no host name, at every start
        "pgmq": {"level": "WARNING"},
    },
}
