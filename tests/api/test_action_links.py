"""Links out of mails: GET asks and changes nothing, POST acts once by the rules of the routes for programs."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, func, select, update

from config.sealing import Sealer
from config.signed_links import Signer
from models.bookings import bookings
from models.events import events
from models.groups import waitlist_entries
from models.links import spent_links
from models.sessions import sessions
from tests import factories
from tests.api.conftest import Cast, nothing_written
from tests.api.links import SIGNER, heading, shown, signed
from tests.application import SECRET, ApiClient, ApiResponse, World, codes_of, openapi_document
from tests.integration.harness import without_guards
from tests.queries import execute, scalar
from workers.maintain import CHORES
from workflows.action_links.link import LINK_PURPOSE, Action
from workflows.bookings.records import Booking
from workflows.groups.place import read_group
from workflows.groups.seats import join
from workflows.kernel.operator_policy import DEFAULT_POLICY
from workflows.reviews.permits import Permit
from workflows.sessions.actions import create
from workflows.sessions.records import Session

HOSTILE = '<script>alert("x")</script><img src=x onerror=y>'


def link_to_accept(cast: Cast, draft: Booking, **chosen: Any) -> str:
    return signed(Action.ACCEPT, draft.id, cast.mentor.user_id, **chosen)


def link_to_decline(cast: Cast, draft: Booking) -> str:
    return signed(Action.DECLINE, draft.id, cast.mentor.user_id)


def link_to_cancel(session: Session, user_id: Any) -> str:
    return signed(Action.CANCEL, session.booking_id, user_id)


def hidden(page: ApiResponse) -> dict[str, str]:
    """The hidden fields of a page's form."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))


def status_of(engine: Engine, booking: Booking) -> str:
    return str(scalar(engine, select(bookings.c.status).where(bookings.c.id == booking.id)))


def last_event(engine: Engine) -> tuple[str, str]:
    with engine.connect() as db:
        row = db.execute(select(events.c.type, events.c.actor).order_by(events.c.sequence.desc()).limit(1)).one()
        return row.type, row.actor


@pytest.fixture
def permit(engine: Engine, cast: Cast, in_progress: Session) -> Permit:
    with engine.begin() as db:
        return factories.unlock_review(db, factories.complete_session(db, in_progress), cast.mentee.id)


@pytest.mark.parametrize("root", ["", "/api"])
def test_accepting_by_link_is_the_mentors_acceptance(
    client: ApiClient, cast: Cast, draft: Booking, engine: Engine, root: str
) -> None:
    path = root + link_to_accept(cast, draft)
    assert heading(client.get(path)) == "Accept the request from Ada Lovelace?"
    assert heading(client.post(path)) == "You have accepted the request"
    assert status_of(engine, draft) == "accepted"
    assert last_event(engine) == ("booking.accepted", f"mentor:{cast.mentor.id}")


def test_to_look_changes_nothing(
    client: ApiClient, cast: Cast, draft: Booking, permit: Permit, scheduled: Session, engine: Engine
) -> None:
    paths = [
        link_to_accept(cast, draft),
        link_to_decline(cast, draft),
        link_to_cancel(scheduled, cast.mentee.id),
        signed(Action.REVIEW, permit.session_id, cast.mentee.id),
    ]
    with nothing_written(engine):
        for path in paths:
            for method in ("GET", "HEAD"):
                assert client.open(path, method=method).status_code == 200
            for method in ("PUT", "PATCH", "DELETE"):
                assert client.open(path, method=method).status_code == 405
    assert status_of(engine, draft) == "draft"


def test_a_decline_takes_a_message(client: ApiClient, cast: Cast, draft: Booking, engine: Engine) -> None:
    path = link_to_decline(cast, draft)
    assert 'name="reason"' in shown(client.get(path))
    assert heading(client.post(path, data={"reason": "On holiday.\r\nSorry"})) == "You have declined the request"
    row = execute(engine, select(bookings.c.status, bookings.c.decline_reason)).one()
    assert (row.status, row.decline_reason) == ("declined", "On holiday.\nSorry")
    assert last_event(engine) == ("booking.declined", f"mentor:{cast.mentor.id}")


