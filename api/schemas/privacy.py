"""All that is kept of a person: the shapes of the other areas, gathered, and what no other route shows."""

from marshmallow import fields

from api.schemas.availability import BookingRules, DateHours, Hold, TimeOff, WeeklyHours
from api.schemas.base import RequestSchema, ResponseSchema
from api.schemas.bookings import Booking
from api.schemas.bundles import Bundle
from api.schemas.calendar_feeds import CalendarFeed
from api.schemas.catalog import Listing
from api.schemas.fields import Choice, Id, Moment, Money, Price, QueryFlag
from api.schemas.groups import GroupTemplate
from api.schemas.notifications import CHANNELS, Notification, PushSubscription
from api.schemas.operations import AuditEntry
from api.schemas.payments import Payment
from api.schemas.people import Block, MentorProfile, User
from api.schemas.questions import ShownAnswers
from api.schemas.reviews import Review
from api.schemas.sessions import OwnProposal, Session
from api.schemas.webhooks import WebhookEndpoint
from models.notifications import Channel


class Deletion(RequestSchema):
    cancel = QueryFlag(
        load_default=False,
        metadata={"description": "Cancel what is still open, by the usual rules and with the fees of its policies."},
    )


class ExportedEmailChange(ResponseSchema):
    """A mail address that was entered within a day."""

    email = fields.String()
    former_email = fields.String()
    open = fields.Boolean(metadata={"description": "Whether it can still be confirmed."})
    created_at = Moment()


class ExportedUser(User):
    email_changes = fields.List(fields.Nested(ExportedEmailChange))
    push_subscriptions = fields.List(fields.Nested(PushSubscription))


class ExportedProfile(MentorProfile):
    hours = fields.Nested(WeeklyHours)
    booking_rules = fields.Nested(BookingRules)
    dates = fields.List(fields.Nested(DateHours))
    blocks = fields.List(fields.Nested(Block))
    time_off = fields.List(fields.Nested(TimeOff))
    group_session_templates = fields.List(fields.Nested(GroupTemplate))
    webhook_endpoints = fields.List(fields.Nested(WebhookEndpoint))


class ExportedSeat(ResponseSchema):
    """A seat in a group session that the person has."""

    booking_id = Id()
    state = fields.String(dump_default="taken", metadata={"enum": ["taken", "left", "waiting"]})
    price = Price()
    product_id = Id(allow_none=True)
    bundle_purchase_id = Id(allow_none=True)
    present = fields.Boolean(allow_none=True)
    answers = ShownAnswers()
    created_at = Moment()

    optional = ("price", "product_id", "bundle_purchase_id", "present", "answers", "late", "fee", "refund", "reason",
                "offered_until")  # fmt: skip
    late = fields.Boolean(metadata={"description": "Of a seat that was left: inside the policy's window."})
    fee = fields.Nested(Money, metadata={"description": "Of a seat that was left."})
    refund = fields.Nested(Money, metadata={"description": "Of a seat that was left."})
    reason = fields.String(allow_none=True, metadata={"description": "Of a seat that was left."})
    offered_until = Moment(
        allow_none=True, metadata={"description": "Of a place on a waiting list: until when a seat is kept."}
    )


class ExportedNotification(Notification):
    """A notification of any channel."""

    channel = Choice(Channel, metadata={"enum": list(CHANNELS.values())})


class ExportedPreference(ResponseSchema):
    kind = fields.String()
    channel = Choice(Channel)
    wanted = fields.Boolean()
    updated_at = Moment()


class Export(ResponseSchema):
    """All that is kept of a person, as it is shown to them."""

    user = fields.Nested(ExportedUser)
    mentor_profile = fields.Nested(ExportedProfile, allow_none=True)
    listings = fields.List(fields.Nested(Listing))
    bookings = fields.List(fields.Nested(Booking), metadata={"description": "As mentee, participant and mentor."})
    sessions = fields.List(fields.Nested(Session), metadata={"description": "As mentee, participant and mentor."})
    reschedule_proposals = fields.List(
        fields.Nested(OwnProposal), metadata={"description": "Of the person, moves at once among them."}
    )
    seats = fields.List(fields.Nested(ExportedSeat))
    bundles = fields.List(fields.Nested(Bundle))
    payments = fields.List(fields.Nested(Payment))
    reviews = fields.List(fields.Nested(Review), metadata={"description": "Written, and received as a mentor."})
    notifications = fields.List(fields.Nested(ExportedNotification))
    preferences = fields.List(fields.Nested(ExportedPreference))
    calendar_feeds = fields.List(fields.Nested(CalendarFeed))
    holds = fields.List(fields.Nested(Hold))
    audit = fields.List(fields.Nested(AuditEntry), metadata={"description": "The recorded actions of the person."})
