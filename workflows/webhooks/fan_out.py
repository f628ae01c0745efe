"""Which webhook endpoints hear of an event: the part of the recording statement that writes their deliveries."""

from __future__ import annotations

from uuid import UUID

from workflows.events.catalogue import Event, WebhookExampleAsked, WebhookPinged
from workflows.webhooks.missed import LOOK_BACK


def listeners(endpoint: str, event: str) -> str:
    """Whether an endpoint asked for an announced event and may know of it, as a condition of SQL.

    A mentor's endpoint hears of that mentor alone, an operator's of everything. What is not active any more is among
    them for as long as what it misses can be recovered.

    Args:
        endpoint: the alias of `webhook_endpoints`.
        event: the alias of a relation with the columns `type` and `mentor_profile_id`.
    """
    # No `IS NOT DISTINCT FROM`: no index serves it.
    return f"""
        {endpoint}.event_types && ARRAY[{event}.type, split_part({event}.type, '.', 1) || '.*', '*']
        AND ({endpoint}.mentor_profile_id IS NULL OR {endpoint}.mentor_profile_id = {event}.mentor_profile_id)
        AND ({endpoint}.state = 'active' OR {endpoint}.active_until > now() - interval '{LOOK_BACK.days} days')
    """


# What an endpoint misses while it is not active is kept as cancelled at once: neither a wake-up nor a worker is needed
# for what is not to be sent.
ROWS = f"""
SELECT heard.event_id, 'webhooks.send' AS effect, CAST(e.id AS text) AS target, e.id, 'webhooks',
       CAST(CASE WHEN e.state = 'active' THEN 'pending' ELSE 'cancelled' END AS delivery_state),
       CASE WHEN e.state <> 'active' THEN 'The webhook endpoint is ' || e.state || '.' END,
       CASE WHEN e.state <> 'active' THEN 'not_listening' END
FROM heard JOIN webhook_endpoints e ON {listeners("e", "heard")}
"""


def target_of(endpoint_id: UUID, resend: int = 0) -> str:
    """The target of a delivery to an endpoint: no more than a part of its key, which nobody reads anything from."""
    return f"{endpoint_id}:{resend}" if resend else str(endpoint_id)


def directly_to(event: Event) -> UUID | None:
    """The endpoint that alone hears of a ping or of an example, in whichever state it is."""
    return event.webhook_endpoint_id if isinstance(event, WebhookPinged | WebhookExampleAsked) else None