def test_answers_that_are_no_form_are_refused(client: ApiClient, cast: Cast, draft: Booking, engine: Engine) -> None:
    path = link_to_decline(cast, draft)
    refused = client.post(path, json={"reason": "On holiday."}, headers={"Accept": "application/json"})
    assert (refused.status_code, refused.json["code"]) == (415, "unsupported_media_type")
    assert status_of(engine, draft) == "draft"
    assert client.post(path, data={"reason": "On holiday."}).status_code == 200


def test_a_decline_needs_no_message(client: ApiClient, cast: Cast, draft: Booking, engine: Engine) -> None:
    assert client.post(link_to_decline(cast, draft), data={"reason": " \r\n "}).status_code == 200
    assert scalar(engine, select(bookings.c.decline_reason)) is None


def test_each_decision_leads_to_the_other(client: ApiClient, cast: Cast, draft: Booking) -> None:
    for path, title in (
        (link_to_accept(cast, draft), "Decline the request from Ada Lovelace?"),
        (link_to_decline(cast, draft), "Accept the request from Ada Lovelace?"),
    ):
        (other,) = re.findall(r'<p class="besides"><a href="([^"]+)">', shown(client.get(path)))
        assert heading(client.get(f"/act/{other}")) == title


def test_the_price_of_cancelling_is_shown_first(
    client: ApiClient, cast: Cast, scheduled: Session, engine: Engine
) -> None:
    path = link_to_cancel(scheduled, cast.mentee.id)
    page = client.get(path)
    quote = client.get(f"/sessions/{scheduled.id}/cancellation-quote", headers=cast.as_mentee).json
    assert heading(page) == "Cancel your session with Grace Hopper?"
    assert ("The fee is" in page.text) == (quote["fee"]["amount"] > 0)
    answers = {"reason": "Ill", "refundRequested": "true", **hidden(page)}
    assert heading(client.post(path, data=answers)) == "The session is cancelled"
    session = client.get(f"/sessions/{scheduled.id}", headers=cast.as_mentee).json
    assert session["cancellation"]["cancelledBy"] == "mentee"
    assert session["cancellation"]["reason"] == "Ill"
    assert session["cancellation"]["fee"] == quote["fee"]
    assert session["cancellation"]["refund"] == quote["refund"]
    assert last_event(engine) == ("session.cancelled", f"user:{cast.mentee.id}")


@pytest.mark.parametrize(
    ("reader", "said"),
    [
        ("mentee", "cannot be used again: your bundle ended on"),
        ("mentor", "the bundle. The bundle had ended, and is extended until"),
    ],
)
def test_a_credit_of_an_ended_bundle_is_not_promised_back(
    client: ApiClient, cast: Cast, engine: Engine, reader: str, said: str
) -> None:
    with engine.begin() as db:
        week_ago = datetime.now(UTC) - timedelta(days=7)
        bundle = factories.make_bundle(db, mentee=cast.mentee, valid_days=1, at=week_ago)
        listing = factories.make_listing(db, cast.mentor, course_id=bundle.course_id)
        start = factories.next_slot() + timedelta(days=3)
        paid = factories.make_paid_booking(db, bundle, listing=listing, start_time=start, at=week_ago)
        session = create(db, booking_id=paid.id)
    path = link_to_cancel(session, cast.mentee.id if reader == "mentee" else cast.mentor.user_id)
    headers = cast.as_mentee if reader == "mentee" else cast.as_mentor
    quote = client.get(f"/sessions/{session.id}/cancellation-quote", headers=headers).json
    page = client.get(path)
    answer = client.post(path, data={"reason": "Ill", **hidden(page)})
    for text in (page.text, answer.text):
        assert said in text
        assert "back to your bundle" not in text
    cost = client.get(f"/sessions/{session.id}", headers=headers).json["cancellation"]
    assert quote["creditReturned"] is cost["creditReturned"] is True
    found = client.get(f"/bundles/{bundle.id}", headers=cast.as_mentee).json
    assert (found["status"], found["validTo"]) == ("active" if reader == "mentor" else "expired", cost["creditValidTo"])
    assert (quote["creditValidTo"] == cost["creditValidTo"]) == (reader == "mentee")


