"""The templates of notifications and mails: those of the house, and those that an operator puts in their place."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, ChoiceLoader, FileSystemLoader, PackageLoader, StrictUndefined, select_autoescape
from jinja2.sandbox import ImmutableSandboxedEnvironment

from workflows.clock import local_time
from workflows.notifications.money import money

_PACKAGE = "workflows.notifications"


def _is_quoted(paragraph: str) -> bool:
    """Whether a `Quotation` wrote it."""
    return all(line.startswith(">") for line in paragraph.splitlines())


class Wording:
    """Renders templates by their names. Whatever is written in one, it only words: a sandbox keeps it from more.

    Args:
        folder: whose files take the place of the house's of the same name; None where there are none.
    """

    def __init__(self, folder: Path | None = None) -> None:
        loaders: list[BaseLoader] = [PackageLoader(_PACKAGE)]
        if folder is not None:
            loaders.insert(0, FileSystemLoader(folder))
        self.environment = ImmutableSandboxedEnvironment(
            loader=ChoiceLoader(loaders),
            autoescape=select_autoescape(["html.j2"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            # A look at the file for each mail took a tenth of the processor time of `worker-notifications`.
            auto_reload=False,
        )
        self.environment.filters["local_time"] = local_time
        self.environment.filters["money"] = money
        self.environment.tests["quoted"] = _is_quoted

    def render(self, name: str, **told: Any) -> str:
        """The text of a template.

        Raises:
            UndefinedError: it names what it is not told.
        """
        return self.environment.get_template(name).render(**told)


_chosen = [Wording()]


def wording() -> Wording:
    """The templates of this process."""
    return _chosen[0]


def use(folder: Path | None) -> None:
    """Take the operator's templates from now on; said once, by whoever reads settings."""
    _chosen[0] = Wording(folder)


@cache
def names() -> frozenset[str]:
    """The templates that there are, and that an operator may put their own in place of."""
    return frozenset(each.name for each in (files(_PACKAGE) / "templates").iterdir() if each.name.endswith(".j2"))
