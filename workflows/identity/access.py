"""Permissions: the roles that routes require, and the guards of ownership that the loader and the workflows share.

Only this module raises `Forbidden`, which a test holds. A route's declaration (`reads` or `changes`) names its role and
guard; docs/permissions.md lists them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from models.keys import KeyScope
from workflows.identity.actor import Actor
from workflows.kernel.errors import Forbidden, NotFound, Unauthenticated


@dataclass(frozen=True)
class Role:
    """The callers who may use a route, whatever it is about."""

    needed: str  # the sentence with which everybody else is refused
    held: Callable[[Actor], bool]  # whether a caller who has signed in has the role
    visitors: bool = False  # whether visitors have it too


SIGN_IN = "Sign in."
# Reads of the catalogue, by publishable key or where the catalogue is open. Never a change.
VISITOR = Role(SIGN_IN, lambda _actor: True, visitors=True)
ANYONE = Role(SIGN_IN, lambda _actor: True)
PERSON = Role("Only people with an account do this; operators have none.", lambda actor: not actor.operator)
MENTOR = Role(
    "Only a mentor does this: act with the mentor's own id, not the user's alone.",
    lambda actor: actor.mentor_profile_id is not None,
)
OPERATOR = Role("Only an operator does this.", lambda actor: actor.operator)
# A key makes no keys, which could have more scopes than it has.
OPERATOR_IN_PERSON = Role(
    "Only an operator does this, not a key.", lambda actor: actor.operator and actor.scopes is None
)
OPERATOR_OR_MENTOR = Role(
    "Only an operator or a mentor does this.", lambda actor: actor.operator or actor.mentor_profile_id is not None
)


class HasMentor(Protocol):  # a record of one mentor
    @property
    def mentor_profile_id(self) -> UUID: ...


class HasMentee(Protocol):  # a record of one mentee; None of a group
    @property
    def mentee_user_id(self) -> UUID | None: ...


class HasParties(
    HasMentor, HasMentee, Protocol
):  # a record of one mentor and one mentee; or, of a group, the participants that it was read with
    @property
    def participant_ids(self) -> Sequence[UUID] | None: ...


class OfBooking(HasParties, Protocol):  # a session
    @property
    def booking_id(self) -> UUID: ...


class HasId(Protocol):  # a user
    @property
    def id(self) -> UUID: ...


class HasUser(Protocol):  # a record of one user
    @property
    def user_id(self) -> UUID: ...


class OfUserAndMentor(HasUser, Protocol):  # a payment
    @property
    def mentor_profile_id(self) -> UUID | None: ...


class HasOwner(Protocol):  # a record of a mentor, or of all operators
    @property
    def mentor_profile_id(self) -> UUID | None: ...


class MayAwaitPayment(HasParties, Protocol):  # a booking
    @property
    def awaits_payment(self) -> bool: ...


class HasMentees(Protocol):  # a session with all of its mentees
    @property
    def mentees(self) -> Sequence[UUID]: ...


class CanBeHidden(HasParties, Protocol):  # a review
    @property
    def hidden(self) -> bool: ...


class CanBeInactive(Protocol):  # a product, which may no longer be sold
    @property
    def active(self) -> bool: ...


def is_mentor(actor: Actor, record: HasMentor) -> bool:
    """Whether the caller acts as the mentor; the mentor's user alone does not."""
    return actor.mentor_profile_id is not None and actor.mentor_profile_id == record.mentor_profile_id


def is_mentee(actor: Actor, record: HasParties) -> bool:
    """Whether the caller is the mentee, or takes part in the group."""
    if actor.user_id is None:
        return False
    if record.mentee_user_id is None:
        return actor.user_id in (record.participant_ids or ())
    return actor.user_id == record.mentee_user_id


def has_access(actor: Actor, record: HasParties) -> bool:
    return actor.operator or is_mentor(actor, record) or is_mentee(actor, record)


def require_role(actor: Actor, role: Role) -> None:
    """Raise Forbidden, with what is needed, for a caller who does not have the role; Unauthenticated for a visitor."""
    if actor.visitor and not role.visitors:
        raise Unauthenticated("Sign in: visitors read the catalogue alone.")
    if not role.held(actor):
        raise Forbidden(role.needed)


