"""What a mentee can choose from for a course."""

from __future__ import annotations

from marshmallow import fields

from api.schemas.base import ResponseSchema
from api.schemas.catalog import Course, Product
from api.schemas.fields import Id, Price
from api.schemas.groups import GroupSessionItem


class OfferedListing(ResponseSchema):
    """A listing of the course."""

    id = Id()
    duration_minutes = fields.Integer()
    price = Price()


class TeachingMentor(ResponseSchema):
    """A mentor who teaches the course."""

    id = Id()
    name = fields.String()
    headline = fields.String()
    rating = fields.Float(allow_none=True, metadata={"description": "The average of all reviews, 1 to 5."})
    review_count = fields.Integer()
    listings = fields.List(fields.Nested(OfferedListing), metadata={"description": "The shortest first."})


class SupportOptions(ResponseSchema):
    """Who teaches a course, what is sold for it, and the next groups that can be joined."""

    course = fields.Nested(Course)
    mentors = fields.List(fields.Nested(TeachingMentor))
    products = fields.List(fields.Nested(Product))
    group_sessions = fields.List(fields.Nested(GroupSessionItem))
