"""Tests of `tutelage reencrypt`: a key is replaced while the system runs, and whatever was stored stays readable."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, insert, select, text, update

from cli.main import main
from config.sealing import Sealer
from config.settings import settings
from models.availability import calendar_feeds
from models.bookings import bookings
from models.engine import autocommit
from models.groups import seat_answers
from models.idempotency import idempotency_keys
from models.notifications import push_subscriptions
from models.sealed import SEALED_COLUMNS
from models.sessions import sessions
from models.webhooks import webhook_endpoints, webhook_secrets
from tests import factories
from tests.cli.test_doctor import examine
from tests.dumping import tables_with
from tests.queries import execute, scalar, scalars
from workflows.webhooks.headers import sealed_headers

pytestmark = pytest.mark.usefixtures("own_database")

OLD, NEW = "the old passphrase that is long enough", "the new passphrase that is long enough"
NOTES = "mark-of-notes"
WAIT = """
CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END $$;
CREATE TRIGGER wait BEFORE UPDATE ON bookings FOR EACH ROW WHEN (OLD.id = '{}') EXECUTE FUNCTION wait()
"""


@pytest.fixture
def use_keys(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets ENCRYPTION_KEYS for the commands of this process."""

    def use(*keys: str) -> None:
        monkeypatch.setenv("ENCRYPTION_KEYS", ",".join(keys))
        settings.cache_clear()

    use(OLD)
    return use


def tutelage(*words: str) -> Result:
    return CliRunner().invoke(main, ["reencrypt", *words])


def fill(engine: Engine, sealer: Sealer, *, rows: int = 3) -> None:
    """Rows with values of every kind."""
    with engine.begin() as db:
        listing = factories.make_listing(db)
        for _ in range(rows):
            booking = factories.make_booking(db, listing=listing, notes=sealer.seal(NOTES))
            answers = update(bookings).where(bookings.c.id == booking.id).values(answers=sealer.seal(NOTES))
            db.execute(answers)
        session = factories.make_session(db, listing=listing)
        group = factories.make_group(db, [])
        seat = {"booking_id": group.id, "user_id": factories.make_user(db).id}
        db.execute(insert(seat_answers).values(**seat, answers=sealer.seal(NOTES)))
        feed = factories.make_calendar_feed(db, factories.make_mentor(db))
        user = factories.make_user(db)
        db.execute(
            update(sessions)
            .where(sessions.c.id == session.id)
            .values(notes=sealer.seal(NOTES), feedback=sealer.seal(NOTES), action_items=[sealer.seal(NOTES)] * 2)
        )
        db.execute(update(calendar_feeds).where(calendar_feeds.c.id == feed.id).values(sealed_url=sealer.seal(NOTES)))
        endpoint = {"id": uuid4(), "url": "https://partner.example/in", "event_types": ["*"]}
        headers = sealed_headers({"x-key": NOTES, "x-other": NOTES}, sealer.seal)
        db.execute(insert(webhook_endpoints).values(**endpoint, headers=headers))
        secret = {"id": uuid4(), "endpoint_id": endpoint["id"], "sealed_secret": sealer.seal(NOTES)}
        db.execute(insert(webhook_secrets).values(secret))
        browser = {"id": uuid4(), "user_id": user.id, "endpoint_digest": "d", "host": "push.example"}
        db.execute(insert(push_subscriptions).values(**browser, sealed=sealer.seal(NOTES)))
        answer = {"caller": "user:1", "method": "POST", "route": "/bookings {}", "fingerprint": b"", "headers": {}}
        for key in "ab":
            body = sealer.seal(NOTES).encode()
            db.execute(insert(idempotency_keys).values(**answer, key=key, status_code=201, body=body))


def values(engine: Engine) -> list[str]:
    """Every value that is to be encrypted, as it is stored."""
    found: list[str] = []
    with engine.connect() as db:
        for each in SEALED_COLUMNS:
            selected = f"SELECT value FROM {each.table.name}, LATERAL ({each.values}) AS row (value)"
            found += [str(value) for value in db.scalars(text(selected.replace(":", r"\:"))) if value is not None]
    return found


def versions(engine: Engine) -> list[tuple[object, ...]]:
    booking = bookings.c
    with engine.connect() as db:
        rows = db.execute(select(booking.id, booking.version, booking.updated_at).order_by(booking.id))
        return [tuple(row) for row in rows]