@pytest.mark.parametrize("ended", [False, True])
def test_a_seat_paid_by_a_bundle_is_left(client: ApiClient, cast: Cast, engine: Engine, ended: bool) -> None:
    with engine.begin() as db:
        then = datetime.now(UTC) - timedelta(days=7 if ended else 0)
        bundle = factories.make_bundle(db, mentee=cast.mentee, valid_days=2, at=then)
        listing = factories.make_listing(db, cast.mentor, course_id=bundle.course_id)
        start = factories.next_slot() + timedelta(days=3)
        group = read_group(db, factories.make_group(db, [], listing=listing, start_time=start).id)
        who: Any = {"actor": factories.acting_user(cast.mentee), "mentee_user_id": cast.mentee.id}
        join(db, group=group, bundle_purchase_id=bundle.id, now=then, policy=DEFAULT_POLICY, **who)
    path = signed(Action.CANCEL, group.id, cast.mentee.id)
    page = client.get(path)
    for text in (page.text, client.post(path, data=hidden(page)).text):
        assert ("cannot be used again: your bundle ended on" in text) is ended
        assert ("goes back to your bundle. The bundle can be used until" in text) is not ended


def test_what_is_always_free_names_no_last_day(client: ApiClient, cast: Cast, engine: Engine) -> None:
    offers: tuple[dict[str, int], ...] = ({"price_amount": 0}, {"late_fee_percent": 0}, {})
    for terms in offers:
        with engine.begin() as db:
            listing = factories.make_listing(db, cast.mentor, cancellation_window_hours=0, **terms)
            session = factories.make_session(db, listing=listing, mentee=cast.mentee)
        page = client.get(link_to_cancel(session, cast.mentee.id))
        assert "There is no fee" in page.text
        assert ("There is no fee until" in page.text) == (not terms)


def test_the_mentor_cancels_without_a_fee(client: ApiClient, cast: Cast, scheduled: Session, engine: Engine) -> None:
    path = link_to_cancel(scheduled, cast.mentor.user_id)
    page = client.get(path)
    assert "There is no fee. Ada Lovelace gets $40.00 back." in page.text
    assert "refundRequested" not in page.text
    assert client.post(path, data={"reason": "Ill", **hidden(page)}).status_code == 200
    session = client.get(f"/sessions/{scheduled.id}", headers=cast.as_mentor).json
    assert session["cancellation"]["cancelledBy"] == "mentor"
    assert session["cancellation"]["refund"]["amount"] == 4000
    assert last_event(engine) == ("session.cancelled", f"mentor:{cast.mentor.id}")


def test_a_fee_that_has_changed_is_shown_anew(
    client: ApiClient, cast: Cast, scheduled: Session, engine: Engine
) -> None:
    path = link_to_cancel(scheduled, cast.mentee.id)
    answer = client.post(path, data={"reason": "Ill", "quoted": "1 2 None"})
    assert heading(answer, 400) == "The cost has changed"
    assert '<a href="">Look at it again</a>' in answer.text
    assert scalar(engine, select(sessions.c.status)) == "scheduled"
    assert client.post(path, data={"reason": "Ill", **hidden(client.get(path))}).status_code == 200


def test_a_session_is_not_cancelled_without_a_reason(client: ApiClient, cast: Cast, scheduled: Session) -> None:
    path = link_to_cancel(scheduled, cast.mentee.id)
    for data in ({}, {"reason": "  "}, {"reason": "\0"}, {"reason": "x" * 2001}):
        page = client.post(path, data={**data, "refundRequested": "true"})
        assert 'aria-invalid="true"' in shown(page, 400)
        assert 'role="alert"' in page.text
        assert "checked" in page.text
    assert client.post(path, data={"reason": "Ill"}).status_code == 200


