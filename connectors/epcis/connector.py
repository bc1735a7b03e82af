"""EPCIS 2.0: a partner's repository is reported what happened to our units.

Events go to ``/capture`` in batches, which the repository processes as a job. Before anything is
told it is looked up which of the events are there already, so that a repeat after a lost answer
tells nothing twice. Where a batch fails, what is there afterwards is taken and the rest is
reported in
halves, down to the one event that is refused. Some repositories dress a refusal as 500 (an object
that "has already been commissioned"): that is looked up too, and never tried for ever.

A unit that enters or leaves a kit is reported as an aggregation with the kit as its parent. It
cannot read what others capture. The credential needs to capture and to query events.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, field_validator

from connectors.contract import Connector, PushedEvent, PushEvents
from connectors.epcis.mapping import BIZ_STEPS, Namer, build_document, build_events
from connectors.errors import ConnectorError, NotFound, Rejected, Transient, Unknown
from connectors.remote import Remote
from hub.vocabulary import LedgerEvent

PAGES_MAX = 50
ERROR_CHARS_MAX = 160
VERSION = "2.0.0"
# Refusals of what is there already, dressed as failures of the server.
DRESSED = re.compile(
    r"already (been )?(commissioned|captured|exist)|exists? already|duplicate", re.IGNORECASE
)
TOO_MUCH = (400, 413, 422)


class EpcisSettings(BaseModel):
    """One repository."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: HttpUrl = Field(description="Where /capture and /events are")
    token: SecretStr | None = None
    token_header: str = "Authorization"
    token_prefix: str = "Bearer "
    own_address: HttpUrl | None = Field(
        None, description="Where names of our own begin: units without GTIN, places, documents"
    )
    locations: Mapping[str, str] = Field(
        default={}, description="Codes of our places to their GLN (13 digits) or URI"
    )
    actions: frozenset[str] = Field(
        default=frozenset(), description="Of the ledger; empty: all that EPCIS has words for"
    )
    batch_max: int = Field(50, ge=1, le=500)
    calls_per_second: float = Field(4.0, gt=0)

    @field_validator("locations")
    @classmethod
    def _known_forms(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for code, name in value.items():
            if not re.fullmatch(r"\d{13}|[A-Za-z][A-Za-z0-9+.-]*:\S+", name):
                raise ValueError(f"{code}: give a GLN of 13 digits, or a URI")
        return value


class Epcis(Connector[EpcisSettings], PushEvents):
    """One repository."""

    key: ClassVar[str] = "epcis"
    settings_model: ClassVar[type[BaseModel]] = EpcisSettings

    @classmethod
    def remote(cls, settings: EpcisSettings) -> Remote:
        """Describe the repository."""
        headers = {"GS1-EPCIS-Version": VERSION, "GS1-CBV-Version": VERSION}
        if settings.token is not None:
            token = f"{settings.token_prefix}{settings.token.get_secret_value()}"
            headers[settings.token_header] = token
        return Remote(
            base_url=str(settings.base_url).rstrip("/"),
            headers=headers,
            secrets=(settings.token.get_secret_value(),) if settings.token else (),
            calls_per_second=settings.calls_per_second,
        )

    async def check(self) -> None:
        """Read one event: it proves the credential, and that this is a repository."""
        await self._found({"perPage": "1"}, pages_max=1)

    def wants_event(self, event: LedgerEvent) -> bool:
        """Leave out what is a matter of our own house, and what the settings do not name."""
        if event.biz_step not in BIZ_STEPS:
            return False
        return not self.settings.actions or event.action in self.settings.actions

    async def push_events(self, events: Sequence[LedgerEvent]) -> Sequence[PushedEvent]:
        """Tell what is not there yet."""
        tellable: list[LedgerEvent] = []
        answers: list[PushedEvent] = []
        for event in events:
            try:
                build_events(event, self._namer)
            except Rejected as refusal:
                answers.append(PushedEvent(event.id, error=refusal))
            else:
                tellable.append(event)
        there = await self._known_ids(tellable)
        answers += [
            PushedEvent(each.id, answer="was there") for each in tellable if each.id in there
        ]
        rest = [each for each in tellable if each.id not in there]
        size = self.settings.batch_max
        for start in range(0, len(rest), size):
            answers += await self._capture(rest[start : start + size])
        return answers

    async def read_push(self, job: str, events: Sequence[LedgerEvent]) -> Sequence[PushedEvent]:
        """Look after a job; of one that failed, see what is there and tell the rest in halves."""
        response = await self.api.request(
            "GET", f"/capture/{quote(job, safe='')}", accept=(404, 410)
        )
        if response.status_code in (404, 410):
            there = await self._known_ids(events)
            lost = Unknown("the repository does not know the capture job any more")
            return [_verdict(each, there, lost) for each in events]
        state = _object(response)
        if state.get("running") is True:
            return [PushedEvent(each.id, job=job) for each in events]
        if state.get("success") is True:
            return [PushedEvent(each.id, answer=f"capture job {job}") for each in events]
        there = await self._known_ids(events)
        rest = [each for each in events if each.id not in there]
        done = [
            PushedEvent(each.id, answer=f"capture job {job}") for each in events if each not in rest
        ]
        if len(rest) > 1:
            return [*done, *await self._capture_in_halves(rest)]
        refusal = Rejected(f"capture job {job}: {_reasons(state)}")
        return [*done, *(PushedEvent(each.id, error=refusal) for each in rest)]

    @property
    def _namer(self) -> Namer:
        own = self.settings.own_address
        return Namer(str(own) if own else None, self.settings.locations)

    async def _capture(self, events: Sequence[LedgerEvent]) -> list[PushedEvent]:
        if not events:
            return []
        encoded = [each for event in events for each in build_events(event, self._namer)]
        single = len(events) == 1
        response = await self.api.request(
            "POST",
            "/capture",
            json=build_document(encoded, datetime.now(UTC)),
            headers={"GS1-Capture-Error-Behaviour": "proceed"},
            accept=(500,) if single else (500, *TOO_MUCH),
        )
        if response.status_code in TOO_MUCH:
            return await self._capture_in_halves(events)
        if response.status_code == 500:
            return await self._undressed(events, response)
        if response.status_code in (200, 201, 204):
            return [PushedEvent(each.id, answer="captured") for each in events]
        job = urlsplit(response.headers.get("location", "")).path.rstrip("/").rpartition("/")[2]
        if response.status_code != 202 or not job:
            raise Unknown(f"capture: {response.status_code} without the address of a job")
        return [PushedEvent(each.id, job=job) for each in events]

    async def _undressed(
        self, events: Sequence[LedgerEvent], response: httpx.Response
    ) -> list[PushedEvent]:
        """Tell a refusal that is dressed as a failure from a failure."""
        if not DRESSED.search(response.text[:4_000]):
            raise Transient("POST /capture: 500")
        if len(events) > 1:
            return await self._capture_in_halves(events)
        there = await self._known_ids(events)
        refusal = Rejected(f"refused with 500: {_short(response.text)}")
        return [_verdict(each, there, refusal) for each in events]

    async def _capture_in_halves(self, events: Sequence[LedgerEvent]) -> list[PushedEvent]:
        """Tell two halves apart from each other; a refusal of one event alone is its verdict."""
        middle = (len(events) + 1) // 2
        answers: list[PushedEvent] = []
        for half in (events[:middle], events[middle:]):
            try:
                answers += await self._capture(half)
            except (Rejected, NotFound) as refusal:
                answers += [PushedEvent(each.id, error=refusal) for each in half]
        return answers

    async def _known_ids(self, events: Sequence[LedgerEvent]) -> set[str]:
        """Return our ids of the events that the repository has, whole."""
        if not events:
            return set()
        wanted = {event.id: _names(event, self._namer) for event in events}
        ids = sorted({name for names in wanted.values() for name, _ in names})
        found = await self._found({"EQ_eventID": "|".join(ids), "perPage": str(len(ids) * 2)})
        known = {
            (str(each.get("eventID")), isinstance(each.get("errorDeclaration"), dict))
            for each in found
        }
        return {ours for ours, names in wanted.items() if names <= known}

    async def _found(
        self, params: dict[str, str], pages_max: int = PAGES_MAX
    ) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        for _ in range(pages_max):
            response = await self.api.request("GET", "/events", params=params)
            found += _events_in(_object(response))
            token = _next_token(response)
            if not token or pages_max == 1:
                return found
            params = {**params, "nextPageToken": token}
        raise Unknown("the pages of events do not end")


def _names(event: LedgerEvent, namer: Namer) -> set[tuple[str, bool]]:
    """Name what an event is reported as, each with whether it is a declaration of an error."""
    return {
        (str(each["eventID"]), "errorDeclaration" in each) for each in build_events(event, namer)
    }


def _verdict(event: LedgerEvent, there: set[str], otherwise: ConnectorError) -> PushedEvent:
    if event.id in there:
        return PushedEvent(event.id, answer="is there")
    return PushedEvent(event.id, error=otherwise)


def _object(response: httpx.Response) -> Mapping[str, Any]:
    try:
        found = response.json()
    except ValueError as error:
        raise Unknown(f"{response.request.url.path}: the answer is not JSON") from error
    if not isinstance(found, dict):
        raise Unknown(f"{response.request.url.path}: the answer is no object")
    return found


def _events_in(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found: Any = answer
    for step in ("epcisBody", "queryResults", "resultsBody", "eventList"):
        found = found.get(step) if isinstance(found, dict) else None
    if not isinstance(found, list):
        raise Unknown("events: the answer holds no list of events")
    return [each for each in found if isinstance(each, dict)]


def _next_token(response: httpx.Response) -> str:
    """Read the token of the next page from the Link header (RFC 8288)."""
    address = response.links.get("next", {}).get("url", "")
    return httpx.URL(address).params.get("nextPageToken", "") if address else ""


def _reasons(state: Mapping[str, Any]) -> str:
    errors = state.get("errors")
    said = [
        str(each.get("detail") or each.get("title") or each.get("type") or "")
        for each in (errors if isinstance(errors, list) else [])
        if isinstance(each, dict)
    ]
    return _short("; ".join(said) or str(state.get("errorFile") or "no reason is given"))


def _short(text: str) -> str:
    return " ".join(text.split())[:ERROR_CHARS_MAX]