def test_everything_is_under_the_new_key_and_the_old_one_can_go(engine: Engine, use_keys: Callable[..., None]) -> None:
    fill(engine, Sealer([OLD]))
    before = versions(engine)
    use_keys(NEW, OLD)
    result = tutelage("--page", "2")
    assert result.exit_code == 0, result.output
    assert "bookings: 3 rows written, 0 left." in result.output
    assert "idempotency_keys: 2 rows written, 0 left." in result.output
    stored = values(engine)
    assert len(stored) == 18
    assert {Sealer([NEW]).unseal(each) for each in stored} == {NOTES}
    assert all(each.startswith(Sealer([NEW]).mark) for each in stored)
    assert tables_with(engine, [NOTES]) == []
    after = execute(
        engine, select(bookings.c.id, bookings.c.version, bookings.c.updated_at).order_by(bookings.c.id)
    ).all()
    assert after == before
    use_keys(NEW)
    again = tutelage()
    assert (again.exit_code, "rows written" in again.output, "1 row" in again.output) == (0, True, False)


def test_doctor_names_what_is_under_other_keys(
    engine: Engine, use_keys: Callable[..., None], tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    fill(engine, Sealer([OLD]))
    use_keys(NEW, OLD)
    assert "retired keys: 3 rows of bookings, 1 row of seat_answers, 1 row of sessions" in examine(tmp_path).output
    assert tutelage().exit_code == 0
    assert "ok       Every encrypted value is under the first of ENCRYPTION_KEYS." in examine(tmp_path).output
    use_keys(OLD)
    assert "ENCRYPTION_KEYS does not hold: 3 rows of bookings" in examine(tmp_path).output


def test_what_cannot_be_read_stays_and_is_counted(engine: Engine, use_keys: Callable[..., None]) -> None:
    fill(engine, Sealer([OLD]))
    lost = Sealer(["a lost passphrase"]).seal(NOTES)
    execute(engine, update(push_subscriptions).values(sealed=lost))
    use_keys(NEW, OLD)
    result = tutelage()
    assert result.exit_code == 1
    assert "push_subscriptions: 0 rows written, 1 left, 1 of them under a key that is gone." in result.output
    assert list(scalars(engine, select(push_subscriptions.c.sealed))) == [lost]


def test_rows_in_use_are_passed_over_and_written_later(engine: Engine, use_keys: Callable[..., None]) -> None:
    fill(engine, Sealer([OLD]))
    use_keys(NEW, OLD)
    with engine.begin() as other:
        held = other.execute(select(bookings.c.id).limit(1).with_for_update()).scalar_one()
        result = tutelage()
        assert result.exit_code == 1
        assert "bookings: 2 rows written, 1 left." in result.output
        # Written meanwhile by a process that has only the old key.
        other.execute(update(bookings).where(bookings.c.id == held).values(notes=Sealer([OLD]).seal("later")))
    assert "bookings: 1 row written, 0 left." in tutelage().output
    notes = scalar(engine, select(bookings.c.notes).where(bookings.c.id == held))
    assert Sealer([NEW]).unseal(str(notes)) == "later"


@contextmanager
def waiting_at_row(engine: Engine, number: int) -> Iterator[None]:
    """Within the block, who changes the booking of this number waits."""
    with engine.begin() as db:
        booking_id = db.scalars(select(bookings.c.id).order_by(bookings.c.id).offset(number - 1).limit(1)).one()
        db.exec_driver_sql(WAIT.format(booking_id))
    try:
        with autocommit(engine) as holder:
            holder.exec_driver_sql("SELECT pg_advisory_lock(1)")
            yield
            holder.exec_driver_sql("SELECT pg_advisory_unlock(1)")
    finally:
        with engine.begin() as db:
            db.exec_driver_sql("DROP FUNCTION wait CASCADE")


def test_a_run_that_was_killed_is_continued(engine: Engine, use_keys: Callable[..., None]) -> None:
    fill(engine, Sealer([OLD]), rows=40)
    use_keys(NEW, OLD)
    command = [sys.executable, "-m", "cli.main", "reencrypt", "--page", "1"]
    with waiting_at_row(engine, 20), subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("bookings: 5 rows"):
                process.send_signal(signal.SIGKILL)
                break
    left = [line for line in tutelage("--count").output.splitlines() if line.startswith("bookings")]
    assert 0 < int(left[0].split()[1]) <= 35
    assert tutelage().exit_code == 0
    assert {Sealer([NEW]).unseal(each) for each in values(engine)} == {NOTES}