def test_a_policy_without_cancellation_is_told(client: ApiClient, cast: Cast, engine: Engine) -> None:
    with engine.begin() as db:
        listing = factories.make_listing(db, cast.mentor, cancellation_window_hours=None)
        session = factories.make_session(db, listing=listing, mentee=cast.mentee)
    path = link_to_cancel(session, cast.mentee.id)
    for method, status in (("GET", 200), ("POST", 400)):
        page = client.open(path, method=method, data={"reason": "Ill"})
        assert heading(page, status) == "You cannot cancel this session"
    assert "<form" not in page.text


def test_a_participant_leaves_a_group(client: ApiClient, cast: Cast, engine: Engine) -> None:
    with engine.begin() as db:
        group = factories.make_group(db, [cast.mentee, cast.stranger], listing=cast.listing)
    path = signed(Action.CANCEL, group.id, cast.mentee.id)
    page = client.get(path)
    assert heading(page) == "Leave this group session?"
    assert heading(client.post(path, data=hidden(page))) == "You have left the group session"
    seen = client.get(f"/group-sessions/{group.id}", headers=cast.as_mentor).json
    assert [each["userId"] for each in seen["participants"]] == [str(cast.stranger.id)]
    again = signed(Action.CANCEL, group.id, cast.mentee.id, expires_at=datetime.now(UTC) + timedelta(days=1))
    assert heading(client.get(again)) == "You do not take part in this session"


def test_a_review_is_written_by_link(client: ApiClient, cast: Cast, permit: Permit, engine: Engine) -> None:
    path = signed(Action.REVIEW, permit.session_id, cast.mentee.id)
    assert heading(client.get(path)) == "How was your session with Grace Hopper?"
    answer = client.post(path, data={"rating": "4", "comment": "Clear"})
    assert heading(answer) == "Thank you for your review"
    (review,) = client.get(f"/mentors/{cast.mentor.id}/reviews", headers=cast.as_mentee).json["items"]
    assert (review["rating"], review["comment"]) == (4, "Clear")
    assert last_event(engine) == ("review.submitted", f"user:{cast.mentee.id}")


@pytest.fixture
def offer(engine: Engine, cast: Cast, client: ApiClient) -> str:
    """The link to the only seat of a group, which is kept for the mentee."""
    with engine.begin() as db:
        group = factories.make_group(db, [], listing=cast.listing, capacity=1)
    path = f"/group-sessions/{group.id}"
    client.post(f"{path}/join", headers=cast.as_stranger)
    assert client.post(f"{path}/waitlist", headers=cast.as_mentee).status_code == 201
    client.post(f"{path}/leave", headers=cast.as_stranger)
    return signed(Action.ACCEPT, group.id, cast.mentee.id)


def test_a_seat_that_is_kept_is_taken(client: ApiClient, cast: Cast, offer: str, engine: Engine) -> None:
    with nothing_written(engine):
        assert "It is kept until" in shown(client.get(offer))
    assert heading(client.post(offer)) == "The seat is yours"
    assert last_event(engine) == ("seat.joined", f"user:{cast.mentee.id}")
    assert heading(client.get(offer), 410) == "You have already accepted this"


def test_a_seat_is_taken_for_the_price_that_the_page_shows(client: ApiClient, cast: Cast, offer: str) -> None:
    page = client.get(offer)
    assert "$40.00" in shown(page)
    refused = client.post(offer, data={"quoted": "$39.00"})
    assert heading(refused, 400) == "The cost has changed"
    assert "Look at it again" in refused.text
    assert client.get("/bookings", headers=cast.as_mentee).json["items"] == []
    assert heading(client.post(offer, data=hidden(page))) == "The seat is yours"
    (booking,) = client.get("/bookings", headers=cast.as_mentee).json["items"]
    assert booking["price"] == {"amount": 4000, "currency": "USD"}


def test_a_seat_that_is_not_kept_is_not_taken(client: ApiClient, cast: Cast, offer: str, engine: Engine) -> None:
    execute(engine, update(waitlist_entries).values(offered_until=func.now() - timedelta(seconds=1)))
    for method, status in (("GET", 200), ("POST", 400)):
        assert heading(client.open(offer, method=method), status) == "This seat is no longer kept for you"
    group_id = execute(engine, select(waitlist_entries.c.booking_id)).scalar_one()
    other = signed(Action.ACCEPT, group_id, cast.stranger.id)
    assert heading(client.post(other), 400) == "This seat is no longer kept for you"


