"""Compression of answers that are long and much alike in themselves, where the client takes it.

For what is public alone: the length of a compressed answer tells of what is in it.
"""

from __future__ import annotations

import gzip

from flask import Response, request

# Below, it all fits into a few packets.
LEAST_BYTES = 2_048
# Slots of a month: a fifteenth, in a quarter of a millisecond. Higher levels take longer, and save little more.
LEVEL = 1


def compressed(response: Response) -> Response:
    """The answer, by gzip where that is worth it; its tag, which is made later, is that of the compressed body."""
    response.vary.add("Accept-Encoding")
    body = response.get_data()
    if len(body) >= LEAST_BYTES and request.accept_encodings["gzip"] > 0:
        # The same body is compressed to the same bytes, so that its tag stays.
        response.set_data(gzip.compress(body, compresslevel=LEVEL, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response
