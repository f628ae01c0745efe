"""The choices of a mentee for a course."""

from marshmallow import fields

from api.schemas.base import ResponseSchema
from api.schemas.catalog import Course, Product
from api.schemas.fields import Id, Price
from api.schemas.groups import GroupSessionItem


class OfferedListing(ResponseSchema):
    id = Id()
    duration_minutes = fields.Integer()
    price = Price()


class TeachingMentor(ResponseSchema):
    id = Id()
    name = fields.String()
    headline = fields.String()
    rating = fields.Float(allow_none=True, metadata={"description": "The average of all reviews, 1 to 5."})
    review_count = fields.Integer()
    listings = fields.List(fields.Nested(OfferedListing), metadata={"description": "The shortest first."})


class SupportOptions(ResponseSchema):
    course = fields.Nested(Course)
    mentors = fields.List(fields.Nested(TeachingMentor))
    products = fields.List(fields.Nested(Product))
    group_sessions = fields.List(fields.Nested(GroupSessionItem))
