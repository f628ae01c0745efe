"""Examples for the documentation: a mentor's week."""

from __future__ import annotations

from typing import Any

from api.docs.examples import COMPLETED

_MORNING = {"weekday": 0, "startTime": "09:00", "endTime": "12:30"}
_EVENING = {"weekday": 3, "startTime": "18:00", "endTime": "24:00"}

NEW_HOURS: dict[str, Any] = {"timeZone": "Europe/Berlin", "hours": [_MORNING, _EVENING]}

WEEKLY_HOURS: dict[str, Any] = {"mentorProfileId": COMPLETED["mentorProfileId"], **NEW_HOURS}
