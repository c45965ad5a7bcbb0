"""Settings of the site: one file; what differs between machines is read from the environment.

Environment variables are listed with their defaults in ``docs/configuration.md``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sonicsite.environment import (
    data_dir,
    database_config,
    flag,
    number,
    secret_key,
    secrets_dir,
    words,
)

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = data_dir(BASE_DIR)

DEBUG = flag("DEBUG", False)
# Production means: somebody set DATABASE_URL and serves real people over HTTPS.
PRODUCTION = flag("PRODUCTION", "DATABASE_URL" in os.environ)
HTTPS = flag("HTTPS", PRODUCTION)
SECRET_KEY = secret_key(secrets_dir(DATA_DIR))
ALLOWED_HOSTS = words("ALLOWED_HOSTS", "localhost 127.0.0.1 [::1]")
CSRF_TRUSTED_ORIGINS = words("CSRF_TRUSTED_ORIGINS", "")
SITE_NAME = "Sonic Vision Pro"

INSTALLED_APPS = [
    "sonicsite",
    "catalog",
    "analysis",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "django_htmx",
    "django_q",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "oauth2_provider",
    "rest_framework",
]

MIDDLEWARE = [
    "sonicsite.logs.RequestIdMiddleware",
    "analysis.api.middleware.ApiMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "sonicsite.limits.RequestLimitMiddleware",
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

ROOT_URLCONF = "sonicsite.urls"
WSGI_APPLICATION = "sonicsite.wsgi.application"
ASGI_APPLICATION = "sonicsite.asgi.application"

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
                "sonicsite.context.site",
            ],
        },
    },
]

# --- Database, cache, queue -------------------------------------------------------------------
DATABASES = {"default": database_config(DATA_DIR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = os.environ.get("REDIS_URL", "")
CACHES: dict[str, dict[str, Any]]
if REDIS_URL:
    CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
    }
else:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "django_cache",
            # Rate limits and signs of life must not be culled by a busy hour.
            "OPTIONS": {"MAX_ENTRIES": 200_000},
        }
    }

# `retry` must exceed `timeout`, or the broker hands a job out a second time.
LISTEN_WORKERS = number("LISTEN_WORKERS", 2)
HEAVY_WORKERS = number("HEAVY_WORKERS", 1)
_QUEUE = {
    "timeout": 1_800,
    "retry": 2_100,
    "poll": 0.2,
    "max_attempts": 1,
    "ack_failures": True,
    "save_limit": 500,
    "catch_up": False,
    "recycle": 200,
    "max_rss": 2_500_000,
    "scheduler": False,
    **({"redis": REDIS_URL} if REDIS_URL else {"orm": "default"}),
}
Q_CLUSTER = {
    **_QUEUE,
    "name": "listen",
    "label": "Queue",
    "workers": LISTEN_WORKERS,
    "ALT_CLUSTERS": {
        "heavy": {**_QUEUE, "workers": HEAVY_WORKERS, "timeout": 7_200, "retry": 7_500},
    },
}
JOB_HEARTBEAT_SECONDS = 3.0
JOB_LOST_AFTER_SECONDS = 20.0
JOB_ATTEMPTS = 3
# auto, cuda, mps or cpu: what separation runs on.
SEPARATION_DEVICE = os.environ.get("SEPARATION_DEVICE") or "auto"

# --- Files ------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_ROOT = DATA_DIR / "media"
UPLOAD_DIR = DATA_DIR / "uploads"
# What jobs keep between attempts; on this machine alone, and safe to empty while nothing runs.
WORK_DIR = DATA_DIR / "work"
# Staff may train on what lies directly in this folder; empty: on nothing.
TRAINING_DATA_DIR = os.environ.get("TRAINING_DATA_DIR", "")
FILE_UPLOAD_TEMP_DIR = None
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "catalog.form_uploads.PictureUploadHandler",
]
FILE_UPLOAD_PERMISSIONS = 0o600

S3_BUCKET = os.environ.get("S3_BUCKET", "")
STORAGES = {
    "default": (
        {
            "BACKEND": "storages.backends.s3.S3Storage",
            "OPTIONS": {
                "bucket_name": S3_BUCKET,
                "endpoint_url": os.environ.get("S3_ENDPOINT_URL") or None,
                "default_acl": "private",
                "file_overwrite": True,
            },
        }
        if S3_BUCKET
        else {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            # What a job makes is named by its content: written again, it is the same file.
            "OPTIONS": {"allow_overwrite": True},
        }
    ),
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# nginx's internal location that maps onto MEDIA_ROOT; empty: Django streams the bytes itself.
MEDIA_ACCEL_PREFIX = os.environ.get("MEDIA_ACCEL_PREFIX", "")

UPLOAD_MAX_BYTES = number("UPLOAD_MAX_MB", 500) * 1024 * 1024
UPLOAD_MAX_SECONDS = number("UPLOAD_MAX_MINUTES", 60) * 60
UPLOAD_CHUNK_MAX_BYTES = number("UPLOAD_CHUNK_MAX_MB", 32) * 1024 * 1024
UPLOAD_EXPIRES_HOURS = number("UPLOAD_EXPIRES_HOURS", 48)
UPLOADS_PER_HOUR = number("UPLOADS_PER_HOUR", 2_000)
QUOTA_BYTES = number("QUOTA_GB", 20) * 1024**3
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5_000

# --- Accounts ---------------------------------------------------------------------------------
AUTH_USER_MODEL = "catalog.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "library"
ACCOUNT_LOGOUT_REDIRECT_URL = "home"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
# With console mail nobody could click a link, so the embedded default lets people in at once and
# keeps asking; wherever real mail is configured verification is mandatory.
ACCOUNT_EMAIL_VERIFICATION = os.environ.get(
    "EMAIL_VERIFICATION", "mandatory" if os.environ.get("EMAIL_HOST") else "optional"
)
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_ADAPTER = "catalog.accounts.AccountAdapter"
# Counted in the cache, which all processes share; "key" is the e-mail address.
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "20/m/ip,5/5m/key",
    "signup": "20/m/ip",
    "reset_password": "20/m/ip,5/m/key",
    "reset_password_from_key": "20/m/ip",
}
ACCOUNT_SIGNUP_FORM_CLASS = "catalog.accounts.ArtistSignupForm"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = SITE_NAME

EMAIL_BACKEND = os.environ.get(
    "EMAIL_BACKEND",
    "django.core.mail.backends.smtp.EmailBackend"
    if os.environ.get("EMAIL_HOST")
    else "django.core.mail.backends.console.EmailBackend",
)
EMAIL_HOST = os.environ.get("EMAIL_HOST", "localhost")
EMAIL_PORT = number("EMAIL_PORT", 587)
EMAIL_HOST_USER = os.environ.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = flag("EMAIL_USE_TLS", True)
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL", f"{SITE_NAME} <noreply@localhost>")

# --- Security ---------------------------------------------------------------------------------
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
CSRF_COOKIE_HTTPONLY = False
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT = HTTPS and flag("SSL_REDIRECT", True)
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = number("HSTS_SECONDS", 31_536_000) if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
BEHIND_PROXY = flag("BEHIND_PROXY", False)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# How many proxies of our own add to X-Forwarded-For: the client's address is the one before them.
ALLAUTH_TRUSTED_PROXY_COUNT = number("TRUSTED_PROXIES", 1 if BEHIND_PROXY else 0)

# For each client address and web process; log-ins and uploads have stricter limits of their own.
REQUESTS_PER_SECOND = number("REQUESTS_PER_SECOND", 20)
REQUEST_BURST = number("REQUEST_BURST", 600)

# Webhooks go to the open internet alone, unless this site serves machines of its own network.
WEBHOOK_ALLOW_PRIVATE = flag("WEBHOOK_ALLOW_PRIVATE", False)
WEBHOOK_PORTS = words("WEBHOOK_PORTS", "80 443 8443")

# Server-sent events: a stream keeps one of the process's threads busy.
API_STREAMS_PER_TOKEN = number("API_STREAMS_PER_TOKEN", 12)
API_STREAMS_PER_PROCESS = max(1, number("WEB_THREADS", 48) // 2)

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:"],
        "media-src": ["'self'", "blob:"],
        "connect-src": ["'self'"],
        "font-src": ["'self'"],
        "worker-src": ["'self'", "blob:"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}

# --- International ------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
TIME_ZONE = os.environ.get("TIME_ZONE", "UTC")
USE_TZ = True
USE_I18N = True

# --- Logs -------------------------------------------------------------------------------------
LOG_FORMAT = os.environ.get("LOG_FORMAT", "json" if PRODUCTION else "text")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"ids": {"()": "sonicsite.logs.IdFilter"}},
    "formatters": {
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "fmt": "%(asctime)s %(levelname)s %(name)s %(message)s %(request_id)s %(job_id)s",
            "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger"},
        },
        "text": {
            "format": "%(asctime)s %(levelname)-7s %(name)s: %(message)s",
            "datefmt": "%H:%M:%S",
        },
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["ids"]}
    },
    "root": {"handlers": ["console"], "level": os.environ.get("LOG_LEVEL", "INFO")},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "django-q": {"level": "WARNING"},
    },
}

# --- Demo -------------------------------------------------------------------------------------
# Demo accounts have known passwords, so they exist only in the embedded default.
DEMO = "DATABASE_URL" not in os.environ and flag("DEMO", True)

# --- The partners' interface: see docs/api.md ---------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "analysis.api.authentication.PartnerTokenAuthentication",
        "analysis.api.authentication.OAuthAuthentication",
        "analysis.api.authentication.PageAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["analysis.api.permissions.ScopePermission"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["analysis.api.parsers.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "analysis.api.schema.ApiSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "analysis.api.problems.exception_handler",
    "URL_FORMAT_OVERRIDE": None,
}
# Calls per minute of one token (or of one account on the site's own pages), counted exactly across
# all web processes. Uploads and other dear calls have a count of their own beside it.
API_CALLS_PER_MINUTE = number("API_CALLS_PER_MINUTE", 600)
API_COSTLY_CALLS_PER_MINUTE = number("API_COSTLY_CALLS_PER_MINUTE", 120)
# Before anybody is known, for each client address and web process.
API_REQUESTS_PER_SECOND = number("API_REQUESTS_PER_SECOND", 200)
API_REQUEST_BURST = number("API_REQUEST_BURST", 2_000)
API_BODY_MAX_BYTES = 5 * 1024 * 1024

SPECTACULAR_SETTINGS = {
    "TITLE": f"{SITE_NAME} API",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.1",
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_NO_READ_ONLY_REQUIRED": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "SORT_OPERATIONS": False,
    "SERVE_INCLUDE_SCHEMA": False,
    "PREPROCESSING_HOOKS": ["analysis.api.schema.only_the_api"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "analysis.api.schema.finish",
    ],
    "ENUM_NAME_OVERRIDES": {
        "LanguageEnum": "analysis.lyrics_languages.LANGUAGES",
        "LanguageWishEnum": "analysis.api.analyses.LANGUAGE_WISHES",
        "JobStateEnum": "analysis.models.JobState",
        "DeliveryStateEnum": "catalog.webhook_models.DeliveryState",
        "EventEnum": "analysis.api.webhooks.kinds.KINDS",
        "SubscribedEventEnum": "analysis.api.webhooks.kinds.CHOOSABLE",
    },
    "DISABLE_ERRORS_AND_WARNINGS": False,
}

OAUTH2_PROVIDER = {
    "SCOPES": {
        "read": "See your catalogue and its analyses",
        "write": "Add, change and delete your music, and ask for analyses",
        "audio": "Download your sound: files and stems",
    },
    "DEFAULT_SCOPES": ["read"],
    "PKCE_REQUIRED": True,
    "ACCESS_TOKEN_EXPIRE_SECONDS": 3_600,
    "REFRESH_TOKEN_EXPIRE_SECONDS": 90 * 24 * 3_600,
    "ROTATE_REFRESH_TOKEN": True,
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "AUTHORIZATION_CODE_EXPIRE_SECONDS": 120,
    # Plain http only to try things out, and only to the same machine: see catalog/oauth_apps.py.
    "ALLOWED_REDIRECT_URI_SCHEMES": ["https"] if PRODUCTION else ["https", "http"],
    "REQUEST_APPROVAL_PROMPT": "force",
    "OAUTH2_RESPONSE_TYPES_SUPPORTED": ["code"],
    "OAUTH2_GRANT_TYPES_SUPPORTED": ["authorization_code", "refresh_token"],
    "ERROR_RESPONSE_WITH_SCOPES": False,
    **{
        f"COMPLIANT_BCP_RFC9700_{name}": True
        for name in (
            "IMPLICIT_GRANT",
            "PASSWORD_GRANT",
            "PKCE_METHOD",
            "ACCESS_TOKEN_TRANSPORT",
            "AUTHZ_RESPONSE_ISS",
            "TOKEN_STORAGE",
            "REFRESH_TOKEN",
            "REDIRECT_URI_SCHEME",
            "REDIRECT_URI_MATCHING",
            "PKCE_REQUIRED",
        )
    },
}
