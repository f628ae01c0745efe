"""Unsubscribe links in mails: POST unsubscribes, GET shows a form, and forged links are refused."""

from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from sqlalchemy import Engine, func, select

from config.signed_links import Signer
from models.notifications import Channel, notification_preferences
from tests.api.conftest import Cast, nothing_written
from tests.api.test_notifications import preferences
from tests.application import SECRET, ApiClient, World
from tests.integration.harness import Harness
from tests.integration.test_mail_transport import a_mail
from tests.mails import as_read
from tests.queries import scalar
from workers.transports.mail import MailIdentity, compose
from workflows.bookings.records import Booking
from workflows.notifications.preferences import UNSUBSCRIBE_PURPOSE, Choice, UnsubscribeLink

ONE_CLICK = {"data": "List-Unsubscribe=One-Click", "content_type": "application/x-www-form-urlencoded"}
SIGNER = Signer([SECRET], UNSUBSCRIBE_PURPOSE)
IDENTITY = MailIdentity("no-reply@tutelage.example", "o@x.example", "https://t.example", SIGNER)


def link(cast: Cast, kind: str = "session_created", *, secret: str = SECRET) -> str:
    """The path of a link that stops the mentee's mails of that kind."""
    choice = Choice(user_id=cast.mentee.id, kind=kind, channel=Channel.EMAIL)
    return f"/unsubscribe/{signed(choice, secret=secret)}"


def signed(choice: Choice, *, secret: str = SECRET) -> str:
    """An unsubscribe link without its path, as it is mailed to a user who has ended none."""
    return Signer([secret], UNSUBSCRIBE_PURPOSE).sign(UnsubscribeLink(choice=choice, links_version=0).to_text())


@pytest.mark.parametrize("root", ["", "/api"])
def test_one_click_stops_that_kind_of_mail_and_nothing_else(client: ApiClient, cast: Cast, root: str) -> None:
    before = preferences(client, cast.as_mentee)
    answer = client.post(root + link(cast), **ONE_CLICK)
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    after = preferences(client, cast.as_mentee)
    assert after.pop("session_created") == {"inApp": True, "email": False, "push": True}
    del before["session_created"]
    assert after == before
    assert preferences(client, cast.as_stranger)["session_created"]["email"]


def test_unsubscribing_twice_succeeds(client: ApiClient, cast: Cast, engine: Engine) -> None:
    for body in (ONE_CLICK, {}, {"data": b"\xff", "content_type": "multipart/form-data; boundary=x"}):
        assert client.post(link(cast), **body).status_code == 200
    assert scalar(engine, select(func.count()).select_from(notification_preferences)) == 1


def test_to_look_changes_nothing_and_shows_a_button(client: ApiClient, cast: Cast, engine: Engine) -> None:
    with nothing_written(engine):
        for method in ("GET", "HEAD"):
            answer = client.open(link(cast), method=method)
            assert (answer.status_code, answer.mimetype) == (200, "text/html")
        page = client.get(link(cast))
        assert '<form method="post">' in page.text
        assert "A session is booked." in page.text
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert page.headers["Cache-Control"] == "no-store"
        assert str(cast.mentee.id) not in page.text
        assert cast.mentee.name not in page.text


