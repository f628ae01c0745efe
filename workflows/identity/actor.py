"""Whoever acts: a user, a mentor, an operator, or the system itself."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Who the caller's credentials say they are: genuine, but not yet looked up.

    A mentor's id alone stands for the profile's user too. An operator comes from the identity provider and needs no
    row in users; theirs is any name.
    """

    user_id: UUID | None = None
    mentor_profile_id: UUID | None = None
    operator: str | None = None


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Whoever does something, looked up: the user and the mentor exist, and the mentor is active and the user's own."""

    user_id: UUID | None = None
    mentor_profile_id: UUID | None = None
    operator: bool = False
    name: str

    @classmethod
    def person(cls, user_id: UUID, mentor_profile_id: UUID | None) -> Actor:
        """A user, who acts as a mentor exactly when `mentor_profile_id` is given."""
        name = f"mentor:{mentor_profile_id}" if mentor_profile_id else f"user:{user_id}"
        return cls(user_id=user_id, mentor_profile_id=mentor_profile_id, name=name)


SYSTEM = Actor(name="system")
