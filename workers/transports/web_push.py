"""Web Push: encrypted for one browser (RFC 8291), signed with our key (RFC 8292), sent by the pinned HTTP client."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any

import http_ece
import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric import ec

from config.sealing import Sealer
from config.vapid import Vapid
from infrastructure.http_client import HttpClient, HttpResponse, describe, log_detail, parse_retry_after
from models.events import ErrorClass
from workers.transports import Renew, Transport, no_lease
from workflows.events.delivery import SendResult
from workflows.kernel.address import Destination
from workflows.kernel.errors import Invalid
from workflows.notifications.pushes import PushMessage

log = structlog.get_logger(__name__)

# Shorter than the 24 hours that RFC 8292 allows: clocks differ.
SIGNATURE_SECONDS = 12 * 3600
# Of a message of at most 4 kB, with what encryption adds.
TITLE_CHARACTERS, BODY_CHARACTERS = 120, 600
# RFC 8030, section 7.3: final for this subscription.
SUBSCRIPTION_GONE = (404, 410)
# By a proxy in front of the push service.
UNAVAILABLE = (502, 503, 504)
UNREACHABLE = frozenset({ErrorClass.CONNECT, ErrorClass.DNS, ErrorClass.TIMEOUT, ErrorClass.TLS})


class WebPushTransport(Transport[PushMessage]):
    """Transport of Web Push.

    Args:
        vapid: our key.
        sealer: unseals the browsers' addresses.
        client: for addresses chosen by users.
        base: PUBLIC_URL, for the address that a click on a notification opens.
    """

    def __init__(self, vapid: Vapid, sealer: Sealer, client: HttpClient, base: str) -> None:
        self._vapid = vapid
        self._sealer = sealer
        self._client = client
        self._base = base

    def send(self, message: PushMessage, _renew: Renew = no_lease) -> SendResult:
        """Send the message to the browser's push service; one that cannot be reached is reported as `unavailable`.

        Raises:
            UnsealError: the address was sealed with a key that is gone.
        """
        subscription = json.loads(self._sealer.unseal(message.sealed))
        try:
            destination = self._client.destination_of(subscription["endpoint"])
            body = encrypted_for(subscription["keys"], self._payload(message))
            return _result(message, self._client.post(destination, _headers(self._vapid, destination, message), body))
        except (OSError, HTTPException, Invalid) as error:
            error_class, sentence = describe(error)
            # Without the address, which is the browser's secret.
            log.warning("push.attempt_failed", subscription_id=message.subscription_id, detail=log_detail(error))
            return SendResult(error=sentence, error_class=error_class, unavailable=error_class in UNREACHABLE)

    def close(self) -> None:
        self._client.close()

    def _payload(self, message: PushMessage) -> bytes:
        path = f"sessions/{message.session_id}" if message.session_id else "notifications"
        payload: dict[str, Any] = {
            "kind": message.kind,
            "title": message.words.title[:TITLE_CHARACTERS],
            "body": message.words.body[:BODY_CHARACTERS],
            "url": f"{self._base}/{path}",
            "ids": {
                "notification": str(message.notification_id),
                "session": str(message.session_id) if message.session_id else None,
                "booking": str(message.booking_id) if message.booking_id else None,
            },
        }
        return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def encrypted_for(keys: Mapping[str, str], payload: bytes) -> bytes:
    """The payload encrypted for the browser that has the private key (RFC 8291).

    Args:
        keys: `p256dh` and `auth` of its subscription, as the browser generated them.
    """
    encrypted: bytes = http_ece.encrypt(
        payload,
        private_key=ec.generate_private_key(ec.SECP256R1()),
        dh=_decoded(keys["p256dh"]),
        auth_secret=_decoded(keys["auth"]),
        version="aes128gcm",
    )
    return encrypted


def _decoded(key: str) -> bytes:
    return urlsafe_b64decode(key + "=" * (-len(key) % 4))


def _headers(vapid: Vapid, destination: Destination, message: PushMessage) -> dict[str, str]:
    now = message.prepared_at.timestamp()
    claims = {
        "aud": f"{destination.scheme}://{destination.authority}",
        "exp": int(now) + SIGNATURE_SECONDS,
        "sub": vapid.subject,
    }
    token = jwt.encode(claims, vapid.key, algorithm="ES256")
    return {
        "host": destination.authority,
        "content-type": "application/octet-stream",
        "content-encoding": "aes128gcm",
        "accept-encoding": "identity",
        "user-agent": "Tutelage",
        # For how many seconds it is kept for a browser that is switched off.
        "ttl": str(max(0, int(message.useful_until.timestamp() - now))),
        "urgency": "normal",
        "authorization": f"vapid t={token}, k={vapid.public_key}",
    }


def _result(message: PushMessage, response: HttpResponse) -> SendResult:
    status = response.status
    if 200 <= status < 300:
        return SendResult(status_code=status)
    passes = status == 429 or status >= 500
    return SendResult(
        error=f"The push service answered {status}.",
        error_class=ErrorClass.DELETED if status in SUBSCRIPTION_GONE else ErrorClass.STATUS,
        # The same message would be refused again, until an operator has corrected what was wrong.
        permanent=not passes,
        status_code=status,
        retry_after=parse_retry_after(status, response.retry_after, now=message.prepared_at),
        unavailable=status in UNAVAILABLE,
    )
