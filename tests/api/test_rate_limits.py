"""Rate limits: by caller, address and purpose, in Redis and without it, and what answers show of them."""

import re
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis
from sqlalchemy import Engine

from api.http.client_addresses import client_address, counted_address
from api.limits.counters import MAX_UNCOUNTED, BufferedCounter, Count, FallbackCounter, LocalCounter, RedisCounter
from api.limits.rate_limits import RateLimits
from api.routes.declaration import declaration_of
from config.limits import RateLimit, TrustedProxies, trusted_proxies
from tests.api.conftest import Cast
from tests.application import ApiResponse, World, as_user, settings_for, template_app, token
from tests.embedded_servers import start_valkey
from tests.eventually import eventually
from workflows.identity.actor import Claim

A_MINUTE = 60
# Of counters that are to count, and not to give up a Redis that waits for the processor.
PATIENT_SECONDS = 20.0


def limited(engine: Engine, **limits: int) -> World:
    """The application with these limits, each of so many requests a minute, counted by this process."""
    chosen = {f"rate_limit_{name}": RateLimit(amount, A_MINUTE) for name, amount in limits.items()}
    return World.on(engine, redis_url="", **chosen)


def statuses(world: World, times: int, path: str = "/me", **options: Any) -> list[int]:
    return [world.client.get(path, **options).status_code for _ in range(times)]


def shown(answer: ApiResponse) -> dict[str, tuple[int, int]]:
    """The remaining requests of each limit, and for how many seconds."""
    items = re.findall(r'"(\w+)";r=(\d+);t=(\d+)', answer.headers["RateLimit"])
    assert ", ".join(f'"{name}";r={left};t={seconds}' for name, left, seconds in items) == answer.headers["RateLimit"]
    return {name: (int(left), int(seconds)) for name, left, seconds in items}


def test_a_caller_over_the_limit_is_refused_alone(engine: Engine, cast: Cast) -> None:
    world = limited(engine, caller=3)
    assert statuses(world, 5, headers=cast.as_mentee) == [200, 200, 200, 429, 429]
    assert statuses(world, 1, headers=cast.as_stranger) == [200]
    # Another token of the same person is the same caller.
    again = {"Authorization": f"Bearer {token({'sub': str(cast.mentee.id), 'jti': 'another'})}"}
    refused = world.client.get("/me", headers=again)
    assert refused.status_code == 429
    assert refused.json["code"] == "rate_limited"
    assert refused.json["requestId"] == refused.headers["X-Request-Id"]
    assert 1 <= int(refused.headers["Retry-After"]) <= A_MINUTE
    assert refused.headers["RateLimit-Policy"] == '"caller";q=3;w=60'
    assert shown(refused)["caller"][0] == 0


def test_an_external_id_counts_towards_no_other_caller(engine: Engine, cast: Cast) -> None:
    settings = settings_for(engine.url.render_as_string(hide_password=False), redis_url="")
    limits = RateLimits(replace(settings, rate_limit_caller=RateLimit(1, A_MINUTE)))
    named = ("operator:ada", str(cast.mentee.id))
    others = (Claim(operator="ada"), Claim(user_id=cast.mentee.id))
    for external_id, other in zip(named, others, strict=True):
        limits.count(address=None, claim=Claim(external_id=external_id))
        assert not any(each.is_full for each in limits.count(address=None, claim=other))


def test_answers_show_what_remains(engine: Engine, cast: Cast) -> None:
    world = limited(engine, caller=10, address=20)
    answers = [world.client.get("/me", headers=cast.as_mentee) for _ in range(3)]
    assert [shown(answer)["caller"][0] for answer in answers] == [9, 8, 7]
    assert [shown(answer)["address"][0] for answer in answers] == [19, 18, 17]
    assert all(0 < shown(answer)["caller"][1] <= A_MINUTE for answer in answers)
    assert answers[0].headers["RateLimit-Policy"] == '"caller";q=10;w=60, "address";q=20;w=60'
    unknown = world.client.get("/no-such-route")
    assert (unknown.status_code, list(shown(unknown))) == (404, ["address"])


