"""Questions of listings and templates over HTTP: asked and answered on every route that books or joins."""

from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from models.bookings import bookings
from models.catalog import BookingMode, listings
from models.groups import group_session_templates, seat_answers
from models.notifications import notifications
from models.people import users
from tests import factories
from tests.api.conftest import MONDAY, Cast, Tuition
from tests.api.links import heading, signed
from tests.api.test_payments import make_listing
from tests.api.test_seats import make_group, post
from tests.application import ApiClient, ApiResponse, World
from tests.integration.harness import Harness
from tests.mails import as_read
from tests.queries import execute, scalars
from workers.transports.mail import MailIdentity
from workflows.action_links.link import Action
from workflows.sessions.actions import create

LEVEL = {"id": "level", "label": "How far are you?", "kind": "choice", "choices": ["New", "Good"], "required": True}
GOAL = {"id": "goal", "label": "Your goal?", "kind": "text", "required": False}
ADULT = {"id": "adult", "label": "Are you an adult?", "kind": "yes_no", "required": True}
QUESTIONS = [LEVEL, GOAL, ADULT]
ANSWERS = {"level": "Good", "goal": "A new\njob", "adult": False}
KEPT = [
    {"id": "level", "label": "How far are you?", "kind": "choice", "value": "Good"},
    {"id": "goal", "label": "Your goal?", "kind": "text", "value": "A new\njob"},
    {"id": "adult", "label": "Are you an adult?", "kind": "yes_no", "value": False},
]
IDENTITY = MailIdentity("no-reply@tutelage.example", "o@x.example")
MISSING = ["Must be answered."]
TEXT, CHOICE = ["Must be a text."], ["Must be one of the choices."]
YES_NO, UNKNOWN = ["Must be true or false."], ["There is no such question."]


def ask(engine: Engine, cast: Cast, questions: Any = QUESTIONS, **offer: Any) -> None:
    """Let the mentor's listing, and every template, ask these questions."""
    changed = {"questions": questions, **offer}
    execute(engine, update(listings).where(listings.c.mentor_profile_id == cast.mentor.id).values(changed))
    execute(engine, update(group_session_templates).values(questions=questions))


def refused(answer: ApiResponse) -> dict[str, Any]:
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request"), answer.text
    details: dict[str, Any] = answer.json["details"]
    return details


@pytest.fixture
def asking(engine: Engine, cast: Cast) -> Cast:
    ask(engine, cast)
    return cast


def test_a_mentor_asks_and_changes_questions(client: ApiClient, cast: Cast) -> None:
    offer = {"title": "Advice", "durationMinutes": 30, "price": {"amount": 1, "currency": "USD"}}
    made = client.post("/listings", json={**offer, "questions": QUESTIONS}, headers=cast.as_mentor)
    assert (made.status_code, made.json["questions"]) == (201, QUESTIONS)
    path = f"/listings/{made.json['id']}"
    changed = client.patch(path, json={"questions": [{**GOAL, "choices": None}]}, headers=cast.as_mentor)
    assert changed.json["questions"] == [GOAL] == client.get(path, headers=cast.as_stranger).json["questions"]
    assert client.patch(path, json={"title": "Help"}, headers=cast.as_mentor).json["questions"] == [GOAL]
    weekly = {"weekday": 0, "startTime": "18:00", "timeZone": "UTC", "capacity": 3, **offer}
    template = client.post("/group-session-templates", json={**weekly, "questions": [ADULT]}, headers=cast.as_mentor)
    assert (template.status_code, template.json["questions"]) == (201, [ADULT])


@pytest.mark.parametrize(
    ("questions", "field"),
    [
        ([GOAL, GOAL], "questions"),
        ([{**GOAL, "id": str(number)} for number in range(11)], "questions"),
        ("goal", "questions"),
        (None, "questions"),
        ([{**GOAL, "id": ""}], "questions.0.id"),
        ([{**GOAL, "id": "a b"}], "questions.0.id"),
        ([{**GOAL, "id": "a\n"}], "questions.0.id"),
        ([{**GOAL, "id": "x" * 41}], "questions.0.id"),
        ([{**GOAL, "label": " "}], "questions.0.label"),
        ([{**GOAL, "label": "x" * 201}], "questions.0.label"),
        ([{**GOAL, "label": "a\nb"}], "questions.0.label"),
        ([{**GOAL, "kind": "number"}], "questions.0.kind"),
        ([{**GOAL, "required": "yes"}], "questions.0.required"),
        ([{**GOAL, "choices": ["a"]}], "questions.0.choices"),
        ([{**LEVEL, "choices": None}], "questions.0.choices"),
        ([{**LEVEL, "choices": []}], "questions.0.choices"),
        ([{**LEVEL, "choices": ["a", "a"]}], "questions.0.choices"),
        ([{**LEVEL, "choices": [str(number) for number in range(21)]}], "questions.0.choices"),
        ([{**LEVEL, "choices": ["x" * 101]}], "questions.0.choices.0"),
        ([{**GOAL, "more": 1}], "questions.0.more"),
    ],
)
def test_questions_that_make_no_sense_are_refused(client: ApiClient, cast: Cast, questions: Any, field: str) -> None:
    answer = client.patch(f"/listings/{cast.listing.id}", json={"questions": questions}, headers=cast.as_mentor)
    assert field in refused(answer)


