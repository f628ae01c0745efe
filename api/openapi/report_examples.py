"""Examples for the documentation: reports, and what operators see of the whole."""

from __future__ import annotations

from typing import Any

from api.openapi.examples import SESSION

_PERIOD = {"from": "2030-05-01T00:00:00Z", "to": "2030-06-01T00:00:00Z"}

SESSION_COUNT: dict[str, Any] = {
    "day": "2030-05-04",
    "created": 14,
    "started": 11,
    "completed": 11,
    "cancelled": 2,
    "lateCancellations": 1,
    "minutes": 630,
    "seats": 3,
    "seatsJoined": 6,
    "seatsLeft": 1,
    "seatsLeftLate": 1,
    "seatsRefunded": 2,
}
SESSION_COUNTS_AS_TABLE = (
    "day,created,started,completed,cancelled,lateCancellations,minutes,seats,seatsJoined,seatsLeft,"
    "seatsLeftLate,seatsRefunded\r\n"
    "2030-05-04,14,11,11,2,1,630,3,6,1,1,2\r\n"
)
_PARTS = {"accepted": 160, "sessions": 160, "completed": 140, "reviewed": 70}
CONVERSION: dict[str, Any] = {
    **_PERIOD,
    "requests": 200,
    **_PARTS,
    "rates": {"accepted": 0.8, "sessions": 0.8, "completed": 0.7, "reviewed": 0.35},
}
CONVERSION_AS_TABLE = (
    "from,to,requests,accepted,sessions,completed,reviewed,acceptedRate,sessionsRate,completedRate,reviewedRate\r\n"
    "2030-05-01T00:00:00Z,2030-06-01T00:00:00Z,200,160,160,140,70,0.8,0.8,0.7,0.35\r\n"
)
TRANSITION_TIMES: dict[str, Any] = {
    "items": [
        {
            "transition": "request_to_decision",
            "count": 160,
            "averageSeconds": 5400.0,
            "p50Seconds": 3600.0,
            "p90Seconds": 14400.0,
            "p99Seconds": 72000.0,
            "buckets": [
                {"fromSeconds": None, "toSeconds": 3600.0, "count": 80},
                {"fromSeconds": 3600.0, "toSeconds": None, "count": 80},
            ],
        }
    ]
}
TRANSITION_TIMES_AS_TABLE = (
    "transition,transitionCount,averageSeconds,p50Seconds,p90Seconds,p99Seconds,fromSeconds,toSeconds,count\r\n"
    "request_to_decision,160,5400.0,3600.0,14400.0,72000.0,,3600.0,80\r\n"
    "request_to_decision,160,5400.0,3600.0,14400.0,72000.0,3600.0,,80\r\n"
)
AVAILABILITY: dict[str, Any] = {
    "mentorProfileId": SESSION["mentorProfileId"],
    "timeZone": "America/New_York",
    **_PERIOD,
    "items": [{"weekday": 0, "hour": 9, "openMinutes": 240, "bookedMinutes": 180}],
}
AVAILABILITY_AS_TABLE = (
    "mentorProfileId,timeZone,from,to,weekday,hour,openMinutes,bookedMinutes\r\n"
    f"{SESSION['mentorProfileId']},America/New_York,2030-05-01T00:00:00Z,2030-06-01T00:00:00Z,0,9,240,180\r\n"
)
SUMMARY: dict[str, Any] = {
    "sessionsByStatus": [{"status": "completed", "sessions": 140}, {"status": "scheduled", "sessions": 20}],
    "sessionsByMentor": [
        {"mentorProfileId": SESSION["mentorProfileId"], "mentorName": "Grace Hopper", "sessions": 160}
    ],
    "conversion": {"sessions": 160, "acceptedBookings": 160, "rate": 1.0},
    "overdueSessions": [
        {
            "sessionId": SESSION["id"],
            "mentorProfileId": SESSION["mentorProfileId"],
            "endTime": SESSION["endTime"],
        }
    ],
}
INVARIANTS: dict[str, Any] = {
    "ok": True,
    "items": [{"name": "person_busy_twice", "violations": 0, "sample": []}],
    "lookedThroughAt": "2030-05-06T07:00:00Z",
}
HEALTH = {"status": "ok"}
METRICS = "# TYPE tutelage_sessions_created_total counter\ntutelage_sessions_created_total 160.0\n"
