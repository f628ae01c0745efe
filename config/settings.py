"""All settings: one table of environment variables, read and validated once per process."""

import hashlib
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from email.utils import parseaddr
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar
from urllib.parse import urlsplit

import environs
from dotenv import load_dotenv
from environs import Env, ValidationError, validate

from config.addresses import NO_LINKS, require_app_url, require_meeting_link, require_origin
from config.brand import require_colour, require_logo_url, require_name
from config.contradictions import contradictions
from config.limits import Network, RateLimit, TrustedProxies, rate_limit, trusted_proxies
from config.publishable_keys import require_publishable_key
from config.secrets import DEVELOPMENT_SECRET, RANDOM_TEXT, flower_logins, optional_secret, require_keys, require_secret
from config.servers import DEFAULT_REDIS_URL, broker_address, database_address, redis_address

Value = TypeVar("Value")

ENVIRONMENTS = ("development", "production")
NOTICE_KINDS = ("session_created", "session_cancelled", "webhook_endpoint_disabled")
LOOPBACK: list[Network] = [ip_network("127.0.0.0/8"), ip_network("::1/128")]
MAIL_AS_FILES, MAIL_OFF = "files", "off"
DEFAULT_MEETING_URL = "https://meet.jit.si/{room}"
# The name is the target of deliveries, and shown in them.
NAMED_CHANNEL = re.compile("([a-z][a-z0-9_-]{0,31})=(.+)")
# The same as the bound of a listing's reminders in a layer that config may not import: a test holds them equal.
MAX_REMINDERS = 5
REMINDER_LIMIT_MINUTES = 43_200  # 30 days
# Set by `tutelage up` for its own processes alone: they keep its settings, even if `.env` has changed since.
STARTED_BY_UP = "TUTELAGE_STARTED_BY_UP"
MAX_RETRIES = 30
# The similarity (difflib) and the length from which on a name in the environment is taken for a misspelt setting.
LIKENESS = 0.85
OWN_LIKENESS = 0.75
MIN_LIKENESS_LENGTH = 6
OWN_PREFIX = "TUTELAGE_"
# Variables of the system, of docker-compose.yml and of other programs.
KNOWN_BESIDES = frozenset({"TUTELAGE_DATA_DIR", STARTED_BY_UP, "GRAFANA_PASSWORD"})
FOREIGN_PREFIXES = ("POSTGRES_", "PG", "GF_", "CELERY_", "OTEL_", "DOCKER_", "COMPOSE_")
RETRY_LIMIT_SECONDS = 604_800  # 7 days
LEAST_RETENTION_DAYS, MOST_DAYS = 30, 36_500


class SettingsError(ValueError):
    """A setting is missing or invalid; the message names it and what it should hold."""


@contextmanager
def exit_on_refused_settings() -> Iterator[None]:
    """End the process with the messages and exit code 2, as `tutelage` does, instead of a traceback."""
    try:
        yield
    except SettingsError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None


def _optional_tuple(values: list[Value] | None) -> tuple[Value, ...] | None:
    return None if values is None else tuple(values)


def _channels(entries: list[str]) -> dict[str, str]:
    """URLs by the names of their channels; the default name is a digest that does not reveal the URL."""
    channels: dict[str, str] = {}
    for entry in entries:
        named = NAMED_CHANNEL.fullmatch(entry)
        name, url = named.groups() if named else (hashlib.sha256(entry.encode()).hexdigest()[:16], entry)
        if channels.setdefault(name, url) != url:
            raise SettingsError(f"APPRISE_URLS holds two channels of the name {name}.")
    return channels


def _network(name: str) -> Network:
    try:
        return ip_network(name.strip())
    except ValueError as error:
        raise ValidationError(f"Must hold networks such as 10.0.0.0/8: {error}") from error


