"""Tests of the settings: what is the case without any, what is refused and how, and where they are read from."""

import json
import os
import re
import sys
from ipaddress import ip_network
from pathlib import Path
from subprocess import run

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cli.main import main
from config.limits import RateLimit, TrustedProxies
from config.secrets import DEVELOPMENT_SECRET
from config.servers import DEFAULT_REDIS_URL
from config.settings import (
    MAX_REMINDERS,
    NOTICE_KINDS,
    REMINDER_LIMIT_MINUTES,
    SettingsError,
    known_settings,
    misspelt_settings,
    read_settings,
)
from config.vapid import new_private_key, vapid
from infrastructure.operator_policy import operator_policy
from models import catalog
from tests.api.identity_provider import pem, private_key
from workflows.events.delivery import WEBHOOK_RETRY_POLICY

VAPID_KEY = new_private_key()
PRIVATE_PEM = (
    private_key("EdDSA").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode().replace("\n", "\\n")
)
OWN = "our own secret which is long enough for the tests"
ROOT = Path(__file__).resolve().parent.parent.parent
PRODUCTION = {
    "TUTELAGE_ENV": "production",
    "JWT_SECRET": OWN,
    "ENCRYPTION_KEYS": OWN,
    "SIGNING_KEYS": OWN,
    "PUBLIC_URL": "https://api.example",
    "MAIL": "files",
    "REDIS_URL": "redis://redis.example/0",
}


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # A copy, so that what a .env file adds to the environment goes away with the test.
    monkeypatch.setattr(os, "environ", os.environ.copy())
    for name in known_settings():
        os.environ.pop(name, None)
    monkeypatch.chdir(tmp_path)


def test_the_defaults_are_those_of_development() -> None:
    settings = read_settings()
    assert not settings.production
    assert settings.jwt_secret == DEVELOPMENT_SECRET
    assert settings.encryption_keys == (DEVELOPMENT_SECRET,)
    assert settings.identity_headers == "off"
    assert settings.webhook_allowed_networks == (ip_network("127.0.0.0/8"), ip_network("::1/128"))
    assert settings.smtp_url is None
    assert (settings.jwt_audience, settings.jwt_issuer, settings.gateway_secret) == (None, None, None)
    assert settings.log_level == "INFO"
    assert (settings.publishable_keys, settings.open_catalogue) == ((), False)
    assert (settings.cors_origins, settings.cors_credentials) == ((), False)
    assert (settings.vapid_private_key, settings.apprise_channels, settings.templates_folder) == (None, {}, None)
    assert settings.apprise_kinds == NOTICE_KINDS
    assert vapid(settings.vapid_private_key, settings.vapid_subject) is None


def test_production_has_no_development_defaults() -> None:
    os.environ.update(PRODUCTION)
    settings = read_settings()
    assert settings.production
    assert settings.webhook_allowed_networks == ()
    assert settings.identity_headers == "off"


@pytest.mark.parametrize(
    ("value", "address"),
    [
        (None, "https://meet.jit.si/{room}"),
        ("https://{room}.video.example/now?x=1", "https://{room}.video.example/now?x=1"),
        ("https://video.example/all", "https://video.example/all"),
        ("off", None),
    ],
)
def test_links_of_meetings_follow_the_setting(value: str | None, address: str | None) -> None:
    if value is not None:
        os.environ["MEETING_URL"] = value
    assert read_settings().meeting_url == address


def test_public_keys_take_the_place_of_the_secret(tmp_path: Path) -> None:
    file = tmp_path / "keys.pem"
    file.write_text(pem("RS256", "EdDSA"))
    for value in (str(file), pem("RS256", "EdDSA").replace("\n", "\\n")):
        os.environ.update({**PRODUCTION, "JWT_SECRET": "", "JWT_PUBLIC_KEY": value})
        settings = read_settings()
        assert (settings.jwt_secret, settings.jwt_public_key) == (None, pem("RS256", "EdDSA"))
    provider = {"JWT_PUBLIC_KEY": "", "JWT_JWKS_URL": "https://id.example/keys", "JWT_ISSUER": "https://id.example/"}
    os.environ.update(provider)
    assert read_settings().jwt_jwks_url == "https://id.example/keys"


