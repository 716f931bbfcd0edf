"""The client node's two ways to write an answer: pretty-printed by itself, or a compact text passed on."""

from __future__ import annotations

import json

from dbc_exporter.simulator.protocol import Response

OK, BAD_REQUEST, NOT_FOUND, INTERNAL = 200, 400, 404, 500
INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, RESPONSE_ERROR, NO_ANSWER = -25, -32600, -32601, -32701, -1


def error(status: int, errcode: int, message: str) -> Response:
    """Return the client's own error: JSON over four lines, ended by CRLF."""
    quoted = json.dumps(message, ensure_ascii=False)
    body = f'{{\n    "errcode": {errcode},\n    "message": {quoted}\n}}\r\n'
    return Response(status, body.encode("utf-8", "surrogateescape"))


def invalid(message: str) -> Response:
    """Return the refusal of a parameter."""
    return error(BAD_REQUEST, INVALID_PARAMS, message)


def passed_on(text: str) -> Response:
    """Return a compact text, ended by CRLF."""
    return Response(OK, (text + "\r\n").encode("utf-8", "surrogateescape"))


def version(client_version: str) -> Response:
    """Return the answer of `/api/v1/`."""
    quoted = json.dumps(client_version)
    body = f'{{\n    "errcode": 0,\n    "message": {{\n        "client_version": {quoted}\n    }}\n}}\r\n'
    return Response(OK, body.encode())


ONLY_POST = error(BAD_REQUEST, INVALID_REQUEST, "only support POST request")
INVALID_URI = error(BAD_REQUEST, INVALID_REQUEST, "invalid requests uri")
UNHANDLED = error(INTERNAL, RESPONSE_ERROR, "Unhandled request")
UNKNOWN_NODE = error(BAD_REQUEST, RESPONSE_ERROR, "create node request failed")
TABLE_FULL = error(BAD_REQUEST, RESPONSE_ERROR, "create request session failed")
NO_PEERS = error(BAD_REQUEST, RESPONSE_ERROR, "broadcast request failed")
EMPTY_BODY = invalid("http request body is empty")
NO_PEER_ID = invalid("peer_nodeid is empty")
NO_IMAGE_SERVER = invalid("image_server not exist")
