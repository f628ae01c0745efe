"""A stand-in for Stripe on a real socket: pages of checkout and refunds by its wire format, and signed events.

By https://docs.stripe.com/api: forms go in, JSON comes out, amounts are whole numbers of Stripe's smallest unit, an
answer is kept under its idempotency key, and a list has pages.
"""

import json
import socket
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from stripe import WebhookSignature

API_KEY = "sk_test_stand_in_for_stripe"
WEBHOOK_SECRET = "whsec_stand_in_for_stripe"
Form = dict[str, str]
Answer = tuple[int, dict[str, Any]]
PAGE = 2


class StripeStandIn:
    """Stripe's account of one marketplace.

    Attributes:
        troubles: what befalls the next requests, one after the other: a status to answer with, `hang` (without an
            answer), `late` (with one), `lose` (the answer, after it was done), or None for nothing.
        calls: the paths that were asked for.
    """

    def __init__(self) -> None:
        self.troubles: deque[int | str | None] = deque()
        self.calls: list[str] = []
        self.sessions: dict[str, dict[str, Any]] = {}
        self.charged: dict[str, int] = {}
        self.refunds: list[dict[str, Any]] = []
        self.released = Event()
        self._answers: dict[str, tuple[Form, Answer]] = {}
        self._lock = Lock()
        self.url = ""

    def forget_keys(self) -> None:
        """As Stripe does after a day."""
        self._answers.clear()

    def refunded(self, reference: str) -> int:
        gone = [each for each in self.refunds if each["status"] != "failed"]
        return sum(each["amount"] for each in gone if each["payment_intent"] == reference)

    def fail(self, refund: dict[str, Any]) -> dict[str, Any]:
        """What happens where a bank does not take a refund: the event that tells of it."""
        refund |= {"status": "failed", "failure_reason": "expired_or_canceled_card"}
        return event("refund.failed", refund)

    def pay(self, url: str, **changed: Any) -> dict[str, Any]:
        """What happens at a page: the event that tells of it."""
        (session,) = [each for each in self.sessions.values() if each["url"] == url]
        reference = f"pi_{session['id']}"
        self.charged[reference] = session["amount_total"]
        session |= {"payment_status": "paid", "status": "complete", "payment_intent": reference, **changed}
        return event("checkout.session.completed", session)

    def answer(self, method: str, path: str, form: Form, key: str | None) -> Answer:
        """The status and the body."""
        with self._lock:
            if key is not None and key in self._answers:
                asked, given = self._answers[key]
                return given if asked == form else refusal(400, "idempotency_error", "The key was used otherwise.")
            given = self._do(method, path, form)
            if key is not None:
                self._answers[key] = (form, given)
            return given

    def _do(self, method: str, path: str, form: Form) -> Answer:
        match method, path:
            case "POST", "/v1/checkout/sessions":
                return self._open(form)
            case "POST", "/v1/refunds":
                return self._refund(form)
            case "GET", "/v1/refunds":
                return self._list(form)
        session = self.sessions.get(path.split("/")[4]) if path.startswith("/v1/checkout/sessions/") else None
        if session is not None and method == "GET":
            return 200, session
        if session is not None and path.endswith("/expire"):
            if session["status"] != "open":
                return refusal(400, "invalid_request_error", "Only an open session can be expired.")
            session["status"] = "expired"
            return 200, session
        return refusal(404, "invalid_request_error", "Unrecognized request URL.")

    def _open(self, form: Form) -> Answer:
        amount, expires = int(form["line_items[0][price_data][unit_amount]"]), int(form["expires_at"])
        if not 30 * 60 <= expires - time.time() <= 24 * 3600 or form["mode"] != "payment":
            return refusal(400, "invalid_request_error", "The `expires_at` must be 30 minutes to 24 hours ahead.")
        number = f"cs_test_{len(self.sessions) + 1}"
        self.sessions[number] = {
            "id": number,
            "object": "checkout.session",
            "amount_total": amount * int(form["line_items[0][quantity]"]),
            "currency": form["line_items[0][price_data][currency]"],
            "client_reference_id": form["client_reference_id"],
            "expires_at": expires,
            "metadata": {name[9:-1]: value for name, value in form.items() if name.startswith("metadata[")},
            "payment_intent": None,
            "payment_status": "unpaid",
            "status": "open",
            "success_url": form["success_url"],
            "cancel_url": form["cancel_url"],
            "title": form["line_items[0][price_data][product_data][name]"],
            "url": f"https://checkout.stripe.example/c/pay/{number}#{'x' * 6000}",
        }
        return 200, self.sessions[number]

    def _refund(self, form: Form) -> Answer:
        reference, amount = form["payment_intent"], int(form["amount"])
        if reference not in self.charged:
            return refusal(404, "invalid_request_error", f"No such payment_intent: '{reference}'", "resource_missing")
        if self.refunded(reference) + amount > self.charged[reference]:
            return refusal(400, "invalid_request_error", "More than was charged.", "charge_already_refunded")
        self.refunds.append(
            {
                "id": f"re_{len(self.refunds) + 1}",
                "object": "refund",
                "amount": amount,
                "payment_intent": reference,
                "metadata": {name[9:-1]: value for name, value in form.items() if name.startswith("metadata[")},
                "status": "succeeded",
                "created": int(time.time()),
            }
        )
        return 200, self.refunds[-1]

    def _list(self, form: Form) -> Answer:
        found = [each for each in reversed(self.refunds) if each["payment_intent"] == form["payment_intent"]]
        if "starting_after" in form:
            found = found[[each["id"] for each in found].index(form["starting_after"]) + 1 :]
        return 200, {"object": "list", "url": "/v1/refunds", "data": found[:PAGE], "has_more": len(found) > PAGE}


