"""The hand-written handler as a contender: beside a running product, on its database and with its people."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.contenders.base import process, wait_for_http
from cli.embedded import free_port
from tests.booking_system import Tutelage

NAME = "hand-written"
APPLICATION = "bench.contenders.handwritten_app"


@contextmanager
def running_handwritten(product: Tutelage, log: Path) -> Iterator[Tutelage]:
    """Its server, beside a product that has recorded a request and an acceptance.

    Args:
        product: whose database, people and free times it shares.
        log: takes its output.
    """
    url = f"http://127.0.0.1:{(port := free_port())}"
    with process([APPLICATION, str(port)], {"DATABASE_URL": product.database_url}, log) as program:
        wait_for_http(url, "/health/live", program, log)
        # It serves a part of the product's routes, in the same shapes.
        yield Tutelage(
            name=NAME,
            url=url,
            database_url=product.database_url,
            pids={"postgres": product.pids["postgres"], "api": program.pid},
            offers=product.offers,
            slots=product.slots,
        )
