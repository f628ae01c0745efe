"""Links out of mails as tests make them, and the pages that they lead to."""

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

from config.signed_links import Signer
from tests.application import SECRET, ApiResponse
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


def shown(page: ApiResponse, status: int = 200) -> str:
    """The text of a page, which is one for people, and not to be cached."""
    assert (page.status_code, page.mimetype) == (status, "text/html"), page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["X-Robots-Tag"] == "noindex, nofollow"
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "<script" not in page.text
    return str(page.text)


def heading(page: ApiResponse, status: int = 200) -> str:
    (title,) = re.findall(r"<h1>(.*?)</h1>", shown(page, status))
    return str(title)
