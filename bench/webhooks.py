"""How many webhooks a second one worker delivers, beside the bare HTTP client without a database."""

import hashlib
import hmac
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import urllib3

from bench.receiver import Receiver, running_receiver
from bench.results import Results, Row
from tests.booking_system import Tutelage
from tests.eventually import eventually
from tests.load import closed_loop
from tests.processes import stopped

BARE = "bare client"
ENDPOINTS = 8
THREADS = 32  # of the worker, by default, and of the bare client
# A receiver's delay in seconds, bookings that are requested, and the aim beside the bare client.
LEVELS = ((0.0, 375, 0.4), (0.1, 200, 0.95))
WARM_UP_BOOKINGS = 8
CLIENTS = 8
OTHERS_SECONDS = 60
_OTHERS_OWED = """
SELECT count(*) FROM deliveries
WHERE state = 'pending' AND queue <> 'webhooks' AND due_at < now() + interval '1 hour'
"""


def measure_webhooks(contender: Tutelage, results: Results) -> None:
    """Both, to a receiver that answers at once and to one that answers after 100 ms.

    Args:
        contender: with its people, and without endpoints.
    """
    for delay_seconds, bookings, aim in LEVELS:
        row = Row(f"webhooks, receiver at {delay_seconds * 1000:.0f} ms", "a second", aims=((BARE, aim),))
        with running_receiver(delay_seconds) as receiver:
            results.add(row, BARE, _bare(receiver, bookings * ENDPOINTS))
            results.add(row, contender.name, _delivered(contender, receiver, bookings))


def _delivered(contender: Tutelage, receiver: Receiver, bookings: int) -> float:
    """Deliveries a second of the worker: what has piled up while it was stopped, until the last has arrived."""
    endpoints = [contender.add_endpoint(f"{receiver.url}/{number}") for number in range(ENDPOINTS)]
    try:
        # Each has answered more than once, so that it gets its whole share.
        before = receiver.taken()
        closed_loop(contender.url, CLIENTS, contender.request, count=WARM_UP_BOOKINGS)
        receiver.wait_for(before + WARM_UP_BOOKINGS * ENDPOINTS)
        before = receiver.taken()
        with stopped(contender.pids["worker-webhooks"]):
            closed_loop(contender.url, CLIENTS, contender.request, count=bookings)
            eventually(lambda: not contender.number(_OTHERS_OWED), "the end of all else", seconds=OTHERS_SECONDS)
        began = time.monotonic()
        return bookings * ENDPOINTS / (receiver.wait_for(before + bookings * ENDPOINTS) - began)
    finally:
        for endpoint_id in endpoints:
            contender.delete_endpoint(endpoint_id)


def _bare(receiver: Receiver, count: int) -> float:
    """Messages a second of urllib3 alone, by as many threads, signed like the worker's."""
    http = urllib3.PoolManager(maxsize=THREADS, block=True)
    body = b'{"type":"booking.requested"}' * 20

    def send(_number: int) -> None:
        message_id, moment = f"msg_{uuid4()}", str(int(time.time()))
        signature = hmac.new(b"s" * 32, f"{message_id}.{moment}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": moment,
            "webhook-signature": f"v1,{signature}",
        }
        answer = http.request("POST", receiver.url, body=body, headers=headers, retries=False)
        if answer.status != 200:
            raise RuntimeError(f"The receiver answered {answer.status}.")

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(send, range(THREADS)))
        began = time.monotonic()
        list(threads.map(send, range(count)))
        return count / (time.monotonic() - began)