def _numbers(
    least: float, most: float, counts: range, unit: str, *, repeated: bool = False
) -> Callable[[list[float]], None]:
    def check(numbers: list[float]) -> None:
        if len(numbers) not in counts or not all(least <= each <= most for each in numbers):
            sentence = f"Must be {counts.start} to {counts.stop - 1} numbers of {unit}, each from {least} to {most}."
            raise ValidationError(sentence)
        if not repeated and len(set(numbers)) < len(numbers):
            raise ValidationError("Must not repeat a number.")

    return check


_REMINDERS = _numbers(1, REMINDER_LIMIT_MINUTES, range(MAX_REMINDERS + 1), "minutes before the start")
_RETRIES = _numbers(0.001, RETRY_LIMIT_SECONDS, range(1, MAX_RETRIES + 1), "seconds", repeated=True)
_LOCALE = validate.Regexp(
    r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z", error="Must be a language tag (BCP 47), such as de or de-AT."
)
_MAIL_ADDRESS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")
_BASE_URL = validate.URL(schemes={"http", "https"}, require_tld=False)


def _setting(read: Callable[[Env], Value], *, shown: bool = True, variable: str | None = None) -> Value:
    """A field of `Settings` and its reader; `variable` is its name in the environment, where that differs."""
    made: Value = field(repr=shown, metadata={"read": read, "variable": variable})
    return made


def _text(name: str) -> str | None:
    return _setting(lambda env: env.str(name, None) or None)


def _whole(name: str, default: int, least: int, most: int) -> int:
    return _setting(lambda env: env.int(name, default, validate=validate.Range(least, most)))


def _retention_days(name: str, default: int) -> int:
    """For ever, or for longer than anything is retried or can be recovered."""

    def check(days: int) -> None:
        if days and not LEAST_RETENTION_DAYS <= days <= MOST_DAYS:
            raise ValidationError(f"Must be 0, for ever, or {LEAST_RETENTION_DAYS} to {MOST_DAYS} days.")

    return _setting(lambda env: env.int(name, default, validate=check))


def _one_of(name: str, *choices: str) -> str:
    return _setting(lambda env: env.str(name, choices[0], validate=validate.OneOf(choices)), variable=name)


def _secret(name: str, advice: str = RANDOM_TEXT) -> str | None:
    return _setting(
        lambda env: optional_secret(name, env.str(name, ""), development=_in_development(env), advice=advice),
        shown=False,
    )


def _given(name: str, *beginnings: str) -> str | None:
    """A secret that a provider has made, by its prefix."""

    def read(env: Env) -> str | None:
        found = env.str(name, "").strip()
        if found and not found.startswith(beginnings):
            raise SettingsError(f"{name} must begin with {' or '.join(beginnings)}.")
        return found or None

    return _setting(read, shown=False)


def _rate(name: str, default: str) -> RateLimit | None:
    return _setting(lambda env: rate_limit(name, env.str(name, default)))


def _keys(name: str) -> tuple[str, ...]:
    return _setting(
        lambda env: require_keys(
            name, env.list(name, _in_development(env) * [DEVELOPMENT_SECRET]), development=_in_development(env)
        ),
        shown=False,
    )


def _server(name: str, require: Callable[[str], object]) -> str:
    """The address of a server, as it was given; empty for none."""

    def read(env: Env) -> str:
        given = env.str(name, "")
        if given:
            require(given)
        return given

    return _setting(read, shown=False)


def _jwt_secret(env: Env) -> str | None:
    secret = env.str("JWT_SECRET", _in_development(env) * DEVELOPMENT_SECRET)
    if not secret and (env.str("JWT_PUBLIC_KEY", "") or env.str("JWT_JWKS_URL", "")):
        # Nothing is verified by it.
        return None
    return require_secret("JWT_SECRET", secret, development=_in_development(env))