def test_an_address_over_the_limit_is_refused_whoever_asks(engine: Engine, cast: Cast) -> None:
    world = limited(engine, address=4)
    assert statuses(world, 2, headers=cast.as_mentee) == [200, 200]
    assert statuses(world, 3, "/no-such-route") == [404, 404, 429]
    assert statuses(world, 1, headers=cast.as_stranger) == [429]
    elsewhere = {"REMOTE_ADDR": "203.0.113.7"}
    assert statuses(world, 1, headers=cast.as_stranger, environ_base=elsewhere) == [200]
    assert statuses(world, 8, "/health/live") == [200] * 8
    assert statuses(world, 8, "/api/health/live") == [200] * 8


def test_a_network_of_ipv6_is_one_address(engine: Engine) -> None:
    world = limited(engine, address=2)
    addresses = ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:2::3", "2001:db8:1:3::1"]
    asked = [statuses(world, 1, "/docs", environ_base={"REMOTE_ADDR": each})[0] for each in addresses]
    assert asked == [200, 200, 429, 200]


def test_requests_for_bookings_have_a_limit_of_their_own(engine: Engine, cast: Cast) -> None:
    world = limited(engine, caller=100, booking=2)
    paths = ["/bookings", "/sessions/book", "/bookings/individual", f"/mentors/{cast.mentor.id}/holds"]
    answers = [world.client.post(path, headers=cast.as_mentee, json={}).status_code for path in paths]
    assert answers == [400, 400, 429, 429]
    assert statuses(world, 3, "/bookings", headers=cast.as_mentee) == [200, 200, 200]


def test_what_takes_time_of_a_mentor_counts_as_a_booking() -> None:
    app = template_app()
    rules = [
        rule
        for rule in app.url_map.iter_rules()
        if declaration_of(app.view_functions[rule.endpoint]).limit == "booking"
    ]
    assert {rule.rule for rule in rules if "POST" in (rule.methods or ())} == {
        *("/bookings", "/bookings/individual", "/sessions/book"),
        *("/mentors/<id:mentor_profile_id>/holds", "/group-sessions/<id:booking_id>/join"),
        *("/sessions/<id:session_id>/reschedule", "/sessions/<id:session_id>/proposals/<id:proposal_id>/accept"),
    }


def test_an_export_counts_as_thirty_more_requests(engine: Engine, cast: Cast) -> None:
    world = limited(engine, caller=40)
    answers = [world.client.get("/me/export", headers=cast.as_mentee) for _ in range(3)]
    assert [(answer.status_code, shown(answer)["caller"][0]) for answer in answers] == [(200, 9), (200, 0), (429, 0)]


def test_failed_credentials_get_429_and_valid_ones_never(engine: Engine, cast: Cast) -> None:
    world = limited(engine, auth_failures=2)
    forged = {"Authorization": f"Bearer {token({'sub': str(cast.mentee.id)}, secret='x' * 40)}"}
    unknown = as_user(uuid4())
    assert statuses(world, 2, headers=forged) + statuses(world, 2, headers=unknown) == [401, 401, 429, 429]
    assert statuses(world, 2, headers=cast.as_mentee) == [200, 200]
    # Without credentials, none can have failed.
    assert statuses(world, 3) == [401, 401, 401]
    refused = world.client.get("/me", headers=forged)
    assert refused.headers["RateLimit-Policy"] == '"auth_failures";q=2;w=60'
    assert int(refused.headers["Retry-After"]) > 0
    assert statuses(world, 1, headers=forged, environ_base={"REMOTE_ADDR": "203.0.113.7"}) == [401]


def test_limits_that_are_off_count_nothing(world: World, cast: Cast) -> None:
    answer = world.client.get("/me", headers=cast.as_mentee)
    assert "RateLimit" not in answer.headers
    assert "RateLimit-Policy" not in answer.headers


def test_a_refused_request_does_nothing(engine: Engine, cast: Cast) -> None:
    world = limited(engine, booking=1)
    codes = [world.client.post("/bookings", headers=cast.as_mentee, json=cast.body()).status_code for _ in range(2)]
    assert codes == [201, 429]
    assert len(world.client.get("/bookings", headers=cast.as_mentee).json["items"]) == 1


