"""Take the seat of a group session that is kept for the first on its waiting list."""

from typing import Any

from api.pages.act.action_page import ActionPage, BookingPage, Closed, Redirect, Visit, booking_of, price_of
from api.pages.act.cancelling import require_quoted
from api.pages.act.decisions import AcceptPage
from api.pages.page import Form, Page, gettext
from api.schemas.base import RequestSchema
from api.schemas.fields import OneLine
from api.state import app_state
from models.bookings import BookingKind
from workflows.bookings.records import Booking
from workflows.groups.place import read_group, read_place, require_open
from workflows.groups.seats import join
from workflows.kernel.errors import InvalidTransition
from workflows.kernel.language import gettext_noop


def accept_page(visit: Visit) -> ActionPage:
    """The page by which a reader accepts what is asked of them, or kept for them."""
    booking = booking_of(visit)
    return (OfferPage if booking.kind is BookingKind.GROUP else AcceptPage)(visit, booking)


class OfferForm(RequestSchema):
    quoted = OneLine(100, load_default=None)


class OfferPage(BookingPage):
    """Take a seat that is kept, for its price; with a bundle it is taken in the application."""

    answers = OfferForm()
    advice = {  # noqa: RUF012
        "slot_taken": gettext_noop("You are already booked at this time, so you cannot take the seat."),
        "group_full": gettext_noop("This seat is no longer kept for you."),
    }

    def __init__(self, visit: Visit, booking: Booking) -> None:
        super().__init__(visit, booking)
        self.group = read_group(self.db, booking.id)
        place = read_place(self.db, booking.id, self.link.user_id)
        try:
            require_open(self.group, place, now=self.now)
        except InvalidTransition as refused:
            raise Closed(gettext_noop("You cannot take this seat"), refused.message) from refused
        if place.has_seat:
            raise Closed(gettext_noop("You already have a seat"), gettext_noop("There is nothing left to do."))
        if place.is_kept:
            raise Closed(
                gettext_noop("This seat is kept for you until you have paid"),
                gettext_noop("You can pay for it in the application."),
            )
        if place.offered_until is None or place.offered_until <= self.now:
            raise Closed(
                gettext_noop("This seat is no longer kept for you"),
                gettext_noop("You can join the waiting list again."),
            )
        if self.group.price_amount and not app_state().as_purchaser(self.holder.actor).purchases:
            raise Closed(
                gettext_noop("You cannot take this seat"),
                gettext_noop("The operator of the service books it for you; ask them for it."),
            )
        if any(each["required"] for each in self.group.questions):
            raise Closed(
                gettext_noop("You cannot take this seat here"),
                gettext_noop("The group session has questions. Answer them, and take the seat, in the application."),
            )
        self.offered_until = place.offered_until

    def price(self) -> str:
        return price_of(None, self.group.price_amount, self.group.price_currency)

    def asking(self) -> Page:
        kept = gettext("It is kept until %(time)s.", time=self.local_time(self.offered_until))
        if self.group.price_amount:
            kept += " " + gettext("To pay with a bundle, take it in the application.")
        return Page(
            title=gettext("Take the seat that is kept for you?"),
            facts=self.facts(),
            paragraphs=[kept],
            form=Form(submit=gettext("Take the seat"), hidden={"quoted": self.price()}),
        )

    def act(self, answers: dict[str, Any]) -> Page | Redirect:
        """Take it, at the price that was shown."""
        require_quoted(answers["quoted"], self.price())
        joined = join(
            self.db,
            actor=app_state().as_purchaser(self.holder.actor),
            group=self.group,
            mentee_user_id=self.link.user_id,
            bundle_purchase_id=None,
            now=self.now,
            policy=app_state().policy,
            offered_only=True,
            pay_within=app_state().pay_within,
        )
        if joined.payment is not None:
            until = self.local_time(joined.payment.due_at)
            paid = gettext(
                "It is kept for you until %(until)s. You take part as soon as you have paid, in the application.",
                until=until,
            )
            return Page(title=gettext("Pay for your seat"), facts=self.facts(), paragraphs=[paid])
        notified = gettext("%(name)s will be notified.", name=self.other)
        return Page(title=gettext("The seat is yours"), facts=self.facts(), paragraphs=[notified])