def test_limits_and_proxies_follow_the_settings() -> None:
    settings = read_settings()
    assert settings.rate_limit_caller == RateLimit(600, 60)
    assert settings.rate_limit_address == RateLimit(3000, 60)
    assert settings.rate_limit_booking == settings.rate_limit_auth_failures == RateLimit(60, 60)
    assert settings.trusted_proxies == TrustedProxies()
    os.environ.update({"RATE_LIMIT_CALLER": "off", "RATE_LIMIT_BOOKING": "5/second"})
    os.environ["TRUSTED_PROXIES"] = "10.0.0.0/8,::1"
    settings = read_settings()
    assert (settings.rate_limit_caller, settings.rate_limit_booking) == (None, RateLimit(5, 1))
    assert settings.trusted_proxies == TrustedProxies(networks=(ip_network("10.0.0.0/8"), ip_network("::1")))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("PUBLIC_URL", "PUBLIC_URL must be set in production"),
        ("MAIL", "SMTP_URL must name a mail server in production; MAIL=files"),
    ],
)
def test_production_says_where_mails_go_and_lead(name: str, sentence: str) -> None:
    os.environ.update({each: value for each, value in PRODUCTION.items() if each != name})
    with pytest.raises(SettingsError, match=sentence):
        read_settings()
    os.environ["TUTELAGE_ENV"] = "development"
    assert (read_settings().smtp_url, read_settings().public_url[:4]) == (None, "http")


def test_production_sends_mail_without_files() -> None:
    os.environ.update({**PRODUCTION, "MAIL": "", "SMTP_URL": "smtps://mail.example"})
    assert (read_settings().mail, read_settings().smtp_url) == (None, "smtps://mail.example")
    # As a login shell has it.
    os.environ["MAIL"] = "/var/mail/root"
    assert read_settings().mail is None
    os.environ["MAIL"] = "files"
    with pytest.raises(SettingsError, match="set one of them"):
        read_settings()
    os.environ["MAIL"] = "file"
    with pytest.raises(SettingsError, match="MAIL must be files or off, or not be set"):
        read_settings()


def test_production_takes_no_redis_for_granted() -> None:
    os.environ.update({**PRODUCTION, "REDIS_URL": "", "DATABASE_URL": "postgresql://db/x"})
    with pytest.raises(SettingsError, match="REDIS_URL must name a Redis in production"):
        read_settings().require_servers()
    os.environ["REDIS_URL"] = DEFAULT_REDIS_URL
    read_settings().require_servers()
    os.environ.update({"REDIS_URL": "", "TUTELAGE_ENV": "development"})
    assert read_settings().require_redis_url() == DEFAULT_REDIS_URL


def test_known_settings_are_those_that_are_read() -> None:
    names = set(re.findall(r"^#? ?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert names - {"POSTGRES_PASSWORD", "GRAFANA_PASSWORD"} == known_settings() - {"WEBHOOK_RETRY_PAUSES"}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("JWT_SECRETT", "JWT_SECRET"),
        ("jwt_secret", "JWT_SECRET"),
        ("ENCRYPTION_KEY", "ENCRYPTION_KEYS"),
        ("DATABASE_URI", "DATABASE_URL"),
        ("TRUSTED_PROXY", "TRUSTED_PROXIES"),
        ("IDENTITY_HEADER", "IDENTITY_HEADERS"),
        ("TUTELAGE_ENVIRONMENT", "TUTELAGE_ENV"),
        ("SENTRY_DNS", "SENTRY_DSN"),
        ("FLOWER_BASIC_AUHT", "FLOWER_BASIC_AUTH"),
    ],
)
def test_a_misspelt_setting_is_named(name: str, meant: str) -> None:
    assert misspelt_settings([name, "PATH"]) == {name: meant}


ORDINARY = """
PATH HOME LANG LC_ALL LANGUAGE USER LOGNAME SHELL TERM PWD OLDPWD SHLVL EDITOR PAGER DISPLAY TZ TMPDIR
HOSTNAME MAIL MAILCHECK EMAIL DEBEMAIL XDG_RUNTIME_DIR SSH_AUTH_SOCK COLUMNS LINES COLORTERM NO_COLOR
FORCE_COLOR CI DEBUG DEBIAN_FRONTEND http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY
SSL_CERT_FILE REQUESTS_CA_BUNDLE VIRTUAL_ENV PYTHONPATH PYTHONUNBUFFERED PYTHONHASHSEED PIP_INDEX_URL
UV_INDEX_URL MAKEFLAGS MAKELEVEL POSTGRES_PASSWORD POSTGRES_USER POSTGRES_DB POSTGRES_HOST POSTGRES_PORT
PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE PGSERVICEFILE REDIS_HOST REDIS_PORT REDIS_PASSWORD
REDIS_SERVICE_HOST REDIS_SERVICE_PORT REDIS_PORT_6379_TCP API_PORT API_SERVICE_HOST STREAMS_PORT FLOWER_PORT
FLOWER_AUTH DATABASE_HOST DATABASE_NAME SMTP_HOST SMTP_PORT TUTELAGE_PORT TUTELAGE_API_SERVICE_HOST
TUTELAGE_API_PORT_8000_TCP TUTELAGE_DATA_DIR TUTELAGE_STARTED_BY_UP PROMETHEUS_MULTIPROC_DIR OTEL_SERVICE_NAME
OTEL_EXPORTER_OTLP_TRACES_ENDPOINT KUBERNETES_SERVICE_HOST AWS_REGION AWS_SECRET_ACCESS_KEY QUEUE
INVOCATION_ID JOURNAL_STREAM SENTRY_TRACES_SAMPLE_RATE CELERY_BROKER_URL GITHUB_TOKEN GIT_AUTHOR_EMAIL
NODE_ENV PUBLIC_IP APP_ENV APP_URL SECRET_KEY SIGNING_KEY_ID
"""


