"""How many mails a second go out over kept connections, and with a connection for each: `make bench-mails`.

A mail server in a process of its own, on this machine, once without and once with TLS: what a connection costs over a
network comes on top.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from cli.embedded import free_port
from workers.transports.mail import MailIdentity
from workers.transports.smtp import SmtpLimits, SmtpTransport
from workflows.effects.messages import Mail
from workflows.notifications.texts import Words

THREADS = 8
SERVER = """
import ssl, sys
from aiosmtpd.controller import Controller

class Sink:
    async def handle_DATA(self, server, session, envelope):
        return "250 OK"

tls = None
if len(sys.argv) > 2:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(sys.argv[2])
controller = Controller(Sink(), hostname="127.0.0.1", port=int(sys.argv[1]), ssl_context=tls)
controller.start()
print("ready", flush=True)
sys.stdin.read()
controller.stop()
"""


def a_mail() -> Mail:
    """A mail such as those that go out most."""
    words = Words("Your session with Grace is booked", "You meet Grace on Monday.\n\nThe session ends at ten.")
    return Mail(
        delivery_id=uuid4(), to_name="Ada", to_address="ada@example.org", words=words, written_at=datetime.now(UTC)
    )


def certificate() -> bytes:
    """A certificate of 127.0.0.1 with its key, for an hour."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench")])
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + built.public_bytes(Encoding.PEM)


@contextmanager
def mail_server(*arguments: str) -> Iterator[int]:
    """A mail server in a process of its own; gives its port."""
    port = free_port()
    command = [sys.executable, "-c", SERVER, str(port), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        server.stdout.readline()
        try:
            yield port
        finally:
            server.communicate("")


def rate(url: str, count: int, mails_per_connection: int) -> float:
    """Mails a second.

    Raises:
        RuntimeError: one of them was refused.
    """
    transport = SmtpTransport(
        url, MailIdentity("no-reply@tutelage.example", "o@x.example"), limits=SmtpLimits(mails=mails_per_connection)
    )
    mails = [a_mail() for _ in range(count)]
    began = time.monotonic()
    with ThreadPoolExecutor(THREADS) as threads:
        errors = {report.error for report in threads.map(transport.send, mails)}
    took = time.monotonic() - began
    transport.close()
    if errors != {None}:
        raise RuntimeError(f"Mails were refused: {errors}")
    return count / took


def measure(scheme: str, port: int, count: int) -> None:
    """Measure both ways, and print them."""
    for name, mails in (("a connection per mail", 1), ("kept connections", 100)):
        print(f"{scheme}, {name}: {rate(f'{scheme}://127.0.0.1:{port}', count, mails):,.0f} mails a second")


def main() -> None:
    """Measure without TLS and with it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    count = parser.parse_args().count
    with mail_server() as port:
        measure("smtp", port, count)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "certificate.pem"
        file.write_bytes(certificate())
        os.environ["SSL_CERT_FILE"] = str(file)
        with mail_server(str(file)) as port:
            measure("smtps", port, count)


if __name__ == "__main__":
    main()
