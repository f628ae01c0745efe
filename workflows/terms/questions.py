"""Questions of a listing or a group's template to those who book it, and their answers, kept as they were asked."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from models.terms import QuestionKind
from workflows.kernel.errors import Invalid
from workflows.kernel.language import Language

MISSING = "Must be answered."
_REFUSALS = {
    QuestionKind.TEXT: "Must be a text.",
    QuestionKind.CHOICE: "Must be one of the choices.",
    QuestionKind.YES_NO: "Must be true or false.",
}


@dataclass(frozen=True)
class Answers:
    """The answers of one request to book or to join; a series has one request."""

    given: Mapping[str, Any]  # by the ids of the questions; null and a blank text are no answer
    seal: Callable[[str], str]  # encrypts a text for storage

    def kept(self, questions: Sequence[Mapping[str, Any]]) -> str | None:
        """The answers with what was asked, encrypted for storage; None where nothing is answered.

        Raises:
            Invalid: an answer is missing or wrong, or to no question, with the reasons in `details["answers.<id>"]`.
        """
        refusals = self._refusals(questions)
        if refusals:
            raise Invalid(
                "Answer the questions of this offer.",
                details={f"answers.{asked}": [reason] for asked, reason in refusals.items()},
            )
        answered = [
            {name: each[name] for name in ("id", "label", "kind")} | {"value": self.given[each["id"]]}
            for each in questions
            if not _is_blank(self.given.get(each["id"]))
        ]
        return self.seal(json.dumps(answered, ensure_ascii=False)) if answered else None

    def fit(self, questions: Sequence[Mapping[str, Any]]) -> bool:
        """Whether they answer these questions."""
        return not self._refusals(questions)

    def _refusals(self, questions: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        unknown = self.given.keys() - {each["id"] for each in questions}
        refusals = {asked: "There is no such question." for asked in sorted(unknown)}
        for each in questions:
            value = self.given.get(each["id"])
            if _is_blank(value):
                if each["required"]:
                    refusals[each["id"]] = MISSING
            elif not _is_of_kind(value, each):
                refusals[each["id"]] = _REFUSALS[QuestionKind(each["kind"])]
        return refusals


def _without_keys(_text: str) -> NoReturn:
    raise ValueError("Nothing is answered, and nothing is encrypted.")


NO_ANSWERS = Answers({}, _without_keys)


def opened_answers(stored: str | None, unseal: Callable[[str], str | None]) -> list[dict[str, Any]]:
    """The stored answers, each with what was asked; none where their key is gone."""
    text = None if stored is None else unseal(stored)
    answers: list[dict[str, Any]] = [] if text is None else json.loads(text)
    return answers


def said_in_words(value: str | bool, language: Language) -> str:
    """The value of an answer as people read it."""
    if isinstance(value, bool):
        return language.gettext("Yes") if value else language.gettext("No")
    return value


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _is_of_kind(value: Any, question: Mapping[str, Any]) -> bool:
    match question["kind"]:
        case QuestionKind.YES_NO:
            return isinstance(value, bool)
        case QuestionKind.CHOICE:
            return value in question["choices"]
        case _:
            return isinstance(value, str)