def _jwt_public_key(env: Env) -> str | None:
    given = env.str("JWT_PUBLIC_KEY", "").strip()
    if not given:
        return None
    try:
        # One line of an environment file holds line breaks as \n.
        pem = given.replace("\\n", "\n") if given.startswith("-----BEGIN") else Path(given).read_text(encoding="ascii")
        # Few processes need its library.
        import_module("config.jwt_keys").public_keys(pem)
    except OSError as error:
        raise SettingsError(
            f"JWT_PUBLIC_KEY must hold PEM, or name a file that can be read: {error.strerror}."
        ) from error
    except ValueError as error:
        raise SettingsError(f"JWT_PUBLIC_KEY {error}") from error
    return pem


def _jwt_jwks_url(env: Env) -> str | None:
    url = env.str("JWT_JWKS_URL", "").strip()
    if not url:
        return None
    schemes = ("https", "http") if _in_development(env) else ("https",)
    try:
        parts = urlsplit(url)
        usable = parts.scheme in schemes and parts.hostname and not parts.username and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError("JWT_JWKS_URL must begin with https:// (in development http:// will do) and name a host.")
    return url


def _meeting_url(env: Env) -> str | None:
    address = env.str("MEETING_URL", None)
    if address is None:
        # Checking it, too, would compile a long regular expression at every start.
        return DEFAULT_MEETING_URL
    if address == NO_LINKS:
        return None
    schemes = frozenset({"https", "http"} if _in_development(env) else {"https"})
    try:
        return require_meeting_link(address, schemes=schemes)
    except ValidationError as error:
        raise SettingsError(f"MEETING_URL: {error} `{NO_LINKS}` is for no links.") from error


def _mail(env: Env) -> str | None:
    said = env.str("MAIL", "")
    # Login shells name the user's mailbox so.
    if not said or said.startswith("/"):
        return None
    if said not in (MAIL_AS_FILES, MAIL_OFF):
        raise SettingsError(f"MAIL must be {MAIL_AS_FILES} or {MAIL_OFF}, or not be set.")
    return said


def _public_url(env: Env) -> str:
    given = env.str("PUBLIC_URL", None if not _in_development(env) else "http://127.0.0.1:8000", validate=_is_base_url)
    if given is None:
        raise SettingsError(
            "PUBLIC_URL must be set in production, such as https://api.example.org: links in mails begin with it."
        )
    return given.rstrip("/")


def _is_base_url(url: str | None) -> None:
    if url is not None:
        _BASE_URL(url)


def _app_url(name: str) -> str | None:
    return _setting(lambda env: env.str(name, "", validate=_app_page) or None)


def _app_page(address: str) -> None:
    if address:
        require_app_url(address)


def _mail_address(given: str) -> None:
    if given and not _MAIL_ADDRESS.fullmatch(parseaddr(given)[1]):
        raise ValidationError("Must be a mail address, such as Help <help@example.org>.")


def _sentry_dsn(dsn: str) -> None:
    parts = urlsplit(dsn)
    if dsn and not (parts.scheme in ("https", "http") and parts.username and parts.hostname and parts.path.strip("/")):
        raise ValidationError("Must read https://key@host/project, as Sentry shows it under Client Keys.")


def _collector(url: str) -> None:
    if not url:
        return
    _BASE_URL(url)
    if find_spec("opentelemetry") is None:
        raise ValidationError("Traces need OpenTelemetry: pip install 'tutelage[otel]'.")