WINDOW = RateLimit(3, A_MINUTE)


def test_windows_move() -> None:
    now = [1000.0]
    counter = LocalCounter(clock=lambda: now[0])

    def used(seconds: float) -> int:
        now[0] += seconds
        return counter.count([("key", WINDOW)])[0].used

    assert [used(10) for _ in range(4)] == [0, 1, 2, 3]
    # The first of them has left after a minute, and what was refused was not counted.
    assert used(31) == 2
    assert used(1) == 3
    assert used(200) == 0


def test_many_keys_are_not_kept_without_end() -> None:
    counter = LocalCounter(max_keys=10)
    for number in range(1000):
        counter.count([(f"key {number}", WINDOW)])
    assert len(counter._times) == 10


@pytest.fixture
def key() -> str:
    return uuid4().hex


def test_windows_in_redis_move(redis_url: str, key: str) -> None:
    counter, window = RedisCounter(redis_url, lookup_seconds=PATIENT_SECONDS), RateLimit(3, 1)
    counts = [counter.count([(key, window)])[0] for _ in range(4)]
    assert [count.used for count in counts] == [0, 1, 2, 3]
    assert counts[0].seconds == 1
    assert 0 < counts[3].seconds <= 1
    time.sleep(counts[3].seconds + 0.005)
    # At least the first one has left; what was refused was not counted.
    assert counter.count([(key, window)])[0].used < 3


def test_old_entries_leave_redis_whatever_their_number(redis_url: str, key: str) -> None:
    counter, window = RedisCounter(redis_url, lookup_seconds=PATIENT_SECONDS), RateLimit(1000, A_MINUTE)
    with Redis.from_url(redis_url) as redis:
        now = int(redis.time()[0]) * 1000
        for gone in (0, 1, 2, 499, 500, 999):
            stamps = [now - 61_000] * gone + [now - 30_000] * (1000 - gone)
            redis.delete(f"tutelage:rate:{key}")
            redis.lpush(f"tutelage:rate:{key}", *stamps)
            count = counter.count([(key, window)])[0]
            assert count.used == 1000 - gone
            assert 25 < count.seconds <= 30
            assert redis.llen(f"tutelage:rate:{key}") == min(1000, 1000 - gone + 1)
            assert 0 < redis.pttl(f"tutelage:rate:{key}") <= 60_000 or gone == 0


def test_a_full_window_counts_in_no_other(redis_url: str, key: str) -> None:
    for counter in (RedisCounter(redis_url, lookup_seconds=PATIENT_SECONDS), LocalCounter()):
        windows = [(f"{key} wide", RateLimit(5, A_MINUTE)), (f"{key} narrow", RateLimit(2, A_MINUTE))]
        counts = [[count.used for count in counter.count(windows)] for _ in range(5)]
        assert counts == [[0, 0], [1, 1], [2, 2], [2, 2], [2, 2]]


def test_a_request_of_a_cost_counts_as_several(redis_url: str, key: str) -> None:
    window = (key, RateLimit(100, A_MINUTE))
    for counter in (
        LocalCounter(),
        RedisCounter(redis_url, lookup_seconds=PATIENT_SECONDS),
        BufferedCounter(RedisCounter(redis_url, lookup_seconds=PATIENT_SECONDS)),
    ):
        used = [counter.count([window], cost)[0].used for cost in (1, 30, 1, 1)]
        before = used[0]
        assert used[2:] == [before + 31, before + 32]


