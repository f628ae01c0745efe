"""What people usually write: Flask, the SQLAlchemy ORM, commit, then .delay() for every side effect; Celery's defaults.

The same steps and the same side effects as the product's own for a whole life of a booking: one notification row a
party, one counter, one signed webhook an event, a review permit, five mails of text and HTML (two with an invitation)
into a folder. No outbox, no guarantee: what dies between commit and delay is lost.
"""

import datetime as dt
import hashlib
import hmac
import json
import os
import pathlib
import time
import uuid
from email.message import EmailMessage

import jinja2
import requests
from celery import Celery
from flask import Flask, abort, request
from sqlalchemy import DateTime, ForeignKey, String, UniqueConstraint, create_engine, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, scoped_session, sessionmaker

engine = create_engine(os.environ["DATABASE_URL"], pool_size=20)
celery = Celery("usual", broker=os.environ["REDIS_URL"])
celery.conf.update(task_ignore_result=True, task_acks_late=True, broker_connection_retry_on_startup=True)
MAILS = pathlib.Path(os.environ.get("MAIL_FOLDER", "mail"))
TEXT = jinja2.Template("{{ title }}\n\n{{ name }}, {{ what }} on {{ when }}.\n\n-- \n{{ link }}\n")
HTML = jinja2.Template(
    "<html><body><h1>{{ title|e }}</h1><p>{{ name|e }}, {{ what|e }} on {{ when|e }}.</p><p><a href='{{ link }}'>Stop these mails</a></p></body></html>"
)
ICS = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//usual//\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:{0}\r\nDTSTAMP:{1}\r\nDTSTART:{1}\r\nSUMMARY:Session\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
HOOK, SECRET = os.environ.get("HOOK", ""), b"s" * 32
DB = scoped_session(sessionmaker(engine, expire_on_commit=False))


class Base(DeclarativeBase):
    type_annotation_map = {dict: JSONB, dt.datetime: DateTime(timezone=True)}


class User(Base):
    __tablename__ = "users"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    name: Mapped[str]


class Mentor(Base):
    __tablename__ = "mentors"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))


class Booking(Base):
    __tablename__ = "bookings"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    mentor_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("mentors.id"), index=True)
    mentee_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    status: Mapped[str] = mapped_column(String(20), default="draft")
    start_time: Mapped[dt.datetime]
    end_time: Mapped[dt.datetime]
    title: Mapped[str] = mapped_column(default="")


class SessionRow(Base):
    __tablename__ = "sessions"
    __table_args__ = (UniqueConstraint("booking_id"),)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    booking_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("bookings.id"))
    mentor_id: Mapped[uuid.UUID] = mapped_column(index=True)
    mentee_id: Mapped[uuid.UUID] = mapped_column(index=True)
    status: Mapped[str] = mapped_column(String(20), default="scheduled")
    start_time: Mapped[dt.datetime]
    end_time: Mapped[dt.datetime]


class Permit(Base):
    __tablename__ = "permits"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    session_id: Mapped[uuid.UUID] = mapped_column(unique=True)


class Notification(Base):
    __tablename__ = "notifications"
    __table_args__ = (UniqueConstraint("user_id", "kind", "subject"),)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    user_id: Mapped[uuid.UUID] = mapped_column(index=True)
    kind: Mapped[str]
    subject: Mapped[uuid.UUID]


class Count(Base):
    __tablename__ = "counts"
    day: Mapped[dt.date] = mapped_column(primary_key=True)
    mentor_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(default=0)


class Attempt(Base):
    __tablename__ = "attempts"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    event: Mapped[str]
    status: Mapped[int]


@celery.task(queue="celery", autoretry_for=(Exception,), retry_backoff=True)
def create_session(booking_id):
    with Session(engine, expire_on_commit=False) as db:
        b = db.get(Booking, uuid.UUID(booking_id))
        if db.scalar(select(SessionRow).where(SessionRow.booking_id == b.id)):
            return
        s = SessionRow(
            booking_id=b.id, mentor_id=b.mentor_id, mentee_id=b.mentee_id, start_time=b.start_time, end_time=b.end_time
        )
        db.add(s)
        db.commit()
        announce("session.created", s.id, s.mentor_id, s.mentee_id)


@celery.task(autoretry_for=(Exception,), retry_backoff=True)
def notify(kind, users, subject):
    with Session(engine) as db:
        for u in users:
            if not db.scalar(
                select(Notification).where(
                    Notification.user_id == uuid.UUID(u),
                    Notification.kind == kind,
                    Notification.subject == uuid.UUID(subject),
                )
            ):
                db.add(Notification(user_id=uuid.UUID(u), kind=kind, subject=uuid.UUID(subject)))
        db.commit()


