"""Compression of answers that are long and much alike in themselves, where the client takes it.

For what is public alone: the length of a compressed answer tells of what is in it.
"""

import zlib
from collections.abc import Iterable, Iterator
from itertools import chain

from flask import Response, request

# Below, it all fits into a few packets.
LEAST_BYTES = 2_048
# Slots of a month: a fifteenth, in a quarter of a millisecond. Higher levels take longer, and save little more.
LEVEL = 1


_WITH_HEADER_OF_GZIP = 16 + zlib.MAX_WBITS


def compressed(chunks: Iterator[str], *, mimetype: str) -> Response:
    """An answer of these chunks, by gzip where that is worth it; its tag, which is made later, is made of its bytes.

    Where it is compressed, it is never there in whole before that.
    """
    first, length = [], 0
    while length < LEAST_BYTES and (chunk := next(chunks, None)) is not None:
        first.append(chunk.encode())
        length += len(first[-1])
    body = chain(first, (chunk.encode() for chunk in chunks))
    is_worth_it = length >= LEAST_BYTES and request.accept_encodings["gzip"] > 0
    response = Response(list(_zipped(body) if is_worth_it else body), mimetype=mimetype)
    response.vary.add("Accept-Encoding")
    if is_worth_it:
        response.headers["Content-Encoding"] = "gzip"
    return response


def _zipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    # Its header has no time: the same body is compressed to the same bytes, so that its tag stays.
    packer = zlib.compressobj(LEVEL, wbits=_WITH_HEADER_OF_GZIP)
    for chunk in chunks:
        yield packer.compress(chunk)
    yield packer.flush()
