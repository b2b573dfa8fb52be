"""Reads the body of a request from a WSGI server before the application sees the request."""

import io
from wsgiref.types import WSGIEnvironment

from cinder_lite import errors

#: Bytes that are read at once.
PIECE = 65536
#: Bytes of a body that are received at all. A server that closes the connection before may cost the client the answer.
RECEIVED = 16 * 1024**2


class LengthRequired(errors.Error):
    """The body comes in chunks and the WSGI server does not decode them."""

    status = 411
    message = "The body has to be sent with Content-Length; chunks are not accepted here."


def buffer(environ: WSGIEnvironment, kept: int) -> None:
    """Replace wsgi.input by a buffer with the first bytes of the body, at least `kept` + 1 of a longer one.

    CONTENT_LENGTH is the length of the whole body afterwards. Raises BadRequest for a body that breaks off, and
    LengthRequired.
    """
    chunked = "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
    if chunked and not environ.get("wsgi.input_terminated"):
        raise LengthRequired()
    length = RECEIVED if chunked else _length(environ)
    pieces, received, limit = [], 0, min(length, RECEIVED)
    try:
        while received < limit and (piece := environ["wsgi.input"].read(min(PIECE, limit - received))):
            if received <= kept:
                pieces.append(piece)
            received += len(piece)
    except OSError as error:
        raise errors.BadRequest("The body breaks off, or its chunks are not as HTTP wants them.") from error
    if received < limit and not chunked:
        raise errors.BadRequest(f"The body breaks off after {received} of {length} bytes.")
    environ["wsgi.input"] = io.BytesIO(b"".join(pieces))
    if chunked:
        environ["CONTENT_LENGTH"] = str(received)


def _length(environ: WSGIEnvironment) -> int:
    text = environ.get("CONTENT_LENGTH") or "0"
    if not (text.isascii() and text.isdigit()):
        raise errors.BadRequest("Content-Length is not a number.")
    return int(text)