@pytest.mark.parametrize(
    ("answers", "details"),
    [
        (None, {"answers.level": MISSING, "answers.adult": MISSING}),
        ({}, {"answers.level": MISSING, "answers.adult": MISSING}),
        ({"level": "New"}, {"answers.adult": MISSING}),
        ({"level": None, "adult": True}, {"answers.level": MISSING}),
        ({"level": " ", "adult": True}, {"answers.level": MISSING}),
        ({"level": "Bad", "adult": True}, {"answers.level": CHOICE}),
        ({"level": True, "adult": True}, {"answers.level": CHOICE}),
        ({"level": "New", "adult": "true"}, {"answers.adult": YES_NO}),
        ({"level": "New", "adult": True, "goal": False}, {"answers.goal": TEXT}),
        ({"level": "New", "adult": True, "other": "x"}, {"answers.other": UNKNOWN}),
        ({"level": "New", "adult": True, "other": None}, {"answers.other": UNKNOWN}),
    ],
)
def test_answers_that_do_not_fit_are_refused(client: ApiClient, asking: Cast, answers: Any, details: Any) -> None:
    given = {} if answers is None else {"answers": answers}
    assert refused(client.post("/bookings", json=asking.body(**given), headers=asking.as_mentee)) == details


@pytest.mark.parametrize("value", [1, 1.5, ["New"], {"a": 1}, "x" * 2001, "a\x1bb"])
def test_answers_of_no_kind_are_refused_by_their_question(client: ApiClient, asking: Cast, value: Any) -> None:
    body = asking.body(answers={"level": "New", "adult": True, "goal": value})
    assert list(refused(client.post("/bookings", json=body, headers=asking.as_mentee))) == ["answers.goal"]
    for nonsense in ("New", ["New"], 7):
        answer = client.post("/bookings", json=asking.body(answers=nonsense), headers=asking.as_mentee)
        assert list(refused(answer)) == ["answers"]


def test_without_questions_nothing_is_answered(client: ApiClient, cast: Cast) -> None:
    unknown = client.post("/bookings", json=cast.body(answers={"level": "New"}), headers=cast.as_mentee)
    assert refused(unknown) == {"answers.level": UNKNOWN}
    unanswered: list[dict[str, Any]] = [{}, {"answers": {}}, {"answers": None}]
    for given in unanswered:
        made = client.post("/bookings", json=cast.body(**given), headers=cast.as_mentee)
        assert (made.status_code, made.json["answers"]) == (201, [])


def test_both_sides_and_staff_see_the_answers_as_they_were_asked(world: World, asking: Cast, engine: Engine) -> None:
    client = world.client
    made = client.post("/bookings", json=asking.body(answers=ANSWERS), headers=asking.as_mentee)
    assert (made.status_code, made.json["answers"]) == (201, KEPT)
    path = f"/bookings/{made.json['id']}"
    (stored,) = scalars(engine, select(bookings.c.answers))
    assert str(stored).startswith("sealed:")
    ask(engine, asking, [{**ADULT, "label": "Changed?"}])
    accepted = client.post(f"{path}/accept", headers=asking.as_mentor)
    world.run_database_effects()
    session = f"/sessions/{accepted.json['sessionId']}"
    for headers in (asking.as_mentee, asking.as_mentor, asking.as_operator):
        assert client.get(path, headers=headers).json["answers"] == KEPT
        assert client.get(session, headers=headers).json["answers"] == KEPT
    (listed,) = client.get("/sessions/mentor/my-sessions", headers=asking.as_mentor).json["items"]
    (booked,) = client.get("/bookings", headers=asking.as_mentee).json["items"]
    assert listed["answers"] == booked["answers"] == KEPT
    assert client.get(path, headers=asking.as_stranger).status_code in (403, 404)


def test_an_optional_answer_is_left_out(client: ApiClient, asking: Cast) -> None:
    body = asking.body(answers={**ANSWERS, "goal": " "})
    made = client.post("/bookings", json=body, headers=asking.as_mentee)
    assert made.json["answers"] == [KEPT[0], KEPT[2]]


