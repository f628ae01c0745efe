"""When mentors can be booked: weekly hours, hours of single dates, time off, rules of booking, and holds."""

from dataclasses import replace
from datetime import date, datetime
from typing import Any

from api.http.etags import WithHeaders, tagged
from api.openapi.examples import MOMENT
from api.routes.blueprints import Area, refuses, versioned
from api.routes.context import ANYONE, MENTOR, PERSON, RequestContext, Subject
from api.routes.lists import list_route
from api.routes.loaders import changes, reads
from api.schemas import availability as shapes
from api.state import app_state
from workflows.availability.dates import (
    DATES,
    CalendarDay,
    CalendarOwner,
    DateHours,
    calendar_day_query,
    calendar_owner_query,
    remove_date_hours,
    set_date_hours,
)
from workflows.availability.hours import WeeklyHours, set_hours, weekly_hours_query
from workflows.availability.rules import BookingRules, RulesOfMentor, rules_query, set_rules
from workflows.bookings.direct import WantedListing
from workflows.bookings.holds import Hold, hold, hold_query, release
from workflows.identity.access import require_holder, require_mentor
from workflows.sessions.time_off import TIME_OFF, TimeOff, give_up_time_off, seen_by, take_time_off, time_off_query

availability = Area("Availability", "When mentors can be booked: at any time, unless they have set weekly hours.")

HOURS = Subject(name="mentor", kind="mentor_profile", query=weekly_hours_query, record=WeeklyHours)
OWN_HOURS = replace(HOURS, access=require_mentor)
CALENDAR = Subject(name="mentor", kind="mentor_profile", query=calendar_owner_query, record=CalendarOwner)
OWN_CALENDAR = replace(CALENDAR, access=require_mentor)
OWN_DAY = Subject(
    name="date of a mentor",
    kind="mentor_profile",
    query=calendar_day_query,
    dates=("day",),
    record=CalendarDay,
    access=require_mentor,
)
OWN_TIME_OFF = Subject(name="time off", query=time_off_query, record=TimeOff, access=require_mentor)
RULES = Subject(name="mentor", kind="mentor_profile", query=rules_query, record=RulesOfMentor)
OWN_RULES = replace(RULES, access=require_mentor)
OWN_HOLD = Subject(name="hold", query=hold_query, record=Hold, access=require_holder)


@availability.route("/mentors/<id:mentor_profile_id>/hours")
@versioned
@reads(ANYONE, HOURS)
@availability.response(200, shapes.WeeklyHours)
def get_weekly_hours(context: RequestContext[WeeklyHours]) -> WithHeaders[WeeklyHours]:
    """Get a mentor's weekly hours."""
    return tagged(context.subject)


@availability.route("/mentors/<id:mentor_profile_id>/hours", methods=["PUT"])
@changes(MENTOR, OWN_HOURS, action="hours.changed")
@availability.arguments(shapes.NewWeeklyHours)
@availability.response(200, shapes.WeeklyHours)
def update_weekly_hours(context: RequestContext[WeeklyHours], body: dict[str, Any]) -> WithHeaders[WeeklyHours]:
    """Set the caller's weekly hours; bookings can then only be requested within them.

    They replace all previous hours, and follow the local time of `timeZone` (by default the profile's) across
    daylight saving time. Existing bookings and requests stay as they are.
    """
    hours = set_hours(
        context.db,
        actor=context.actor,
        seen=context.subject,
        spans=body["hours"],
        time_zone=body["time_zone"],
        now=context.now,
        any_version=context.any_version,
    )
    return tagged(hours)


@availability.route("/mentors/<id:mentor_profile_id>/dates")
@availability.response(200, shapes.Dates)
@list_route(ANYONE, DATES, shapes.DateFilters, within=CALENDAR)
def list_dates(context: RequestContext[CalendarOwner], **filters: date | None) -> dict[str, Any]:
    """List a mentor's dates that have hours of their own, earliest first."""
    return {"mentor_profile_id": context.subject.mentor_profile_id, **filters}


@availability.route("/mentors/<id:mentor_profile_id>/dates/<day:day>", methods=["PUT"])
@refuses("quota_reached")
@changes(MENTOR, OWN_DAY, action="date_hours.changed")
@availability.arguments(shapes.NewDateHours)
@availability.response(200, shapes.DateHours)
def update_date(context: RequestContext[CalendarDay], body: dict[str, Any]) -> WithHeaders[DateHours]:
    """Set the hours of one date, which replace the weekly hours.

    An empty list closes the date. It is a date of the time zone of the weekly hours, else of the profile's, and keeps
    this zone when the other one changes. Existing bookings and requests stay as they are.
    """
    return tagged(
        set_date_hours(
            context.db,
            actor=context.actor,
            seen=context.subject,
            spans=body["hours"],
            now=context.now,
            any_version=context.any_version,
        )
    )