def test_a_session_that_is_being_booked_is_told(client: ApiClient, cast: Cast, accepted: Booking) -> None:
    page = client.get(signed(Action.CANCEL, accepted.id, cast.mentee.id))
    assert heading(page, 404) == "Please try again in a moment"
    assert page.headers["Retry-After"] == "1"
    assert "Look at it again" in page.text


def test_a_cancelled_group_cannot_be_left(client: ApiClient, cast: Cast, engine: Engine) -> None:
    with engine.begin() as db:
        session = factories.make_group_session(db, [cast.mentee], listing=cast.listing)
    path = link_to_cancel(session, cast.mentee.id)
    client.patch(f"/sessions/{session.id}/cancel", json={"reason": "Ill"}, headers=cast.as_mentor)
    for method, status in (("GET", 200), ("POST", 400)):
        assert heading(client.open(path, method=method), status) == "You cannot leave this group session"


@pytest.mark.parametrize("data", [{}, {"rating": "6"}, {"rating": "0"}, {"rating": "x"}, {"rating": "4.5"}])
def test_a_review_needs_a_rating(client: ApiClient, cast: Cast, permit: Permit, data: dict[str, str]) -> None:
    path = signed(Action.REVIEW, permit.session_id, cast.mentee.id)
    page = client.post(path, data={**data, "comment": "Kept <b>as it was</b>"})
    assert "Kept &lt;b&gt;as it was&lt;/b&gt;</textarea>" in shown(page, 400)
    assert client.post(path, data={"rating": "5"}).status_code == 200


def test_a_second_review_is_refused(client: ApiClient, cast: Cast, permit: Permit) -> None:
    body = {"rating": 5}
    client.post(f"/sessions/{permit.session_id}/review", json=body, headers=cast.as_mentee)
    path = signed(Action.REVIEW, permit.session_id, cast.mentee.id)
    for method, status in (("GET", 200), ("POST", 409)):
        page = client.open(path, method=method, data={"rating": "1"})
        assert "You have already reviewed this session." in shown(page, status)


def test_a_used_link_is_gone(client: ApiClient, cast: Cast, draft: Booking, engine: Engine) -> None:
    path = link_to_accept(cast, draft)
    assert client.post(path).status_code == 200
    with nothing_written(engine):
        for method in ("GET", "POST"):
            page = client.open(path, method=method)
            assert heading(page, 410) == "You have already accepted this"
    as_json = client.post(path, headers={"Accept": "application/json"})
    assert (as_json.status_code, as_json.json["code"]) == (410, "gone")


def test_a_refused_form_leaves_the_link_usable(
    client: ApiClient, cast: Cast, scheduled: Session, engine: Engine
) -> None:
    path = link_to_cancel(scheduled, cast.mentee.id)
    assert client.post(path).status_code == 400
    assert scalar(engine, select(func.count()).select_from(spent_links)) == 0
    assert client.post(path, data={"reason": "Ill"}).status_code == 200


@pytest.mark.parametrize("step", ["accept", "decline", "cancel"])
def test_what_the_application_has_decided_is_told(
    client: ApiClient, cast: Cast, draft: Booking, engine: Engine, step: str
) -> None:
    headers = cast.as_mentee if step == "cancel" else cast.as_mentor
    assert client.patch(f"/bookings/{draft.id}/{step}", headers=headers).status_code in (200, 202)
    titles = {
        "accept": "You have already accepted this request",
        "decline": "You have already declined this request",
        "cancel": "This request is no longer open",
    }
    with nothing_written(engine):
        for path in (link_to_accept(cast, draft), link_to_decline(cast, draft)):
            for method, status in (("GET", 200), ("POST", 400)):
                page = client.open(path, method=method)
                assert heading(page, status) == titles[step]
                assert "<form" not in page.text


