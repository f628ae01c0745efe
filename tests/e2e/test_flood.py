"""A mentee who floods a mentor with requests, over HTTP: what the mentor is sent stays within bounds."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes, policy

import psycopg

from tests.cli.running import Up
from tests.eventually import eventually
from tests.participants import Participants, register
from tests.speaking import Caller

TURNS, AT_ONCE, REQUESTS = 60, 6, 60
LIMIT = 10
# Timers apart, and the mails that are held. A mail that waits for another one's outcome is due within seconds.
OPEN = """
SELECT count(*) FROM deliveries d JOIN events e ON e.id = d.event_id
WHERE e.actor = %s AND d.state = 'pending' AND d.due_at < now() + interval '1 minute'
"""
NOTIFIED = "SELECT channel::text, kind, count(*) FROM notifications WHERE user_id = %s GROUP BY 1, 2"


def test_requests_and_withdrawals_in_turns_send_few_mails(up: Up, api: Caller) -> None:
    cast = register(api)
    body = {"listingId": cast.listing_id, "startTime": cast.slot()}
    for _ in range(TURNS):
        booking = cast.mentee.post("/bookings", body)["id"]
        cast.mentee.post(f"/bookings/{booking}/cancel")
    with psycopg.connect(up.run()["database_url"], autocommit=True) as db:
        await_rest(db, cast)
        found = {(channel, kind): count for channel, kind, count in db.execute(NOTIFIED, [cast.mentor_user_id])}
    mails = Counter(mails_to(up, cast.addresses[0]))
    # Of those that the mentor was shown, the end is shown, and of no others.
    assert found.get(("in_app", "booking_cancelled"), 0) == found.get(("in_app", "booking_requested"), 0) <= TURNS
    assert mails.pop("Ada Lovelace requested a session with you", 0) <= LIMIT
    assert mails.pop("The request from Ada Lovelace was cancelled", 0) <= LIMIT
    assert not mails


def test_many_requests_for_one_slot_are_one(up: Up, api: Caller) -> None:
    cast = register(api)
    body = {"listingId": cast.listing_id, "startTime": cast.slot()}
    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(threads.map(lambda _: cast.mentee("POST", "/bookings", body), range(REQUESTS)))
    assert Counter(answer.status for answer in answers) == {201: 1, 409: REQUESTS - 1}
    assert {answer.body["code"] for answer in answers if answer.status == 409} == {"booking_limit"}
    with psycopg.connect(up.run()["database_url"], autocommit=True) as db:
        await_rest(db, cast)
        found = {(channel, kind): count for channel, kind, count in db.execute(NOTIFIED, [cast.mentor_user_id])}
    assert found == {("in_app", "booking_requested"): 1, ("email", "booking_requested"): 1}
    assert list(mails_to(up, cast.addresses[0])) == ["Ada Lovelace requested a session with you"]


def await_rest(db: psycopg.Connection, cast: Participants) -> None:
    """Wait until all is done that follows from what the mentee did."""

    def is_done() -> bool:
        row = db.execute(OPEN, [f"user:{cast.mentee_user_id}"]).fetchone()
        return row == (0,)

    eventually(is_done, "the end of all that follows")


def mails_to(up: Up, address: str) -> list[str]:
    files = (up.data_dir / "mail").glob("*.eml")
    messages = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
    return [str(message["Subject"]) for message in messages if address in str(message["To"])]
