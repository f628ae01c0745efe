"""Courses: what several mentors may teach, each by a listing of it; operators keep the catalogue of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, insert, update
from uuid_utils.compat import uuid7

from models.catalog import courses
from workflows.errors import Forbidden, Stale
from workflows.identity.actor import Actor
from workflows.paging import NEWEST_FIRST, Page, PagedList, newest_first
from workflows.records import Record


@dataclass(frozen=True, kw_only=True)
class Course(Record):
    """What is taught; a course that is not active is no longer shown in the catalogue."""

    table = courses

    id: UUID
    title: str
    description: str | None
    active: bool
    created_at: datetime
    version: int


def course_query(course_id: UUID) -> Select[Any]:
    """The course of that id, active or not."""
    return Course.query().where(courses.c.id == course_id)


def courses_query(page: Page) -> Select[Any]:
    """Active courses, the newest first."""
    return newest_first(Course.query().where(courses.c.active), page, courses.c.id)


COURSES = PagedList(Course, NEWEST_FIRST, courses_query)


def create_course(db: Connection, *, actor: Actor, title: str, description: str | None = None) -> Course:
    """Add a course to the catalogue.

    Raises:
        Forbidden: the caller is no operator.
    """
    _operator(actor)
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
        any_version: the caller decided on no version in particular; what others change meanwhile stays, column by
            column.

    Raises:
        Forbidden: the caller is no operator.
        Stale: somebody changed it since `course` was read.
    """
    _operator(actor)
    if not changes:
        return course
    change = update(courses).where(courses.c.id == course.id).values(**changes).returning(*Course.columns())
    if not any_version:
        change = change.where(courses.c.version == course.version)
    row = db.execute(change).one_or_none()
    if row is None:
        raise Stale("The course has changed since it was read; read it again.")
    return Course.of(row)


def _operator(actor: Actor) -> None:
    if not actor.operator:
        raise Forbidden("Only an operator keeps the catalogue of courses.")
