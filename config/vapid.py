"""The VAPID key, which identifies us to push services (RFC 8292): a private key of P-256, as text."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KEY_BYTES = 32
SUBJECTS = ("mailto:", "https://")


@dataclass(frozen=True)
class Vapid:
    """VAPID key and contact."""

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    subject: str  # the operators' address for push services: `mailto:…` or `https://…`

    @property
    def public_key(self) -> str:
        """The `applicationServerKey` with which browsers subscribe."""
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return urlsafe_b64encode(point).decode().rstrip("=")


def vapid(private_key: str | None, subject: str | None) -> Vapid | None:
    """Read the settings; None where there are none, and nothing is pushed.

    Raises:
        ValueError: one of them is missing, or makes no sense.
    """
    if not private_key:
        return None
    if not subject or not subject.startswith(SUBJECTS):
        raise ValueError("VAPID_SUBJECT must say where you can be reached: mailto:… or https://….")
    try:
        number = urlsafe_b64decode(private_key + "=" * (-len(private_key) % 4))
        if len(number) != KEY_BYTES:
            raise ValueError("another length")
        key = ec.derive_private_key(int.from_bytes(number, "big"), ec.SECP256R1())
    except ValueError:
        # Without its cause, which may quote the key.
        raise ValueError("VAPID_PRIVATE_KEY must be a key as `tutelage vapid` makes one.") from None
    return Vapid(key, subject)


def new_private_key() -> str:
    """A fresh key, as VAPID_PRIVATE_KEY holds it."""
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return urlsafe_b64encode(number.to_bytes(KEY_BYTES, "big")).decode().rstrip("=")
