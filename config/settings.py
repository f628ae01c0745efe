"""All settings: one table of environment variables, read and validated once per process."""

from __future__ import annotations

import hashlib
import logging
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, TypeVar

import environs
from environs import Env, ValidationError, validate

from config.mail_server import mail_server
from config.secrets import DEVELOPMENT_SECRET, flower_logins, optional_secret, require_keys, require_secret

Network = IPv4Network | IPv6Network
Value = TypeVar("Value")

ENVIRONMENTS = ("development", "production")
NOTICE_KINDS = ("session_created", "session_cancelled", "webhook_endpoint_disabled")
LOOPBACK: list[Network] = [ip_network("127.0.0.0/8"), ip_network("::1/128")]
FORMER_RETRY_SCHEDULE = "WEBHOOK_RETRY_PAUSES"
IDENTITY_HEADERS = ("off", "gateway", "open")
# The name is the target of deliveries, and shown in them.
NAMED_CHANNEL = re.compile("([a-z][a-z0-9_-]{0,31})=(.+)")
# As a listing's own reminders are bounded, which stands where config may not look: a test holds them equal.
MAX_REMINDERS = 5
REMINDER_LIMIT_MINUTES = 43_200  # 30 days
MAX_RETRIES = 30
RETRY_LIMIT_SECONDS = 604_800  # 7 days


class SettingsError(Exception):
    """A setting is missing or invalid; the message names it and what it should hold."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Values of the settings. Durations are seconds, sizes bytes, times of day UTC.

    `reminder_minutes` and `webhook_retry_schedule` are None for the defaults of workflows/operator_policy.py.
    """

    environment: str
    database_url: str
    redis_url: str
    jwt_secret: str = field(repr=False)
    jwt_audience: str | None
    jwt_issuer: str | None
    identity_headers: str
    gateway_secret: str | None = field(repr=False)
    encryption_keys: tuple[str, ...] = field(repr=False)
    signing_keys: tuple[str, ...] = field(repr=False)
    smtp_url: str | None
    mail_from: str
    mail_folder: str
    operations_mail: str | None
    templates_folder: str | None
    apprise_channels: dict[str, str] = field(repr=False)
    apprise_kinds: tuple[str, ...]
    vapid_private_key: str | None = field(repr=False)
    vapid_subject: str | None
    webhook_allowed_networks: tuple[Network, ...]
    webhook_retry_schedule: tuple[float, ...] | None
    public_url: str
    reminder_minutes: tuple[int, ...] | None
    log_level: str
    database_pool_size: int
    api_workers: int
    api_threads: int
    worker_threads: int
    notification_threads: int
    webhook_threads: int
    metrics_token: str | None = field(repr=False)
    flower_basic_auth: tuple[str, ...] = field(repr=False)
    metrics_port: int
    metrics_host: str

    @property
    def production(self) -> bool:
        """Whether default secrets, webhooks to loopback and open identity headers are refused."""
        return self.environment == "production"


def read_settings() -> Settings:
    """Read the environment (and `.env` where there is one).

    Raises:
        SettingsError: a sentence for each refused variable, with what it should hold.
    """
    env = Env()
    # The working folder's; without a path the one beside this very file would be looked for.
    env.read_env(".env", recurse=False)
    try:
        settings = _from(env)
        _check(settings)
    except (environs.EnvError, ValueError) as error:
        raise SettingsError(str(error)) from error
    return settings


@cache
def settings() -> Settings:
    """This process's settings, read at first use."""
    return read_settings()