def test_what_a_program_reads_instead_is_documented(
    client: ApiClient, cast: Cast, draft: Booking, accepted: Booking, permit: Permit
) -> None:
    client.patch(f"/bookings/{draft.id}/decline", headers=cast.as_mentor)
    client.post(f"/sessions/{permit.session_id}/review", json={"rating": 5}, headers=cast.as_mentee)
    documented = openapi_document()["paths"]["/act/{signed}"]["get"]["responses"]
    for path, status, code in (
        (link_to_accept(cast, draft), 400, "invalid_transition"),
        (signed(Action.CANCEL, accepted.id, cast.mentee.id), 404, "session_pending"),
        (signed(Action.REVIEW, permit.session_id, cast.mentee.id), 409, "already_reviewed"),
    ):
        answer = client.get(path, headers={"Accept": "application/json"})
        assert (answer.status_code, answer.json["code"]) == (status, code)
        assert code in codes_of(documented[str(status)])


def test_a_taken_time_is_told_to_the_mentor(client: ApiClient, cast: Cast, draft: Booking, engine: Engine) -> None:
    with engine.begin() as db:
        rival = factories.make_booking(db, listing=cast.listing, mentee=cast.stranger, start_time=draft.start_time)
        factories.accept_booking(db, rival)
    page = client.post(link_to_accept(cast, draft))
    assert "You or the mentee are already booked at this time" in shown(page, 409)
    assert status_of(engine, draft) == "draft"
    assert client.post(link_to_decline(cast, draft)).status_code == 200


def test_a_session_that_has_begun_cannot_be_cancelled(client: ApiClient, cast: Cast, in_progress: Session) -> None:
    page = client.get(link_to_cancel(in_progress, cast.mentee.id))
    assert heading(page) == "This session has begun"


