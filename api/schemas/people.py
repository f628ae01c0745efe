"""Users and mentor profiles."""

import re
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from api.schemas.base import ExternalBody, ExternalListQuery, ExternalShown, RequestSchema, ResponseSchema, page_of
from api.schemas.catalog import Listing, OfferFilters
from api.schemas.fields import (
    OPTIONAL,
    Choice,
    Choices,
    Id,
    Line,
    MailAddress,
    Moment,
    SearchText,
    Text,
    TimeZone,
    TrueOrFalse,
)
from models.people import MentorState
from workflows.accounts.records import UserState
from workflows.catalog.mentors import MAX_LISTINGS_SHOWN, Include, MentorSort
from workflows.kernel.text import BREAKS_THE_LINE

_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


def _language_tag(text: str) -> None:
    if not _TAG.fullmatch(text):
        raise ValidationError("Must be a language tag such as en-GB.")


def _locale() -> fields.String:
    return fields.String(
        validate=_language_tag,
        metadata={"description": "A language tag (BCP 47).", "example": "en-GB", "pattern": f"^{_TAG.pattern}$"},
    )


def _languages(**kwargs: Any) -> fields.List[Any]:
    return fields.List(_locale(), validate=validate.Length(max=20), **kwargs)


def _avatar_url(**kwargs: Any) -> fields.String:
    return fields.String(
        allow_none=True,
        validate=[validate.Length(max=2000), validate.URL(schemes={"http", "https"})],
        metadata={"example": "https://tutelage.example/grace.png", "pattern": f"^[^{BREAKS_THE_LINE}]*$"},
        **kwargs,
    )


class NewUser(ExternalBody):
    email = MailAddress(required=True, metadata={"example": "ada@example.org"})
    name = Line(200, required=True, metadata={"example": "Ada Lovelace"})
    time_zone = TimeZone(load_default="UTC")
    locale = _locale()


class User(ExternalShown):
    id = Id()
    email = fields.String()
    name = fields.String()
    time_zone = fields.String()
    locale = fields.String()
    pending_email = fields.String(
        allow_none=True, metadata={"description": "An address that is used once its link has been confirmed."}
    )
    mentor_profile_id = Id(allow_none=True)
    state = fields.Enum(UserState, by_value=True)
    has_hours = fields.Boolean(
        allow_none=True,
        dump_default=None,
        metadata={
            "description": "Of a mentor: whether they have set hours. Without any they can be booked at every time, or"
            " under `WITHOUT_HOURS=closed` at none. Null without a mentor profile."
        },
    )
    created_at = Moment()


class UserChanges(RequestSchema):
    email = MailAddress(metadata={"description": "Used once the link that is sent to it has been confirmed."})
    name = Line(200)
    time_zone = TimeZone()
    locale = _locale()


class UserChangesByStaff(ExternalBody, UserChanges):
    email = MailAddress(metadata={"description": "Used at once."})
    state = fields.Enum(
        UserState,
        by_value=True,
        metadata={"description": "`blocked`: nobody can act as this user. What is open stays."},
    )


class OpenThings(ResponseSchema):
    sessions = fields.List(Id())
    drafts = fields.List(Id())
    payments = fields.List(Id())
    bundles = fields.List(Id(), metadata={"description": "With credits that are left."})


class UserWithOpenThings(User):
    open = fields.Nested(OpenThings, metadata={"description": "The ids of what this user still has open."})


class UserFilters(ExternalListQuery):
    q = SearchText("name or mail address")
    email = MailAddress(metadata={"description": "Only the user who has this address, regardless of case."})
    state = fields.Enum(UserState, by_value=True)


class NewMentorProfile(ExternalBody):
    user_id = Id(metadata={"description": "The user; by default the caller."})
    headline = Line(200, required=True, metadata={"example": "Engineering manager, 12 years"})
    bio = Text(5000, **OPTIONAL)
    time_zone = TimeZone(**OPTIONAL)
    skills = fields.List(Line(60), load_default=list, validate=validate.Length(max=50), metadata={"example": ["go"]})
    languages = _languages(load_default=list)
    avatar_url = _avatar_url(load_default=None)


