"""The operator at the command line, as the audit names them."""

import getpass
import os
from datetime import UTC, datetime
from typing import Any

import click
from sqlalchemy import Connection, Engine
from uuid_utils.compat import uuid7

from workflows.audit.log import write_audit_entry
from workflows.events.audit_entry import Origin
from workflows.events.record import recorded
from workflows.identity.actor import Actor

CLI = "CLI"


def cli_operator() -> Actor:
    """An operator, by access to the database; the audit has the name of the account on this machine."""
    try:
        account = getpass.getuser()
    except (OSError, KeyError):
        # A container's account need not have a name.
        account = str(os.getuid())
    return Actor(operator=True, name=f"cli:{account}")


def audit_command(engine: Engine, action: str, subject_type: str, data: dict[str, Any]) -> None:
    """Write the audit entry of a command with many transactions, in a separate one."""
    with engine.begin() as db:
        mark_as_command(db)
        subject = (subject_type, uuid7())
        write_audit_entry(db, actor=cli_operator(), action=action, subject=subject, data=data, now=datetime.now(UTC))


def mark_as_command(db: Connection) -> None:
    """Have the audit entries of this transaction name the running command."""
    recorded(db).origin = Origin(method=CLI, route=click.get_current_context().command_path)
