"""Links out of mails, as tests make them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from config.signed_links import Signer
from tests.application import SECRET
from workflows.action_links.link import LINK_PURPOSE, Action, ActionLink

SIGNER = Signer([SECRET], LINK_PURPOSE)


def signed(
    action: Action, subject_id: UUID, user_id: UUID, *, expires_at: datetime | None = None, links_version: int = 0
) -> str:
    """The path of a link, good for an hour unless said otherwise."""
    link = ActionLink(
        action=action,
        subject_id=subject_id,
        user_id=user_id,
        expires_at=expires_at or datetime.now(UTC) + timedelta(hours=1),
        links_version=None if action is Action.CONFIRM_MAIL else links_version,
    )
    return f"/act/{SIGNER.sign(link.to_text())}"