def test_ordinary_variables_are_no_misspelt_settings() -> None:
    assert misspelt_settings(ORDINARY.split()) == {}


def test_every_process_names_a_misspelt_setting_at_its_start(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("JWT_SECRETT=of-no-use\n")
    program = "from config.observing import observe; from config.settings import settings; observe(settings(), 'sweep')"
    made = run([sys.executable, "-c", program], env=os.environ, cwd=tmp_path, capture_output=True, text=True)
    (line,) = made.stderr.splitlines()
    said = json.loads(line)
    assert (said["level"], said["event"]) == ("warning", "setting.unknown")
    assert (said["setting"], said["did_you_mean"]) == ("JWT_SECRETT", "JWT_SECRET")
    assert "of-no-use" not in line


def test_all_refused_settings_are_named_at_once() -> None:
    os.environ.update({"TUTELAGE_ENV": "production", "JWT_SECRET": "short", "METRICS_PORT": "x", "LOG_LEVEL": "loud"})
    # What several settings make of each other, too.
    os.environ.update({"IDENTITY_HEADERS": "open", "JWT_JWKS_URL": "https://id.example/keys"})
    with pytest.raises(SettingsError) as refused:
        read_settings()
    for name in (
        *("JWT_SECRET", "ENCRYPTION_KEYS", "SIGNING_KEYS", "METRICS_PORT", "LOG_LEVEL"),
        *("IDENTITY_HEADERS=open", "JWT_JWKS_URL needs"),
    ):
        assert name in str(refused.value)


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({**PRODUCTION, "JWT_SECRET": ""}, "JWT_SECRET must not be empty"),
        ({**PRODUCTION, "SIGNING_KEYS": ""}, "SIGNING_KEYS must hold at least one secret"),
        # Webhook secrets are never stored in the clear.
        ({"TUTELAGE_ENV": "production", "JWT_SECRET": OWN}, "ENCRYPTION_KEYS must hold at least one secret"),
        ({"ENCRYPTION_KEYS": ""}, "ENCRYPTION_KEYS must hold at least one secret"),
        # Headers are believed from a gateway that proves itself, or in development.
        ({"IDENTITY_HEADERS": "gateway"}, "IDENTITY_HEADERS=gateway needs GATEWAY_SECRET"),
        ({**PRODUCTION, "IDENTITY_HEADERS": "open"}, "IDENTITY_HEADERS=open .* for development only"),
        ({**PRODUCTION, "COMPONENT_DEMO": "tokens"}, "COMPONENT_DEMO=tokens .* for development only"),
        (
            {"COMPONENT_DEMO": "tokens", "JWT_PUBLIC_KEY": pem("EdDSA")},
            "COMPONENT_DEMO=tokens signs with JWT_SECRET",
        ),
        ({"IDENTITY_HEADERS": "maybe"}, "IDENTITY_HEADERS"),
        ({"TUTELAGE_ENV": "staging"}, "TUTELAGE_ENV"),
        # Keys that verify tokens are public, strong and of one source.
        ({"JWT_PUBLIC_KEY": "/no/such/key.pem"}, "JWT_PUBLIC_KEY must hold PEM, or name .*: No such file"),
        ({"JWT_PUBLIC_KEY": pem("short")}, "JWT_PUBLIC_KEY must hold RSA keys of 2048 .* bits; one has 1024"),
        ({"JWT_PUBLIC_KEY": pem("ES384")}, "JWT_PUBLIC_KEY must hold RSA, P-256 or Ed25519 keys"),
        ({"JWT_PUBLIC_KEY": pem("RS256")[:-40]}, "JWT_PUBLIC_KEY must hold 1 to 20 public keys in PEM"),
        ({"JWT_PUBLIC_KEY": pem("EdDSA").replace("MCow", "MCwv")}, "JWT_PUBLIC_KEY must hold public keys in PEM"),
        ({"JWT_PUBLIC_KEY": PRIVATE_PEM}, "JWT_PUBLIC_KEY must hold public keys, not a private one"),
        ({"JWT_JWKS_URL": "file:///etc/passwd"}, "JWT_JWKS_URL must begin with https://"),
        ({"JWT_JWKS_URL": "https://user:password@id.example/keys"}, "JWT_JWKS_URL must begin with https://"),
        ({**PRODUCTION, "JWT_JWKS_URL": "http://id.example/keys"}, "JWT_JWKS_URL must begin with https://"),
        ({**PRODUCTION, "JWT_JWKS_URL": "https://id.example/keys"}, "JWT_JWKS_URL needs JWT_AUDIENCE or JWT_ISSUER"),
        ({"JWT_JWKS_URL": "https://id.example/keys", "JWT_PUBLIC_KEY": pem("EdDSA")}, "not both"),
        ({"JWT_LEEWAY_SECONDS": "301"}, "JWT_LEEWAY_SECONDS"),
        # Limits are a number by a time, and proxies a number or networks.
        ({"RATE_LIMIT_CALLER": "600"}, "RATE_LIMIT_CALLER must read like 600/minute"),
        ({"RATE_LIMIT_ADDRESS": "0/minute"}, "RATE_LIMIT_ADDRESS must read like 600/minute"),
        ({"RATE_LIMIT_BOOKING": "60/week"}, "RATE_LIMIT_BOOKING must read like 600/minute"),
        ({"RATE_LIMIT_AUTH_FAILURES": "1000001/day"}, "RATE_LIMIT_AUTH_FAILURES .* at most 1000000"),
        ({"TRUSTED_PROXIES": "11"}, "TRUSTED_PROXIES must hold the number of proxies"),
        ({"TRUSTED_PROXIES": "proxy.internal"}, "TRUSTED_PROXIES must hold the number of proxies"),
        ({"CONNECTIONS_PER_ADDRESS": "-1"}, "CONNECTIONS_PER_ADDRESS"),
        # Networks are networks.
        ({"WEBHOOK_ALLOWED_NETWORKS": "10.0.0.0/8,intranet"}, "WEBHOOK_ALLOWED_NETWORKS"),
        ({"WEBHOOK_ALLOWED_NETWORKS": "10.0.0.1/8"}, "WEBHOOK_ALLOWED_NETWORKS"),
        # Numbers are numbers, within what makes sense.
        ({"DATABASE_POOL_SIZE": "many"}, "DATABASE_POOL_SIZE"),
        ({"DATABASE_POOL_SIZE": "0"}, "DATABASE_POOL_SIZE"),
        ({"API_WORKERS": "65"}, "API_WORKERS"),
        ({"API_THREADS": "1"}, "API_THREADS"),
        ({"WORKER_THREADS": "-1"}, "WORKER_THREADS"),
        ({"METRICS_PORT": "65536"}, "METRICS_PORT"),
        # Reminders come before the start, up to five of them.
        ({"WEBHOOK_RETRY_SCHEDULE": "5,soon"}, "WEBHOOK_RETRY_SCHEDULE"),
        ({"WEBHOOK_RETRY_SCHEDULE": ""}, "WEBHOOK_RETRY_SCHEDULE.* 1 to 30 numbers of seconds"),
        ({"WEBHOOK_RETRY_SCHEDULE": "5,0"}, "WEBHOOK_RETRY_SCHEDULE.* 1 to 30 numbers of seconds"),
        ({"WEBHOOK_RETRY_SCHEDULE": "nan"}, "WEBHOOK_RETRY_SCHEDULE"),
        ({"WEBHOOK_RETRY_SCHEDULE": "604801"}, "WEBHOOK_RETRY_SCHEDULE.* to 604800"),
        ({"WEBHOOK_RETRY_SCHEDULE": ",".join(["1"] * 31)}, "WEBHOOK_RETRY_SCHEDULE.* 1 to 30 numbers of seconds"),
        ({"REMINDER_MINUTES": "60,soon"}, "REMINDER_MINUTES"),
        ({"REMINDER_MINUTES": "60,0"}, "REMINDER_MINUTES.* numbers of minutes before the start"),
        ({"REMINDER_MINUTES": "43201"}, "REMINDER_MINUTES.* numbers of minutes before the start"),
        ({"REMINDER_MINUTES": "60,60"}, "REMINDER_MINUTES.* not repeat"),
        ({"REMINDER_MINUTES": "1,2,3,4,5,6"}, "REMINDER_MINUTES.* 0 to 5 numbers"),
        # Transports.
        ({"SMTP_URL": "mail.example"}, "SMTP_URL must read"),
        ({"SMTP_URL": "smtp+plain://user:hunter2@relay"}, "SMTP_URL must not send a password as plain text"),
        ({"VAPID_PRIVATE_KEY": VAPID_KEY}, "VAPID_SUBJECT must say where you can be reached"),
        ({"VAPID_PRIVATE_KEY": VAPID_KEY, "VAPID_SUBJECT": "operators"}, "VAPID_SUBJECT must say"),
        ({"VAPID_PRIVATE_KEY": "hunter2", "VAPID_SUBJECT": "mailto:o@x.example"}, "VAPID_PRIVATE_KEY must hold"),
        ({"VAPID_PRIVATE_KEY": "A" * 43, "VAPID_SUBJECT": "mailto:o@x.example"}, "VAPID_PRIVATE_KEY must be random"),
        (
            {"VAPID_PRIVATE_KEY": VAPID_KEY * 2, "VAPID_SUBJECT": "mailto:o@x.org"},
            "VAPID_PRIVATE_KEY must be a key",
        ),
        ({"APPRISE_KINDS": "session_created,lottery_won"}, "APPRISE_KINDS"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL"),
        ({"APP_URL_BOOKING": "https://app.example/bookings"}, "APP_URL_BOOKING.*Must hold {id} once"),
        ({"APP_URL_BOOKING": "https://app.example/{id}/{id}"}, "APP_URL_BOOKING.*Must hold {id} once"),
        ({"APP_URL_SESSION": "https://app.example/{name}/{id}"}, "APP_URL_SESSION.* no other placeholder"),
        ({"APP_URL_REVIEW": "javascript:alert({id})"}, "APP_URL_REVIEW.* https:// or http://"),
        ({"APP_URL_REVIEW": "//app.example/{id}"}, "APP_URL_REVIEW.* https:// or http://"),
        ({"APP_URL_BUNDLE": "https://{id}.app.example/"}, "APP_URL_BUNDLE.* behind the name of the server"),
        ({"MEETING_URL": ""}, "MEETING_URL: Must be a link that begins with https:// or http://, such as"),
        ({"MEETING_URL": "meet.example/{room}"}, "MEETING_URL: Must be a link .* `off` is for no links"),
        ({"MEETING_URL": "https://meet.example/{name}"}, "MEETING_URL: Must hold no other placeholder than {room}"),
        ({"MEETING_URL": "https://meet.example/{room"}, "MEETING_URL: Must hold no other placeholder"),
        ({**PRODUCTION, "MEETING_URL": "http://meet.example/{room}"}, "MEETING_URL: .* begins with https://, such as"),
        ({"PUBLIC_URL": ""}, "PUBLIC_URL"),
        ({"PUBLIC_URL": "javascript:alert(1)"}, "PUBLIC_URL"),
        # Brands go into pages, their styles and their policies.
        ({"BRAND_NAME": "x" * 61}, "BRAND_NAME.*Must be one line of at most 60"),
        ({"BRAND_NAME": "Lern\nhaus"}, "BRAND_NAME.*Must be one line"),
        *(
            ({"BRAND_COLOUR": colour}, "BRAND_COLOUR.*Must be a colour such as")
            for colour in ("red", "#fff", "#12345g", "#1f5fbf;}", "#1f5fbf\n")
        ),
        *(
            ({"BRAND_LOGO_URL": address}, "BRAND_LOGO_URL.*Must be the https:// address")
            for address in (
                *("http://cdn.example/l.png", "data:image/png,x", "https://cdn.example", "https://:443/x"),
                *("https://cdn.example/x;script-src", 'https://cdn.example/"x', "https://cdn.example:0/l.png"),
            )
        ),
        ({"DEFAULT_LOCALE": "german!"}, "DEFAULT_LOCALE.*Must be a language tag"),
        ({"MAIL_REPLY_TO": "Help"}, "MAIL_REPLY_TO.*Must be a mail address"),
        ({"MAIL": "off", "SMTP_URL": "smtp://mail.example"}, "MAIL=off sends no mail, and SMTP_URL sends it"),
    ],
)
def test_an_invalid_setting_is_refused_by_name(environment: dict[str, str], sentence: str) -> None:
    os.environ.update(environment)
    with pytest.raises(SettingsError, match=sentence) as refused:
        read_settings()
    assert "hunter2" not in str(refused.value), "a message quotes no secret"


