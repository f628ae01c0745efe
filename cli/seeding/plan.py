"""What happens to the seeded bookings: a story each, in the past or the future; the same for the same seed and time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from cli.seeding.people import PlannedMentor
from models.catalog import BookingMode

MOST_BOOKINGS = 2
ATTEMPTS = 40
HOURS = (8, 19)
# In days from today; two at least, so that no time zone turns the past into the future or the other way round.
PAST = (-60, -2)
FUTURE = (2, 30)


class Fate(StrEnum):
    """How far a story has come by now."""

    DRAFT = "draft"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    SCHEDULED = "scheduled"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"


# Each mentee's first booking takes its turn, so that even a few mentees show every state.
TURNS = (
    *(Fate.COMPLETED, Fate.SCHEDULED, Fate.DRAFT, Fate.IN_PROGRESS, Fate.DECLINED, Fate.CANCELLED, Fate.EXPIRED),
    *(Fate.COMPLETED, Fate.SCHEDULED, Fate.COMPLETED, Fate.DRAFT, Fate.COMPLETED, Fate.SCHEDULED, Fate.COMPLETED),
    *(Fate.DECLINED, Fate.COMPLETED, Fate.SCHEDULED, Fate.DRAFT, Fate.COMPLETED, Fate.CANCELLED),
)
WITH_SESSION = (Fate.SCHEDULED, Fate.IN_PROGRESS, Fate.COMPLETED)


@dataclass(frozen=True)
class Story:
    """One booking; `mentor` is the place in the list of mentors, `offer` a listing's title, times are UTC."""

    fate: Fate
    mentor: int
    offer: str
    start: datetime
    end: datetime
    requested_at: datetime
    decided_at: datetime
    words: int

    @property
    def random(self) -> Random:
        """What chooses the words that people write in this story."""
        return Random(self.words)


@dataclass
class Planner:
    """Finds times at which nobody is in two places, mentee by mentee.

    Args:
        now: the present, UTC.
    """

    seed: int
    mentors: list[PlannedMentor]
    now: datetime
    _taken: dict[object, list[tuple[datetime, datetime]]] = field(default_factory=dict)

    def stories_of(self, mentee: int) -> list[Story]:
        """The stories of the mentee of this number, from 1; to be asked for in the order of the numbers."""
        random = Random(f"{self.seed}/stories/{mentee}")
        fates = [TURNS[(mentee - 1) % len(TURNS)], *random.choices(TURNS, k=random.randint(0, MOST_BOOKINGS - 1))]
        stories = [self._story(random, mentee, fate) for fate in fates]
        return [story for story in stories if story is not None]

    def _story(self, random: Random, mentee: int, fate: Fate) -> Story | None:
        for _ in range(ATTEMPTS):
            mentor = random.randrange(len(self.mentors))
            offers = [offer for offer in self.mentors[mentor].offers if _suits(offer, fate)]
            offer = random.choice(offers)
            start = self._start(random, mentor, fate)
            end = start + timedelta(minutes=offer["duration_minutes"])
            if self._take(mentor, mentee, start, end + timedelta(minutes=offer["buffer_minutes"])):
                requested_at, decided_at = self._decision(random, fate, start)
                words = random.getrandbits(32)
                return Story(fate, mentor, offer["title"], start, end, requested_at, decided_at, words)
        return None

    def _start(self, random: Random, mentor: int, fate: Fate) -> datetime:
        if fate is Fate.IN_PROGRESS:
            return self.now.replace(minute=self.now.minute // 30 * 30, second=0, microsecond=0)
        past = fate in (Fate.COMPLETED, Fate.EXPIRED)
        undecided_or_ahead = fate in (Fate.DRAFT, Fate.SCHEDULED)
        days = PAST if past or (not undecided_or_ahead and random.random() < 0.6) else FUTURE
        day = (self.now + timedelta(days=random.randint(*days))).date()
        hour = time(random.randint(*HOURS), random.choice((0, 30)), tzinfo=ZoneInfo(self._zone(mentor)))
        return datetime.combine(day, hour).astimezone(UTC)

    def _zone(self, mentor: int) -> str:
        return self.mentors[mentor].person.time_zone

    def _take(self, mentor: int, mentee: int, start: datetime, end: datetime) -> bool:
        calendars = [self._taken.setdefault(key, []) for key in (("mentor", mentor), ("mentee", mentee))]
        if any(start < other_end and other_start < end for each in calendars for other_start, other_end in each):
            return False
        for each in calendars:
            each.append((start, end))
        return True

    def _decision(self, random: Random, fate: Fate, start: datetime) -> tuple[datetime, datetime]:
        """When it was asked for, and when it was decided: before the start and before now, within 72 hours."""
        if start > self.now:
            requested_at = self.now - timedelta(hours=random.uniform(1, 70))
            return requested_at, requested_at + (self.now - requested_at) * random.uniform(0.1, 0.9)
        shortest = 96 if fate is Fate.EXPIRED else 36
        requested_at = start - timedelta(hours=random.uniform(shortest, 240))
        return requested_at, requested_at + timedelta(hours=random.uniform(0.2, 30))


def _suits(offer: dict[str, Any], fate: Fate) -> bool:
    """An instant listing is accepted as it is booked, so that only a session can come of it."""
    return offer["booking_mode"] is BookingMode.REQUEST or fate in WITH_SESSION
