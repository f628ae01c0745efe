"""What ends a demo: a sentence for the person who watches, and whose log tells more."""

from __future__ import annotations


class DemoFailed(Exception):
    """A step did not come out as promised.

    Args:
        sentence: what happened, and what should have.
        process: the part whose log is worth reading, as run.json calls it; None where no log would help.
    """

    def __init__(self, sentence: str, *, process: str | None = None) -> None:
        super().__init__(sentence)
        self.process = process
