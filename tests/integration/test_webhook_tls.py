"""Tests of webhooks over TLS: the certificate must be trusted and valid for the host."""

import ssl
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from infrastructure.http_client import HttpClient, HttpLimits
from infrastructure.network import tls_context
from tests.integration.names import Names
from tests.integration.partners import partner
from tests.integration.test_webhook_transport import SEALER, message
from workers.transports.webhooks import WebhookTransport

LOOPBACK = (ip_network("127.0.0.0/8"),)
WRONG_HOST = "TLS: the certificate is not valid for this host."
UNTRUSTED = "TLS: the certificate is not signed by an authority that is trusted here."
NO_TLS = "TLS: no secure connection could be agreed on."
HOUR = timedelta(hours=1)


@dataclass
class Authority:
    """A certificate authority, in a folder of its own."""

    folder: Path
    name: str

    def __post_init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = _name(self.name)
        built = (
            _builder(self._subject, self._subject, self._key.public_key(), datetime.now(UTC) + HOUR)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_signs_certificates(), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
        )
        self.file = self.folder / f"{self.name}.pem"
        self.file.write_bytes(built.sign(self._key, SHA256()).public_bytes(Encoding.PEM))

    def server(self, *names: str, common_name: str = "tests", until: timedelta = HOUR) -> ssl.SSLContext:
        """The server's side of TLS, with a certificate for those names."""
        key = ec.generate_private_key(ec.SECP256R1())
        built = _builder(_name(common_name), self._subject, key.public_key(), datetime.now(UTC) + until).add_extension(
            # From Python 3.13 on, a certificate without it is not taken.
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
            critical=False,
        )
        if names:
            built = built.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        return _context(self.folder / "server.pem", key, built.sign(self._key, SHA256()))


def _context(file: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> ssl.SSLContext:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=2))
        .not_valid_after(until)
    )


def _signs_certificates() -> x509.KeyUsage:
    uses = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(key_cert_sign=True, crl_sign=True, **uses)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general(name: str) -> x509.GeneralName:
    return x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "trusted")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


def sent(
    authority: Authority, served_by: ssl.SSLContext, host: str = "partner.example"
) -> tuple[str | None, list[str]]:
    """The error of a message to a server with that certificate, and what has arrived there."""
    client = HttpClient(LOOPBACK, resolver=Names(), limits=HttpLimits(deadline=10), ca_file=str(authority.file))
    ours = WebhookTransport(SEALER, LOOPBACK, client)
    with partner(served_by) as running:
        reports = [ours.send(message(f"https://{host}:{running.port}/in")) for _ in range(2)]
        ours.close()
        assert reports[0].error == reports[1].error
        # A handshake costs more than a message does: it is not done twice.
        assert running.connections == (1 if reports[0].error is None else 2)
    return reports[0].error, running.heads()


@pytest.mark.parametrize(
    ("names", "host", "error"),
    [
        (["partner.example"], "partner.example", None),
        (["other.example", "partner.example"], "partner.example", None),
        (["*.partner.example"], "a.partner.example", None),
        (["xn--bcher-kva.example"], "bücher.example", None),
        (["127.0.0.1"], "127.0.0.1", None),
        (["other.example"], "partner.example", WRONG_HOST),
        (["*.partner.example"], "partner.example", WRONG_HOST),
        (["*.partner.example"], "a.b.partner.example", WRONG_HOST),
        # The address that the name leads to is not the name, nor the other way round.
        (["127.0.0.1"], "partner.example", WRONG_HOST),
        (["partner.example"], "127.0.0.1", WRONG_HOST),
        (["127.0.0.2"], "127.0.0.1", WRONG_HOST),
    ],
)
def test_the_certificate_must_be_the_hosts(
    authority: Authority, names: list[str], host: str, error: str | None
) -> None:
    found, heads = sent(authority, authority.server(*names), host)
    assert found == error
    assert len(heads) == (0 if error else 2)


def test_the_common_name_alone_is_no_name(authority: Authority) -> None:
    assert sent(authority, authority.server(common_name="partner.example")) == (WRONG_HOST, [])


def test_an_expired_certificate_is_reported_as_such(authority: Authority) -> None:
    expired = authority.server("partner.example", until=-HOUR)
    assert sent(authority, expired) == ("TLS: the certificate has expired.", [])


def test_an_untrusted_authority_is_refused(authority: Authority, stranger: Authority) -> None:
    assert sent(authority, stranger.server("partner.example")) == (UNTRUSTED, [])


def test_a_self_signed_certificate_is_refused(authority: Authority, tmp_path: Path) -> None:
    key, name = ec.generate_private_key(ec.SECP256R1()), _name("partner.example")
    built = _builder(name, name, key.public_key(), datetime.now(UTC) + HOUR).add_extension(
        x509.SubjectAlternativeName([_general("partner.example")]), critical=False
    )
    assert sent(authority, _context(tmp_path / "self.pem", key, built.sign(key, SHA256()))) == (UNTRUSTED, [])


def old(context: ssl.SSLContext) -> None:
    """Speak TLS 1.1 at most, as OpenSSL still can if it is begged."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")


def latest(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_3


def last_but_one(context: ssl.SSLContext) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(("limit", "error"), [(latest, None), (last_but_one, None), (old, NO_TLS)])
def test_tls_is_spoken_from_version_1_2_on(
    authority: Authority, limit: Callable[[ssl.SSLContext], None], error: str | None
) -> None:
    served_by = authority.server("partner.example")
    limit(served_by)
    assert sent(authority, served_by)[0] == error


def test_older_versions_are_refused_whatever_the_systems_openssl_allows() -> None:
    # Where the system's own policy refuses them already, a server that speaks them shows no difference.
    assert tls_context().minimum_version is ssl.TLSVersion.TLSv1_2


def test_no_setting_of_the_environment_turns_verification_off(
    authority: Authority, stranger: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "PYTHONHTTPSVERIFY": "0",
        "CURL_CA_BUNDLE": "",
        "REQUESTS_CA_BUNDLE": str(stranger.file),
    }.items():
        monkeypatch.setenv(name, value)
    assert sent(authority, stranger.server("partner.example"))[0] == UNTRUSTED
