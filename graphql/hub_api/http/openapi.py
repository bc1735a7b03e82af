"""The parts of the API that are no GraphQL, as an OpenAPI 3.1 document at ``/openapi.json``."""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from hub_api.http.conditional import entity_tag, is_known

Json = dict[str, Any]

_ERROR: Json = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
        }
    },
}
_RUN: Json = {
    "type": "object",
    "required": ["id", "state", "dryRun", "done"],
    "properties": {
        "id": {"type": "string"},
        "state": {"type": "string"},
        "dryRun": {"type": "boolean"},
        "done": {"type": "integer", "minimum": 0, "description": "Rows that are read in."},
    },
}
_STATUS: Json = {
    "type": "object",
    "required": ["status"],
    "properties": {"status": {"type": "string"}, "reason": {"type": "string"}},
}
_ACCEPTED: Json = {
    "type": "object",
    "required": ["accepted", "duplicate"],
    "properties": {"accepted": {"const": True}, "duplicate": {"type": "boolean"}},
}


def _answer(description: str, schema: Json) -> Json:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _parameter(name: str, description: str, **schema: Any) -> Json:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _text(name: str, description: str) -> Json:
    return _parameter(name, description, type="string")


def _switch(name: str, description: str) -> Json:
    words = ["true", "1", "yes", "false", "0", "no"]
    return _parameter(name, description, type="string", enum=words)


def _uploads() -> Json:
    return {
        "post": {
            "operationId": "importFile",
            "summary": "Read a file of units in",
            "description": "CSV, XLSX or Parquet as the body. The run goes on after the answer: "
            "ask `import(id:)` in GraphQL for its progress. The same file again goes on with its "
            "run.",
            "security": [{"key": []}],
            "parameters": [
                _text("location", "Code of the place where the units are."),
                _text("name", "Name of the file, for people; its ending tells nothing."),
                _text("product", "SKU of all rows, where the file names none."),
                _parameter(
                    "map",
                    "Column of the file for a field, as `serial=Seriennummer`.",
                    type="array",
                    items={"type": "string"},
                ),
                _text("delimiter", "Delimiter of a CSV; detected, if left out."),
                _text("encoding", "Encoding of a CSV; detected, if left out."),
                _text("sheet", "Sheet of a workbook; the first that is shown, if left out."),
                _switch("unserialized_stock", "The file counts stock without serials."),
                _switch("dryRun", "Judge each row and write nothing."),
            ],
            "requestBody": {
                "required": True,
                "content": {
                    "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
                },
            },
            "responses": {
                "200": _answer("The file was read in before.", _RUN),
                "202": _answer("The file is read in now.", _RUN),
                "401": _answer("The key is missing or unknown.", _ERROR),
                "403": _answer("The key may not import.", _ERROR),
                "413": _answer("The file is too large.", _ERROR),
                "422": _answer("The file or a parameter is refused.", _ERROR),
                "503": _answer("The database is away: send it again.", _ERROR),
            },
        }
    }


def _webhooks() -> Json:
    channel: Json = {
        "name": "channel",
        "in": "path",
        "required": True,
        "description": "Code of the channel.",
        "schema": {"type": "string", "minLength": 1},
    }
    return {
        "parameters": [channel],
        "post": {
            "operationId": "receiveWebhook",
            "summary": "Take a webhook of a channel",
            "description": "Signed as the channel signs; the signature is the credential.",
            "security": [],
            "requestBody": {"required": True, "content": {"application/json": {"schema": {}}}},
            "responses": {
                "202": _answer("It is stored; `duplicate`: it was before.", _ACCEPTED),
                "401": _answer("The signature is wrong, or no channel is there.", _ERROR),
                "413": _answer("The body is too large.", _ERROR),
                "503": _answer("It could not be verified now: send it again.", _ERROR),
            },
        },
        "get": {
            "operationId": "answerChallenge",
            "summary": "Answer a channel that asks whose address this is",
            "security": [],
            "responses": {
                "200": _answer("The answer that the channel expects.", {"type": "object"}),
                "405": _answer("The channel asks no such question.", _ERROR),
                "503": _answer("The database is away.", _ERROR),
            },
        },
    }


def _watched(operation: str, summary: str, *more: tuple[str, str]) -> Json:
    answers = {"200": _answer(summary, _STATUS)}
    answers |= {status: _answer(description, _STATUS) for status, description in more}
    return {
        "get": {
            "operationId": operation,
            "summary": summary,
            "security": [],
            "responses": answers,
        }
    }


def document() -> Json:
    """Return the document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Serial Hub",
            "version": "0.2.0",
            "description": "What is no GraphQL. The GraphQL API is at `/graphql`.",
        },
        "servers": [{"url": "/"}],
        "paths": {
            "/imports": _uploads(),
            "/webhooks/{channel}": _webhooks(),
            "/healthz": _watched("alive", "The process answers."),
            "/readyz": _watched("ready", "The hub answers.", ("503", "The database is away.")),
        },
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


_BODY = orjson.dumps(document(), option=orjson.OPT_INDENT_2)


async def openapi(request: Request) -> Response:
    """Answer with the document."""
    tag = entity_tag(_BODY)
    headers = {"etag": tag.decode(), "cache-control": "public, max-age=300"}
    if is_known(tag, dict(request.scope["headers"])):
        return Response(status_code=304, headers=headers)
    return Response(_BODY, media_type="application/json", headers=headers)
