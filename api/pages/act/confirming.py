"""Confirm another mail address for an account."""

from typing import Any

from api.pages.act.action_page import ActionPage, Redirect, Visit
from api.pages.page import Form, Page, gettext
from workflows.accounts.email_change import confirm_email_change, confirmable
from workflows.action_links.link import holder_of


class ConfirmMailPage(ActionPage):
    def __init__(self, visit: Visit) -> None:
        super().__init__(visit)
        self.change = confirmable(self.db, self.link.subject_id, user_id=self.link.user_id, now=self.now)
        self.holder = holder_of(self.db, self.link)

    def asking(self) -> Page:
        return Page(
            title=gettext("Use this mail address for your account?"),
            facts=[(gettext("Name"), self.holder.name), (gettext("New address"), self.change.email)],
            paragraphs=[gettext("Mails about your account, bookings and sessions will go there.")],
            form=Form(submit=gettext("Confirm address")),
        )

    def act(self, answers: dict[str, Any]) -> Page | Redirect:  # noqa: ARG002
        confirm_email_change(self.db, actor=self.holder.actor, change=self.change, now=self.now)
        return Page(
            title=gettext("Your mail address is confirmed"),
            paragraphs=[gettext("Mails to you now go to %(address)s.", address=self.change.email)],
        )