# Every secret, as it stands around a value.
SECRETS = {
    "JWT_SECRET": "{}",
    "ENCRYPTION_KEYS": "{}",
    "SIGNING_KEYS": "{}",
    "GATEWAY_SECRET": "{}",
    "METRICS_TOKEN": "{}",
    "FLOWER_BASIC_AUTH": "admin:{}",
    "VAPID_PRIVATE_KEY": "{}",
}
NO_SECRETS = {
    "blank": ("  ", "must not be empty"),
    "short": ("x7Kq0pLw2vRt9sYb4nMd6hGj1fZc3eA", "must hold at least 32 bytes"),
    "short but for blanks": ("x7Kq0pLw" + " " * 40, "must hold at least 32 bytes"),
    "one character over and over": ("x" * 64, "must be random"),
    "two characters over and over": ("ab" * 32, "must be random"),
    "development's": (DEVELOPMENT_SECRET, "must be your own in production"),
    "development's behind a blank": (f" {DEVELOPMENT_SECRET}", "must be your own in production"),
    "development's with a tail": (f"{DEVELOPMENT_SECRET}-2", "must be your own in production"),
    "development's in capitals": (DEVELOPMENT_SECRET.upper(), "must be your own in production"),
}


@pytest.mark.parametrize("flaw", NO_SECRETS)
@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_is_weak(name: str, flaw: str) -> None:
    value, sentence = NO_SECRETS[flaw]
    # Development's own secret is one in development.
    for environment in (PRODUCTION,) if "development" in flaw else ({}, PRODUCTION):
        os.environ.update(environment | {name: SECRETS[name].format(value)})
        with pytest.raises(SettingsError, match=f"{name} {sentence}") as refused:
            read_settings()
        assert not value.strip() or value.strip() not in str(refused.value), "a message quotes no secret"


