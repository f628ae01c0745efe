"""Access to /metrics: by token, or in development from this machine."""

import pytest
from sqlalchemy import Engine

from tests.api.test_failures import SHAPE
from tests.application import ApiClient, World
from tests.scraping import Figures

TOKEN = "a token of the scraper"
PATHS = ("/metrics", "/api/metrics")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("path", PATHS)
def test_development_shows_them_to_this_machine(client: ApiClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert "tutelage_http_requests_total" in Figures.of(answer.text).kinds


@pytest.mark.parametrize("address", ["10.0.0.7", "192.0.2.1", "2001:db8::1", ""])
def test_development_hides_them_from_other_machines(client: ApiClient, address: str) -> None:
    answer = client.get("/metrics", environ_base={"REMOTE_ADDR": address})
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert set(answer.json) == SHAPE


@pytest.mark.parametrize("path", PATHS)
def test_production_without_a_token_has_none(engine: Engine, path: str) -> None:
    answer = World.on(engine, environment="production").client.get(path)
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert set(answer.json) == SHAPE


@pytest.mark.parametrize("environment", ["development", "production"])
@pytest.mark.parametrize("path", PATHS)
def test_a_token_opens_them_and_nothing_else_does(engine: Engine, environment: str, path: str) -> None:
    client = World.on(engine, environment=environment, metrics_token=TOKEN).client
    assert client.get(path, headers=bearer(TOKEN)).status_code == 200
    assert client.get(path, headers={"Authorization": f"bearer  {TOKEN} "}).status_code == 200
    refused = [{}, bearer(""), bearer(TOKEN[:-1]), bearer(f"{TOKEN}x"), bearer("ünï"), {"Authorization": TOKEN}]
    for headers in (*refused, {"Authorization": f"Basic {TOKEN}"}):
        answer = client.get(path, headers=headers)
        assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert set(answer.json) == SHAPE


def test_a_reader_changes_nothing_and_asks_nothing_of_the_database(world: World) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert world.client.open("/metrics", method=method).status_code == 405
    assert world.client.head("/metrics").data == b""
