"""Courses: what several mentors may teach, each by a listing of it; operators keep the catalogue of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, insert
from uuid_utils.compat import uuid7

from models.catalog import courses
from workflows.identity.actor import Actor, require_operator
from workflows.paging import NEWEST_FIRST, Page, PagedList
from workflows.transitions import VersionedRecord, update_record

_OPERATORS_ONLY = "Only an operator can change the catalogue of courses."


@dataclass(frozen=True, kw_only=True)
class Course(VersionedRecord):
    """What is taught; an inactive course is not shown in the catalogue."""

    table = courses

    title: str
    description: str | None
    active: bool
    created_at: datetime


def course_query(course_id: UUID) -> Select[Any]:
    """The course of that id, active or not."""
    return Course.query().where(courses.c.id == course_id)


def courses_query(page: Page) -> Select[Any]:
    """Active courses, the newest first."""
    return NEWEST_FIRST.select_page(Course.query().where(courses.c.active), page, courses.c.id)


COURSES = PagedList(Course, NEWEST_FIRST, courses_query)


def create_course(db: Connection, *, actor: Actor, title: str, description: str | None = None) -> Course:
    """Add a course to the catalogue.

    Raises:
        Forbidden: the caller is no operator.
    """
    require_operator(actor, _OPERATORS_ONLY)
    row = db.execute(
        insert(courses).values(id=uuid7(), title=title, description=description).returning(*Course.columns())
    ).one()
    return Course.of(row)


def change_course(
    db: Connection, *, actor: Actor, course: Course, changes: dict[str, Any], any_version: bool = False
) -> Course:
    """Change a course; listings, bookings and sessions of it stay what they are.

    Args:
        course: as the caller saw it.
        changes: columns of `courses` by name.
        any_version: the caller decided on no version in particular; concurrent changes of other columns stay.

    Raises:
        Forbidden: the caller is no operator.
        Stale: it has changed since `course` was read.
    """
    require_operator(actor, _OPERATORS_ONLY)
    return update_record(db, course, changes, subject="course", any_version=any_version)
