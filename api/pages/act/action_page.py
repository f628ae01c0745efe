"""Base of the pages behind links: their subject, their question, how their form is read, and what the form does."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import marshmallow as ma
from sqlalchemy import Connection, Row, Select

from api.http.bodies import require_storable
from api.pages.page import Page, gettext, page_language
from api.schemas.base import EmptyBody, RequestSchema
from workflows.action_links.link import NO_SUCH_LINK, ActionLink, holder_of
from workflows.bookings.records import Booking, booking_query
from workflows.kernel.errors import InvalidTransition, NotFound
from workflows.kernel.language import gettext_noop

REQUIRED = gettext_noop("Please fill this in.")


@dataclass(frozen=True, kw_only=True)
class Visit:
    db: Connection
    link: ActionLink
    now: datetime


@dataclass(frozen=True)
class Redirect:
    url: str


class Closed(InvalidTransition):
    """The action of the link is no longer possible, or not yet.

    Args:
        title: of the page that says so; the message is its text. Both are shown in the reader's language.
        values: of their placeholders.
        has_changed: whether it is possible once the reader has looked at the page again.
    """

    def __init__(self, title: str, message: str, *, has_changed: bool = False, **values: str) -> None:
        super().__init__(gettext(message, **values))
        self.title, self.has_changed = gettext(title, **values), has_changed


class ActionPage(ABC):
    """The page of one action; made for each request, and refuses what is not its reader's."""

    # The form's fields; the routes for programs have the same rules.
    answers: ClassVar[RequestSchema] = EmptyBody()
    # In place of sentences that are for other readers, by the codes of refusals.
    advice: ClassVar[Mapping[str, str]] = {}

    def __init__(self, visit: Visit) -> None:
        self.db, self.link, self.now = visit.db, visit.link, visit.now

    @abstractmethod
    def asking(self) -> Page:
        """The page that asks. Raises DomainError: what it asks for is not possible now."""

    @abstractmethod
    def act(self, answers: dict[str, Any]) -> Page | Redirect:
        """Do what the link is for, by the function that the route for programs calls.

        Args:
            answers: the form's, read by `read`.

        Raises:
            DomainError: as of that function.
        """

    def read(self, form: Mapping[str, str]) -> dict[str, Any]:
        """The answers in a form; what is blank is left out. Raises ValidationError: with the reasons by field."""
        names = [each.data_key or name for name, each in self.answers.fields.items()]
        lines = {name: form[name].replace("\r\n", "\n") for name in names if form.get(name, "").strip()}
        answers: dict[str, Any] = self.answers.load(require_storable(lines))
        return answers


class BookingPage(ActionPage):
    def __init__(self, visit: Visit, booking: Booking | None = None) -> None:
        super().__init__(visit)
        self.booking = booking or booking_of(visit)
        self.holder = holder_of(self.db, self.link, self.booking.mentor_profile_id)
        self.is_mentor = self.holder.actor.mentor_profile_id is not None
        self.other = name_of_other(self.booking, is_mentor=self.is_mentor)

    def facts(self) -> list[tuple[str, str]]:
        booking = self.booking
        about = [(gettext("About"), booking.title)] if booking.title else []
        return [
            (gettext("With"), self.other),
            *about,
            (gettext("When"), self.local_time(booking.start_time)),
            (gettext("Length"), page_language().ngettext("%(n)s minute", "%(n)s minutes", booking.duration_minutes)),
            (gettext("Price"), self.price()),
        ]

    def local_time(self, moment: datetime) -> str:
        return page_language().local_time(moment, self.holder.time_zone)

    def price(self) -> str:
        return price_of(self.booking.bundle_purchase_id, self.booking.price_amount, self.booking.price_currency)


def booking_of(visit: Visit) -> Booking:
    """The booking that the link names. Raises NotFound: it has been deleted."""
    return Booking.of(found(visit, booking_query(visit.link.subject_id)))


def found(visit: Visit, query: Select[Any]) -> Row[Any]:
    """The only row of a query. Raises NotFound: there is none now."""
    row = visit.db.execute(query).one_or_none()
    if row is None:
        raise NotFound(NO_SUCH_LINK)
    return row


def name_of_other(booking: Booking, *, is_mentor: bool) -> str:
    """The other party of a booking, as its reader knows them."""
    party = booking.mentee if is_mentor else booking.mentor
    return str(party["name"]) if party else gettext("your group")


def price_of(bundle_purchase_id: UUID | None, amount: int, currency: str) -> str:
    if bundle_purchase_id is not None:
        return gettext("Paid with a bundle")
    return page_language().money(amount, currency) if amount else gettext("Free")


def errors_by_field(messages: ma.ValidationError) -> dict[str, str]:
    reasons: Any = messages.messages
    missing = ma.fields.Field.default_error_messages["required"]
    return {
        str(name): gettext(REQUIRED) if missing in of_field else " ".join(map(gettext, map(str, of_field)))
        for name, of_field in reasons.items()
    }
