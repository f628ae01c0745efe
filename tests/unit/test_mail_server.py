"""Tests of SMTP_URL: where mail goes, and that nothing leaves this machine in the clear unless one asks for it."""

import pytest

from config.mail_server import MailServer, Security, mail_server


@pytest.mark.parametrize(
    ("url", "host", "port", "security"),
    [
        ("smtps://mail.example", "mail.example", 465, Security.TLS),
        ("smtp+starttls://mail.example", "mail.example", 587, Security.STARTTLS),
        # A server that seems not to offer STARTTLS may only be made to seem so.
        ("smtp://mail.example", "mail.example", 25, Security.STARTTLS),
        ("smtp://mail.example:2525", "mail.example", 2525, Security.STARTTLS),
        ("smtp://10.0.0.7", "10.0.0.7", 25, Security.STARTTLS),
        # Loopback needs no encryption.
        ("smtp://localhost:1025", "localhost", 1025, Security.OFFERED),
        ("smtp://127.0.0.1", "127.0.0.1", 25, Security.OFFERED),
        ("smtp://[::1]:25", "::1", 25, Security.OFFERED),
        ("smtp+starttls://localhost", "localhost", 587, Security.STARTTLS),
        # Plain text has to be asked for.
        ("smtp+plain://relay", "relay", 25, Security.NONE),
        # Names that only begin like this machine's are others.
        ("smtp://127.0.0.1.example", "127.0.0.1.example", 25, Security.STARTTLS),
        ("smtp://localhost.example", "localhost.example", 25, Security.STARTTLS),
    ],
)
def test_the_scheme_says_how_the_connection_is_protected(url: str, host: str, port: int, security: Security) -> None:
    assert mail_server(url) == MailServer(host=host, port=port, security=security)


def test_credentials_are_unquoted_and_not_shown() -> None:
    found = mail_server("smtps://user%40example:p%2Fss@mail.example")
    assert (found.user, found.password) == ("user@example", "p/ss")
    assert "p/ss" not in repr(found)


@pytest.mark.parametrize(
    "url",
    [
        "localhost:25",
        "http://mail.example",
        "smtp://",
        "",
        "smtps:///x",
        "smtp://mail.example/path",
        "smtp://mail.example?tls=no",
        "smtp://mail.example:port",
        "smtp://[::1",
        # A password as plain text.
        "smtp+plain://user:password@relay",
    ],
)
def test_what_names_no_mail_server_is_refused_in_a_sentence(url: str) -> None:
    with pytest.raises(ValueError, match="SMTP_URL must"):
        mail_server(url)
