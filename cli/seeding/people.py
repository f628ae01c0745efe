"""Seeded people: mentors with their offers, and mentees; the same for the same seed."""

from dataclasses import dataclass
from random import Random
from string import ascii_uppercase
from typing import Any

from models.catalog import BookingMode
from models.payments import PaymentMode

GIVEN_NAMES = (
    *("Ada", "Amara", "Anton", "Bela", "Carmen", "Chidi", "Chloe", "Dilan", "Elena", "Emeka", "Farah", "Finn"),
    *("Greta", "Hana", "Hugo", "Ines", "Ivo", "Jun", "Kaya", "Leila", "Linus", "Mara", "Mateo", "Mina"),
    *("Nadia", "Noor", "Omar", "Paula", "Priya", "Rafael", "Rosa", "Samir", "Sofia", "Tariq", "Vera", "Yuki"),
)
FAMILY_NAMES = (
    *("Adeyemi", "Alvarez", "Bakker", "Becker", "Castro", "Chen", "Costa", "Diallo", "Eriksen", "Farkas"),
    *("Fischer", "Garcia", "Haddad", "Hansen", "Ito", "Ivanova", "Jensen", "Kaplan", "Khan", "Kovacs"),
    *("Lindqvist", "Moreau", "Mwangi", "Nair", "Novak", "Okafor", "Oliveira", "Park", "Petrov", "Quinn"),
    *("Rahman", "Rossi", "Sato", "Silva", "Tanaka", "Ueda", "Vargas", "Weber", "Yilmaz", "Zhou"),
)
TIME_ZONES = (
    *("Europe/Berlin", "Europe/Lisbon", "Europe/London", "Europe/Stockholm", "America/New_York", "America/Sao_Paulo"),
    *("America/Los_Angeles", "Africa/Lagos", "Africa/Nairobi", "Asia/Kolkata", "Asia/Tokyo", "Australia/Sydney"),
)
# People's professions, and the skills that follow from them.
TRADES = {
    "Engineering manager": ("careers", "interviews", "leadership", "hiring", "feedback"),
    "Backend engineer": ("python", "postgresql", "go", "system design", "interviews"),
    "Frontend engineer": ("typescript", "react", "accessibility", "design systems", "css"),
    "Data scientist": ("statistics", "machine learning", "python", "sql", "experiments"),
    "Product manager": ("product", "roadmaps", "user research", "careers", "strategy"),
    "Designer": ("design", "portfolios", "user research", "typography", "accessibility"),
    "Mathematics tutor": ("algebra", "calculus", "statistics", "exam preparation"),
    "Language coach": ("english", "german", "spanish", "presentations", "exam preparation"),
    "Founder": ("startups", "fundraising", "strategy", "hiring", "pricing"),
    "Researcher": ("academic writing", "statistics", "grants", "careers"),
}
BIOS = (
    "I ask more than I tell, and write down what we agreed on.",
    "Bring a question, leave with a plan for the next two weeks.",
    "I have made most of the mistakes already, so that you can make others.",
    "Patient with beginners, frank with everyone.",
    "We begin where you stand and stop when you can go on alone.",
)
OFFERS = (
    "Career advice",
    "Mock interview",
    "Portfolio review",
    "Getting unstuck",
    "A plan for the next quarter",
    "Exam preparation",
    "Reading your draft",
    "Pair work",
)
TOPICS = (
    "Where to go next",
    "An offer that I have to decide on",
    "Preparing for an interview",
    "My first talk",
    "Feedback on a piece of work",
    "Learning plan",
    "How to lead without a title",
    "Understanding the last assignment",
)
NOTES = (
    None,
    None,
    "I have attached the task to the invitation.",
    "This is my first session, so please begin with the basics.",
    "Forty minutes would be enough if we are quick.",
)
REASONS_TO_DECLINE = (
    None,
    "I am away that week.",
    "This is not my field; try a colleague.",
    "Please choose a later day.",
)
REASONS_TO_CANCEL = (None, "I found another time.", "Something came up.", "I have solved it meanwhile.")
SESSION_NOTES = (
    "We went through the material and found two gaps.",
    "A good start; we agreed on small steps.",
    "Mostly questions and answers.",
    "We practised twice, the second time much better.",
)
ACTION_ITEMS = (
    "Write a first draft",
    "Read the two chapters",
    "Ask a colleague for feedback",
    "Practise with a timer",
    "Book the next session",
)
# By rating, with more good ones than bad ones, as people write them.
COMMENTS = {
    5: ("Clear, kind and to the point.", "I left with a plan, and it worked.", None),
    4: ("Very helpful, a little rushed at the end.", "Good questions, and patience with mine.", None),
    3: ("Useful in parts; I had hoped for more examples.", None),
    2: ("We spent most of the time on what I knew already.",),
}
ANSWERS = (
    "Thank you, I enjoyed it too.",
    "Thank you for saying so. Let us begin with that the next time.",
    "Well prepared as you were, it was easy.",
)
# Courses by the skill that those who teach them have.
COURSES = {
    "statistics": ("Statistics from the beginning", "Chance, samples and what can be said about the rest."),
    "interviews": ("Ready for the interview", "Stories worth telling, and questions worth asking."),
    "exam preparation": ("Four weeks to the exam", "What to learn, what to leave, and how to keep calm."),
}