@pytest.mark.parametrize("environment", ["development", "production"])
@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        (f"{OWN},", "Entry 2 of ENCRYPTION_KEYS must not be empty"),
        (f"{OWN}, ,{OWN}", "Entry 2 of ENCRYPTION_KEYS must not be empty"),
        (",", "Entry 1 of ENCRYPTION_KEYS must not be empty"),
        (f"{OWN},a", "Entry 2 of ENCRYPTION_KEYS must hold at least 32 bytes"),
        ("", "ENCRYPTION_KEYS must hold at least one secret"),
    ],
)
def test_every_encryption_key_is_a_secret(environment: str, keys: str, sentence: str) -> None:
    os.environ.update(PRODUCTION | {"TUTELAGE_ENV": environment, "ENCRYPTION_KEYS": keys})
    with pytest.raises(SettingsError, match=sentence):
        read_settings()


@pytest.mark.parametrize(
    ("logins", "sentence"),
    [
        (":", "FLOWER_BASIC_AUTH must read user:password"),
        (f":{OWN}", "FLOWER_BASIC_AUTH must read user:password"),
        (OWN, "FLOWER_BASIC_AUTH must read user:password"),
        ("admin:", "The password in FLOWER_BASIC_AUTH must not be empty"),
        (f"admin:{OWN},guest:guest", "The password in FLOWER_BASIC_AUTH must hold at least 32 bytes"),
        (f"admin:{OWN},", "FLOWER_BASIC_AUTH must read user:password"),
    ],
)
def test_every_login_of_flower_has_a_user_and_a_secret(logins: str, sentence: str) -> None:
    os.environ.update(PRODUCTION | {"FLOWER_BASIC_AUTH": logins})
    with pytest.raises(SettingsError, match=sentence):
        read_settings()