@celery.task(autoretry_for=(Exception,), retry_backoff=True)
def mail(kind, user, subject):
    with Session(engine) as db:
        name = db.get(User, uuid.UUID(user)).name
    told = {
        "title": kind.replace(".", " "),
        "name": name,
        "what": kind,
        "when": dt.datetime.now(dt.UTC).strftime("%A, %d %B %Y, %H:%M"),
        "link": f"https://example.org/stop/{user}",
    }
    m = EmailMessage()
    m["From"], m["To"], m["Subject"], m["Message-ID"] = (
        "a@example.org",
        f"{user}@example.org",
        told["title"],
        f"<{uuid.uuid4()}@example.org>",
    )
    m.set_content(TEXT.render(told))
    m.add_alternative(HTML.render(told), subtype="html")
    if kind == "session.created":
        m.add_alternative(
            ICS.format(subject, dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")),
            subtype="calendar",
            params={"method": "REQUEST"},
        )
    MAILS.mkdir(exist_ok=True)
    (MAILS / f"{uuid.uuid4()}.eml").write_bytes(bytes(m))


@celery.task(autoretry_for=(Exception,), retry_backoff=True)
def count(kind, mentor):
    with Session(engine) as db:
        row = insert(Count).values(day=dt.date.today(), mentor_id=uuid.UUID(mentor), kind=kind, n=1)
        db.execute(row.on_conflict_do_update(index_elements=["day", "mentor_id", "kind"], set_={"n": Count.n + 1}))
        db.commit()


@celery.task(autoretry_for=(Exception,), retry_backoff=True)
def unlock(session_id, mentor, mentee):
    with Session(engine) as db:
        db.execute(insert(Permit).values(id=uuid.uuid4(), session_id=uuid.UUID(session_id)).on_conflict_do_nothing())
        db.commit()
    notify.delay("review.unlocked", [mentee], session_id)
    webhook.apply_async(("review.unlocked", session_id), queue="webhooks")


@celery.task(autoretry_for=(Exception,), retry_backoff=True)
def webhook(event, subject):
    body = json.dumps({"type": event, "id": subject, "at": time.time()}).encode()
    sign = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    r = requests.post(HOOK, data=body, headers={"Content-Type": "application/json", "X-Signature": sign}, timeout=10)
    r.raise_for_status()
    with Session(engine) as db:
        db.add(Attempt(event=event, status=r.status_code))
        db.commit()


def mentor_user(mentor):
    with Session(engine) as db:
        return str(db.get(Mentor, mentor).user_id)


def announce(event, subject, mentor, mentee):
    users = {"booking.requested": [mentor], "booking.accepted": [mentee]}.get(event, [mentor, mentee])
    notify.delay(event, [str(u) for u in users], str(subject))
    if event in ("booking.requested", "session.created", "session.completed"):
        for u in users:
            mail.delay(event, mentor_user(u) if u == mentor else str(u), str(subject))
    count.delay(event, str(mentor))
    webhook.apply_async((event, str(subject)), queue="webhooks")


app = Flask(__name__)


@app.teardown_appcontext
def close(_):
    DB.remove()


def me():
    if "X-Mentor-Profile-Id" in request.headers:
        return DB.get(Mentor, uuid.UUID(request.headers["X-Mentor-Profile-Id"])) or abort(401)
    return DB.get(User, uuid.UUID(request.headers["X-User-Id"])) or abort(401)


def show(x):
    return {
        c.name: (v.isoformat() if isinstance(v, dt.datetime) else str(v))
        for c in x.__table__.columns
        for v in [getattr(x, c.name)]
    }


@app.post("/people")
def people():
    u, v = User(name="m"), User(name="n")
    DB.add_all([u, v])
    DB.flush()
    m = Mentor(user_id=u.id)
    DB.add(m)
    DB.commit()
    return {"mentor": str(m.id), "mentee": str(v.id)}, 201


@app.post("/bookings")
def book():
    who, j = me(), request.get_json()
    start = dt.datetime.fromisoformat(j["startTime"])
    b = Booking(
        mentor_id=uuid.UUID(j["mentor"]), mentee_id=who.id, start_time=start, end_time=start + dt.timedelta(hours=1)
    )
    DB.add(b)
    DB.commit()
    announce("booking.requested", b.id, b.mentor_id, b.mentee_id)
    return show(b), 201


@app.patch("/bookings/<uuid:id>/accept")
def accept(id):
    who, b = me(), DB.get(Booking, id, with_for_update=True) or abort(404)
    if b.mentor_id != who.id:
        abort(403)
    if b.status != "draft":
        abort(400)
    DB.scalar(select(Mentor).where(Mentor.id == b.mentor_id).with_for_update())
    if DB.scalar(
        select(Booking).where(
            Booking.mentor_id == b.mentor_id,
            Booking.status == "accepted",
            Booking.start_time < b.end_time,
            Booking.end_time > b.start_time,
        )
    ):
        abort(409)
    b.status = "accepted"
    DB.commit()
    create_session.delay(str(b.id))
    announce("booking.accepted", b.id, b.mentor_id, b.mentee_id)
    return show(b), 202


@app.get("/bookings/<uuid:id>/session")
def session_of(id):
    return show(DB.scalar(select(SessionRow).where(SessionRow.booking_id == id)) or abort(404))


def move(id, old, new):
    who, s = me(), DB.get(SessionRow, id, with_for_update=True) or abort(404)
    if who.id not in (s.mentor_id, s.mentee_id):
        abort(403)
    if s.status != old:
        abort(400)
    s.status = new
    DB.commit()
    announce("session." + ("started" if new == "in_progress" else "completed"), s.id, s.mentor_id, s.mentee_id)
    if new == "completed":
        unlock.delay(str(s.id), str(s.mentor_id), str(s.mentee_id))
    return show(s)


@app.patch("/sessions/<uuid:id>/start")
def start(id):
    return move(id, "scheduled", "in_progress")


@app.patch("/sessions/<uuid:id>/complete")
def complete(id):
    return move(id, "in_progress", "completed")


if __name__ == "__main__":
    Base.metadata.create_all(engine)
