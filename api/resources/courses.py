"""Courses: the catalogue that operators keep, and mentors offer listings of."""

from __future__ import annotations

from typing import Any

from flask import request

from api import examples
from api.blueprints import Area, versioned
from api.context import ANYONE, OPERATOR, RequestContext, Subject
from api.etags import any_version_will_do, tagged
from api.lists import lists
from api.loaders import changes, reads
from api.schemas import courses as shapes
from api.schemas.lists import ListQuery
from workflows.catalog.courses import COURSES, Course, change_course, course_query, create_course

courses = Area("Courses", "What several mentors may teach: a mentor teaches a course by a listing of it.")

COURSE = Subject(name="course", query=course_query, record=Course)


@courses.route("/courses", methods=["POST"])
@changes(OPERATOR)
@courses.arguments(shapes.NewCourse, example=examples.NEW_COURSE)
@courses.response(201, shapes.Course, example=examples.COURSE)
def add_course(context: RequestContext[None], body: dict[str, Any]) -> Any:
    """Add a course to the catalogue."""
    course = create_course(context.db, actor=context.actor, **body)
    return tagged(course, Location=f"/courses/{course.id}")


@courses.route("/courses")
@courses.response(200, shapes.Courses, example=examples.page(examples.COURSE))
@lists(ANYONE, COURSES, ListQuery)
def list_courses(_context: RequestContext[None]) -> dict[str, Any]:
    """List the courses of the catalogue, the newest first."""
    return {}


@courses.route("/courses/<id:course_id>")
@versioned
@reads(ANYONE, COURSE)
@courses.response(200, shapes.Course, example=examples.COURSE)
def get_course(context: RequestContext[Course]) -> Any:
    """Read a course, whether it still stands in the catalogue or not."""
    return tagged(context.subject)


@courses.route("/courses/<id:course_id>", methods=["PATCH"])
@changes(OPERATOR, COURSE)
@courses.arguments(shapes.CourseChanges, example={"active": False})
@courses.response(200, shapes.Course, example={**examples.COURSE, "active": False})
def change_course_of_catalogue(context: RequestContext[Course], body: dict[str, Any]) -> Any:
    """Change a course, or take it out of the catalogue; listings and bookings of it stay what they are."""
    any_version = any_version_will_do(request)
    return tagged(
        change_course(context.db, actor=context.actor, course=context.subject, changes=body, any_version=any_version)
    )
