"""Links of the OpenAPI document: which operations go on with what another one has answered (OpenAPI 3.1, Link Object).

Clients find the next step of a life cycle by them, and `make fuzz` follows them.
"""

from typing import Any

Links = dict[str, dict[str, Any]]


def _links(operations: tuple[str, ...], **pointers: str) -> Links:
    """Links to these operations.

    Args:
        pointers: parameters by name, with where their values stand: in the body of the answer (a JSON pointer without
            its first slash) or, as `path.NAME`, in the request.
    """
    parameters = {
        name: f"$request.{pointer}" if pointer.startswith("path.") else f"$response.body#/{pointer}"
        for name, pointer in pointers.items()
    }
    return {operation: {"operationId": operation, "parameters": parameters} for operation in operations}


_VIEWS = ("getSession", "getMenteeSession", "getMentorSession", "getCancellationQuote", "listSessionEffects")
_SCHEDULED = (*_VIEWS, "startSession", "cancelSession", "reportSessionNoShow", "voidSession")
_MENTOR = (
    *("getMentor", "updateMentorProfile", "getWeeklyHours", "updateWeeklyHours", "listDates", "updateDate"),
    *("createTimeOff", "listTimeOff", "getBookingRules", "updateBookingRules", "createHold"),
    *("createCalendarFeed", "listCalendarFeeds", "listMentorSlots", "listMentorReviews"),
)
_COURSE = (
    *("getCourse", "updateCourse", "createProduct", "listProducts", "getSupportOptions", "listCourseSlots"),
    "purchaseBundle",
)
_TEMPLATE = (
    *("getGroupSessionTemplate", "updateGroupSessionTemplate", "scheduleGroupSessions"),
    "deleteGroupSessionTemplate",
)
_ENDPOINT = (
    *("getWebhookEndpoint", "updateWebhookEndpoint", "getWebhookSecret", "rotateWebhookSecret", "pingWebhookEndpoint"),
    *("sendWebhookExample", "recoverWebhookEndpoint", "deleteWebhookEndpoint"),
)
_SEATS = (
    *("getGroupSession", "updateGroupSession", "joinGroupSession", "leaveGroupSession", "joinGroupSessionWaitlist"),
    *("leaveGroupSessionWaitlist", "acceptGroupSessionOffer"),
)
_DELIVERY = ("getWebhookDelivery", "resendWebhookDelivery")
_OF_DRAFT = _links(("getBooking", "acceptBooking", "declineBooking", "cancelBooking"), booking_id="id")
_OF_ACCEPTED = _links(("getBooking",), booking_id="id") | _links(_SCHEDULED, session_id="sessionId")
_OF_BOOKED = _links(("getBooking",), booking_id="booking/id") | _links(_SCHEDULED, session_id="session/id")

# By operation and status of the answer.
LINKS: dict[tuple[str, int], Links] = {
    ("createUser", 201): _links(("getUser",), user_id="id"),
    ("createMentorProfile", 201): _links(_MENTOR, mentor_profile_id="id"),
    ("createListing", 201): _links(("getListing", "updateListing"), listing_id="id"),
    ("createBooking", 201): _OF_DRAFT,
    ("createBooking", 202): _OF_ACCEPTED,
    ("listBookings", 200): _links(("getBooking",), booking_id="items/0/id"),
    ("acceptBooking", 202): _OF_ACCEPTED,
    ("acceptBooking", 201): _OF_BOOKED,
    ("createSessionBooking", 201): _links(("getBooking", "acceptBooking", "declineBooking"), booking_id="booking/id"),
    ("createSessionBooking", 202): _links(_SCHEDULED, session_id="booking/sessionId"),
    ("createIndividualBooking", 202): _OF_ACCEPTED | _links(("cancelBooking",), booking_id="id"),
    ("createIndividualBooking", 201): _OF_BOOKED,
    ("startSession", 200): _links((*_VIEWS, "completeSession", "voidSession"), session_id="id"),
    ("completeSession", 200): _links((*_VIEWS, "recordSessionAttendance", "createReview"), session_id="id"),
    ("cancelSession", 200): _links((*_VIEWS, "waiveSessionFee"), session_id="id"),
    ("reportSessionNoShow", 200): _links((*_VIEWS, "waiveSessionFee"), session_id="id"),
    ("listReviewPermits", 200): _links(("createReview",), session_id="items/0/sessionId"),
    ("createReview", 201): _links(("getReview", "moderateReview"), review_id="id")
    | _links(("createReviewAnswer",), session_id="path.session_id"),
    ("createHold", 201): _links(("deleteHold",), hold_id="id"),
    ("createTimeOff", 201): _links(("deleteTimeOff",), time_off_id="id", mentor_profile_id="path.mentor_profile_id"),
    ("updateDate", 200): _links(("deleteDate",), day="path.day", mentor_profile_id="path.mentor_profile_id"),
    ("createCalendarFeed", 201): _links(
        ("deleteCalendarFeed",), calendar_feed_id="id", mentor_profile_id="path.mentor_profile_id"
    ),
    ("createCourse", 201): _links(_COURSE, course_id="id"),
    ("createProduct", 201): _links(("getProduct", "updateProduct"), product_id="id", course_id="path.course_id"),
    ("purchaseBundle", 201): _links(("getBundle", "adjustBundle"), bundle_id="id"),
    ("createGroupSessionTemplate", 201): _links(_TEMPLATE, template_id="id"),
    ("scheduleGroupSessions", 201): _links(_SEATS, booking_id="made/0/bookingId"),
    ("createPushSubscription", 201): _links(("deletePushSubscription",), subscription_id="id"),
    ("listNotifications", 200): _links(("markNotificationRead",), notification_id="items/0/id"),
    ("createWebhookEndpoint", 201): _links(_ENDPOINT, endpoint_id="id"),
    ("listWebhookDeliveries", 200): _links(_DELIVERY, delivery_id="items/0/id"),
    ("listDeliveries", 200): _links(("cancelUnfinishedDelivery", "retryDeadDelivery"), delivery_id="items/0/id"),
}


def links_of(operation: str, status: str) -> Links:
    return LINKS.get((operation, int(status)), {}) if status.isdigit() else {}
