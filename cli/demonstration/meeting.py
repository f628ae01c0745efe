"""Third act: the session is started and completed, and its completion fans out."""

from __future__ import annotations

from cli.demonstration.decision import Booked
from cli.demonstration.expecting import expect_mail, expect_webhook
from cli.demonstration.failure import DemoFailed
from cli.demonstration.people import Cast
from cli.demonstration.scene import Scene
from workflows.events.catalogue import SessionCompleted, SessionStarted

COMPLETION = {
    "notes": "We went through two offers.",
    "rating": 5,
    "feedback": "Well prepared.",
    "actionItems": ["Write to the second company", "Read the contract"],
}


def meet(scene: Scene, cast: Cast, booked: Booked) -> None:
    """Play a session's life to its end."""
    scene.show.act("The session is held, and its completion fans out")
    _start(scene, cast, booked)
    _complete(scene, cast, booked)
    mine = cast.mentee.get("/sessions/mentee/my-sessions?status=completed")
    if [session["id"] for session in mine.body["items"]] != [booked.session_id]:
        raise DemoFailed("The mentee's list of completed sessions does not hold this one alone.", process="api")
    scene.show.step("the mentee finds it in their list", by="api", milliseconds=mine.milliseconds)


def _start(scene: Scene, cast: Cast, booked: Booked) -> None:
    answer = cast.mentee.post(f"/sessions/{booked.session_id}/start", expect=200)
    scene.show.step("the mentee starts the session: in_progress", by="api", milliseconds=answer.milliseconds)
    webhook = expect_webhook(scene, "session.started", booked.session_id)
    effects = booked.effects
    scene.await_all([*effects.expect_of(SessionStarted), webhook], since=answer.sent_at, refresh=effects.refresh)


def _complete(scene: Scene, cast: Cast, booked: Booked) -> None:
    mails = [expect_mail(scene, cast.mentee_mail, "mentee"), expect_mail(scene, cast.mentor_mail, "mentor")]
    answer = cast.mentor.post(f"/sessions/{booked.session_id}/complete", COMPLETION, expect=200)
    scene.show.step("the mentor completes it, with notes: completed", by="api", milliseconds=answer.milliseconds)
    webhook = expect_webhook(scene, "session.completed", booked.session_id)
    effects = booked.effects
    expected = [*effects.expect_of(SessionCompleted), *mails, webhook, effects.expect_all()]
    scene.await_all(expected, since=answer.sent_at, refresh=effects.refresh)