def test_flower_does_not_start_in_production_without_a_login() -> None:
    def start(**environment: str) -> str:
        command = [sys.executable, "-c", "import workers.flower"]
        return run(command, env=os.environ | PRODUCTION | environment, cwd=ROOT, capture_output=True, text=True).stderr

    assert "Flower needs FLOWER_BASIC_AUTH=user:password in production" in start()
    assert start(FLOWER_BASIC_AUTH=f"admin:{OWN}") == ""


def test_settings_show_no_secrets() -> None:
    os.environ.update({name: form.format(OWN) for name, form in SECRETS.items() if name != "VAPID_PRIVATE_KEY"})
    assert OWN not in repr(read_settings())


@pytest.mark.parametrize(
    ("environment", "field", "value"),
    [
        # A list is separated by commas, and spaces around them mean nothing.
        (
            {"WEBHOOK_ALLOWED_NETWORKS": "10.0.0.0/8, fd00::/8"},
            "webhook_allowed_networks",
            (ip_network("10.0.0.0/8"), ip_network("fd00::/8")),
        ),
        # An empty list allows nothing, even in development.
        ({"WEBHOOK_ALLOWED_NETWORKS": ""}, "webhook_allowed_networks", ()),
        # The first key seals, all open.
        ({"ENCRYPTION_KEYS": f"{OWN}, {DEVELOPMENT_SECRET} "}, "encryption_keys", (OWN, DEVELOPMENT_SECRET)),
        # Blanks around a secret are no part of it.
        ({"JWT_SECRET": f"  {OWN}\n"}, "jwt_secret", OWN),
        ({"GATEWAY_SECRET": f" {OWN} "}, "gateway_secret", OWN),
        ({"GATEWAY_SECRET": ""}, "gateway_secret", None),
        ({"APP_URL_BOOKING": ""}, "app_urls", {}),
        (
            {"APP_URL_BOOKING": "https://app.example/#/b/{id}", "APP_URL_BUNDLE": "http://localhost:3000/?bundle={id}"},
            "app_urls",
            {"booking": "https://app.example/#/b/{id}", "bundle": "http://localhost:3000/?bundle={id}"},
        ),
        ({"FLOWER_BASIC_AUTH": f"admin:{OWN}"}, "flower_basic_auth", (f"admin:{OWN}",)),
        ({"FLOWER_BASIC_AUTH": ""}, "flower_basic_auth", ()),
        # No mail server is no mail server, whether unset or empty.
        ({"SMTP_URL": ""}, "smtp_url", None),
        # Without a token or a port there is none, and a port is this machine's own.
        ({"METRICS_TOKEN": ""}, "metrics_token", None),
        ({}, "metrics_port", 0),
        ({"METRICS_PORT": "9464"}, "metrics_host", "127.0.0.1"),
        # Paths are appended to the public address.
        ({"PUBLIC_URL": "https://api.example.org/"}, "public_url", "https://api.example.org"),
        ({"LOG_LEVEL": "debug"}, "log_level", "DEBUG"),
        # A claim that is not named is not checked.
        ({"JWT_AUDIENCE": "", "JWT_ISSUER": ""}, "jwt_audience", None),
        ({"JWT_AUDIENCE": "", "JWT_ISSUER": ""}, "jwt_issuer", None),
        ({"IDENTITY_HEADERS": "open"}, "identity_headers", "open"),
        ({**PRODUCTION, "MAIL": "off"}, "mail", "off"),
        ({"BRAND_COLOUR": "#FFcc00"}, "brand_colour", "#FFcc00"),
        (
            {"BRAND_LOGO_URL": "https://cdn.example.org/a/logo.png?v=2"},
            "brand_logo_url",
            "https://cdn.example.org/a/logo.png?v=2",
        ),
        ({"BRAND_NAME": "", "BRAND_LOGO_URL": "", "BRAND_COLOUR": ""}, "brand_name", None),
    ],
)
def test_a_setting_is_read_as_documented(environment: dict[str, str], field: str, value: object) -> None:
    os.environ.update(environment)
    assert getattr(read_settings(), field) == value


