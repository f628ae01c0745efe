"""Tests of the page about notifications: its table is the table of kinds, and its forms of SMTP_URL can be read."""

from __future__ import annotations

import pytest

from config.mail_server import mail_server
from models.notifications import Channel
from tests.docs.pages import DOCS, table
from workflows.notifications.kinds import OFFERED

PAGE = DOCS / "notifications.md"
ROWS = {
    kind: chosen
    for kinds, _who, chosen in table(PAGE, "kind", "recipients", "default channels")
    for kind in kinds.split(", ")
}


def test_the_table_has_every_kind_and_no_other() -> None:
    assert set(ROWS) == set(OFFERED)


@pytest.mark.parametrize("kind", OFFERED)
def test_the_table_has_the_default_channels_of_each_kind(kind: str) -> None:
    by_mail = Channel.EMAIL in OFFERED[kind].channels
    assert ROWS[kind].startswith("all" if by_mail else "no mail")
    assert ("always" in ROWS[kind]) is bool(OFFERED[kind].always)


def test_every_form_of_smtp_url_can_be_read() -> None:
    forms = [row[0] for row in table(PAGE, "SMTP_URL", "means")]
    assert len(forms) == 4
    for form in forms:
        assert mail_server(form).host == "host"
