"""Requests before they are requests: bodies as they come in, and refusals of what is no HTTP at all."""

from __future__ import annotations

import io
import json
import socket
from http import HTTPStatus

from gunicorn.http import errors
from gunicorn.http.body import Body, LengthReader
from gunicorn.http.message import Request

from api.bodies import LARGEST_BODY
from api.errors import SENTENCES, shape


class CutOff(errors.ParseException):
    """The client went away, or took too long, before its body was whole."""


# What gunicorn says with a kind of error; anything else it cannot read is a 400.
STATUS_OF_ERROR: dict[type[Exception], int] = {
    CutOff: 408,
    errors.ForbiddenProxyRequest: 403,
    errors.LimitRequestLine: 414,
    errors.ExpectationFailed: 417,
    errors.LimitRequestHeaders: 431,
    errors.UnsupportedTransferCoding: 501,
}
_OURS = (errors.InvalidResponseHeader, errors.InvalidResponseHeaderName, errors.ConfigurationProblem)
_SENTENCES = {
    400: "This is no HTTP request that could be understood.",
    403: "This proxy is not believed.",
    408: "The request took too long to arrive, or ended before its body was whole.",
    414: "The address is too long.",
    417: "No expectation but 100-continue can be met.",
    431: "The headers are too many or too long.",
    500: SENTENCES[500],
    501: "This transfer coding is not known here.",
}


def read_whole(request: Request, client: socket.socket) -> None:
    """Wait for the request's body, and put it into memory where the application finds it.

    A body that is larger than the application takes is left where it is, and its connection is not used again.

    Raises:
        CutOff: it ended too early.
    """
    reader = request.body.reader
    announced = reader.length if isinstance(reader, LengthReader) else None
    invited, request._expected_100_continue = request._expected_100_continue, False
    if announced is not None and announced > LARGEST_BODY:
        request.force_close()
        return
    if invited:
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    try:
        raw = request.body.read(LARGEST_BODY + 1)
    except errors.NoMoreData as error:
        raise CutOff from error
    if announced is not None and len(raw) < announced:
        raise CutOff
    if len(raw) > LARGEST_BODY:
        request.force_close()
    request.body = Body(io.BytesIO(raw))


def refusal_of(error: Exception, request_id: str) -> tuple[int, bytes]:
    """The status and the whole answer, head and body, for an error that no application sees."""
    status = _status_of(error)
    code = "internal_error" if status == 500 else "invalid_request"
    body = json.dumps(shape(status, code, _SENTENCES[status], request_id)).encode()
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "X-Content-Type-Options: nosniff",
        f"X-Request-Id: {request_id}",
    )
    return status, "\r\n".join((*head, "", "")).encode("ascii") + body


def _status_of(error: Exception) -> int:
    if not isinstance(error, errors.ParseException) or isinstance(error, _OURS):
        return 500
    return STATUS_OF_ERROR.get(type(error), 400)
