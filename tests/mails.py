"""Mails as their readers' programs have them."""

from email import message_from_bytes, policy
from email.message import EmailMessage

from workers.transports.mail import MailIdentity, compose
from workflows.notifications.mails import Mail


def as_read(mail: Mail, identity: MailIdentity) -> EmailMessage:
    """The mail, parsed from the bytes that are sent."""
    return message_from_bytes(bytes(compose(mail, identity)), policy=policy.default)