def test_a_dotenv_file_in_the_working_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DATABASE_URL=postgresql://db/of-the-file\nPUBLIC_URL=https://file.example\n")
    assert read_settings().database_url == "postgresql://db/of-the-file"
    assert read_settings().public_url == "https://file.example"


def test_the_environment_wins_over_the_dotenv_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DATABASE_URL=postgresql://db/of-the-file\n")
    os.environ["DATABASE_URL"] = "postgresql://db/of-the-environment"
    assert read_settings().database_url == "postgresql://db/of-the-environment"


def test_a_dotenv_file_above_the_working_folder_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("DATABASE_URL=postgresql://db/of-the-file\n")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert read_settings().database_url == ""


@pytest.mark.parametrize(("said", "minutes"), [(None, (1440, 60)), ("", ()), ("30", (30,)), ("15, 2880", (15, 2880))])
def test_reminders_default_to_a_day_and_an_hour(said: str | None, minutes: tuple[int, ...]) -> None:
    if said is not None:
        os.environ["REMINDER_MINUTES"] = said
    assert operator_policy(read_settings()).reminder_minutes == minutes


def test_reminders_are_bounded_as_a_listings_own_are() -> None:
    assert (MAX_REMINDERS, REMINDER_LIMIT_MINUTES) == (catalog.MAX_REMINDERS, catalog.MAX_REMINDER_MINUTES)