def _from(env: Env) -> Settings:
    environment = env.str("TUTELAGE_ENV", "development", validate=validate.OneOf(ENVIRONMENTS))
    development = environment == "development"
    fallback = DEVELOPMENT_SECRET if development else ""

    def keys(name: str) -> tuple[str, ...]:
        return require_keys(name, env.list(name, [fallback] if fallback else []), development=development)

    readers: dict[str, Callable[[], Any]] = {
        "environment": lambda: environment,
        "public_url": lambda: env.str(
            "PUBLIC_URL",
            "http://127.0.0.1:8000",
            validate=validate.URL(schemes={"http", "https"}, require_tld=False),
        ).rstrip("/"),
        "log_level": lambda: logging.getLevelName(env.log_level("LOG_LEVEL", logging.INFO)),
        "jwt_secret": lambda: require_secret("JWT_SECRET", env.str("JWT_SECRET", fallback), development=development),
        "jwt_audience": lambda: env.str("JWT_AUDIENCE", None) or None,
        "jwt_issuer": lambda: env.str("JWT_ISSUER", None) or None,
        "identity_headers": lambda: env.str("IDENTITY_HEADERS", "off", validate=validate.OneOf(IDENTITY_HEADERS)),
        "gateway_secret": lambda: optional_secret(
            "GATEWAY_SECRET", env.str("GATEWAY_SECRET", ""), development=development
        ),
        "encryption_keys": lambda: keys("ENCRYPTION_KEYS"),
        "signing_keys": lambda: keys("SIGNING_KEYS"),
        "smtp_url": lambda: env.str("SMTP_URL", None) or None,
        "mail_from": lambda: env.str("MAIL_FROM", "Tutelage <no-reply@tutelage.example>"),
        "mail_folder": lambda: env.str("MAIL_FOLDER", ".data/mail"),
        "operations_mail": lambda: env.str("OPERATIONS_MAIL", None) or None,
        "templates_folder": lambda: env.str("TEMPLATES_FOLDER", None) or None,
        "reminder_minutes": lambda: _optional_tuple(
            env.list(
                "REMINDER_MINUTES",
                None,
                subcast=int,
                validate=_numbers(1, REMINDER_LIMIT_MINUTES, range(MAX_REMINDERS + 1), "minutes before the start"),
            )
        ),
        # Spaces between them: such a URL may hold commas.
        "apprise_channels": lambda: _channels(env.str("APPRISE_URLS", "").split()),
        "apprise_kinds": lambda: tuple(
            env.list("APPRISE_KINDS", list(NOTICE_KINDS), validate=validate.ContainsOnly(NOTICE_KINDS))
        ),
        "vapid_private_key": lambda: optional_secret(
            "VAPID_PRIVATE_KEY",
            env.str("VAPID_PRIVATE_KEY", ""),
            development=development,
            advice="`tutelage vapid` makes one.",
        ),
        "vapid_subject": lambda: env.str("VAPID_SUBJECT", None) or None,
        "webhook_allowed_networks": lambda: tuple(
            env.list("WEBHOOK_ALLOWED_NETWORKS", LOOPBACK if development else [], subcast=_network)
        ),
        "webhook_retry_schedule": lambda: _retry_schedule(env),
        "database_url": lambda: env.str("DATABASE_URL", ""),
        "redis_url": lambda: env.str("REDIS_URL", ""),
        "metrics_token": lambda: optional_secret(
            "METRICS_TOKEN", env.str("METRICS_TOKEN", ""), development=development
        ),
        "flower_basic_auth": lambda: flower_logins(env.list("FLOWER_BASIC_AUTH", []), development=development),
        "metrics_port": lambda: env.int("METRICS_PORT", 0, validate=validate.Range(0, 65_535)),
        "metrics_host": lambda: env.str("METRICS_HOST", "127.0.0.1"),
        "database_pool_size": lambda: env.int("DATABASE_POOL_SIZE", 8, validate=validate.Range(1, 200)),
        "api_workers": lambda: env.int("API_WORKERS", 2, validate=validate.Range(1, 64)),
        "api_threads": lambda: env.int("API_THREADS", 8, validate=validate.Range(2, 128)),
        "worker_threads": lambda: env.int("WORKER_THREADS", 4, validate=validate.Range(1, 64)),
        "notification_threads": lambda: env.int("NOTIFICATION_THREADS", 16, validate=validate.Range(8, 256)),
        "webhook_threads": lambda: env.int("WEBHOOK_THREADS", 32, validate=validate.Range(4, 256)),
    }
    values: dict[str, Any] = {}
    refused: list[str] = []
    for name, read in readers.items():
        try:
            values[name] = read()
        except (environs.EnvError, SettingsError, ValueError) as error:
            refused.append(str(error))
    if refused:
        raise SettingsError("\n".join(refused))
    return Settings(**values)


def _retry_schedule(env: Env) -> tuple[float, ...] | None:
    valid = _numbers(0.001, RETRY_LIMIT_SECONDS, range(1, MAX_RETRIES + 1), "seconds", repeated=True)
    schedule = _optional_tuple(env.list("WEBHOOK_RETRY_SCHEDULE", None, subcast=float, validate=valid))
    former = _optional_tuple(env.list(FORMER_RETRY_SCHEDULE, None, subcast=float, validate=valid))
    if former is not None:
        warnings.warn(f"{FORMER_RETRY_SCHEDULE} is now called WEBHOOK_RETRY_SCHEDULE.", FutureWarning, stacklevel=2)
    return former if schedule is None else schedule


def _optional_tuple(values: list[Value] | None) -> tuple[Value, ...] | None:
    return None if values is None else tuple(values)


def _channels(entries: list[str]) -> dict[str, str]:
    """URLs by the names of their channels; without a name, a digest that does not reveal the URL."""
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


def _check(settings: Settings) -> None:
    if settings.smtp_url:
        mail_server(settings.smtp_url)
    if settings.vapid_private_key:
        # Its library takes 7 MB, which most processes do not need.
        import_module("config.vapid").vapid(settings.vapid_private_key, settings.vapid_subject)
    if settings.identity_headers == "gateway" and not settings.gateway_secret:
        raise SettingsError("IDENTITY_HEADERS=gateway needs GATEWAY_SECRET, which the gateway sends with each request.")
    if settings.identity_headers == "open" and settings.production:
        raise SettingsError("IDENTITY_HEADERS=open trusts every caller and is for development only.")
