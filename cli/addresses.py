"""Addresses that a server may listen on. A module of its own, so that other processes do not import the API."""

from ipaddress import ip_address

import click

from config.settings import Settings


def require_address(host: str) -> None:
    """Refuse a host that is no IP address, such as a name. Raises BadParameter: with the option."""
    try:
        ip_address(host)
    except ValueError as error:
        raise click.BadParameter(f"{host} is no IP address.", param_hint="--host") from error


def require_loopback(host: str, chosen: Settings) -> None:
    """Refuse an address that others can reach while every caller is trusted or signed in.

    Raises:
        ClickException: IDENTITY_HEADERS=open or COMPONENT_DEMO=tokens, and another address than a loopback one.
    """
    if ip_address(host).is_loopback:
        return
    if chosen.identity_headers == "open":
        raise click.ClickException(
            f"IDENTITY_HEADERS=open believes every caller, so it listens on loopback alone, not on {host}."
        )
    if chosen.component_demo == "tokens":
        raise click.ClickException(
            f"COMPONENT_DEMO=tokens signs every caller in, so it listens on loopback alone, not on {host}."
        )
