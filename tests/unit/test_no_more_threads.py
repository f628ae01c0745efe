"""Tests of senders on a machine that has no thread left: what cannot be sent is an error, and nobody waits for it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import pytest

from workers import senders
from workers.senders import Job, Jobs, Pool


def _no_thread(**_how: object) -> Thread:
    raise RuntimeError("can't start new thread")


def _nothing() -> None:
    """Nothing is left to be done."""


def test_what_no_thread_can_send_is_raised_and_everything_is_free_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pool, sent = Pool(1), Event()

    def send() -> Job:
        sent.set()
        return _nothing

    with monkeypatch.context() as poor:
        poor.setattr(senders, "Thread", _no_thread)
        jobs = Jobs(pool)
        assert pool.hire(1) == 1
        jobs.send(send)
        with ThreadPoolExecutor(1) as waiting, pytest.raises(RuntimeError, match="new thread"):
            waiting.submit(jobs.wait).result(20)
    assert not sent.is_set()

    # As soon as there are threads again, the same senders send.
    assert pool.hire(1) == 1
    later = Jobs(pool)
    later.send(send)
    later.wait()
    assert sent.is_set()