def forged(cast: Cast) -> dict[str, str]:
    """Links that are none of ours, by what is wrong with them."""
    good = link(cast).rpartition("/")[2]
    payload, _, signature = good.rpartition(".")
    for_calendar = Signer([SECRET], "calendar").sign(SIGNER.verify(good))
    choices = {
        "no such kind": Choice(user_id=cast.mentee.id, kind="lottery_won", channel=Channel.EMAIL),
        "unknown": Choice(user_id=uuid4(), kind="seat_left", channel=Channel.EMAIL),
        "what cannot be stopped": Choice(user_id=cast.mentee.id, kind="session_cancelled", channel=Channel.IN_APP),
    }
    return {
        "another secret": link(cast, secret="x" * 40).rpartition("/")[2],
        "another payload": f"{payload[:-1]}{'A' if payload[-1] != 'A' else 'B'}.{signature}",
        "another purpose": for_calendar,
        "half of one": good[: len(good) // 2],
        "no base64": good[:-1] + "!",
        "nothing": "x",
        "long": "A" * 5000,
        "other letters": "ü" * 20,
        "no version": Signer([SECRET], UNSUBSCRIBE_PURPOSE).sign(f"{cast.mentee.id.hex} email session_created"),
        **{name: signed(choice) for name, choice in choices.items()},
    }


def test_forged_links_are_not_found_and_change_nothing(client: ApiClient, cast: Cast, engine: Engine) -> None:
    with nothing_written(engine):
        for name, link_text in forged(cast).items():
            answer = client.post(f"/unsubscribe/{link_text}", **ONE_CLICK)
            assert (answer.status_code, answer.json["code"]) == (404, "not_found"), name
            assert client.get(f"/unsubscribe/{link_text}").status_code == 404, name


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_browser_gets_a_page_for_an_invalid_link(client: ApiClient, cast: Cast, method: str) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    wrong = (forged(cast)["another payload"], forged(cast)["half of one"])
    for link_text in wrong:
        page = client.open(f"/unsubscribe/{link_text}", method=method, headers=browser)
        assert (page.status_code, page.mimetype, page.headers["Cache-Control"]) == (404, "text/html", "no-store")
        assert "There is nothing to unsubscribe from at this address." in page.text
        assert "<form" not in page.text
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert "Accept" in page.headers["Vary"]
    for accept in ("*/*", "application/json", "application/json, text/html;q=0.5"):
        answer = client.open(f"/unsubscribe/{wrong[0]}", method=method, headers={"Accept": accept})
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_links_outlive_the_rotation_of_keys(engine: Engine, cast: Cast) -> None:
    rotated = World.on(engine, signing_keys=("another key, put in front of the old one", SECRET))
    assert rotated.client.post(link(cast), **ONE_CLICK).status_code == 200
    without = World.on(engine, signing_keys=("another key, put in front of the old one",))
    assert without.client.post(link(cast), **ONE_CLICK).status_code == 404


def test_the_link_in_a_mail_is_one_that_works(world: World, cast: Cast, draft: Booking) -> None:
    harness = Harness(world.engine)
    harness.run_all()
    (mail,) = [mail for mail in harness.mail.received if mail.to_address]
    read = as_read(mail, IDENTITY)
    header = read["List-Unsubscribe"]
    assert header.startswith("<https://t.example/unsubscribe/")
    assert header.endswith(">")
    assert read["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    url = header[1:-1]
    for kind in ("plain", "html"):
        part = read.get_body((kind,))
        assert part is not None
        assert url in part.get_content().replace("=\n", "")
    assert world.client.post(urlsplit(url).path, **ONE_CLICK).status_code == 200
    assert preferences(world.client, cast.as_mentor)["booking_requested"]["email"] is False
    assert draft


def test_the_header_with_the_link_is_never_folded() -> None:
    base = "https://" + "a-long-name." * 20 + "example"
    identity = MailIdentity("no-reply@tutelage.example", "o@x.example", base, SIGNER)
    choice = Choice(user_id=uuid4(), kind="webhook_endpoint_exhausted", channel=Channel.EMAIL)
    raw = bytes(compose(a_mail(unsubscribe=UnsubscribeLink(choice=choice, links_version=0)), identity))
    (line,) = [line for line in raw.splitlines() if line.startswith(b"List-Unsubscribe: ")]
    assert line.startswith(b"List-Unsubscribe: <https://a-long-name.")
    assert line.endswith(b">")
    assert len(line) < 998


def test_what_cannot_be_switched_off_has_no_link() -> None:
    read = as_read(a_mail(unsubscribe=None), IDENTITY)
    assert read["List-Unsubscribe"] is None
    assert "unsubscribe" not in str(read)