def test_a_link_expires(client: ApiClient, cast: Cast, draft: Booking, engine: Engine) -> None:
    path = link_to_accept(cast, draft, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    for method in ("GET", "POST"):
        assert heading(client.open(path, method=method), 404) == "This link does not work"
    assert status_of(engine, draft) == "draft"


def forged(cast: Cast, draft: Booking) -> dict[str, str]:
    """Links that are none of ours, by what is wrong with them."""
    good = link_to_accept(cast, draft).rpartition("/")[2]
    payload, _, signature = good.rpartition(".")
    text = str(SIGNER.verify(good))
    return {
        "another secret": Signer(["x" * 40], LINK_PURPOSE).sign(text),
        "another purpose": Signer([SECRET], "unsubscribe").sign(text),
        "another payload": f"{payload[:-1]}{'A' if payload[-1] != 'A' else 'B'}.{signature}",
        "half of one": good[: len(good) // 2],
        "no base64": good[:-1] + "!",
        "nothing": "x",
        "long": "A" * 5000,
        "other letters": "ü" * 20,
        "another action": SIGNER.sign(text.replace("accept", "dance")),
        "no parts": SIGNER.sign("accept"),
        "a time beyond all": SIGNER.sign(f"{text.rpartition(' ')[0]}{'0' * 30} 0"),
        "no version": SIGNER.sign(text.rpartition(" ")[0]),
        "of an address": SIGNER.sign(f"{text.rpartition(' ')[0]} -"),
        "a version to come": link_to_accept(cast, draft, links_version=1).rpartition("/")[2],
        "no text": SIGNER.sign({"action": "accept"}),
        "no such booking": link_to_accept(cast, draft).rpartition("/")[2]
        and signed(Action.ACCEPT, uuid4(), cast.mentor.user_id).rpartition("/")[2],
        "no such user": signed(Action.ACCEPT, draft.id, uuid4()).rpartition("/")[2],
        "no such session": signed(Action.REVIEW, uuid4(), cast.mentee.id).rpartition("/")[2],
        "no such change": signed(Action.CONFIRM_MAIL, uuid4(), cast.mentee.id).rpartition("/")[2],
    }


def test_forged_links_are_not_found_and_change_nothing(
    client: ApiClient, cast: Cast, draft: Booking, engine: Engine
) -> None:
    with nothing_written(engine):
        for name, text in forged(cast, draft).items():
            for method in ("GET", "POST"):
                page = client.open(f"/act/{text}", method=method)
                assert page.status_code == 404, name
                assert heading(page, 404) == "This link does not work", name


def test_a_link_is_good_for_its_action_and_user_alone(
    client: ApiClient, cast: Cast, draft: Booking, scheduled: Session, engine: Engine
) -> None:
    with nothing_written(engine):
        for path in (
            signed(Action.ACCEPT, draft.id, cast.mentee.id),
            signed(Action.DECLINE, draft.id, cast.stranger.id),
            signed(Action.ACCEPT, draft.id, cast.other_mentor.user_id),
            signed(Action.REVIEW, scheduled.id, cast.stranger.id),
        ):
            for method in ("GET", "POST"):
                assert client.open(path, method=method, data={"rating": "5"}).status_code == 403
        stranger = link_to_cancel(scheduled, cast.stranger.id)
        assert heading(client.post(stranger, data={"reason": "x"}), 400) == "You do not take part in this session"


def test_an_inactive_mentor_accepts_nothing_and_declines(
    client: ApiClient, cast: Cast, draft: Booking, engine: Engine
) -> None:
    factories.deactivate(engine, cast.mentor)
    page = client.post(link_to_accept(cast, draft))
    assert "Your mentor profile is not active" in shown(page, 403)
    assert client.post(f"/bookings/{draft.id}/accept", headers=cast.as_mentor).status_code == 403
    assert client.post(link_to_decline(cast, draft)).status_code == 200


def test_links_outlive_the_rotation_of_keys(engine: Engine, cast: Cast, draft: Booking) -> None:
    rotated = World.on(engine, signing_keys=("another key, put in front of the old one", SECRET))
    assert rotated.client.get(link_to_accept(cast, draft)).status_code == 200
    without = World.on(engine, signing_keys=("another key, put in front of the old one",))
    assert without.client.get(link_to_accept(cast, draft)).status_code == 404


def test_names_and_notes_are_escaped(client: ApiClient, cast: Cast, engine: Engine) -> None:
    with engine.begin() as db:
        mentee = factories.make_user(db, name=HOSTILE)
        notes = Sealer([SECRET]).seal(f"a\n{HOSTILE}")
        draft = factories.make_booking(db, listing=cast.listing, mentee=mentee, title=HOSTILE, notes=notes)
    for path in (link_to_accept(cast, draft), link_to_decline(cast, draft)):
        text = shown(client.get(path))
        assert "<img" not in text
        assert "&lt;img" in text


def test_times_are_in_the_readers_zone(client: ApiClient, cast: Cast, engine: Engine) -> None:
    with engine.begin() as db:
        mentee = factories.make_user(db, time_zone="Asia/Kathmandu")
        session = factories.make_session(db, listing=cast.listing, mentee=mentee)
    assert "(Asia/Kathmandu)" in shown(client.get(link_to_cancel(session, mentee.id)))


def test_a_form_that_is_too_large_is_a_page(client: ApiClient, cast: Cast, draft: Booking) -> None:
    page = client.post(link_to_decline(cast, draft), data={"reason": "x" * 300_000})
    assert heading(page, 413) == "This is too long"


def test_bodies_that_are_no_form_are_no_defect(client: ApiClient, cast: Cast, scheduled: Session) -> None:
    path = link_to_cancel(scheduled, cast.mentee.id)
    for body in (b"\xff\xfe", b"reason=%ff%00", b'{"reason": "x"}', b"&&==&"):
        for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            assert client.post(path, data=body, content_type=kind).status_code == 400, (body, kind)
        for kind in ("application/json", "x/y"):
            assert client.post(path, data=body, content_type=kind).status_code == 415, (body, kind)


def test_used_links_are_forgotten_after_their_time(
    client: ApiClient, cast: Cast, draft: Booking, engine: Engine
) -> None:
    assert client.post(link_to_accept(cast, draft)).status_code == 200
    with engine.begin() as db:
        assert CHORES["forget used links"](db) is False
        assert db.scalar(select(func.count()).select_from(spent_links)) == 1
    with engine.begin() as db, without_guards(db):
        db.execute(update(spent_links).values(expires_at=func.now() - timedelta(hours=25)))
    with engine.begin() as db:
        assert CHORES["forget used links"](db) is False
        assert db.scalar(select(func.count()).select_from(spent_links)) == 0
