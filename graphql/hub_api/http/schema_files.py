"""The schema at addresses of its own, for code generators: SDL, and the possible types (Apollo).

The public part is for anybody; the whole needs a key that may ask about the schema.
"""

from collections.abc import Awaitable, Callable, Mapping

import orjson
from graphql import GraphQLSchema, build_schema, is_abstract_type, print_schema
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from hub_api.common.context import Context
from hub_api.engine.wire import RequestError, refusal
from hub_api.http.conditional import entity_tag, is_known
from hub_api.http.view import Unauthenticated
from hub_api.public.public_schema import public_sdl

SDL = "text/plain; charset=utf-8"
JSON = "application/json"
PUBLIC_SECONDS = 300

Find = Callable[[Request], Awaitable[Context]]


class SchemaFiles:
    """The routes; `caller` finds who asks, `may_introspect` says whether they may see the whole."""

    def __init__(
        self, schema: GraphQLSchema, caller: Find, may_introspect: Callable[[Context], bool]
    ) -> None:
        self._schema = schema
        self._caller = caller
        self._may_introspect = may_introspect
        self._made: dict[str, bytes] = {}

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            Route("/graphql/schema.graphql", self._whole(self._sdl, SDL)),
            Route("/graphql/possibleTypes.json", self._whole(self._types, JSON)),
            Route("/graphql/public/schema.graphql", self._public(self._public_sdl, SDL)),
            Route("/graphql/public/possibleTypes.json", self._public(self._public_types, JSON)),
        ]

    def _whole(self, make: Callable[[], bytes], media: str) -> Callable[[Request], object]:
        async def answer(request: Request) -> Response:
            try:
                context = await self._caller(request)
            except Unauthenticated as error:
                return _refused(RequestError.of(str(error), "UNAUTHENTICATED", 401))
            except RequestError as error:
                return _refused(error)
            if not self._may_introspect(context):
                return _refused(
                    RequestError.of(
                        "You may not ask about the schema.", "INTROSPECTION_DISABLED", 403
                    )
                )
            return self._file(request, make, media, {"cache-control": "private, no-cache"})

        return answer

    def _public(self, make: Callable[[], bytes], media: str) -> Callable[[Request], object]:
        cached = f"public, max-age={PUBLIC_SECONDS}"
        headers = {"cache-control": cached, "access-control-allow-origin": "*"}

        async def answer(request: Request) -> Response:
            return self._file(request, make, media, headers)

        return answer

    def _file(
        self,
        request: Request,
        make: Callable[[], bytes],
        media: str,
        headers: Mapping[str, str],
    ) -> Response:
        if make.__name__ not in self._made:
            self._made[make.__name__] = make()
        body = self._made[make.__name__]
        tag = entity_tag(body)
        headers = {**headers, "etag": tag.decode()}
        if is_known(tag, dict(request.scope["headers"])):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type=media, headers=headers)

    def _sdl(self) -> bytes:
        return print_schema(self._schema).encode()

    def _public_sdl(self) -> bytes:
        return public_sdl(self._schema).encode()

    def _types(self) -> bytes:
        return _possible_types(self._schema)

    def _public_types(self) -> bytes:
        return _possible_types(build_schema(public_sdl(self._schema)))


def _possible_types(schema: GraphQLSchema) -> bytes:
    """Return the concrete types of each union and interface, by its name."""
    found = {
        name: sorted(each.name for each in schema.get_possible_types(kind))
        for name, kind in schema.type_map.items()
        if is_abstract_type(kind)
    }
    return orjson.dumps(found, option=orjson.OPT_SORT_KEYS)


def _refused(error: RequestError) -> Response:
    reply = refusal(error, JSON)
    headers = {name.decode(): value.decode() for name, value in reply.headers}
    return Response(reply.body, reply.status, headers=headers, media_type=JSON)
