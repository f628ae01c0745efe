"""Questions to those who book or join, as a mentor asks them, and their answers."""

from typing import Any

from marshmallow import ValidationError, fields, post_load, validate

from api.schemas.base import RequestSchema, ResponseSchema
from api.schemas.fields import Choice, Line, Text, TrueOrFalse
from config.sealing import seal_text, shown_text
from models.terms import MAX_QUESTIONS, QuestionKind
from workflows.terms.questions import NO_ANSWERS, opened_answers
from workflows.terms.questions import Answers as GivenAnswers

LONGEST_ANSWER = 2000
_VALUE = {
    "description": "A text, one of the choices, or true or false.",
    "oneOf": [
        {"type": "string", "maxLength": LONGEST_ANSWER, "pattern": Text(LONGEST_ANSWER).pattern},
        {"type": "boolean"},
    ],
    "example": "Under a year",
}
_ID = {"example": "level", "description": "Names the answer in `answers`; letters, digits, `_` and `-`."}
_LABEL = {"example": "How long have you been programming?"}
_CHOICES = {"example": ["Under a year", "Longer"], "description": "Of the kind `choice` alone, which has them always."}
_GIVEN = "By the ids of the questions of the listing or the group: a text, one of the choices, or true or false."
_ASKED = (
    "Asked of who books or joins, and answered in `answers`; of a template, of all who join one of its groups from"
    " then on."
)
_KIND = {"example": "choice"}


class NewQuestion(RequestSchema):
    """A question to those who book or join."""

    # The end of a pattern also stands before a last line break.
    id = fields.String(required=True, validate=validate.Regexp(r"^[A-Za-z0-9_-]{1,40}(?!\n)$"), metadata=_ID)
    label = Line(200, required=True, metadata=_LABEL)
    kind = Choice(QuestionKind, required=True, metadata=_KIND)
    choices = fields.List(Line(100), allow_none=True, validate=validate.Length(min=1, max=20), metadata=_CHOICES)
    required = TrueOrFalse(load_default=False)

    @post_load
    def as_stored(self, question: dict[str, Any], **_options: Any) -> dict[str, Any]:
        """As the column holds it. Raises ValidationError: choices without a choice between them, or none."""
        choices = question.pop("choices", None)
        if (choices is None) == (question["kind"] is QuestionKind.CHOICE):
            raise ValidationError("Belongs to a question of the kind choice, and to no other.", "choices")
        if choices is not None:
            if len(set(choices)) < len(choices):
                raise ValidationError("Must not repeat a value.", "choices")
            question["choices"] = choices
        return {**question, "kind": str(question["kind"])}


def _each_once(questions: list[dict[str, Any]]) -> None:
    if len({each["id"] for each in questions}) < len(questions):
        raise ValidationError("Must not repeat an id.")


def asked() -> fields.List[Any]:
    """The questions in a body that makes or changes a listing or a template."""
    return fields.List(
        fields.Nested(NewQuestion),
        validate=[validate.Length(max=MAX_QUESTIONS), _each_once],
        metadata={"description": _ASKED},
    )


class Question(ResponseSchema):
    """A question to those who book or join."""

    id = fields.String(metadata=_ID)
    label = fields.String(metadata=_LABEL)
    kind = Choice(QuestionKind, metadata=_KIND)
    choices = fields.List(fields.String(), metadata=_CHOICES)
    required = fields.Boolean()

    optional = ("choices",)


class Questions(fields.List[Any]):
    """The questions of a listing, a template or a group, which the database has in the schema's own names."""

    def __init__(self) -> None:
        super().__init__(fields.Nested(Question))

    @staticmethod
    def write(value: Any) -> Any:
        return value


class AnswerValue(fields.Field[Any]):
    """The value of an answer: a bounded text, or a boolean."""

    _text = Text(LONGEST_ANSWER)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return value if isinstance(value, bool) else self._text.deserialize(value, attr, data, **kwargs)


class Answers(fields.Dict):
    """The answers of a body that books or joins; whether they fit the questions is decided with the booking."""

    def __init__(self) -> None:
        super().__init__(
            keys=Line(40),
            values=AnswerValue(allow_none=True, metadata=_VALUE),
            allow_none=True,
            load_default=None,
            metadata={"description": _GIVEN, "example": {"level": "Under a year"}, "component": "GivenAnswers"},
        )

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """The answers with what encrypts them. Raises ValidationError: by the id of the question."""
        try:
            given = super().deserialize(value, attr, data, **kwargs)
        except ValidationError as error:
            if not isinstance(error.messages, dict):
                raise
            # Of a key or its value.
            reasons = {asked_id: next(iter(each.values())) for asked_id, each in error.messages.items()}
            raise ValidationError(reasons) from error
        return NO_ANSWERS if given is None else GivenAnswers(given, seal_text)


class Answer(ResponseSchema):
    """An answer, with the question as it was asked."""

    id = fields.String(metadata=_ID)
    label = fields.String(metadata=_LABEL)
    kind = Choice(QuestionKind, metadata=_KIND)
    value = fields.Raw(metadata=_VALUE)


class ShownAnswers(fields.List[Any]):
    """The answers that are stored encrypted, as their readers see them; none where nothing was answered."""

    def __init__(self, described: str = "As they were given, with the questions as they were asked.") -> None:
        super().__init__(fields.Nested(Answer), metadata={"description": described})

    def serialize(self, attr: str, obj: Any, accessor: Any = None, **kwargs: Any) -> Any:  # noqa: ARG002
        stored = obj.get("answers") if isinstance(obj, dict) else getattr(obj, "answers", None)
        return shown_answers(stored)


def shown_answers(stored: str | None) -> list[dict[str, Any]]:
    return opened_answers(stored, shown_text)