def test_a_direct_booking_and_its_series_are_answered_once(client: ApiClient, asking: Cast) -> None:
    body = {
        "coachId": str(asking.mentor.id),
        "listingId": str(asking.listing.id),
        "scheduledAt": MONDAY.isoformat(),
        "timeZone": "UTC",
        "title": "Advice",
    }
    wrong = client.post("/sessions/book", json={**body, "answers": {"level": "New"}}, headers=asking.as_mentee)
    assert refused(wrong) == {"answers.adult": MISSING}
    series = {**body, "answers": ANSWERS, "recurrence": {"count": 3}}
    wrong = client.post("/sessions/book", json={**series, "answers": {}}, headers=asking.as_mentee)
    assert set(refused(wrong)) == {"answers.level", "answers.adult"}
    made = client.post("/sessions/book", json=series, headers=asking.as_mentee)
    assert (made.status_code, made.json["booking"]["answers"]) == (201, KEPT), made.text
    for each in made.json["series"]["made"]:
        assert client.get(f"/bookings/{each['bookingId']}", headers=asking.as_mentor).json["answers"] == KEPT


def test_a_course_booking_chooses_a_mentor_whose_questions_are_answered(tuition: Tuition, engine: Engine) -> None:
    silent = tuition.mentors[2]
    asking = listings.c.mentor_profile_id != silent.id
    execute(engine, update(listings).where(asking).values(questions=QUESTIONS))
    chosen = tuition.book()
    assert (chosen.json["mentorProfileId"], chosen.json["answers"]) == (str(silent.id), [])
    later = MONDAY.replace(hour=14).isoformat()
    answered = tuition.book(startTime=later, answers=ANSWERS)
    assert (answered.json["mentorProfileId"] != str(silent.id), answered.json["answers"]) == (True, KEPT)
    named = tuition.book(startTime=MONDAY.replace(hour=16).isoformat(), taId=str(tuition.mentors[0].id))
    assert set(refused(named)) == {"answers.level", "answers.adult"}
    execute(engine, update(listings).values(questions=QUESTIONS))
    assert set(refused(tuition.book(startTime=MONDAY.replace(hour=16).isoformat()))) == {
        "answers.level",
        "answers.adult",
    }


def test_a_seat_is_answered_and_forgotten_when_it_is_left(world: World, cast: Cast, engine: Engine) -> None:
    group = make_group(world, cast, capacity=2)
    ask(engine, cast)
    path = f"/group-sessions/{group.id}"
    assert world.client.get(path, headers=cast.as_mentee).json["questions"] == QUESTIONS
    (listed,) = world.client.get("/group-sessions", headers=cast.as_mentee).json["items"]
    assert (listed["questions"], listed["answers"]) == (QUESTIONS, [])
    assert set(refused(post(world, group, "join", cast.as_mentee))) == {"answers.level", "answers.adult"}
    joined = post(world, group, "join", cast.as_mentee, answers=ANSWERS)
    assert (joined.status_code, joined.json["answers"]) == (200, KEPT)
    post(world, group, "join", cast.as_stranger, answers={"level": "New", "adult": True})
    ask(engine, cast, [])
    for headers in (cast.as_mentor, cast.as_operator):
        first, second = world.client.get(path, headers=headers).json["participants"]
        assert first["answers"] == KEPT
        assert [each["value"] for each in second["answers"]] == ["New", True]
    seen = world.client.get(path, headers=cast.as_mentee).json
    assert (seen["participants"], seen["answers"]) == (None, KEPT)
    (seat,) = world.client.get("/me/export", headers=cast.as_mentee).json["seats"]
    assert seat["answers"] == KEPT
    assert post(world, group, "leave", cast.as_mentee).status_code == 200
    assert len(list(scalars(engine, select(seat_answers.c.answers)))) == 1
    assert world.client.get(path, headers=cast.as_mentee).json["answers"] == []
    assert post(world, group, "join", cast.as_mentee).json["answers"] == []


def test_an_offered_seat_is_answered_as_it_is_taken(world: World, cast: Cast, engine: Engine) -> None:
    group = make_group(world, cast, cast.mentee, capacity=1)
    ask(engine, cast)
    assert post(world, group, "waitlist", cast.as_stranger).status_code == 201
    post(world, group, "leave", cast.as_mentee)
    wrong = post(world, group, "waitlist/accept-offer", cast.as_stranger, answers={"level": "Bad", "adult": True})
    assert refused(wrong) == {"answers.level": CHOICE}
    link = signed(Action.ACCEPT, group.id, cast.stranger.id)
    for method, status in (("GET", 200), ("POST", 400)):
        assert heading(world.client.open(link, method=method), status) == "You cannot take this seat here"
    taken = post(world, group, "waitlist/accept-offer", cast.as_stranger, answers=ANSWERS)
    assert (taken.status_code, taken.json["answers"]) == (200, KEPT)