def _in_development(env: Env) -> bool:
    return env.str("TUTELAGE_ENV", ENVIRONMENTS[0]) == ENVIRONMENTS[0]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Values of the settings. Durations are seconds, sizes bytes, times of day UTC.

    `reminder_minutes` and `webhook_retry_schedule` are None for the defaults of workflows/kernel/operator_policy.py.
    """

    environment: str = _one_of("TUTELAGE_ENV", *ENVIRONMENTS)
    database_url: str = _setting(lambda env: env.str("DATABASE_URL", ""), shown=False)
    redis_url: str = _server("REDIS_URL", redis_address)
    broker_url: str = _server("BROKER_URL", broker_address)
    jwt_secret: str | None = _setting(lambda env: _jwt_secret(env), shown=False)
    jwt_public_key: str | None = _setting(lambda env: _jwt_public_key(env))
    jwt_jwks_url: str | None = _setting(lambda env: _jwt_jwks_url(env))
    jwt_audience: str | None = _text("JWT_AUDIENCE")
    jwt_issuer: str | None = _text("JWT_ISSUER")
    jwt_leeway_seconds: int = _whole("JWT_LEEWAY_SECONDS", 10, 0, 300)
    jwt_subject: str = _one_of("JWT_SUBJECT", "id", "external")
    jwt_provision_users: bool = _setting(lambda env: env.bool("JWT_PROVISION_USERS", False))
    mentee_purchases: str = _one_of("MENTEE_PURCHASES", "on", "off")
    identity_headers: str = _one_of("IDENTITY_HEADERS", "off", "gateway", "open")
    cors_origins: tuple[str, ...] = _setting(
        lambda env: tuple(dict.fromkeys(env.list("CORS_ORIGINS", [], subcast=require_origin)))
    )
    cors_credentials: bool = _setting(lambda env: env.bool("CORS_CREDENTIALS", False))
    hsts_seconds: int = _whole("HSTS_SECONDS", 31_536_000, 0, 63_072_000)
    gateway_secret: str | None = _secret("GATEWAY_SECRET")
    encryption_keys: tuple[str, ...] = _keys("ENCRYPTION_KEYS")
    signing_keys: tuple[str, ...] = _keys("SIGNING_KEYS")
    publishable_keys: tuple[str, ...] = _setting(
        lambda env: tuple(dict.fromkeys(env.list("PUBLISHABLE_KEYS", [], subcast=require_publishable_key)))
    )
    open_catalogue: bool = _setting(lambda env: env.bool("OPEN_CATALOGUE", False))
    rate_limit_caller: RateLimit | None = _rate("RATE_LIMIT_CALLER", "600/minute")  # noqa: RUF009
    rate_limit_address: RateLimit | None = _rate("RATE_LIMIT_ADDRESS", "3000/minute")  # noqa: RUF009
    rate_limit_booking: RateLimit | None = _rate("RATE_LIMIT_BOOKING", "60/minute")  # noqa: RUF009
    rate_limit_visitor: RateLimit | None = _rate("RATE_LIMIT_VISITOR", "300/minute")  # noqa: RUF009
    rate_limit_key: RateLimit | None = _rate("RATE_LIMIT_KEY", "30000/minute")  # noqa: RUF009
    rate_limit_telemetry: RateLimit | None = _rate("RATE_LIMIT_TELEMETRY", "30/minute")  # noqa: RUF009
    rate_limit_auth_failures: RateLimit | None = _rate("RATE_LIMIT_AUTH_FAILURES", "60/minute")  # noqa: RUF009
    trusted_proxies: TrustedProxies = _setting(  # noqa: RUF009 - it makes a field
        lambda env: trusted_proxies("TRUSTED_PROXIES", env.str("TRUSTED_PROXIES", ""))
    )
    connections_per_address: int = _whole("CONNECTIONS_PER_ADDRESS", 100, 0, 10_000)
    max_open_drafts_per_mentor: int = _whole("MAX_OPEN_DRAFTS_PER_MENTOR", 5, 0, 10_000)
    max_open_drafts: int = _whole("MAX_OPEN_DRAFTS", 20, 0, 10_000)
    max_withdrawals_per_day: int = _whole("MAX_WITHDRAWALS_PER_DAY", 100, 0, 1_000_000)
    payment_default: str = _one_of("PAYMENT_DEFAULT", "none", "before")
    payment_minutes: int = _whole("PAYMENT_MINUTES", 30, 1, 43_200)
    stripe_api_key: str | None = _given("STRIPE_API_KEY", "sk_", "rk_")
    stripe_webhook_secret: str | None = _given("STRIPE_WEBHOOK_SECRET", "whsec_")
    stripe_api_base: str = _setting(
        lambda env: env.str("STRIPE_API_BASE", "https://api.stripe.com", validate=_is_base_url).rstrip("/")
    )
    checkout_origins: tuple[str, ...] = _setting(
        lambda env: tuple(dict.fromkeys(env.list("CHECKOUT_ORIGINS", [], subcast=require_origin)))
    )
    max_holds: int = _whole("MAX_HOLDS", 3, 0, 10_000)
    mentor_approval: bool = _setting(lambda env: env.bool("MENTOR_APPROVAL", False))
    without_hours: str = _one_of("WITHOUT_HOURS", "open", "closed")
    hold_minutes: int = _whole("HOLD_MINUTES", 5, 1, 1_440)
    max_idempotency_keys: int = _whole("MAX_IDEMPOTENCY_KEYS", 5_000, 0, 10_000_000)
    max_idempotency_megabytes: int = _whole("MAX_IDEMPOTENCY_MEGABYTES", 16, 0, 100_000)
    webhook_pings_per_hour: int = _whole("WEBHOOK_PINGS_PER_HOUR", 60, 0, 1_000_000)
    webhook_resends_per_hour: int = _whole("WEBHOOK_RESENDS_PER_HOUR", 600, 0, 1_000_000)
    webhook_recoveries_per_hour: int = _whole("WEBHOOK_RECOVERIES_PER_HOUR", 60, 0, 1_000_000)
    streams_url: str | None = _text("STREAMS_URL")
    streams_per_user: int = _setting(lambda env: env.int("STREAMS_PER_USER", 5, validate=validate.Range(0, 1000)))
    streams_per_visitor: int = _whole("STREAMS_PER_VISITOR", 10, 0, 1_000)
    component_demo: str = _one_of("COMPONENT_DEMO", "off", "pages", "tokens")
    component_frame_ancestors: tuple[str, ...] = _setting(
        lambda env: tuple(dict.fromkeys(env.list("COMPONENT_FRAME_ANCESTORS", [], subcast=require_origin)))
    )
    component_telemetry_percent: int = _whole("COMPONENT_TELEMETRY_PERCENT", 10, 0, 100)
    meeting_url: str | None = _setting(lambda env: _meeting_url(env))
    mentee_overlap: bool = _setting(lambda env: env.bool("MENTEE_OVERLAP", False))
    waitlist_offer_minutes: int = _whole("WAITLIST_OFFER_MINUTES", 60, 0, 43_200)
    calendar_feed_minutes: int = _whole("CALENDAR_FEED_MINUTES", 15, 1, 1_440)
    calendar_stale_hours: int = _whole("CALENDAR_STALE_HOURS", 24, 1, 8_760)
    smtp_url: str | None = _text("SMTP_URL")
    mail: str | None = _setting(lambda env: _mail(env))
    mail_from: str = _setting(lambda env: env.str("MAIL_FROM", "Tutelage <no-reply@tutelage.example>"))
    mail_reply_to: str | None = _setting(lambda env: env.str("MAIL_REPLY_TO", "", validate=_mail_address) or None)
    mail_folder: str = _setting(lambda env: env.str("MAIL_FOLDER", ".data/mail"))
    mail_gather_after: int = _whole("MAIL_GATHER_AFTER", 10, 0, 10_000)
    operations_mail: str | None = _text("OPERATIONS_MAIL")
    templates_folder: str | None = _text("TEMPLATES_FOLDER")
    default_locale: str = _setting(lambda env: env.str("DEFAULT_LOCALE", "en", validate=_LOCALE))
    brand_name: str | None = _setting(lambda env: env.str("BRAND_NAME", "", validate=require_name) or None)
    brand_logo_url: str | None = _setting(lambda env: env.str("BRAND_LOGO_URL", "", validate=require_logo_url) or None)
    brand_colour: str | None = _setting(lambda env: env.str("BRAND_COLOUR", "", validate=require_colour) or None)
    # Separated by spaces: such a URL may hold commas.
    apprise_channels: dict[str, str] = _setting(  # noqa: RUF009 - it makes a field
        lambda env: _channels(env.str("APPRISE_URLS", "").split()), shown=False, variable="APPRISE_URLS"
    )
    apprise_kinds: tuple[str, ...] = _setting(
        lambda env: tuple(env.list("APPRISE_KINDS", list(NOTICE_KINDS), validate=validate.ContainsOnly(NOTICE_KINDS)))
    )
    vapid_private_key: str | None = _secret("VAPID_PRIVATE_KEY", "`tutelage vapid` makes one.")
    vapid_subject: str | None = _text("VAPID_SUBJECT")
    webhook_allowed_networks: tuple[Network, ...] = _setting(
        lambda env: tuple(env.list("WEBHOOK_ALLOWED_NETWORKS", _in_development(env) * LOOPBACK, subcast=_network))
    )
    webhook_retry_schedule: tuple[float, ...] | None = _setting(
        lambda env: _optional_tuple(env.list("WEBHOOK_RETRY_SCHEDULE", None, subcast=float, validate=_RETRIES))
    )
    public_url: str = _setting(lambda env: _public_url(env))
    app_url_booking: str | None = _app_url("APP_URL_BOOKING")
    app_url_session: str | None = _app_url("APP_URL_SESSION")
    app_url_review: str | None = _app_url("APP_URL_REVIEW")
    app_url_bundle: str | None = _app_url("APP_URL_BUNDLE")
    reminder_minutes: tuple[int, ...] | None = _setting(
        lambda env: _optional_tuple(env.list("REMINDER_MINUTES", None, subcast=int, validate=_REMINDERS))
    )
    sentry_dsn: str | None = _setting(lambda env: env.str("SENTRY_DSN", "", validate=_sentry_dsn) or None, shown=False)
    sentry_environment: str | None = _text("SENTRY_ENVIRONMENT")
    sentry_release: str | None = _text("SENTRY_RELEASE")
    otel_endpoint: str | None = _setting(
        lambda env: env.str("OTEL_EXPORTER_OTLP_ENDPOINT", "", validate=_collector).rstrip("/") or None,
        variable="OTEL_EXPORTER_OTLP_ENDPOINT",
    )
    log_level: str = _setting(lambda env: logging.getLevelName(env.log_level("LOG_LEVEL", logging.INFO)))
    database_pool_size: int = _whole("DATABASE_POOL_SIZE", 8, 1, 200)
    api_workers: int = _whole("API_WORKERS", 2, 1, 64)
    api_threads: int = _whole("API_THREADS", 8, 2, 128)
    api_drain_seconds: int = _whole("API_DRAIN_SECONDS", 0, 0, 60)
    workers: str = _one_of("WORKERS", "apart", "together")
    worker_threads: int = _whole("WORKER_THREADS", 4, 1, 64)
    notification_threads: int = _whole("NOTIFICATION_THREADS", 16, 8, 256)
    webhook_threads: int = _whole("WEBHOOK_THREADS", 32, 4, 256)
    metrics_token: str | None = _secret("METRICS_TOKEN")
    flower_basic_auth: tuple[str, ...] = _setting(
        lambda env: flower_logins(env.list("FLOWER_BASIC_AUTH", []), development=_in_development(env)), shown=False
    )
    audit_retention_days: int = _whole("AUDIT_RETENTION_DAYS", 730, 0, MOST_DAYS)
    delivery_retention_days: int = _retention_days("DELIVERY_RETENTION_DAYS", 90)
    notification_retention_days: int = _retention_days("NOTIFICATION_RETENTION_DAYS", 365)
    event_retention_days: int = _retention_days("EVENT_RETENTION_DAYS", 730)
    audit_shortest_retention_days: int = _whole("AUDIT_SHORTEST_RETENTION_DAYS", 0, 0, MOST_DAYS)
    metrics_port: int = _whole("METRICS_PORT", 0, 0, 65_535)
    metrics_host: str = _setting(lambda env: env.str("METRICS_HOST", "127.0.0.1"))

    @property
    def production(self) -> bool:
        """Whether default secrets, webhooks to loopback and open identity headers are refused."""
        return self.environment == "production"

    @property
    def closed_without_hours(self) -> bool:
        """Whether a mentor without hours cannot be booked at any time."""
        return self.without_hours == "closed"

    @property
    def audit_kept_days(self) -> int:
        """The days for which audit entries are always kept: a month that is missing sooner was removed; 0 for ever."""
        return self.audit_shortest_retention_days or self.audit_retention_days

    @property
    def app_urls(self) -> dict[str, str]:
        """The pages of the operator's own application that are set: booking, session, review, bundle."""
        pages = ("booking", "session", "review", "bundle")
        return {page: url for page in pages if (url := getattr(self, f"app_url_{page}")) is not None}

    def require_database_url(self) -> str:
        """The address of the database, for processes that use one, as libpq takes it.

        Raises:
            SettingsError: there is none, or libpq would not take it.
        """
        if not self.database_url:
            raise SettingsError("Set DATABASE_URL to a PostgreSQL, or run `tutelage up`, which brings its own.")
        try:
            return database_address(self.database_url)
        except ValueError as error:
            raise SettingsError(str(error)) from None

    def require_servers(self) -> None:
        """Refuse to start without the servers' addresses; Redis's is needed in production alone.

        Raises:
            SettingsError: there is none, or it cannot be used.
        """
        self.require_database_url()
        self.require_redis_url()

    def require_redis_url(self) -> str:
        """The address of Redis; in development, by default the one of this machine.

        Raises:
            SettingsError: there is none in production.
        """
        if not self.redis_url and self.production:
            raise SettingsError(
                f"REDIS_URL must name a Redis in production; {DEFAULT_REDIS_URL} is one on this machine."
            )
        return self.redis_url or DEFAULT_REDIS_URL

    def require_broker_url(self) -> str:
        """The address of the broker, which carries wake-ups: BROKER_URL, or without it Redis.

        Raises:
            SettingsError: there is none in production.
        """
        return self.broker_url or self.require_redis_url()


