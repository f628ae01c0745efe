"""Tests of `tutelage doctor`: one sentence per thing that is wrong."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import tzdata  # type: ignore[import-untyped]
from click.testing import CliRunner, Result

from cli.doctor import CHECKS
from cli.embedded import free_port
from cli.main import main
from cli.plan import FOLDER_VARIABLE, PROGRAMS, TOGETHER
from cli.run_file import write_run
from tests.api.identity_provider import identity_provider, jwk, pem
from tests.servers import temporary_database


def examine(data_dir: Path, *words: str) -> Result:
    """Run the command, with ports that are free unless the words say otherwise."""
    ports = ["--port", str(free_port()), "--flower-port", str(free_port())]
    return CliRunner().invoke(main, ["doctor", "--data-dir", str(data_dir), *ports, *words])


def test_a_good_setup_is_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str, redis_url: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    result = examine(tmp_path)
    assert result.exit_code == 0, result.output
    assert "with btree_gist, at the newest revision" in result.output


def test_a_role_without_timeouts_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    with psycopg.connect(database_url) as db:
        db.execute(f"ALTER ROLE CURRENT_USER IN DATABASE {db.info.dbname} RESET statement_timeout")
    monkeypatch.setenv("DATABASE_URL", database_url)
    result = examine(tmp_path)
    assert result.exit_code == 1
    assert "SET statement_timeout = '9s'." in result.output
    assert "lock_timeout" not in result.output


def test_other_rules_of_a_zone_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    with psycopg.connect(database_url) as db:
        db.execute("INSERT INTO users (id, email, name, time_zone) VALUES (%s, 'a@b.c', 'A', 'Europe/Rome')", [uuid4()])
    monkeypatch.setenv("DATABASE_URL", database_url)
    assert f"ok       Time zones follow tzdata {tzdata.IANA_VERSION}; PostgreSQL " in examine(tmp_path).output
    with psycopg.connect(database_url) as db:
        db.execute("CREATE VIEW public.pg_timezone_names AS SELECT 'UTC' AS name")
    lacking = f"{database_url}?options=-csearch_path%3Dpublic,pg_catalog"
    monkeypatch.setenv("DATABASE_URL", lacking)
    result = examine(tmp_path)
    assert result.exit_code == 1
    assert "differ, or are missing, for Europe/Rome: update PostgreSQL" in result.output


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = examine(tmp_path, "--port", str(port))
    assert result.exit_code == 1
    assert f"Port {port} is taken" in result.output


def test_an_unreachable_database_and_redis_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://nobody@127.0.0.1:{free_port()}/nothing")
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")
    result = examine(tmp_path)
    assert result.exit_code == 1
    assert "The database cannot be used" in result.output
    assert "Redis cannot be reached" in result.output
    assert "2 things are wrong." in result.output


def test_a_database_that_was_not_migrated_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worker_id: str
) -> None:
    with temporary_database(f"tutelage_empty_{worker_id}") as url:
        monkeypatch.setenv("DATABASE_URL", url)
        result = examine(tmp_path)
    assert result.exit_code == 1
    assert "The database is at revision nothing: run `tutelage migrate`." in result.output


def test_a_setting_that_makes_no_sense_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", "short")
    assert "WRONG    JWT_SECRET must hold at least 32 bytes" in examine(tmp_path).output


def test_the_keys_of_an_identity_provider_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Tokens are verified with JWT_SECRET." in examine(tmp_path).output
    with identity_provider(jwk("RS256", kid="today"), jwk("EdDSA"), jwk("short")) as provider:
        monkeypatch.setenv("JWT_JWKS_URL", provider.url)
        assert "the keys at JWT_JWKS_URL: RS256 today, EdDSA EdDSA." in examine(tmp_path).output
        provider.status = 500
        assert "The keys at JWT_JWKS_URL cannot be read: The server answered 500." in examine(tmp_path).output
    monkeypatch.delenv("JWT_JWKS_URL")
    monkeypatch.setenv("JWT_PUBLIC_KEY", pem("EdDSA"))
    assert "verified with the public keys in JWT_PUBLIC_KEY" in examine(tmp_path).output


def test_a_process_that_is_gone_is_named(tmp_path: Path, database_url: str, redis_url: str) -> None:
    run = {"database_url": database_url, "redis_url": redis_url, "processes": [{"name": "sweep", "pid": 2**22 + 1}]}
    write_run(tmp_path, run)
    assert "These processes are gone: sweep." in examine(tmp_path).output


def test_processes_that_were_left_out_are_named(tmp_path: Path, database_url: str, redis_url: str) -> None:
    run: dict[str, Any] = {"database_url": database_url, "redis_url": redis_url}
    names = [part.name for part in PROGRAMS if part.name not in ("worker-notifications", "flower")]
    write_run(tmp_path, run | {"processes": [{"name": name, "pid": os.getpid()} for name in names]})
    assert "All 8 processes run, the sweep among them; left out: flower, worker-notifications." in (
        examine(tmp_path).output
    )
    names = [part.name for part in (*PROGRAMS, TOGETHER) if not part.queue or part is TOGETHER]
    write_run(tmp_path, run | {"processes": [{"name": name, "pid": os.getpid()} for name in names]})
    assert "All 6 processes run, the sweep among them." in examine(tmp_path).output


def test_mails_and_settings_are_those_of_the_running_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str, redis_url: str
) -> None:
    for name in ("SMTP_URL", "MAIL", "MAIL_FOLDER", "PUBLIC_URL"):
        monkeypatch.delenv(name, raising=False)
    started = {FOLDER_VARIABLE: str(tmp_path), "PUBLIC_URL": "http://127.0.0.1:8123", "MAIL_FOLDER": "/kept/mail"}

    def beside(**settings: str) -> str:
        command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
        environment = {**os.environ, **started, **settings}
        with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            run = {"database_url": database_url, "redis_url": redis_url}
            write_run(tmp_path, run | {"processes": [{"name": "sweep", "pid": process.pid}]})
            return examine(tmp_path).output

    output = beside()
    assert "ok       Mails of the system that runs are kept as files in /kept/mail" in output
    assert "this shell" not in output
    output = beside(SMTP_URL="smtps://user:hunter2@mail.example", API_THREADS="5")
    assert "ok       Mails of the system that runs go to mail.example, port 465" in output
    assert "their links begin with http://127.0.0.1:8123." in output
    assert f"the system in {tmp_path} was started with other values of API_THREADS, SMTP_URL." in output
    assert "hunter2" not in output


def test_templates_that_cannot_be_used_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    templates = tmp_path / "templates"
    templates.mkdir()
    monkeypatch.setenv("TEMPLATES_FOLDER", str(templates))
    assert f"The templates in {templates} can be used." in examine(tmp_path).output
    (templates / "session_created.txt.j2").write_text("{{ metnor }}")
    result = examine(tmp_path)
    assert result.exit_code == 1
    assert "session_created.txt.j2 names metnor" in result.output


def test_channels_are_listed_without_their_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPRISE_URLS", "ops=json://127.0.0.1/T00-very-secret")
    output = examine(tmp_path).output
    assert "The operators' channels: ops (json)." in output
    assert "T00-very-secret" not in output


def test_a_misspelt_setting_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "ok       No variable looks like a misspelt setting." in examine(tmp_path).output
    monkeypatch.setenv("JWT_SECRETT", "of-no-use")
    result = examine(tmp_path)
    assert "WRONG    JWT_SECRETT is no setting and does nothing: did you mean JWT_SECRET?" in result.output
    assert "of-no-use" not in result.output


def test_what_was_not_looked_at_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "BROKER_URL"):
        monkeypatch.setenv(name, "")
    result = examine(tmp_path)
    assert result.exit_code == 0, result.output
    skipped = [line for line in result.output.splitlines() if line.startswith("skipped  ")]
    assert [line.split()[2] for line in skipped] == ["database"] * 7 + ["Redis", "broker", "processes"]
    assert f"Nothing is wrong; 10 of {len(CHECKS)} checks were skipped." in result.output
    monkeypatch.setenv("API_THREADS", "many")
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:hunter2@db:port/x")
    output = examine(tmp_path).output
    for subject in ("The templates", "The operators' channels", "The keys of tokens", "Mails"):
        assert f"skipped  {subject} were not looked at: settings are refused." in output
    assert "skipped  The database was not looked at: DATABASE_URL is refused." in output
    assert "hunter2" not in output


def test_production_without_mail_addresses_or_redis_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SMTP_URL", "MAIL", "PUBLIC_URL", "REDIS_URL"):
        monkeypatch.setenv(name, "")
    monkeypatch.delenv("PUBLIC_URL")
    assert "ok       Mails are kept as files" in examine(tmp_path).output
    monkeypatch.setenv("MAIL", "off")
    assert "ok       Mails are switched off (MAIL=off): none is sent." in examine(tmp_path).output
    monkeypatch.setenv("MAIL", "")
    own = "a secret of at least thirty-two bytes for tests"
    for name in ("JWT_SECRET", "ENCRYPTION_KEYS", "SIGNING_KEYS"):
        monkeypatch.setenv(name, own)
    monkeypatch.setenv("TUTELAGE_ENV", "production")
    output = examine(tmp_path).output
    for sentence in ("PUBLIC_URL must be set in production", "MAIL=files keeps mails as files", "REDIS_URL is not set"):
        assert sentence in output
    monkeypatch.setenv("PUBLIC_URL", "https://api.example")
    monkeypatch.setenv("SMTP_URL", "smtps://user:hunter2@mail.example")
    output = examine(tmp_path).output
    assert (
        "Mails go to mail.example, port 465, which was not asked; their links begin with https://api.example." in output
    )
    assert "hunter2" not in output