def require_scope(actor: Actor, scope: str) -> None:
    """Raise Forbidden for a key without the scope."""
    if actor.scopes is not None and scope not in actor.scopes:
        raise Forbidden(f"The key has no scope `{scope}`.", details={"scope": [scope]})


def require_staff(actor: Actor, *, in_person: bool) -> None:
    """Raise Forbidden unless the caller may act for another person, on a route that nobody uses but `in_person`."""
    if not actor.operator:
        raise Forbidden("Only an operator or a key acts for another person.")
    require_scope(actor, KeyScope.ACT)
    if in_person:
        raise Forbidden("Nobody does this for another person: it shows a secret, or erases an account.")


def require_operator(actor: Actor, message: str = OPERATOR.needed) -> None:
    if not actor.operator:
        raise Forbidden(message)


def require_person(actor: Actor) -> UUID:
    """The id of the caller's user; raises Forbidden for an operator, who has none."""
    if actor.user_id is None:
        raise Forbidden(PERSON.needed)
    return actor.user_id


def require_acting_mentor(actor: Actor) -> UUID:
    """The id of the mentor profile with which the caller acts; raises Forbidden if there is none."""
    if actor.mentor_profile_id is None:
        raise Forbidden(MENTOR.needed)
    return actor.mentor_profile_id


def require_purchase(actor: Actor, amount: int) -> None:
    """Raise Forbidden for a price, in minor units, where people cannot purchase on their own."""
    if amount > 0 and not actor.purchases:
        raise Forbidden("Here, the operator of the service books what costs something.")


# Ownership of what a path, a query or a body names.


def require_mentor(actor: Actor, record: HasMentor) -> None:
    """Raise Forbidden unless the caller acts as the mentor."""
    if not is_mentor(actor, record):
        raise Forbidden("Only the mentor can do this.")


def require_mentee(actor: Actor, record: HasParties) -> None:
    """Raise Forbidden unless the caller is the mentee."""
    if not is_mentee(actor, record):
        raise Forbidden("Only the mentee can do this.")


def require_booking_canceller(actor: Actor, booking: MayAwaitPayment) -> None:
    """Raise Forbidden unless the caller is the mentee or, while the booking awaits its payment, mentor or operator."""
    if not (booking.awaits_payment and has_access(actor, booking)):
        require_mentee(actor, booking)


def require_party(actor: Actor, record: HasParties) -> None:
    """Raise Forbidden unless the caller is the mentor or the mentee."""
    if not (is_mentor(actor, record) or is_mentee(actor, record)):
        raise Forbidden("Only the mentor and the mentee can do this.")


def require_mentor_or_operator(actor: Actor, record: HasMentor) -> None:
    """Raise Forbidden unless the caller is an operator or acts as the mentor."""
    require_mentor_id(actor, record.mentor_profile_id, "Only the mentor or an operator can do this.")


def require_access(actor: Actor, record: HasParties) -> None:
    """Raise Forbidden unless the caller is a party or an operator."""
    if not has_access(actor, record):
        raise Forbidden("Only the mentor and the mentee have access.")


def require_other_party(actor: Actor, record: HasParties, *, than_mentee: bool) -> None:
    """Raise Forbidden unless the caller is the other party than the mentee, or than the mentor; or an operator."""
    by_other = is_mentor(actor, record) if than_mentee else is_mentee(actor, record)
    if not (actor.operator or by_other):
        raise Forbidden("Only the other party or an operator can report that someone did not come.")


def require_canceller(actor: Actor, session: OfBooking) -> None:
    """Raise Forbidden unless the caller is a party or an operator; participants of a group leave it instead."""
    require_access(actor, session)
    if session.mentee_user_id is None and not actor.operator and not is_mentor(actor, session):
        raise Forbidden(
            "A participant does not cancel a group session: leave it at"
            f" POST /group-sessions/{session.booking_id}/leave."
        )


def require_mover(actor: Actor, session: OfBooking) -> None:
    """Raise Forbidden unless the caller is a party or an operator; of a group, its mentor or an operator."""
    require_access(actor, session)
    if session.mentee_user_id is None and not actor.operator and not is_mentor(actor, session):
        raise Forbidden("A group session is moved by its mentor or an operator alone.")


