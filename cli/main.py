"""The command `tutelage` and its sub-commands, each loaded only when it is asked for."""

import gc
import importlib
from typing import ClassVar

import click

from cli.output import SummaryGroup
from config.settings import SettingsError

COMMANDS = {
    "up": "cli.up:up",
    "demo": "cli.demo:demo",
    "api": "cli.processes:api",
    "streams": "cli.processes:streams",
    "sweep": "cli.processes:sweep",
    "maintain": "cli.processes:maintain",
    "migrate": "cli.migrate:migrate",
    "seed": "cli.seed:seed",
    "import": "cli.importing:import_file",
    "backup": "cli.backup:backup",
    "restore": "cli.backup:restore",
    "reencrypt": "cli.reencrypt:reencrypt",
    "doctor": "cli.doctor:doctor",
    "deliveries": "cli.deliveries:deliveries",
    "effects": "cli.effects:effects",
    "invariants": "cli.invariants:invariants",
    "audit": "cli.audit:audit",
    "token": "cli.token:token",
    "vapid": "cli.vapid:make_vapid_key",
}


class LazyGroup(SummaryGroup):
    """A group that imports a sub-command when it runs: `tutelage sweep` does not need the API."""

    sections: ClassVar = {
        "Run": ("up", "demo", "api", "streams", "sweep", "maintain"),
        "Data": ("migrate", "seed", "import", "backup", "restore", "reencrypt"),
        "Operate": ("doctor", "deliveries", "effects", "invariants", "audit", "token", "vapid"),
    }

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return one command; None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name].split(":")
        # All that is imported stays: to look for garbage among it takes a fifth of a command's start.
        gc.disable()
        try:
            command: click.Command = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("cli."):
                raise
            raise click.ClickException(
                f"`tutelage {cmd_name}` needs {error.name}, which a production installation leaves out: run make setup."
            ) from error
        finally:
            gc.freeze()
            gc.enable()
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; a setting that makes no sense is one sentence and exit code 2, not a traceback."""
        try:
            return super().invoke(ctx)
        except SettingsError as error:
            raise click.UsageError(str(error)) from error


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tutelage")
def main() -> None:
    """Tutelage: the booking-to-session engine of mentoring, coaching and tutoring marketplaces."""


if __name__ == "__main__":
    main()
