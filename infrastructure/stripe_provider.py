"""Stripe, by its own library: pages at which payments are paid, signed events of money, and refunds.

Imported only where it is configured: the library takes 20 MB. Each call has one absolute deadline and is made outside
of transactions. Messages of errors name no secret: Stripe itself shortens keys.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from ipaddress import ip_network
from threading import BoundedSemaphore
from typing import Any
from uuid import UUID

import stripe
from iso4217 import raw_table as iso_4217

from config.settings import Settings
from infrastructure.http_client import RESPONSE_LIMIT_BYTES, HttpClient, HttpLimits, describe, parse_retry_after
from models.events import ErrorClass
from workflows.kernel.errors import Invalid

# It writes parameters of requests into its lines, and metrics of them into headers.
logging.getLogger("stripe").setLevel(logging.CRITICAL)
stripe.enable_telemetry = False

LIMITS = HttpLimits(deadline=12.0, kept_bytes=RESPONSE_LIMIT_BYTES)
# The operator names the address.
_ANYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))
# https://docs.stripe.com/currencies: without a minor unit there, whatever ISO 4217 says; all others have at least two
# digits, ISK and UGX among them.
ZERO_DECIMAL = (
    *("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG"),
    *("RWF", "VND", "VUV", "XAF", "XOF", "XPF"),
)
# Stripe keeps a page open for at least half an hour, and at most a day.
SHORTEST_PAGE, LONGEST_PAGE = timedelta(minutes=31), timedelta(hours=23, minutes=59)
# Requests that wait for Stripe at a time in one process: others are refused, so that it cannot hold all threads.
MAX_PAGES_AT_ONCE = 4
PAID_EVENTS = ("checkout.session.completed", "checkout.session.async_payment_succeeded")
FAILED_EVENTS = ("refund.failed", "refund.updated", "charge.refund.updated")
FAILED = ("failed", "canceled")
_OF_PAYMENT, _OF_REFUND = "tutelage_payment_id", "tutelage_refund_id"
_UNREACHABLE = frozenset({ErrorClass.CONNECT, ErrorClass.DNS, ErrorClass.TIMEOUT, ErrorClass.TLS})


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page at which a payment can be paid, until then."""

    id: str
    url: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """Money that has arrived for a payment, in minor units of `currency` as we count them."""

    payment_id: UUID
    reference: str
    amount: int | None  # None for a part of our minor unit
    currency: str


@dataclass(frozen=True, kw_only=True)
class FailedRefund:
    """A refund that Stripe could not pay out, or that was cancelled there.

    Args:
        reference: Stripe's own id of it.
        surplus_of: the payment for which the money had arrived, where it was none of its ledger.
    """

    refund_id: UUID
    reference: str
    surplus_of: UUID | None
    reason: str | None
    created_at: datetime


class ProviderError(Exception):
    """Stripe did not do what it was asked for; the sentence names no secret.

    Args:
        permanent: whether it would refuse the same again.
        unavailable: whether it is down for everything.
    """

    def __init__(
        self,
        sentence: str,
        error_class: ErrorClass,
        *,
        status_code: int | None = None,
        retry_after: str | None = None,
        permanent: bool = False,
        unavailable: bool = False,
    ) -> None:
        super().__init__(sentence)
        self.error_class = error_class
        self.status_code = status_code
        self.retry_after = retry_after
        self.permanent = permanent
        self.unavailable = unavailable

    def pause(self, now: datetime) -> timedelta | None:
        """The pause that Stripe asks for."""
        return parse_retry_after(self.status_code or 0, self.retry_after, now=now)