def require_own_side(actor: Actor, record: HasParties, *, of_mentee: bool, message: str) -> None:
    """Raise Forbidden unless the caller is the mentee, or the mentor."""
    if not (is_mentee(actor, record) if of_mentee else is_mentor(actor, record)):
        raise Forbidden(message)


def require_mentor_id(actor: Actor, mentor_profile_id: UUID | None, message: str) -> None:
    """Raise Forbidden unless the caller is an operator, or acts as the mentor of this id."""
    if not actor.operator and (actor.mentor_profile_id is None or actor.mentor_profile_id != mentor_profile_id):
        raise Forbidden(message)


def require_user_id(actor: Actor, user_id: UUID | None, message: str) -> None:
    """Raise Forbidden unless the caller is an operator, or the user of this id."""
    if not actor.operator and actor.user_id != user_id:
        raise Forbidden(message)


def require_self(actor: Actor, user: HasId) -> None:
    """Raise Forbidden unless the caller is this user, or an operator."""
    require_user_id(actor, user.id, "You can only access your own account.")


def require_own_profile(actor: Actor, profile: HasUser) -> None:
    """Raise Forbidden unless the caller is the profile's user, acting as the mentor or not, or an operator."""
    require_user_id(actor, profile.user_id, "You can only change your own mentor profile.")


def require_approved(state: str) -> None:
    """Raise Forbidden unless staff have approved the mentor profile, which its user wants to make active."""
    if state != "active":
        raise Forbidden(f"This mentor profile is {state}; it can be active once staff approve it.")


def require_active_mentor(actor: Actor, record: HasMentor) -> None:
    """Raise Forbidden unless the caller acts as the record's mentor, and with an active profile."""
    require_mentor(actor, record)
    if not actor.active:
        raise Forbidden("Your mentor profile is not active; activate it to accept requests.")


def require_recipient_user(actor: Actor, record: HasUser) -> None:
    """Raise Forbidden unless what was sent to a user, or is to be, is the caller's own."""
    if actor.user_id != record.user_id:
        raise Forbidden("This belongs to another user.")


def require_holder(actor: Actor, held: HasMentee) -> None:
    """Raise Forbidden unless the caller holds the time."""
    if actor.user_id is None or actor.user_id != held.mentee_user_id:
        raise Forbidden("Only who holds this time can release it.")


def require_reviewer(actor: Actor, session: HasMentees) -> None:
    """Raise Forbidden unless the caller is one of the session's mentees."""
    if actor.user_id not in session.mentees:
        raise Forbidden("Only a mentee of this session can review it.")


def require_endpoint_owner(actor: Actor, record: HasOwner) -> None:
    """Raise Forbidden unless the caller acts as the mentor of the webhook endpoint, or is an operator."""
    require_mentor_id(actor, record.mentor_profile_id, "Only the owner of this webhook endpoint can do this.")


# Refusals that do not reveal whether the record exists.


def require_bundle_owner(actor: Actor, bundle: HasMentee) -> None:
    """Raise NotFound unless the caller owns the bundle, or is an operator."""
    if not actor.operator and actor.user_id != bundle.mentee_user_id:
        raise NotFound("There is no such bundle.")


def require_payment_access(actor: Actor, payment: OfUserAndMentor) -> None:
    """Raise NotFound unless the caller is the person who owes it, the mentor, or an operator."""
    own = actor.user_id is not None and actor.user_id == payment.user_id
    of_mentor = actor.mentor_profile_id is not None and actor.mentor_profile_id == payment.mentor_profile_id
    if not (own or of_mentor or actor.operator):
        raise NotFound("There is no such payment.")


def require_payer(actor: Actor, payment: OfUserAndMentor) -> None:
    """Raise NotFound for the payment of others; Forbidden to mentors and operators, who do not pay it."""
    require_payment_access(actor, payment)
    if actor.user_id != payment.user_id:
        raise Forbidden("Only the person who owes this payment can pay it.")


def require_on_sale(actor: Actor, product: CanBeInactive) -> None:
    """Raise NotFound for a product that is no longer sold, except to operators."""
    if not (product.active or actor.operator):
        raise NotFound("There is no such product.")


def require_visible(actor: Actor, review: CanBeHidden) -> None:
    """Raise NotFound for a review that is hidden, except to its author and operators."""
    if review.hidden and not (actor.operator or is_mentee(actor, review)):
        raise NotFound("There is no such review.")