DURATIONS_MINUTES = (30, 45, 60, 90)
# The price of an hour in minor units (ISO 4217: the yen has none), and the step to which prices are rounded.
HOURLY = (("EUR", 6_000, 500), ("USD", 7_500, 500), ("GBP", 5_500, 500), ("SEK", 65_000, 5_000), ("JPY", 9_000, 500))
# Hours before the start until when cancelling is free (None: never possible), and the fee afterwards in percent.
CANCELLATION = ((24, 50), (24, 50), (48, 100), (12, 25), (None, 50))
MAX_SKILLS = 5
MAX_MENTORS, MAX_MENTEES = 500, 5_000
# Of the demonstration, which draws one for each run.
MAX_SEED = 10**12


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
    languages: tuple[str, ...] = ()

    @property
    def course(self) -> str | None:
        """The title of the course that a mentor with these skills teaches."""
        return next((title for skill, (title, _) in COURSES.items() if skill in self.skills), None)


def plan_mentors(seed: int, count: int) -> list[PlannedMentor]:
    """The mentors of this seed; a larger count begins with the same ones."""
    names = _names(seed)
    return [
        _mentor(Random(f"{seed}/mentor/{number}"), names[number - 1], f"{seed}-m{number}")
        for number in range(1, count + 1)
    ]


def plan_mentees(seed: int, count: int) -> list[PlannedPerson]:
    """The mentees of this seed, none with the name of a mentor; a larger count begins with the same ones."""
    names = _names(seed)[MAX_MENTORS:]
    return [
        _person(Random(f"{seed}/mentee/{number}"), names[number - 1], f"{seed}-{number}")
        for number in range(1, count + 1)
    ]


def _names(seed: int) -> list[str]:
    """All names of a seed, each once: those without a middle initial first."""
    names = []
    for initial in ("", *(f"{letter}. " for letter in ascii_uppercase)):
        plain = [f"{given} {initial}{family}" for given in GIVEN_NAMES for family in FAMILY_NAMES]
        names += Random(f"{seed}/names/{initial}").sample(plain, len(plain))
    return names


def _person(random: Random, name: str, mark: str) -> PlannedPerson:
    address = f"{name.replace('. ', '.').replace(' ', '.')}.{mark}@mail.example".lower()
    return PlannedPerson(address, name, random.choice(TIME_ZONES))


def _mentor(random: Random, name: str, mark: str) -> PlannedMentor:
    person = _person(random, name, mark)
    trade, skills = random.choice(list(TRADES.items()))
    currency = random.choice(HOURLY)
    titles = random.sample(OFFERS, random.randint(2, 3))
    return PlannedMentor(
        person=person,
        headline=f"{trade}, {random.randint(4, 25)} years",
        bio=random.choice(BIOS),
        skills=random.sample(skills, random.randint(2, min(MAX_SKILLS, len(skills)))),
        # The first is always on request and paid before, so that every mentor has something to decide and to be paid.
        offers=[_offer(random, title, currency, request=not place) for place, title in enumerate(titles)],
    )


def _offer(random: Random, title: str, hourly: tuple[str, int, int], *, request: bool) -> dict[str, Any]:
    currency, hour, step = hourly
    minutes = random.choice(DURATIONS_MINUTES)
    price = hour * minutes / 60 * random.uniform(0.7, 1.6)
    window, fee = random.choice(CANCELLATION)
    return {
        "title": title,
        "description": f"{minutes} minutes, online.",
        "duration_minutes": minutes,
        "price_amount": round(price / step) * step,
        "price_currency": currency,
        "payment_mode": PaymentMode.BEFORE if request else PaymentMode.NONE,
        "booking_mode": BookingMode.REQUEST if request or random.random() < 0.3 else BookingMode.INSTANT,
        "early_start_minutes": random.choice((15, 15, 10, 30, None)),
        "min_notice_minutes": random.choice((0, 0, 60, 720)),
        "buffer_minutes": random.choice((0, 10, 15)),
        "cancellation_window_hours": window,
        "late_fee_percent": fee,
        "location": {"kind": "online"},
    }
