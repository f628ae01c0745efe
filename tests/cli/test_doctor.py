"""Tests of `tutelage doctor`: one sentence per thing that is wrong."""

from __future__ import annotations

import socket
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from cli.embedded import free_port
from cli.main import main
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