def test_a_seat_that_awaits_its_payment_keeps_its_answers(world: World, cast: Cast, engine: Engine) -> None:
    listing = make_listing(engine, cast, booking_mode=BookingMode.INSTANT)
    with engine.begin() as db:
        group = factories.make_group(db, [], listing=listing, capacity=2)
    ask(engine, cast)
    for _ in range(2):
        kept = post(world, group, "join", cast.as_mentee, answers=ANSWERS)
        assert (kept.json["joined"], kept.json["answers"]) == (False, KEPT)
        assert post(world, group, "leave", cast.as_mentee).status_code == 200
        assert not list(scalars(engine, select(seat_answers.c.answers)))
    kept = post(world, group, "join", cast.as_mentee, answers=ANSWERS)
    payment = kept.json["payment"]
    confirmation = {"reference": "pi_1", "amount": payment["amount"]}
    done = world.client.post(f"/payments/{payment['id']}/confirm", json=confirmation, headers=cast.as_operator)
    assert done.status_code == 200, done.text
    (participant,) = world.client.get(f"/group-sessions/{group.id}", headers=cast.as_mentor).json["participants"]
    assert participant["answers"] == KEPT


@pytest.mark.parametrize("who", ["mentee", "mentor"])
def test_an_erasure_of_either_side_takes_the_answers(world: World, cast: Cast, engine: Engine, who: str) -> None:
    group = make_group(world, cast, capacity=2)
    ask(engine, cast)
    world.client.post("/bookings", json=cast.body(answers=ANSWERS), headers=cast.as_mentee)
    post(world, group, "join", cast.as_mentee, answers=ANSWERS)
    headers = cast.as_mentee if who == "mentee" else cast.as_mentor
    with engine.begin() as db:
        create(db, booking_id=group.id)
    world.run_database_effects()
    (exported,) = (each for each in world.client.get("/me/export", headers=headers).json["bookings"]
                   if each["kind"] == "individual")  # fmt: skip
    assert exported["answers"] == KEPT
    assert world.client.delete("/me?cancel=true", headers=headers).status_code in (200, 204)
    assert not list(scalars(engine, select(bookings.c.answers).where(bookings.c.answers.is_not(None))))
    assert not list(scalars(engine, select(seat_answers.c.answers)))


def test_texts_of_answers_count_in_the_quota(world: World, asking: Cast, engine: Engine) -> None:
    many = [{**GOAL, "id": f"q{number}"} for number in range(10)]
    ask(engine, asking, many)
    with engine.begin() as db:
        db.execute(update(bookings).values(answers=None))
        held = factories.make_booking(db, listing=asking.listing, mentee=asking.mentee)
        db.exec_driver_sql("SET LOCAL session_replication_role = replica")
        db.execute(update(bookings).where(bookings.c.id == held.id).values(answers="x" * (4 * 1024 * 1024 + 1)))
    body = asking.body(answers={"q1": "y" * 2000})
    answer = world.client.post("/bookings", json=body, headers=asking.as_mentee)
    assert answer.status_code == 429, answer.text


@pytest.mark.parametrize(("locale", "no"), [("en-GB", "No"), ("de-DE", "Nein")])
def test_the_mentors_mails_show_the_answers(world: World, cast: Cast, engine: Engine, locale: str, no: str) -> None:
    group = make_group(world, cast, capacity=2)
    ask(engine, cast)
    patched = world.client.patch("/me", json={"locale": locale}, headers=cast.as_mentor)
    assert patched.status_code == 200
    (address,) = scalars(engine, select(users.c.email).where(users.c.id == cast.mentor.user_id))
    harness = Harness(engine)
    made = world.client.post("/bookings", json=cast.body(answers=ANSWERS), headers=cast.as_mentee)
    post(world, group, "join", cast.as_stranger, answers=ANSWERS)
    harness.run_all()
    world.client.post(f"/bookings/{made.json['id']}/accept", headers=cast.as_mentor)
    harness.run_all()
    shown = {}
    for mail in harness.mail.received:
        read: Any = as_read(mail, IDENTITY)
        plain, rich = (read.get_body((kind,)).get_content() for kind in ("plain", "html"))
        told = "Are you an adult?\n> " + no in plain
        assert told == (f">{no}</blockquote>" in rich)
        assert told == ("Your goal?\n> A new\n> job" in plain)
        assert not told or mail.to_address == address
        shown[mail.subject] = told
    assert sum(shown.values()) == 3, shown
    assert "A new" not in str(list(scalars(engine, select(notifications.c.body))))