def test_processes_share_a_window(redis_url: str, key: str) -> None:
    counters = [RedisCounter(redis_url, lookup_seconds=PATIENT_SECONDS) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        counts = pool.map(lambda number: counters[number % 4].count([(key, RateLimit(50, A_MINUTE))])[0], range(120))
        assert sum(count.used < 50 for count in counts) == 50


@pytest.fixture
def own_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    server = start_valkey(tmp_path_factory.mktemp("valkey"))
    yield server
    server.stop()


def test_a_request_asks_redis_once(engine: Engine, cast: Cast, own_valkey: Any) -> None:
    wide = {f"rate_limit_{name}": RateLimit(1000, A_MINUTE) for name in ("caller", "address", "booking")}
    world = World.on(engine, redis_url=own_valkey.url, **wide)
    world.client.get("/me", headers=cast.as_mentee)
    # The commands of all clients are counted: no other test uses this one.
    with Redis.from_url(own_valkey.url) as redis:
        before = redis.info("commandstats")["cmdstat_evalsha"]["calls"]
        answer = world.client.post("/bookings", headers=cast.as_mentee, json=cast.body())
        assert list(shown(answer)) == ["caller", "booking", "address"]
        assert redis.info("commandstats")["cmdstat_evalsha"]["calls"] == before + 1


class Redirected(RedisCounter):
    """Counter that notes when it is asked."""

    asked = 0

    def count(self, *windows: Any) -> list[Count]:
        self.asked += 1
        return super().count(*windows)


WIDE = RateLimit(640, A_MINUTE)


def used_of(redis_url: str, key: str) -> int:
    with Redis.from_url(redis_url) as redis:
        return int(redis.llen(f"tutelage:rate:{key}"))


def test_requests_far_from_a_limit_ask_redis_together(redis_url: str, key: str) -> None:
    now = [1000.0]
    shared = Redirected(redis_url, lookup_seconds=PATIENT_SECONDS)
    counter = BufferedCounter(shared, clock=lambda: now[0])
    windows = [(key, WIDE), (f"{key} of another", RateLimit(6400, A_MINUTE))]
    counts = [[count.used for count in counter.count(windows)] for _ in range(100)]
    assert counts == [[number, number] for number in range(100)]
    assert shared.asked == 1 + 99 // MAX_UNCOUNTED
    # Known counts grow old.
    now[0] += 1
    counter.count(windows)
    assert used_of(redis_url, key) == 101
    assert used_of(redis_url, f"{key} of another") == 101


def test_no_request_beyond_a_limit_passes_a_buffer(redis_url: str, key: str) -> None:
    counter = BufferedCounter(RedisCounter(redis_url, lookup_seconds=PATIENT_SECONDS))
    counts = [counter.count([(key, WIDE)])[0].used for _ in range(700)]
    assert counts == [min(number, 640) for number in range(700)]
    assert used_of(redis_url, key) == 640


def test_small_limits_are_not_buffered(redis_url: str, key: str) -> None:
    shared = Redirected(redis_url, lookup_seconds=PATIENT_SECONDS)
    counter = BufferedCounter(shared)
    assert [counter.count([(key, RateLimit(60, A_MINUTE))])[0].used for _ in range(10)] == list(range(10))
    # Nor what is counted in one of them and in a wide window.
    assert [counter.count([(key, RateLimit(60, A_MINUTE)), (f"{key} wide", WIDE)])[0].used for _ in range(3)] == [
        10,
        11,
        12,
    ]
    assert shared.asked == 13


def test_processes_with_buffers_share_a_window(redis_url: str, key: str) -> None:
    counters = [BufferedCounter(RedisCounter(redis_url, lookup_seconds=PATIENT_SECONDS)) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda number: counters[number % 4].count([(key, WIDE)])[0], range(1000)))
    passed = sum(count.used < WIDE.amount for count in counts)
    assert WIDE.amount <= passed < WIDE.amount + len(counters) * MAX_UNCOUNTED


def test_keys_of_a_buffer_are_not_kept_without_end(redis_url: str, key: str) -> None:
    counter = BufferedCounter(RedisCounter(redis_url, lookup_seconds=PATIENT_SECONDS), max_keys=10)
    for number in range(50):
        counter.count([(f"{key} {number}", WIDE)])
    assert len(counter._known) == 10


def test_requests_are_counted_here_while_redis_hangs(own_valkey: Any, key: str) -> None:
    shared = Redirected(own_valkey.url)
    counter = FallbackCounter(shared, LocalCounter(), pause_seconds=0.5)
    assert [counter.count([(key, WINDOW)])[0].used for _ in range(2)] == [0, 1]
    own_valkey.process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    counts = [counter.count([(key, WINDOW)])[0].used for _ in range(20)]
    assert time.monotonic() - began < 0.4
    assert counts == [0, 1, 2, *[3] * 17]
    # It was asked once: the others did not wait for it.
    assert shared.asked == 3
    own_valkey.process.send_signal(signal.SIGCONT)
    eventually(lambda: counter.count([(key, WINDOW)]) and shared.asked == 4, "that it is asked again")
    eventually(lambda: not counter._own_until, "that it is relied on again")


