"""Deliberate defects, which a day of the market must find: each is other words in one module, or another statement.

`sitecustomize.py` puts one into every process of a system that is started with this folder on its path; nothing in the
product knows of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

VARIABLE = "FAULTS_DEFECT"


@dataclass(frozen=True)
class Defect:
    """One of them."""

    module: str = ""
    words: tuple[tuple[str, str], ...] = ()  # each with the words that replace it
    statements: tuple[str, ...] = ()  # run in the database
    faults: str = ""  # a part of the names of the faults that show it
    plays: tuple[str, ...] = ()  # the plays that show it; all where none is named

    def spoil(self, source: str) -> str:
        """The source of the module with the defect."""
        for right, wrong in self.words:
            assert right in source, f"{self.module} no longer has {right!r}"
            source = source.replace(right, wrong)
        return source

    def environment(self, name: str) -> dict[str, str]:
        """What a system is started with that has the defect."""
        return {VARIABLE: name, "PYTHONPATH": str(Path(__file__).parent)}


DEFECTS = {
    "mark-before-effect": Defect(
        "workers.outbound",
        (
            (
                "        began = monotonic()\n        with delivery_span(",
                "        if leased.effect.transport in ('mail', 'webhooks'):\n"
                "            self._settle(leased, SendResult())\n            sleep(0.5)\n"
                "            self._send(leased)\n            return\n"
                "        began = monotonic()\n        with delivery_span(",
            ),
        ),
        faults="kill worker-",
    ),
    "no-unique-constraint": Defect(
        statements=(
            "ALTER TABLE person_busy DROP CONSTRAINT ex_person_busy_user_id_busy",
            "ALTER TABLE person_busy DISABLE TRIGGER tr_person_busy_insert",
        ),
        faults="cut",
    ),
    "wake-up-without-row": Defect(
        "workflows.events.record",
        (
            (
                '"plans": [plan.as_json() for plan in plans],',
                '"plans": [plan.as_json() for plan in plans if plan.due_at or __import__("random").random() > 0.05],',
            ),
        ),
        faults="cut",
    ),
    "no-lease-check": Defect(
        "workflows.events.claim",
        (
            (" AND (d.lease_until IS NULL OR d.lease_until <= now())", ""),
            (" AND d.lease_until IS NULL AND d.due_at <= now()", " AND d.due_at <= now()"),
        ),
        faults="cut",
    ),
    "sweep-off": Defect("workers.sweep", (("        sweep.once()\n", "        pass\n"),), faults="FLUSHALL"),
    "commit-before-record": Defect(
        "workflows.events.record",
        (
            (
                "    known = active_subscriptions()\n    plans = [plan for event in events",
                "    db.connection.driver_connection.commit()\n    __import__('time').sleep(0.2)\n"
                "    known = active_subscriptions()\n    plans = [plan for event in events",
            ),
        ),
        faults="api",
    ),
    "refund-without-ledger": Defect(
        "workflows.effects.payments",
        (("    if sent.error is not None or isinstance(event, PaymentSurplus):\n", "    if True:\n"),),
        faults="cut",
    ),
    "seat-without-lock": Defect(
        "workflows.groups.seats",
        (
            (
                "lock_place(db, group, mentee_user_id)",
                "__import__('workflows.groups.place').groups.place.read_place(db, group.id, mentee_user_id)",
            ),
            (
                " AND seats_taken + seats_offered < capacity + :offered",
                " AND (SELECT g.seats_taken + g.seats_offered < g.capacity + :offered"
                " FROM group_sessions g, pg_sleep(0.2) WHERE g.booking_id = :booking_id)",
            ),
        ),
        # The database would refuse it.
        statements=("ALTER TABLE group_sessions DROP CONSTRAINT ck_group_sessions_seats",),
        faults="cut",
        plays=("group",),
    ),
}
