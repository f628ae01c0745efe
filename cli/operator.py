"""The operator at the command line, as the audit names them."""

from __future__ import annotations

import getpass
import os

import click
from sqlalchemy import Connection

from workflows.audit.entry import Origin
from workflows.events.record import recorded
from workflows.identity.actor import Actor

CLI = "CLI"


def cli_operator() -> Actor:
    """Who can open the database may do what operators may; the audit has the name of the account on this machine."""
    try:
        account = getpass.getuser()
    except (OSError, KeyError):
        # A container's account need not have a name.
        account = str(os.getuid())
    return Actor(operator=True, name=f"cli:{account}")


def mark_as_command(db: Connection) -> None:
    """Have the entries of this transaction name the command that runs."""
    recorded(db).origin = Origin(method=CLI, route=click.get_current_context().command_path)