class MentorProfileChanges(ExternalBody):
    headline = Line(200)
    bio = Text(5000, allow_none=True)
    time_zone = TimeZone()
    skills = fields.List(Line(60), validate=validate.Length(max=50), metadata={"example": ["go"]})
    languages = _languages()
    avatar_url = _avatar_url()
    active = TrueOrFalse(metadata={"description": "Whether the mentor can be booked, and act as a mentor."})
    state = fields.String(
        validate=validate.OneOf([each.value for each in MentorState if each is not MentorState.PENDING]),
        metadata={"description": "For operators: `active` approves the profile; the others make it inactive."},
    )


class MentorProfile(ExternalShown):
    id = Id()
    user_id = Id()
    name = fields.String()
    headline = fields.String()
    bio = fields.String(allow_none=True)
    time_zone = fields.String()
    skills = fields.List(fields.String())
    languages = fields.List(fields.String())
    avatar_url = fields.String(allow_none=True)
    rating = fields.Float(allow_none=True, metadata={"description": "The average of all reviews, 1 to 5."})
    review_count = fields.Integer()
    active = fields.Boolean()
    state = fields.Enum(
        MentorState, by_value=True, metadata={"description": "`pending` until staff approve it (`MENTOR_APPROVAL`)."}
    )


class NewBlock(RequestSchema):
    user_id = Id(required=True)
    reason = Text(2000, **OPTIONAL, metadata={"description": "For the mentor and operators."})


class Block(ResponseSchema):
    """A person who cannot book, hold or join anything of the mentor."""

    user_id = Id()
    reason = fields.String(allow_none=True)
    created_at = Moment()


Blocks = page_of(Block, "Blocks")


class MentorFilters(OfferFilters):
    @validates_schema
    def _is_a_stretch(self, query: dict[str, Any], **_: Any) -> None:
        if ("free_from" in query) != ("free_to" in query):
            raise ValidationError("Give both freeFrom and freeTo.", "freeTo" if "free_from" in query else "freeFrom")
        if "free_from" in query and query.get("sort") not in (None, MentorSort.RATING):
            raise ValidationError("With freeFrom, the highest rated come first.", "sort")

    q = SearchText("name, skills, headline or bio")
    skill = Line(60, metadata={"description": "Only mentors with exactly this skill, regardless of case."})
    course_id = Id(metadata={"description": "Only mentors with an active listing of this course."})
    free_from = Moment(
        metadata={
            "example": "2030-05-04T09:00:00Z",
            "description": "Only mentors who have a slot that starts then or later, and before `freeTo`, by their"
            " shortest listing that fits, the highest rated first. A page looks through 200 mentors: it may have fewer"
            " items than its limit, or none.",
        }
    )
    free_to = Moment(
        metadata={"example": "2030-05-05T09:00:00Z", "description": "Required with `freeFrom`; at most 92 days later."}
    )
    include = Choices(Include, metadata={"description": "Shown with each mentor."})
    sort = Choice(
        MentorSort,
        metadata={
            "description": "`rating`: the highest average first, without reviews last. `price`: the lowest price of a"
            " listing that fits first; mentors without one are left out. `next`: the earliest slot first (of the"
            " shortest listing that fits, within 21 days); of the 100 best-rated who fit, the others follow by rating."
            " By default the most relevant"
            " first with `q`, else the newest."
        },
    )


class NextSlot(ResponseSchema):
    """The first time at which a mentor can be booked, and the listing for it."""

    listing_id = Id()
    start_time = Moment()
    end_time = Moment()


class ListedMentor(MentorProfile):
    """A mentor in a list, with what was asked for."""

    next_slot = fields.Nested(
        NextSlot,
        allow_none=True,
        metadata={"description": "With `freeFrom` or `include=nextSlot`; null for none within 21 days."},
    )
    listings = fields.List(
        fields.Nested(Listing),
        metadata={
            "description": f"Up to {MAX_LISTINGS_SHOWN} active ones, the shortest and cheapest first; with"
            " `include=listings`."
        },
    )

    optional = ("next_slot", "listings")


MentorProfiles = page_of(ListedMentor, "MentorProfiles")


class Skill(ResponseSchema):
    """A skill, and how many active mentors have it."""

    skill = fields.String()
    mentors = fields.Integer()


Users = page_of(User, "Users")
Skills = page_of(Skill, "Skills")