@availability.route("/mentors/<id:mentor_profile_id>/dates/<day:day>", methods=["DELETE"])
@changes(MENTOR, OWN_DAY, action="date_hours.deleted")
@availability.response(204)
def delete_date(context: RequestContext[CalendarDay]) -> None:
    """Remove the hours of one date; the weekly hours hold again."""
    remove_date_hours(
        context.db, actor=context.actor, seen=context.subject, now=context.now, any_version=context.any_version
    )


@availability.route("/mentors/<id:mentor_profile_id>/time-off", methods=["POST"])
@refuses("sessions_in_the_way", "quota_reached")
@changes(MENTOR, OWN_CALENDAR, action="time_off.created", about="time_off")
@availability.arguments(shapes.NewTimeOff)
@availability.response(201, shapes.TimeOff)
def create_time_off(context: RequestContext[CalendarOwner], body: dict[str, Any]) -> WithHeaders[TimeOff]:
    """Take time off: nothing can be booked or accepted in it.

    With accepted sessions in the way it is refused, and `details.sessions` has their ids; with `cancelSessions`, they
    are cancelled by the mentor with the reason. Holds in it end, and requests stay, to be declined.
    """
    return tagged(take_time_off(context.db, actor=context.actor, mentor=context.subject, now=context.now, **body))


def _as_seen(context: RequestContext[object], taken: TimeOff) -> TimeOff:
    return seen_by(context.actor, taken)


@availability.route("/mentors/<id:mentor_profile_id>/time-off")
@availability.response(200, shapes.TimesOff)
@list_route(ANYONE, TIME_OFF, shapes.TimeOffFilters, seen_by=_as_seen, within=CALENDAR)
def list_time_off(context: RequestContext[CalendarOwner], **filters: datetime | None) -> dict[str, Any]:
    """List a mentor's time off, latest start first; only the mentor and operators see the reasons."""
    return {"mentor_profile_id": context.subject.mentor_profile_id, **filters}


@availability.route("/mentors/<id:mentor_profile_id>/time-off/<id:time_off_id>", methods=["DELETE"])
@changes(MENTOR, OWN_TIME_OFF, action="time_off.deleted")
@availability.response(204)
def delete_time_off(context: RequestContext[TimeOff]) -> None:
    """Give up time off; what was cancelled for it stays cancelled."""
    give_up_time_off(context.db, actor=context.actor, taken=context.subject, now=context.now)


@availability.route("/mentors/<id:mentor_profile_id>/booking-rules")
@versioned
@reads(ANYONE, RULES)
@availability.response(200, shapes.BookingRules)
def get_booking_rules(context: RequestContext[RulesOfMentor]) -> WithHeaders[RulesOfMentor]:
    """Get a mentor's rules of booking."""
    return tagged(context.subject)


@availability.route("/mentors/<id:mentor_profile_id>/booking-rules", methods=["PUT"])
@changes(MENTOR, OWN_RULES, action="booking_rules.changed")
@availability.arguments(shapes.NewBookingRules, example={"stepMinutes": 30, "horizonDays": 60, "maxPerDay": 5})
@availability.response(200, shapes.BookingRules)
def update_booking_rules(context: RequestContext[RulesOfMentor], body: dict[str, Any]) -> WithHeaders[RulesOfMentor]:
    """Set the caller's rules of booking; what is left out takes its default. Existing bookings stay as they are."""
    rules = set_rules(
        context.db,
        actor=context.actor,
        seen=context.subject,
        rules=BookingRules(**body),
        now=context.now,
        any_version=context.any_version,
    )
    return tagged(rules)


@availability.route("/mentors/<id:mentor_profile_id>/holds", methods=["POST"])
@refuses(
    *("not_found", "no_listing", "beyond_horizon", "too_soon", "outside_hours", "booking_limit", "slot_taken"),
    *("not_bookable", "price_changed", "terms_changed"),
)
@changes(PERSON, CALENDAR, action="hold.created", about="hold", limit="booking")
@availability.arguments(shapes.NewHold, example={"startTime": MOMENT, "durationMinutes": 60})
@availability.response(201, shapes.Hold)
def create_hold(context: RequestContext[CalendarOwner], body: dict[str, Any]) -> WithHeaders[Hold]:
    """Hold a time of a mentor for some minutes, while the mentee decides.

    The rules are those of booking the listing, or the mentor's cheapest listing of that duration. A hold ends by
    itself, when its mentee books an overlapping time of the mentor, or when a request of theirs for it is accepted. An
    own hold that overlaps is replaced.
    """
    state = app_state()
    named = {name: body.pop(name) for name in ("listing_id", "duration_minutes")}
    held = hold(
        context.db,
        actor=context.actor,
        wanted=WantedListing(mentor_profile_id=context.subject.mentor_profile_id, **named),
        now=context.now,
        minutes=state.settings.hold_minutes,
        max_holds=state.settings.max_holds,
        policy=state.booking_policy,
        **body,
    )
    return tagged(held)


@availability.route("/holds/<id:hold_id>", methods=["DELETE"])
@changes(PERSON, OWN_HOLD, action="hold.deleted")
@availability.response(204)
def delete_hold(context: RequestContext[Hold]) -> None:
    """Release a hold before it expires."""
    release(context.db, actor=context.actor, held=context.subject)