class StripeProvider:
    """Stripe's API and events; threads may share it.

    Args:
        base: the address of its API.
    """

    def __init__(self, *, api_key: str, webhook_secret: str, base: str, limits: HttpLimits = LIMITS) -> None:
        self._secret = webhook_secret
        self._http = _Client(HttpClient(_ANYWHERE, limits=limits))
        self._stripe = stripe.StripeClient(
            api_key, base_addresses={"api": base}, http_client=self._http, max_network_retries=0
        )
        self._places = BoundedSemaphore(MAX_PAGES_AT_ONCE)

    @classmethod
    def of(cls, chosen: Settings) -> StripeProvider | None:
        """As the operator has configured it; None where there is no key."""
        if not (chosen.stripe_api_key and chosen.stripe_webhook_secret):
            return None
        base = chosen.stripe_api_base
        return cls(api_key=chosen.stripe_api_key, webhook_secret=chosen.stripe_webhook_secret, base=base)

    def open_page(
        self,
        *,
        payment_id: UUID,
        amount: int,
        currency: str,
        title: str,
        success_url: str,
        cancel_url: str,
        until: datetime,
        now: datetime,
    ) -> Page:
        """Have Stripe make a page for the whole amount.

        Args:
            amount: in minor units of `currency`.
            title: what is paid, in words.
            until: how long it is needed; Stripe keeps it open for half an hour at least.

        Raises:
            ProviderError: it was not made, or the answer was lost.
        """
        price = {
            "currency": currency.lower(),
            "unit_amount": to_stripe(amount, currency),
            "product_data": {"name": title},
        }
        named = {_OF_PAYMENT: str(payment_id)}
        asked: Any = {
            "mode": "payment",
            "line_items": [{"quantity": 1, "price_data": price}],
            "success_url": success_url,
            "cancel_url": cancel_url,
            "client_reference_id": str(payment_id),
            "metadata": named,
            "payment_intent_data": {"metadata": named},
            "expires_at": int(min(max(until, now + SHORTEST_PAGE), now + LONGEST_PAGE).timestamp()),
        }
        if not self._places.acquire(blocking=False):
            raise ProviderError("Too many requests wait for Stripe.", ErrorClass.TIMEOUT, unavailable=True)
        try:
            with _errors():
                made = self._stripe.v1.checkout.sessions.create(asked)
                return Page(id=made["id"], url=made["url"], expires_at=datetime.fromtimestamp(made["expires_at"], UTC))
        finally:
            self._places.release()

    def close_page(self, page: str) -> None:
        """Have Stripe close a page; one that is paid or closed stays so. Raises ProviderError: it may still be open."""
        with _errors():
            try:
                self._stripe.v1.checkout.sessions.expire(page)
            except stripe.InvalidRequestError:
                if self._stripe.v1.checkout.sessions.retrieve(page)["status"] == "open":
                    raise

    def told(self, body: bytes, signature: str | None) -> Arrival | FailedRefund | None:
        """The money or the failed refund that a signed event tells of; None for every other event.

        Raises:
            Invalid: the signature is not Stripe's, or is older than five minutes; or the body is no event.
        """
        try:
            event = self._stripe.construct_event(body, signature, self._secret).to_dict()
            kind, page = event["type"], event["data"]["object"]
            if kind in FAILED_EVENTS:
                return _failed(page)
            if kind not in PAID_EVENTS or page["payment_status"] != "paid":
                return None
            named, reference = (page["metadata"] or {}).get(_OF_PAYMENT), page["payment_intent"]
            amount, currency = page["amount_total"], page["currency"]
        except (stripe.StripeError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise Invalid(
                "This is no event that Stripe has signed.", details={"Stripe-Signature": ["must be Stripe's"]}
            ) from error
        with suppress(ValueError, TypeError):
            # An object of ours: everything else in the account is none of it.
            return Arrival(
                payment_id=UUID(named),
                reference=str(reference),
                amount=from_stripe(int(amount), str(currency).upper()),
                currency=str(currency).upper(),
            )
        return None

    def refund(
        self, *, refund_id: UUID, reference: str, amount: int, currency: str, surplus_of: UUID | None = None
    ) -> str:
        """Send a part of what arrived back, once for each id; returns Stripe's own id of it.

        Stripe forgets idempotency keys after a day, and is asked before whether there is one. One that has failed is
        followed by another one under the next key.

        Args:
            reference: of the money that arrived.
            surplus_of: the payment for which it arrived, where it is none of its ledger; a failure tells it.

        Raises:
            ProviderError: it was not sent, or the answer was lost.
        """
        asked: Any = {
            "payment_intent": reference,
            "amount": to_stripe(amount, currency),
            "metadata": {_OF_REFUND: str(refund_id), **({_OF_PAYMENT: str(surplus_of)} if surplus_of else {})},
        }
        with _errors():
            sent = self._refunds_of(refund_id, reference)
            made = next((each for each in sent if each["status"] not in FAILED), None)
            if made is None:
                key = f"{refund_id}-{len(sent)}" if sent else str(refund_id)
                made = self._stripe.v1.refunds.create(asked, {"idempotency_key": key})
            if made["status"] in FAILED:
                raise ProviderError(f"Stripe's refund has {made['status']}.", ErrorClass.PROTOCOL, permanent=True)
            return str(made["id"])

    def close(self) -> None:
        """End all calls under way."""
        self._http.close()

    def _refunds_of(self, refund_id: UUID, reference: str) -> list[Any]:
        listed: Any = {"payment_intent": reference, "limit": 100}
        refunds = (each.to_dict() for each in self._stripe.v1.refunds.list(listed).auto_paging_iter())
        return [each for each in refunds if (each["metadata"] or {}).get(_OF_REFUND) == str(refund_id)]


class _Client(stripe.HTTPClient):
    """The library's calls, by our HTTP client: with one deadline, ended by `close`."""

    name = "tutelage"

    def __init__(self, http: HttpClient) -> None:
        super().__init__()
        self._client = http

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **_options: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        sent = {**(headers or {}), "accept-encoding": "identity"}
        try:
            if method == "get":
                answer = self._client.get(url, sent, redirects=0)
            else:
                destination = self._client.destination_of(url)
                body = (post_data or "").encode()
                named = {"host": destination.authority, "content-length": str(len(body)), **sent}
                answer = self._client.post(destination, named, body)
        except (OSError, HTTPException, Invalid) as error:
            raise stripe.APIConnectionError(describe(error)[1]) from error  # type: ignore[no-untyped-call]
        return answer.body.decode("utf-8", "replace"), answer.status, answer.headers

    def close(self) -> None:
        self._client.close()


def _failed(refund: dict[str, Any]) -> FailedRefund | None:
    if refund["status"] not in FAILED:
        return None
    with suppress(ValueError, TypeError):
        # One of ours.
        named = refund["metadata"] or {}
        return FailedRefund(
            refund_id=UUID(named.get(_OF_REFUND)),
            surplus_of=UUID(named[_OF_PAYMENT]) if _OF_PAYMENT in named else None,
            reference=str(refund["id"]),
            reason=refund.get("failure_reason"),
            created_at=datetime.fromtimestamp(refund["created"], UTC),
        )
    return None


def _shift(currency: str) -> int:
    """By how many digits Stripe's amounts are longer than ours."""
    # A currency that has been replaced since the price was set is no longer in the table.
    ours = int(str(iso_4217[currency]["CcyMnrUnts"])) if currency in iso_4217 else 2
    return (0 if currency in ZERO_DECIMAL else max(2, ours)) - ours


def to_stripe(amount: int, currency: str) -> int:
    """An amount in our minor units, as Stripe counts it.

    Raises:
        ProviderError: it is a part of the smallest unit there.
    """
    shift = _shift(currency)
    if shift >= 0:
        return amount * int(10**shift)
    whole, part = divmod(amount, int(10**-shift))
    if part:
        raise ProviderError(f"Stripe takes no such parts of {currency}.", ErrorClass.PROTOCOL, permanent=True)
    return whole


def from_stripe(amount: int, currency: str) -> int | None:
    """An amount of Stripe in our minor units; None for a part of one."""
    shift = _shift(currency)
    if shift <= 0:
        return amount * int(10**-shift)
    whole, part = divmod(amount, int(10**shift))
    return None if part else whole


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except stripe.APIConnectionError as error:
        error_class, sentence = describe(error.__cause__ if isinstance(error.__cause__, Exception) else error)
        raise ProviderError(sentence, error_class, unavailable=error_class in _UNREACHABLE) from error
    except stripe.StripeError as error:
        status = error.http_status
        passes = status is None or status in (401, 403, 409, 429) or status >= 500 or status < 400
        raise ProviderError(
            f"Stripe answered {status}{f' ({error.code})' if error.code else ''}.",
            ErrorClass.STATUS,
            status_code=status,
            retry_after=(error.headers or {}).get("retry-after"),
            permanent=not passes,
            # With a key that it does not take, it takes nothing.
            unavailable=status in (401, 403, 429) or (status or 0) >= 500,
        ) from error
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ProviderError("Stripe's answer was not understood.", ErrorClass.PROTOCOL) from error
