"""Tests of the reports over HTTP: who sees which numbers, as JSON and as tables, and what a report costs."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, insert, update

from models.bookings import BookingStatus
from models.catalog import courses
from models.people import users
from tests import factories
from tests.api.conftest import Cast, Headers
from tests.application import ApiClient, ApiResponse, World, as_user
from tests.integration.harness import Harness
from tests.integration.past_lives import past_life, seat
from tests.queries import execute
from tests.statements import statements_of
from workflows.accounts.records import Mentor
from workflows.analytics.counts import Grouping
from workflows.events.event_types import SeatLeft
from workflows.sessions.records import Session

REPORTS = ("sessions", "conversion", "transition-times", "availability")
AS_TABLE = {"Accept": "text/csv"}
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
IN_MAY = "from=2026-05-01&to=2026-05-31"


def lived(engine: Engine, mentor: Mentor, *moments: datetime, course_id: UUID | None = None) -> None:
    """Write a session created at each of these moments, and requested then."""
    with engine.begin() as db:
        for moment in moments:
            past_life(db, mentor.id, requested=moment, decided=moment, created=moment, course_id=course_id)


def table_of(answer: ApiResponse) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.json
    return list(csv.DictReader(io.StringIO(answer.get_data(as_text=True), newline="")))


# Who asks → whether they may.
@pytest.mark.parametrize(
    ("who", "status"), [("as_mentor", 200), ("as_operator", 200), ("as_mentee", 403), ("as_stranger", 403)]
)
@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
def test_reports_are_for_mentors_and_operators(
    client: ApiClient, cast: Cast, report: str, who: str, status: int, accept: str
) -> None:
    named = f"?mentorProfileId={cast.mentor.id}" if report == "availability" else ""
    answer = client.get(f"/analytics/{report}{named}", headers=getattr(cast, who) | {"Accept": accept})
    assert answer.status_code == status
    if status == 403:
        assert answer.json["code"] == "forbidden", "a refusal is JSON, whatever was asked for"


@pytest.mark.parametrize("report", REPORTS)
def test_a_mentors_user_without_the_mentors_id_is_no_mentor(client: ApiClient, cast: Cast, report: str) -> None:
    user_alone = as_user(cast.mentor.user_id)
    assert client.get(f"/analytics/{report}", headers=user_alone).status_code == 403


@pytest.mark.parametrize("report", REPORTS)
def test_reports_do_not_reveal_whether_another_mentor_exists(client: ApiClient, cast: Cast, report: str) -> None:
    answers = [
        client.get(f"/analytics/{report}?mentorProfileId={named}", headers=cast.as_mentor)
        for named in (cast.other_mentor.id, uuid4())
    ]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert answers[0].json["message"] == answers[1].json["message"]


def test_mentors_see_own_counts_and_operators_see_all(client: ApiClient, engine: Engine, cast: Cast) -> None:
    with engine.begin() as db:
        course = uuid4()
        db.execute(insert(courses).values(id=course, title="Compilers"))
    lived(engine, cast.mentor, NOON, NOON, course_id=course)
    lived(engine, cast.other_mentor, NOON)

    def seen(headers: Headers, query: str = "") -> tuple[int, int]:
        sessions = client.get(f"/analytics/sessions?{IN_MAY}{query}", headers=headers).json["items"]
        conversion = client.get(f"/analytics/conversion?{IN_MAY}{query}", headers=headers).json
        return sum(item["created"] for item in sessions), conversion["requests"]

    assert seen(cast.as_mentor) == seen(cast.as_mentor, f"&mentorProfileId={cast.mentor.id}") == (2, 2)
    assert seen(cast.as_other_mentor) == (1, 1)
    assert seen(cast.as_operator) == (3, 3)
    assert seen(cast.as_operator, f"&mentorProfileId={cast.other_mentor.id}") == (1, 1)
    assert seen(cast.as_operator, f"&courseId={course}") == (2, 2)
    assert seen(cast.as_operator, f"&mentorProfileId={uuid4()}") == (0, 0)
    assert seen(cast.as_other_mentor, f"&courseId={course}") == (0, 0)
    for group in ("mentor", "course", "week"):
        (item,) = client.get(f"/analytics/sessions?{IN_MAY}&groupBy={group}", headers=cast.as_other_mentor).json[
            "items"
        ]
        assert item["created"] == 1


@pytest.mark.parametrize("group", Grouping)
def test_where_nothing_happened_there_is_nothing(client: ApiClient, cast: Cast, group: str) -> None:
    answer = client.get(f"/analytics/sessions?groupBy={group}", headers=cast.as_mentor)
    assert answer.json == {"items": [], "nextCursor": None}
    table = client.get(f"/analytics/sessions?groupBy={group}", headers=cast.as_mentor | AS_TABLE)
    assert table_of(table) == []
    assert table.get_data(as_text=True).startswith(
        {"mentor": "mentorProfileId", "course": "courseId"}.get(group, group)
    )


def test_of_no_requests_there_are_no_rates(client: ApiClient, cast: Cast) -> None:
    found = client.get("/analytics/conversion?from=2026-05-01&to=2026-05-01", headers=cast.as_mentor).json
    parts = ("accepted", "sessions", "completed", "reviewed")
    assert found == {
        "from": "2026-05-01T00:00:00Z",
        "to": "2026-05-02T00:00:00Z",
        **dict.fromkeys(("requests", *parts), 0),
        "rates": dict.fromkeys(parts),
    }


def test_rates_are_shares_of_the_requests(client: ApiClient, engine: Engine, cast: Cast) -> None:
    accepted = {"requested": NOON, "decided": NOON, "created": NOON}
    completed = accepted | {"started": NOON, "completed": NOON}
    drafts: list[dict[str, Any]] = [{"requested": NOON, "status": BookingStatus.DRAFT}] * 5
    with engine.begin() as db:
        for life in (*drafts, accepted, completed, completed | {"reviewed": NOON}):
            past_life(db, cast.mentor.id, **life)
    found = client.get(f"/analytics/conversion?{IN_MAY}", headers=cast.as_mentor).json
    assert found["rates"] == {"accepted": 0.375, "sessions": 0.375, "completed": 0.25, "reviewed": 0.125}
    (line,) = table_of(client.get(f"/analytics/conversion?{IN_MAY}", headers=cast.as_mentor | AS_TABLE))
    assert (line["requests"], line["reviewed"], line["completedRate"]) == ("8", "1", "0.25")


@pytest.mark.parametrize("field", ["from", "to"])
def test_times_of_steps_are_of_whole_days_and_of_no_moments(client: ApiClient, cast: Cast, field: str) -> None:
    days = {"from": "2026-05-04", "to": "2026-05-05"}
    path = "/analytics/transition-times"
    assert client.get(path, query_string=days, headers=cast.as_mentor).status_code == 200
    moment = client.get(path, query_string={**days, field: f"{days[field]}T12:00:00Z"}, headers=cast.as_mentor)
    assert (moment.status_code, moment.json["code"]) == (400, "invalid_request")
    assert moment.json["details"] == {field: ["Must be a day of UTC, such as 2030-05-01."]}


def test_a_table_has_all_values_of_the_json(world: World, cast: Cast, in_progress: Session) -> None:
    assert world.client.patch(f"/sessions/{in_progress.id}/complete", headers=cast.as_mentor).status_code == 200
    Harness(world.engine).run_all()
    steps = world.client.get("/analytics/transition-times", headers=cast.as_mentor).json["items"]
    of_steps = table_of(world.client.get("/analytics/transition-times", headers=cast.as_mentor | AS_TABLE))
    wanted = [
        {**step, "count": bucket["count"], "transitionCount": step["count"], **bucket}
        for step in steps
        for bucket in step.pop("buckets")
    ]
    assert of_steps == [in_cells(line) for line in wanted]
    assert {line["averageSeconds"] for line in of_steps if line["transition"] == "length"} != {""}
    ahead = f"/analytics/availability?from={in_progress.start_time.date()}&to={in_progress.end_time.date()}"
    week = world.client.get(ahead, headers=cast.as_mentor).json
    of_hours = table_of(world.client.get(ahead, headers=cast.as_mentor | AS_TABLE))
    assert of_hours == [in_cells({**hour, **week}) for hour in week.pop("items")]
    whole = world.client.get("/analytics/conversion", headers=cast.as_mentor).json
    rates = {f"{part}Rate": rate for part, rate in whole.pop("rates").items()}
    of_requests = table_of(world.client.get("/analytics/conversion", headers=cast.as_mentor | AS_TABLE))
    assert of_requests == [in_cells({**whole, **rates})]


def in_cells(line: dict[str, Any]) -> dict[str, str]:
    return {name: "" if value is None else str(value) for name, value in line.items()}


def test_a_whole_life_shows_in_every_report(world: World, cast: Cast, in_progress: Session) -> None:
    path = f"/sessions/{in_progress.id}/complete"
    assert world.client.patch(path, headers=cast.as_mentor).status_code == 200
    Harness(world.engine).run_all()
    (day,) = world.client.get("/analytics/sessions", headers=cast.as_mentor).json["items"]
    assert (day["day"], day["completed"], day["minutes"]) == (datetime.now(UTC).date().isoformat(), 1, 60)
    times = world.client.get("/analytics/transition-times", headers=cast.as_mentor).json["items"]
    assert {each["transition"]: each["count"] for each in times}["length"] == 1
    ahead = f"from={in_progress.start_time.date()}&to={in_progress.end_time.date()}"
    week = world.client.get(f"/analytics/availability?{ahead}", headers=cast.as_mentor).json
    assert (week["mentorProfileId"], week["timeZone"], len(week["items"])) == (str(cast.mentor.id), "UTC", 168)
    assert sum(hour["bookedMinutes"] for hour in week["items"]) == 60
    assert {hour["openMinutes"] for hour in week["items"]} == {None}
    lines = table_of(world.client.get(f"/analytics/availability?{ahead}", headers=cast.as_mentor | AS_TABLE))
    assert sum(int(line["bookedMinutes"]) for line in lines) == 60
    assert {line["openMinutes"] for line in lines} == {""}
    (now,) = world.client.get(f"/analytics/sessions?groupBy=status&{ahead}", headers=cast.as_mentor).json["items"]
    assert now == {"status": "completed", "sessions": 1, "minutes": 60}


def test_hours_of_the_week_are_of_no_course(client: ApiClient, cast: Cast) -> None:
    refused = client.get(f"/analytics/availability?courseId={uuid4()}", headers=cast.as_mentor)
    assert (refused.status_code, [*refused.json["details"]]) == (400, ["courseId"])


def test_an_operator_says_whose_hours_and_gets_the_mentors_own_clocks(
    client: ApiClient, engine: Engine, cast: Cast
) -> None:
    with engine.begin() as db:
        user = factories.make_user(db, time_zone="Asia/Kathmandu")
        mentor = factories.make_mentor(db, user)
    unnamed = client.get("/analytics/availability", headers=cast.as_operator)
    assert (unnamed.status_code, list(unnamed.json["details"])) == (400, ["mentorProfileId"])
    named = f"/analytics/availability?from=2026-05-04&to=2026-05-04&mentorProfileId={mentor.id}"
    found = client.get(named, headers=cast.as_operator).json
    assert (found["timeZone"], found["from"]) == ("Asia/Kathmandu", "2026-05-03T18:15:00Z")
    elsewhere = client.get(f"{named}&timeZone=Europe/Berlin", headers=cast.as_operator).json
    assert (elsewhere["timeZone"], elsewhere["from"]) == ("Europe/Berlin", "2026-05-03T22:00:00Z")
    unknown = client.get(f"/analytics/availability?mentorProfileId={uuid4()}", headers=cast.as_operator)
    assert (unknown.status_code, unknown.json["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=2026-05-04&to=2026-05-03", "to"),
        ("from=2025-01-01&to=2026-05-03", "to"),
        ("groupBy=hour&from=2026-05-01&to=2026-06-01", "to"),
        ("from=yesterday", "from"),
        ("from=2026-02-30", "from"),
        ("to=0001-01-01", "to"),
        ("to=2026-05-04T10:00:00", "to"),
        ("from=2026-05-04T10:00:00Z&to=2026-05-04T10:00:00Z", "to"),
        ("timeZone=Europe/Atlantis", "timeZone"),
        ("timeZone=", "timeZone"),
        ("groupBy=month", "groupBy"),
        ("mentorProfileId=7", "mentorProfileId"),
        ("courseId=none", "courseId"),
        ("limit=101", "limit"),
        ("limit=0", "limit"),
        ("cursor=nonsense", "cursor"),
        ("day=2026-05-04", "day"),
        ("to=2026-05-04&to=2026-05-05", "to"),
    ],
)
@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
def test_nonsense_is_refused_with_the_field_to_blame(
    client: ApiClient, cast: Cast, query: str, field: str, accept: str
) -> None:
    answer = client.get(f"/analytics/sessions?{query}", headers=cast.as_mentor | {"Accept": accept})
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    assert field in answer.json["details"]


# An invalid query beside another mentor's id → 400, whichever field is invalid.
@pytest.mark.parametrize(
    ("report", "query", "field"),
    [
        *((report, "from=2026-05-04&to=2026-05-03", "to") for report in REPORTS),
        *((report, "to=3000-01-01", "to") for report in REPORTS),
        ("sessions", "cursor=nonsense", "cursor"),
        ("sessions", "groupBy=hour&from=2026-05-01&to=2026-06-01", "to"),
        ("availability", "timeZone=Europe/Atlantis", "timeZone"),
    ],
)
def test_the_form_of_the_query_comes_before_whose_numbers_it_names(
    client: ApiClient, cast: Cast, report: str, query: str, field: str
) -> None:
    named = f"/analytics/{report}?mentorProfileId={cast.other_mentor.id}"
    answer = client.get(f"{named}&{query}", headers=cast.as_mentor)
    assert (answer.status_code, list(answer.json["details"])) == (400, [field])
    assert client.get(f"{named}&{query}", headers=cast.as_mentee).status_code == 403
    assert client.get(f"{named}&{query}").status_code == 401
    assert client.get(named, headers=cast.as_mentor).status_code == 403


@pytest.mark.parametrize("group", ["hour", "day", "mentor"])
def test_a_list_comes_in_pages_and_a_table_in_whole(
    world: World, cast: Cast, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.routes.reports.LINES_AT_ONCE", 3)
    with world.engine.begin() as db:
        mentors = [factories.make_mentor(db) for _ in range(8)] if group == "mentor" else [cast.mentor]
    for mentor in mentors:
        lived(world.engine, mentor, *(NOON + timedelta(days=n) for n in range(8)))
    found: list[Any] = []
    query = f"{IN_MAY}&groupBy={group}"
    page = world.client.get(f"/analytics/sessions?{query}&limit=3", headers=cast.as_operator).json
    while page["nextCursor"]:
        found += page["items"]
        assert len(page["items"]) == 3
        cursor = page["nextCursor"]
        page = world.client.get(f"/analytics/sessions?{query}&limit=3&cursor={cursor}", headers=cast.as_operator).json
    found += page["items"]
    assert len(found) == 8
    assert found == world.client.get(f"/analytics/sessions?{query}", headers=cast.as_operator).json["items"]
    with statements_of(world.engine) as made:
        table = table_of(world.client.get(f"/analytics/sessions?{query}", headers=cast.as_operator | AS_TABLE))
    assert table == [{name: str(value) for name, value in item.items()} for item in found]
    assert len(made.statements) == 3, "three lines at a time, eight in all"
    other = world.client.get(f"/analytics/sessions?{IN_MAY}&groupBy=week&cursor={cursor}", headers=cast.as_operator)
    assert (other.status_code, list(other.json["details"])) == (400, ["cursor"])


@pytest.mark.parametrize(
    ("accept", "table"),
    [
        ("text/csv", True),
        ("text/csv, */*;q=0.1", True),
        ("text/csv;q=0.9, application/json;q=0.8", True),
        ("application/json", False),
        ("application/json, text/csv;q=0.5", False),
        ("*/*", False),
        ("text/html", False),
        ("", False),
        ("nonsense;;;", False),
    ],
)
def test_csv_is_sent_where_accept_prefers_it(client: ApiClient, cast: Cast, accept: str, table: bool) -> None:
    answer = client.get("/analytics/sessions", headers=cast.as_mentor | {"Accept": accept})
    assert "Accept" in answer.vary
    if not table:
        assert answer.content_type == "application/json"
        return
    assert answer.content_type == "text/csv; charset=utf-8; header=present"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="sessions-by-day.csv"'
    assert "Content-Length" not in answer.headers, "it is sent as it is made"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+49 30", "'+49 30"),
        ("-2", "'-2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  =1+1", "'  =1+1"),
        ("＝1+1", "'＝1+1"),
        ('Ada "the first", Countess', 'Ada "the first", Countess'),
        ("Grace; Hopper", "Grace; Hopper"),
        ("Zoë 李", "Zoë 李"),
    ],
)
def test_csv_cells_cannot_be_formulas(client: ApiClient, engine: Engine, cast: Cast, name: str, shown: str) -> None:
    execute(engine, update(users).where(users.c.id == cast.mentor.user_id).values(name=name))
    lived(engine, cast.mentor, NOON)
    query = f"/analytics/sessions?{IN_MAY}&groupBy=mentor"
    (line,) = table_of(client.get(query, headers=cast.as_mentor | AS_TABLE))
    assert line["mentorName"] == shown
    assert client.get(query, headers=cast.as_mentor).json["items"][0]["mentorName"] == name


def test_sessions_are_counted_by_the_hours_of_a_zones_clocks(client: ApiClient, engine: Engine, cast: Cast) -> None:
    lived(engine, cast.mentor, NOON, NOON + timedelta(minutes=59), NOON + timedelta(hours=1))
    query = f"/analytics/sessions?{IN_MAY}&groupBy=hour"
    found = {each["hour"]: each["created"] for each in client.get(query, headers=cast.as_mentor).json["items"]}
    assert found == {"2026-05-04T12:00:00Z": 2, "2026-05-04T13:00:00Z": 1}
    table = table_of(client.get(f"{query}&timeZone=Asia/Kathmandu", headers=cast.as_mentor | AS_TABLE))
    assert [(line["hour"], line["created"]) for line in table] == [
        ("2026-05-04T11:15:00Z", "1"),
        ("2026-05-04T12:15:00Z", "2"),
    ]


def test_a_number_below_zero_stays_a_number(client: ApiClient, engine: Engine, cast: Cast) -> None:
    with engine.begin() as db:
        seat(db, cast.mentor.id, SeatLeft, NOON)
    (line,) = table_of(client.get(f"/analytics/sessions?{IN_MAY}", headers=cast.as_mentor | AS_TABLE))
    assert line["seats"] == "-1"


def test_lines_end_as_the_standard_says(client: ApiClient, engine: Engine, cast: Cast) -> None:
    lived(engine, cast.mentor, NOON)
    answer = client.get(f"/analytics/sessions?{IN_MAY}", headers=cast.as_mentor | AS_TABLE)
    assert answer.get_data(as_text=True) == (
        "day,created,started,completed,cancelled,lateCancellations,minutes,seats,seatsJoined,seatsLeft,"
        "seatsLeftLate,seatsRefunded\r\n"
        "2026-05-04,1,0,0,0,0,0,0,0,0,0,0\r\n"
    )


@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
@pytest.mark.parametrize(
    ("path", "most"),
    [
        *(
            (f"/analytics/sessions?groupBy={group}", 2)
            for group in ("hour", "day", "week", "mentor", "course", "status")
        ),
        ("/analytics/sessions?timeZone=Europe/Berlin", 2),
        ("/analytics/conversion", 2),
        ("/analytics/transition-times", 2),
        # The caller, whose clocks, then what is booked and what is open on them: weekly hours, dates and time off.
        ("/analytics/availability", 5),
    ],
)
def test_a_report_costs_few_statements_beside_the_callers(
    world: World, cast: Cast, path: str, most: int, accept: str
) -> None:
    lived(world.engine, cast.mentor, datetime.now(UTC))
    with statements_of(world.engine) as made:
        assert world.client.get(path, headers=cast.as_mentor | {"Accept": accept}).status_code == 200
    assert len(made.statements) == most


def test_the_summary_answers_the_three_questions_in_one_statement(
    world: World, cast: Cast, in_progress: Session
) -> None:
    with world.engine.begin() as db:
        session = factories.make_session(db)
        factories.accept_booking(db, factories.make_booking(db, listing=cast.listing))
    with statements_of(world.engine) as made:
        found = world.client.get("/operations/summary", headers=cast.as_operator).json
    assert len(made.statements) == 1
    assert found["sessionsByStatus"] == [
        {"status": "in_progress", "sessions": 1},
        {"status": "scheduled", "sessions": 1},
    ]
    assert {(each["mentorProfileId"], each["sessions"]) for each in found["sessionsByMentor"]} == {
        (str(in_progress.mentor_profile_id), 1),
        (str(session.mentor_profile_id), 1),
    }
    assert found["conversion"] == {"sessions": 2, "acceptedBookings": 3, "rate": 0.6667}


def test_a_summary_of_nothing_is_empty_and_for_operators_alone(client: ApiClient, cast: Cast) -> None:
    found = client.get("/operations/summary", headers=cast.as_operator).json
    nothing = {"sessions": 0, "acceptedBookings": 0, "rate": None}
    assert found == {"sessionsByStatus": [], "sessionsByMentor": [], "conversion": nothing, "overdueSessions": []}
    for headers in (cast.as_mentor, cast.as_mentee):
        assert client.get("/operations/summary", headers=headers).status_code == 403
