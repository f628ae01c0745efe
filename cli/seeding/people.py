"""Who is seeded: mentors with what they offer, and mentees; the same for the same seed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from cli.seeding.names import BIOS, COURSES, FAMILY_NAMES, GIVEN_NAMES, OFFERS, TIME_ZONES, TRADES
from models.catalog import BookingMode

DURATIONS = (30, 45, 60, 90)
# The price of an hour in minor units (ISO 4217: the yen has none), and the step to which prices are rounded.
HOURLY = (("EUR", 6_000, 500), ("USD", 7_500, 500), ("GBP", 5_500, 500), ("SEK", 65_000, 5_000), ("JPY", 9_000, 500))
# Hours before the start until when cancelling is free (None: never possible), and the fee afterwards in percent.
CANCELLATION = ((24, 50), (24, 50), (48, 100), (12, 25), (None, 50))
MOST_SKILLS = 5


@dataclass(frozen=True)
class PlannedPerson:
    """An account."""

    email: str
    name: str
    time_zone: str


@dataclass(frozen=True)
class PlannedMentor:
    """An account with a profile, and `offers`: columns of `listings`, with a title of its own each.

    The first offer is of the `course` of that title, if there is one.
    """

    person: PlannedPerson
    headline: str
    bio: str
    skills: list[str]
    offers: list[dict[str, Any]]

    @property
    def course(self) -> str | None:
        """The title of the course that a mentor with these skills teaches."""
        return next((title for skill, (title, _) in COURSES.items() if skill in self.skills), None)


def plan_mentors(seed: int, count: int) -> list[PlannedMentor]:
    """The mentors of this seed; a larger count begins with the same ones."""
    return [_mentor(Random(f"{seed}/mentor/{number}"), seed, number) for number in range(1, count + 1)]


def plan_mentees(seed: int, count: int) -> list[PlannedPerson]:
    """The mentees of this seed; a larger count begins with the same ones."""
    return [_person(Random(f"{seed}/mentee/{number}"), f"{seed}-{number}") for number in range(1, count + 1)]


def _person(random: Random, mark: str) -> PlannedPerson:
    given, family = random.choice(GIVEN_NAMES), random.choice(FAMILY_NAMES)
    address = f"{given}.{family}.{mark}@mail.example".lower()
    return PlannedPerson(address, f"{given} {family}", random.choice(TIME_ZONES))


def _mentor(random: Random, seed: int, number: int) -> PlannedMentor:
    person = _person(random, f"{seed}-m{number}")
    trade, skills = random.choice(list(TRADES.items()))
    currency = random.choice(HOURLY)
    titles = random.sample(OFFERS, random.randint(2, 3))
    return PlannedMentor(
        person=person,
        headline=f"{trade}, {random.randint(4, 25)} years",
        bio=random.choice(BIOS),
        skills=random.sample(skills, random.randint(2, min(MOST_SKILLS, len(skills)))),
        # The first is always on request, so that every mentor has something to decide.
        offers=[_offer(random, title, currency, request=not place) for place, title in enumerate(titles)],
    )


def _offer(random: Random, title: str, hourly: tuple[str, int, int], *, request: bool) -> dict[str, Any]:
    currency, hour, step = hourly
    minutes = random.choice(DURATIONS)
    price = hour * minutes / 60 * random.uniform(0.7, 1.6)
    window, fee = random.choice(CANCELLATION)
    return {
        "title": title,
        "description": f"{minutes} minutes, online.",
        "duration_minutes": minutes,
        "price_amount": round(price / step) * step,
        "price_currency": currency,
        "booking_mode": BookingMode.REQUEST if request or random.random() < 0.3 else BookingMode.INSTANT,
        "early_start_minutes": random.choice((15, 15, 10, 30, None)),
        "min_notice_minutes": random.choice((0, 0, 60, 720)),
        "buffer_minutes": random.choice((0, 10, 15)),
        "cancellation_window_hours": window,
        "late_fee_percent": fee,
    }