def refusal(status: int, type: str, message: str, code: str | None = None) -> Answer:
    """An error as Stripe answers it."""
    return status, {"error": {"type": type, "message": message, "code": code}}


def event(type: str, subject: dict[str, Any]) -> dict[str, Any]:
    """An event about an object as it is then."""
    number = f"evt_{time.monotonic_ns()}"
    return {"id": number, "object": "event", "type": type, "data": {"object": dict(subject)}, "created": 0}


def signed(told: dict[str, Any], *, secret: str = WEBHOOK_SECRET, at: float | None = None) -> tuple[str, str]:
    """The body of an event, and its header `Stripe-Signature`."""
    body = json.dumps(told)
    return body, WebhookSignature.generate_signature_header(body, secret, int(at or time.time()))


def _refused(authorization: str | None, trouble: str | int | None) -> Answer | None:
    if authorization != f"Bearer {API_KEY}":
        return refusal(401, "invalid_request_error", "Invalid API Key provided.")
    return refusal(trouble, "api_error", "Something went wrong.") if isinstance(trouble, int) else None


@contextmanager
def stripe_stand_in() -> Iterator[StripeStandIn]:
    """One that runs until the block ends."""
    stand_in = StripeStandIn()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._take("")

        def do_POST(self) -> None:
            self._take(self.rfile.read(int(self.headers["content-length"])).decode())

        def _take(self, body: str) -> None:
            parts = urlsplit(self.path)
            stand_in.calls.append(f"{self.command} {parts.path}")
            trouble = stand_in.troubles.popleft() if stand_in.troubles else None
            if trouble in ("hang", "late"):
                stand_in.released.wait(30)
            if trouble == "hang":
                self.close_connection = True
                return
            form = dict(parse_qsl(body or parts.query, keep_blank_values=True))
            answer = _refused(self.headers["authorization"], trouble) or stand_in.answer(
                self.command, parts.path, form, self.headers["idempotency-key"]
            )
            if trouble == "lose":
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self._answer(*answer)

        def _answer(self, status: int, shown: dict[str, Any]) -> None:
            body = json.dumps(shown).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        stand_in.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