def read_settings() -> Settings:
    """Read the environment, to which the lines of `.env` in the working folder are added first.

    They are added to the process's own environment: libraries and every process that it starts find the same.

    Raises:
        SettingsError: a sentence for each refused variable, with what it should hold.
    """
    if STARTED_BY_UP not in os.environ:
        load_dotenv(".env")
    env = Env()
    values: dict[str, Any] = {}
    refused: list[str] = []
    for each in fields(Settings):
        try:
            values[each.name] = each.metadata["read"](env)
        except (environs.EnvError, ValueError) as error:
            refused.append(str(error))
    refused += contradictions(SimpleNamespace(**values))
    if refused:
        raise SettingsError("\n".join(refused))
    return Settings(**values)


@cache
def settings() -> Settings:
    """This process's settings, read at first use."""
    return read_settings()


def known_settings() -> frozenset[str]:
    return frozenset(each.metadata["variable"] or each.name.upper() for each in fields(Settings))


def misspelt_settings(environment: Iterable[str]) -> dict[str, str]:
    """Names in the environment that resemble a setting, with that setting.

    Short names are left alone: EMAIL is no MAIL.
    """
    known = known_settings()
    found: dict[str, str] = {}
    for name in sorted(environment):
        if name in known or name in KNOWN_BESIDES or name.startswith(FOREIGN_PREFIXES):
            continue
        wanted = [each for each in known if len(each) >= MIN_LIKENESS_LENGTH]
        likeness = OWN_LIKENESS if name.startswith(OWN_PREFIX) else LIKENESS
        if near := get_close_matches(name.upper(), wanted, n=1, cutoff=likeness):
            found[name] = near[0]
    return found


def misspelling(name: str, meant: str) -> str:
    return f"{name} is no setting and does nothing: did you mean {meant}?"