def test_the_webhook_retry_schedule_defaults_to_the_policy() -> None:
    assert operator_policy(read_settings()).webhook_retry_schedule == WEBHOOK_RETRY_POLICY.pauses
    os.environ["WEBHOOK_RETRY_SCHEDULE"] = "0.5, 60,3600"
    assert operator_policy(read_settings()).webhook_retry_schedule == (0.5, 60, 3600)


def test_channels_have_a_name_or_a_digest() -> None:
    os.environ["APPRISE_URLS"] = "ops=json://a.example/x,y  slack://b/c/d?e=f"
    settings = read_settings()
    assert settings.apprise_channels == {"ops": "json://a.example/x,y", "b20d6b40741c745b": "slack://b/c/d?e=f"}
    assert operator_policy(settings).notice_channels == tuple(settings.apprise_channels)
    assert "slack" not in repr(settings)


def test_two_channels_of_one_name_are_refused() -> None:
    os.environ["APPRISE_URLS"] = "ops=json://a.example ops=json://b.example"
    with pytest.raises(SettingsError, match="APPRISE_URLS holds two channels of the name ops"):
        read_settings()


def test_a_generated_key_can_be_used() -> None:
    made = CliRunner().invoke(main, ["vapid", "--subject", "mailto:o@x.example"])
    assert made.exit_code == 0
    lines = dict(line.split("=", 1) for line in made.output.splitlines() if not line.startswith("#"))
    os.environ.update(lines)
    settings = read_settings()
    known = vapid(settings.vapid_private_key, settings.vapid_subject)
    assert known is not None
    assert known.public_key in made.output
    assert lines["VAPID_PRIVATE_KEY"] not in repr(known)
    assert CliRunner().invoke(main, ["vapid", "--subject", "me"]).exit_code == 2


def test_publishable_keys_are_recognised_by_their_form() -> None:
    good = ["tpk_" + "0123456789abcdefABCDEFGH", "tpk_" + "x" * 64]
    os.environ["PUBLISHABLE_KEYS"] = f" {good[0]},{good[1]} ,{good[0]}"
    assert read_settings().publishable_keys == tuple(good)
    for bad in ("tpk_short", "pk_" + "x" * 30, "tpk_" + "x" * 65, "tpk_" + "x-" * 20, ""):
        os.environ["PUBLISHABLE_KEYS"] = f"{good[0]},{bad}"
        with pytest.raises(SettingsError, match="PUBLISHABLE_KEYS"):
            read_settings()


def test_origins_are_kept_as_browsers_write_them() -> None:
    os.environ["CORS_ORIGINS"] = "https://App.Example.org:443, http://localhost:3000,https://[::1]:8443"
    assert read_settings().cors_origins == ("https://app.example.org", "http://localhost:3000", "https://[::1]:8443")


@pytest.mark.parametrize(
    "origin",
    [
        *("app.example.org", "https://", "https://app.example.org/", "https://app.example.org/x"),
        "https://*.example.org",
        *("https://app.example.org?x", "https://u:p@app.example.org", "ftp://app.example.org", "null", "https://a:b:c"),
        *("https://app.example.org:99999", "https://app.exämple.org", "https://app.example.org https://b.example.org"),
    ],
)
def test_what_is_no_origin_is_refused(origin: str) -> None:
    os.environ["CORS_ORIGINS"] = f"https://good.example.org,{origin}"
    with pytest.raises(SettingsError, match="CORS_ORIGINS"):
        read_settings()


@pytest.mark.parametrize("more", [{"CORS_CREDENTIALS": "true"}, {"CORS_ORIGINS": "*,https://app.example.org"}])
def test_every_origin_is_never_trusted_with_credentials(more: dict[str, str]) -> None:
    os.environ["CORS_ORIGINS"] = "*"
    assert read_settings().cors_origins == ("*",)
    os.environ.update(more)
    with pytest.raises(SettingsError, match="must be alone, without CORS_CREDENTIALS"):
        read_settings()


@pytest.mark.parametrize(
    "dsn", ["sentry.example.org", "https://sentry.example.org/1", "https://key@sentry.example.org/"]
)
def test_a_dsn_has_a_key_and_a_project(dsn: str) -> None:
    os.environ["SENTRY_DSN"] = dsn
    with pytest.raises(SettingsError, match="SENTRY_DSN"):
        read_settings()
    os.environ["SENTRY_DSN"] = "https://the-key@sentry.example.org/7"
    assert "the-key" not in repr(read_settings())


def test_a_collector_has_an_address() -> None:
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:4318/"
    assert read_settings().otel_endpoint == "http://127.0.0.1:4318"
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "127.0.0.1:4318"
    with pytest.raises(SettingsError, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        read_settings()
