"""Answering a question: find its document, hold it to the limits, run it, say what went wrong.

HTTP and WebSockets share this: whoever asks over a socket meets the same limits, the same
masking of errors and the same time limit. Operations run on graphql-core directly, beneath
Strawberry's extension runner; resolvers, Info, scalars, exception handlers and DataLoaders are
part of the schema itself and notice no difference.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from inspect import isawaitable
from typing import Any, Protocol, TypeGuard, cast

from graphql import ExecutionResult, GraphQLError, execute_root_selection_set, subscribe
from strawberry import Schema
from strawberry.exceptions import StrawberryInputCoercionError
from strawberry.execution import optimized_is_awaitable

from hub_api.engine.asked import Asked
from hub_api.engine.documents import (
    Document,
    Documents,
    Formatted,
    Operation,
    core_schema,
    digest,
    formatted,
)
from hub_api.engine.limits import LimitExceeded, are_many
from hub_api.engine.plan_objects import Bail
from hub_api.engine.waiting import within
from hub_api.engine.wire import TRY_AGAIN, TRY_AGAIN_WORDS, RequestError, try_again

logger = logging.getLogger(__name__)

#: What the limiter takes for reading a document never seen before: about 2 ms.
DOCUMENT_MISS_COST = 100
#: What it takes for variables that are read and refused: up to 4 MiB of JSON, about 50 ms.
REFUSED_COST = 2_000
#: A page of a thousand broken fields is one bug, not a thousand log entries.
LOGGED_ERRORS_MAX = 5
#: Fields that are not public, named in one refusal.
FIELDS_NAMED = 5

Expose = Callable[[BaseException], Mapping[str, Any] | None]
Spend = Callable[[Any, int], Awaitable[float | None]]
Payload = dict[str, Any]

# Strawberry's faster test; its signature only promises a bool.
_is_awaitable = cast("Callable[[Any], TypeGuard[Awaitable[Any]]]", optimized_is_awaitable)


class Gate(Protocol):
    """Holds some callers to trusted documents over some fields."""

    fields: frozenset[str]
    """The fields that they may select, as schema coordinates."""

    def holds(self, context: Any) -> bool:
        """Return whether the caller is held."""

    async def text(self, context: Any, sha256: str) -> str | None:
        """Return the trusted document of a hash; None if it is not trusted."""


class Execution:
    """The one way in which this process answers GraphQL."""

    def __init__(
        self,
        schema: Schema,
        documents: Documents,
        *,
        expose: Expose,
        may_introspect: Callable[[Any], bool],
        spend: Spend | None = None,
        gate: Gate | None = None,
        timeout_seconds: float = 30.0,
        plans: bool = True,
    ) -> None:
        if schema.get_extensions():
            raise ValueError("Schema extensions and operation directives would not run here.")
        self.schema = core_schema(schema)
        self.documents = documents
        self._executor_class = schema.execution_context_class
        self._expose = expose
        self._may_introspect = may_introspect
        self._spend = spend
        self._gate = gate
        self._timeout_seconds = timeout_seconds
        self._plans = plans

    async def find(self, asked: Asked, context: Any) -> Document:
        """Return the valid document that is meant, or raise `RequestError`."""
        if self._gate is not None and self._gate.holds(context):
            return await self._trusted(self._gate, asked, context)
        sha256 = asked.sha256()
        document = self._by_hash(sha256) if asked.query is None else None
        if document is None:
            assert asked.query is not None
            document = self.documents.known(asked.query)
            if document is None:
                await self._charge(context, DOCUMENT_MISS_COST)
                document = self.documents.load(asked.query)
            if sha256 is not None and not document.errors:
                self._persist(sha256, asked.query)
        if document.errors:
            raise RequestError(document.errors)
        return document

    async def _trusted(self, gate: Gate, asked: Asked, context: Any) -> Document:
        """Return the trusted document that is meant, by its text or its hash."""
        sha256 = digest(asked.query) if asked.query is not None else asked.sha256()
        if sha256 is None:
            raise RequestError.of("There is no query in this request.")
        text = await gate.text(context, sha256)
        if text is None:
            await self._charge(context, DOCUMENT_MISS_COST)
            raise RequestError.of(
                "This key asks trusted documents only, and this is none: push it with "
                "`serial-hub documents push`.",
                "DOCUMENT_NOT_TRUSTED",
                403,
                forced=False,
            )
        document = self.documents.load(text)
        if document.errors:
            raise RequestError(document.errors)
        return document

    def _check_fields(self, operation: Operation, context: Any) -> None:
        gate = self._gate
        if gate is None or not gate.holds(context):
            return
        if hidden := sorted(operation.static.coordinates - gate.fields):
            names = ", ".join(hidden[:FIELDS_NAMED])
            raise RequestError.of(f"Not public: {names}.", "FIELD_NOT_PUBLIC", 403, forced=False)

    def _by_hash(self, sha256: str | None) -> Document:
        if sha256 is None:
            raise RequestError.of("There is no query in this request.")
        document = self.documents.by_hash(sha256)
        if document is None:
            raise RequestError.of(
                "PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND", forced=False
            )
        return document

    def _persist(self, sha256: str, text: str) -> None:
        if digest(text) != sha256:
            raise RequestError.of("sha256Hash is not the hash of this query.")
        self.documents.persist(sha256, text)

    async def admit(self, document: Document, asked: Asked, context: Any) -> Operation:
        """Choose the operation and let it pass the limits, or raise `RequestError`."""
        try:
            operation = document.operation(asked.operation_name)
            cost = operation.cost(asked.variables)
        except LimitExceeded as error:
            await self._charge(context, REFUSED_COST)
            raise RequestError([formatted(error, error.code)]) from None
        except GraphQLError as error:
            raise RequestError([formatted(error, "OPERATION_RESOLUTION_FAILURE")]) from None
        self._check_fields(operation, context)
        if operation.static.introspection and not self._may_introspect(context):
            raise RequestError.of(
                "You may not ask about the schema.", "INTROSPECTION_DISABLED", forced=False
            )
        await self._charge(context, cost)
        return operation

    async def _charge(self, context: Any, cost: int) -> None:
        if self._spend is None:
            return
        wait_seconds = await self._spend(context, cost)
        if wait_seconds is not None:
            seconds = max(1, -int(-wait_seconds // 1))
            raise RequestError.of(
                f"You have asked for too much at once: wait {seconds} s.",
                "RATE_LIMITED",
                429,
                headers=((b"retry-after", str(seconds).encode()),),
            )

    async def run(
        self, operation: Operation, asked: Asked, context: Any, correlation: str
    ) -> Payload:
        """Run a query or a mutation; raise `RequestError` when nothing was run."""
        direct = operation.planner.direct() if self._plans else None
        if direct is not None:
            try:
                answer = direct.answer(context, asked.variables)
                return {"data": await within(answer, self._timeout_seconds)}
            except (Bail, TimeoutError):
                operation.planner.bailed_directly()
        try:
            executor = await self._built(operation, asked, context)
            result = self._start(operation, executor)
            if not isinstance(result, ExecutionResult):
                async with asyncio.timeout(self._timeout_seconds) as limit:
                    result = await result
        except TimeoutError:
            raise self._out_of_time(limit) from None
        except RecursionError:
            raise RequestError.of(
                "The variables are nested too deeply.", "DEPTH_LIMIT", forced=False
            ) from None
        return self._whole(self.payload(result, correlation))

    def _whole(self, payload: Payload) -> Payload:
        """Return an answer; raise `RequestError` where all of it is lost to a passing trouble."""
        errors = payload.get("errors", ())
        codes = [error.get("extensions", {}).get("code") for error in errors]
        if payload["data"] is None and TRY_AGAIN in codes:
            raise try_again()
        return payload

    async def _built(self, operation: Operation, asked: Asked, context: Any) -> Any:
        """Make the executor, which coerces the variables: many of them beside the event loop."""

        def build() -> Any:
            return self._executor_class.build(
                self.schema,
                operation.ast,
                context_value=context,
                raw_variable_values=dict(asked.variables),
                operation_name=operation.name,
                is_awaitable=_is_awaitable,
                hide_suggestions=True,
                operation_extensions=asked.extensions,
            )

        many = are_many(asked.variables)
        return await asyncio.to_thread(build) if many else build()

    def _start(
        self, operation: Operation, executor: Any
    ) -> ExecutionResult | Awaitable[ExecutionResult]:
        if isinstance(executor, list):
            return ExecutionResult(None, errors=executor)
        plan = operation.planner.plan(executor) if self._plans else None
        if plan is None:
            return execute_root_selection_set(executor)
        try:
            data, run = plan.start(executor)
        except Bail:
            operation.planner.bailed()
            return execute_root_selection_set(executor)
        if not run.waiting:
            return ExecutionResult(data, errors=None)

        async def finish() -> ExecutionResult:
            try:
                await plan.finish(run)
            except Bail:
                operation.planner.bailed()
                again = execute_root_selection_set(executor)
                return again if isinstance(again, ExecutionResult) else await again
            return ExecutionResult(data, errors=None)

        return finish()

    def _out_of_time(self, limit: asyncio.Timeout) -> RequestError:
        assert limit.expired()
        return RequestError.of(
            f"Stopped after {self._timeout_seconds:g} s. A mutation may have taken effect: "
            "repeat it with the same idempotency key.",
            "TIMEOUT",
            503,
            forced=False,
        )

    async def stream(
        self, operation: Operation, asked: Asked, context: Any, correlation: str
    ) -> AsyncGenerator[Payload, None]:
        """Start a subscription; raise `RequestError` when it does not start."""
        try:
            async with asyncio.timeout(self._timeout_seconds) as limit:
                source = subscribe(
                    self.schema,
                    operation.ast,
                    context_value=context,
                    variable_values=dict(asked.variables),
                    operation_name=operation.name,
                    executor_class=self._executor_class,
                    is_awaitable=_is_awaitable,
                    hide_suggestions=True,
                    operation_extensions=asked.extensions,
                )
                if isawaitable(source):
                    source = await source
        except TimeoutError:
            raise self._out_of_time(limit) from None
        if isinstance(source, ExecutionResult):
            raise RequestError(self.payload(source, correlation)["errors"])
        return self._events(source, context, correlation)

    async def _events(
        self, source: Any, context: Any, correlation: str
    ) -> AsyncGenerator[Payload, None]:
        try:
            async for result in source:
                payload = self.payload(result, correlation)
                if (cursor := getattr(context, "cursor", None)) is not None:
                    payload["extensions"] = {"cursor": cursor}
                yield payload
        except Exception as error:
            failure = GraphQLError(str(error), original_error=error)
            yield {"data": None, "errors": self._shown([failure], correlation)}
        finally:
            await source.aclose()

    def payload(self, result: ExecutionResult, correlation: str) -> Payload:
        """Return the answer as JSON will show it; raise `RequestError` when nothing was run."""
        if not result.errors:
            return {"data": result.data}
        if result.data is None and all(error.path is None for error in result.errors):
            raise RequestError(formatted(error, "BAD_USER_INPUT") for error in result.errors)
        return {"data": result.data, "errors": self._shown(result.errors, correlation)}

    def _shown(self, errors: list[GraphQLError], correlation: str) -> list[Formatted]:
        shown, hidden = [], 0
        for error in errors:
            entry = self._open(error)
            if entry is None:
                hidden += 1
                if hidden <= LOGGED_ERRORS_MAX:
                    log_bug(error.original_error or error, correlation, error.path)
                entry = {**error.formatted, **masked(correlation)}
            shown.append(entry)
        return shown

    def _open(self, error: GraphQLError) -> Formatted | None:
        """Return an error that the client may read, or None for a bug of ours."""
        cause = error.original_error or error
        extensions = self._expose(cause)
        if extensions is not None:
            # What a driver says of its server is not for clients.
            words = TRY_AGAIN_WORDS if extensions["code"] == TRY_AGAIN else str(cause)
            return {**error.formatted, "message": words, "extensions": dict(extensions)}
        # graphql-core names the place in the document when an argument is wrong; an error of
        # the server's own value has no place of its own there.
        if isinstance(cause, StrawberryInputCoercionError) or (
            isinstance(cause, GraphQLError) and cause.nodes and cause.original_error is None
        ):
            return formatted(error, "BAD_USER_INPUT")
        return None


def masked(correlation: str) -> Payload:
    """Return what a client learns of a bug: that there is one, and where we will find it."""
    return {
        "message": "Something went wrong on our side. Quote the request id when you ask about it.",
        "extensions": {"code": "INTERNAL", "requestId": correlation},
    }


def log_bug(error: BaseException, correlation: str, path: object = None) -> None:
    """Log a masked error with its traceback, under the id that the client was given."""
    logger.error(
        "GraphQL request %s failed at %s",
        correlation,
        path or "-",
        exc_info=(type(error), error, error.__traceback__),
        extra={"request_id": correlation},
    )
