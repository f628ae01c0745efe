"""Courses: what several mentors may teach."""

from __future__ import annotations

from marshmallow import fields

from api.schemas.base import Answer, Body, page_of
from api.schemas.fields import Id, Line, Moment, Text, TrueOrFalse


class NewCourse(Body):
    """A course to be added to the catalogue."""

    title = Line(200, required=True, metadata={"example": "Linear algebra I"})
    description = Text(5000, load_default=None, allow_none=True)


class CourseChanges(Body):
    """What of a course is to be different; whatever is left out stays."""

    title = Line(200, metadata={"example": "Linear algebra I"})
    description = Text(5000, allow_none=True)
    active = TrueOrFalse(metadata={"description": "Whether the course stands in the catalogue."})


class Course(Answer):
    """What is taught by whoever has a listing of it."""

    id = Id()
    title = fields.String()
    description = fields.String(allow_none=True)
    active = fields.Boolean()
    created_at = Moment()


Courses = page_of(Course, "Courses")