def test_requests_are_answered_without_redis(engine: Engine, cast: Cast) -> None:
    world = World.on(engine, redis_url="redis://127.0.0.1:1/0", rate_limit_caller=RateLimit(3, A_MINUTE))
    assert statuses(world, 4, headers=cast.as_mentee) == [200, 200, 200, 429]


PROXIES = [
    # No proxy is trusted.
    ("", "9.9.9.9", "1.1.1.1", "9.9.9.9"),
    # One, which wrote the last entry.
    ("1", "9.9.9.9", "6.6.6.6, 1.1.1.1", "1.1.1.1"),
    ("2", "9.9.9.9", "6.6.6.6, 1.1.1.1, 2.2.2.2", "1.1.1.1"),
    # It has come past one of them.
    ("2", "9.9.9.9", "1.1.1.1", "9.9.9.9"),
    ("1", "9.9.9.9", None, "9.9.9.9"),
    ("1", "9.9.9.9", "unknown", "9.9.9.9"),
    ("1", "9.9.9.9", "", "9.9.9.9"),
    ("1", "9.9.9.9", "1.1.1.1:4711", "1.1.1.1"),
    ("1", "9.9.9.9", "[2001:db8::1]:4711", "2001:db8::1"),
    ("1", "9.9.9.9", "::ffff:1.1.1.1", "1.1.1.1"),
    # By networks, the peer must be in one of them.
    ("10.0.0.0/8", "9.9.9.9", "1.1.1.1", "9.9.9.9"),
    ("10.0.0.0/8", "10.0.0.1", "6.6.6.6, 1.1.1.1", "1.1.1.1"),
    ("10.0.0.0/8", "10.0.0.1", "6.6.6.6, 1.1.1.1, 10.0.0.2", "1.1.1.1"),
    ("10.0.0.0/8,fd00::/8", "::ffff:10.0.0.1", "1.1.1.1, fd00::2", "1.1.1.1"),
    ("10.0.0.0/8", "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
    ("10.0.0.0/8", "10.0.0.1", "1.1.1.1, nonsense", "10.0.0.1"),
]


@pytest.mark.parametrize(("trusted", "peer", "header", "client"), PROXIES)
def test_clients_behind_proxies_are_read_from_the_right(
    trusted: str, peer: str, header: str | None, client: str
) -> None:
    assert client_address(peer, header, trusted_proxies("TRUSTED_PROXIES", trusted)) == client


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("[2001:db8::1]", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("a socket", "unknown"),
    ],
)
def test_addresses_are_counted_by_what_a_customer_has(address: str, counted: str) -> None:
    assert counted_address(address) == counted


def test_no_client_chooses_the_address_it_is_counted_by(engine: Engine) -> None:
    world = World.on(engine, redis_url="", rate_limit_address=RateLimit(2, A_MINUTE))
    asked = [statuses(world, 1, "/docs", headers={"X-Forwarded-For": f"203.0.113.{each}"})[0] for each in range(3)]
    assert asked == [200, 200, 429]
    behind = World.on(
        engine, redis_url="", rate_limit_address=RateLimit(2, A_MINUTE), trusted_proxies=TrustedProxies(hops=1)
    )
    headers = [{"X-Forwarded-For": f"1.1.1.1, 203.0.113.{each}"} for each in range(3)]
    assert [statuses(behind, 1, "/docs", headers=each)[0] for each in headers] == [200, 200, 200]


def test_threads_of_one_process_count_together(key: str) -> None:
    counter, start = LocalCounter(), threading.Barrier(4)

    def ask(_number: int) -> int:
        start.wait()
        return sum(counter.count([(key, RateLimit(100, A_MINUTE))])[0].used < 100 for _ in range(100))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(ask, range(4))) == 100
