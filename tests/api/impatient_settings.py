"""Gunicorn's settings of the API, for tests that wait for its patience to end: it ends sooner."""

from __future__ import annotations

import api.gunicorn_worker
from api.gunicorn_settings import *  # noqa: F403
from tests.api.served import IMPATIENT_SECONDS

api.gunicorn_worker.READ_SECONDS = IMPATIENT_SECONDS
