"""A manufacturer's warranty service over REST, described by configuration instead of code.

One look-up path (or one that takes several serials), optionally one for registrations, and a map
from the manufacturer's fields and status words to ours. 404 is an answer, "not known", and never
turns into "not covered"; a status word that is not in the map is UNKNOWN as well.

It cannot: get tokens by OAuth (give it a token that lasts), read dates that are neither ISO 8601
nor in the one configured format, or prune coverages by product-specific codes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from string import Formatter
from typing import Any, ClassVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, field_validator

from connectors.contract import Connector, LookupWarranty, RegisterWarranty
from connectors.errors import Conflict, Rejected, Unknown
from connectors.remote import Remote
from connectors.toolkit.json_fields import parsed_json
from connectors.toolkit.warranty_status import NO_DAY, READER
from connectors.unreadable import Unreadable, UnreadableRecord
from hub.vocabulary import Coverage, Registration, Warranty, WarrantyQuestion, WarrantyStatus

PLACEHOLDERS = frozenset({"serial", "serials", "product"})


class WarrantyFields(BaseModel):
    """Where the answer says what: dotted paths, with numbers for places in a list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    items: str = Field("", description="The list of a batch answer; empty: the answer itself")
    serial: str = "serial"
    status: str = Field("status", description="Empty: derive the status from the last day")
    registered: str = "registered"
    starts_on: str = "starts_on"
    ends_on: str = "ends_on"
    sold_on: str = Field("", description="The day of the sale on record; empty: not stated")
    product: str = Field("", description="Its own product number; empty: not stated")
    reference: str = Field("", description="Of the registration on record; empty: not stated")
    coverages: str = "coverages"
    coverage_name: str = "name"
    coverage_starts_on: str = "starts_on"
    coverage_ends_on: str = "ends_on"


class RegistrationFields(BaseModel):
    """What the manufacturer calls the four things that a registration says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reference: str = "reference"
    serial: str = "serial"
    product: str = "product"
    sold_on: str = "sold_on"


class WarrantyRestSettings(BaseModel):
    """One manufacturer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: HttpUrl
    token: SecretStr
    token_header: str = "Authorization"
    token_prefix: str = "Bearer "
    lookup_path: str = Field(
        "/warranties/{serial}", description="{serial} and {product} are filled"
    )
    batch_path: str | None = Field(None, description="{serials} is filled, separated by commas")
    batch_max: int = Field(25, ge=1, le=500)
    registration_path: str | None = None
    fields: WarrantyFields = WarrantyFields()
    registration_fields: RegistrationFields = RegistrationFields()
    status_words: Mapping[str, WarrantyStatus] = Field(
        default={word.value: word for word in WarrantyStatus},
        description="The manufacturer's words, in any case; also true and false",
    )
    date_format: str | None = Field(None, description="As in strptime; ISO 8601 needs none")
    calls_per_second: float = Field(2.0, gt=0)

    @field_validator("lookup_path", "batch_path")
    @classmethod
    def _known_placeholders(cls, value: str | None) -> str | None:
        try:
            names = {name for _, name, _, _ in Formatter().parse(value or "") if name is not None}
        except ValueError:
            raise ValueError("is not a template") from None
        if not names <= PLACEHOLDERS:
            raise ValueError("may hold {serial}, {serials} and {product} only")
        return value


class WarrantyRest(Connector[WarrantyRestSettings], LookupWarranty, RegisterWarranty):
    """One manufacturer's look-up and, where it takes them, registrations."""

    key: ClassVar[str] = "warranty_rest"
    settings_model: ClassVar[type[BaseModel]] = WarrantyRestSettings
    questions_max: ClassVar[int] = 25

    @classmethod
    def remote(cls, settings: WarrantyRestSettings) -> Remote:
        """Describe the manufacturer's service."""
        token = f"{settings.token_prefix}{settings.token.get_secret_value()}"
        return Remote(
            base_url=str(settings.base_url).rstrip("/"),
            headers={settings.token_header: token},
            calls_per_second=settings.calls_per_second,
        )

    async def check(self) -> None:
        """Look up a serial that nobody has: "not known" proves the token."""
        await self.lookup_warranty([WarrantyQuestion(serial="SERIAL-HUB-CHECK", product="CHECK")])

    async def lookup_warranty(
        self, questions: Sequence[WarrantyQuestion]
    ) -> Sequence[Warranty | UnreadableRecord]:
        """Ask about each serial, or about several at once where the manufacturer lets us."""
        if self.settings.batch_path is None:
            return [await self._lookup(question) for question in questions]
        size = self.settings.batch_max
        answers: list[Warranty | UnreadableRecord] = []
        for start in range(0, len(questions), size):
            answers.extend(await self._lookup_batch(questions[start : start + size]))
        return answers

    async def register_warranty(self, registration: Registration) -> Warranty:
        """Register a sold unit. What is registered already is an answer, not an error."""
        if self.settings.registration_path is None:
            raise Rejected("this manufacturer takes no registrations")
        names = self.settings.registration_fields
        body = {
            names.reference: registration.reference,
            names.serial: registration.serial,
            names.product: registration.product,
            names.sold_on: registration.sold_on.isoformat(),
        }
        response = await self.api.request(
            "POST",
            self.settings.registration_path,
            json=body,
            headers={"Idempotency-Key": registration.reference},
            repeat=True,
            accept=(409,),
        )
        question = WarrantyQuestion(serial=registration.serial, product=registration.product)
        warranty = await self._lookup(question)
        if isinstance(warranty, UnreadableRecord):
            raise Unreadable(warranty)
        if response.status_code == 409 and not warranty.registered:
            raise Conflict(f"registration of {registration.serial} refused, yet none is on record")
        return warranty

    async def _lookup(self, question: WarrantyQuestion) -> Warranty | UnreadableRecord:
        path = _filled(self.settings.lookup_path, [question.serial], question.product)
        response = await self.api.request("GET", path, accept=(404, 410))
        if response.status_code in (404, 410):
            return Warranty(serial=question.serial, status=WarrantyStatus.UNKNOWN)
        answer = _decoded(response.content)
        found = _reach(answer, self.settings.fields.items)
        if isinstance(found, list):
            return self._chosen(found, question)
        return self._answered(found, question)

    async def _lookup_batch(
        self, questions: Sequence[WarrantyQuestion]
    ) -> list[Warranty | UnreadableRecord]:
        if not questions:
            return []
        serials = [question.serial for question in questions]
        path = _filled(self.settings.batch_path or "", serials, questions[0].product)
        response = await self.api.request("GET", path, accept=(404, 410))
        found: Any = []
        if response.status_code == 200:
            found = _reach(_decoded(response.content), self.settings.fields.items)
        items = found if isinstance(found, list) else [found]
        return [self._chosen(items, question) for question in questions]

    def _answered(self, item: Any, question: WarrantyQuestion) -> Warranty | UnreadableRecord:
        try:
            return READER.one(item, lambda read: self._warranty(read, question.serial))
        except Unreadable as error:
            return replace(error.record, ref=question.serial)

    def _chosen(
        self, items: Iterable[Any], question: WarrantyQuestion
    ) -> Warranty | UnreadableRecord:
        """Pick the item of a serial; a serial that several products share stays unknown."""
        wanted = question.serial.casefold()
        matches = [
            item
            for item in items
            if str(_reach(item, self.settings.fields.serial) or "").casefold() == wanted
        ]
        if len(matches) != 1:
            return Warranty(serial=question.serial, status=WarrantyStatus.UNKNOWN)
        return self._answered(matches[0], question)

    def _warranty(self, item: Any, serial: str) -> Warranty:
        fields = self.settings.fields
        coverages = tuple(self._coverage(each) for each in _listed(_reach(item, fields.coverages)))
        starts = [each.starts_on for each in coverages if each.starts_on]
        ends = [each.ends_on for each in coverages if each.ends_on]
        ends_on = self._day(_reach(item, fields.ends_on)) or max(ends, default=None)
        return Warranty(
            serial=serial,
            status=self._status(_reach(item, fields.status) if fields.status else None, ends_on),
            registered=self._registered(_reach(item, fields.registered)),
            starts_on=self._day(_reach(item, fields.starts_on)) or min(starts, default=None),
            ends_on=ends_on,
            coverages=coverages,
            sold_on=self._day(_reach(item, fields.sold_on)) if fields.sold_on else None,
            product=self._text(item, fields.product),
            reference=self._text(item, fields.reference),
        )

    def _text(self, item: Any, path: str) -> str:
        """Read a text; empty where the settings name no place of it, or nothing stands there."""
        said = _reach(item, path) if path else None
        return "" if said is None else str(said)

    def _coverage(self, item: Any) -> Coverage:
        fields = self.settings.fields
        return Coverage(
            name=str(_reach(item, fields.coverage_name) or ""),
            starts_on=self._day(_reach(item, fields.coverage_starts_on)),
            ends_on=self._day(_reach(item, fields.coverage_ends_on)),
        )

    def _status(self, said: Any, ends_on: date | None) -> WarrantyStatus:
        if self.settings.fields.status:
            words = {word.casefold(): ours for word, ours in self.settings.status_words.items()}
            return words.get(str(said).casefold(), WarrantyStatus.UNKNOWN)
        if ends_on is None:
            return WarrantyStatus.UNKNOWN
        covered = ends_on >= datetime.now(UTC).date()
        return WarrantyStatus.COVERED if covered else WarrantyStatus.EXPIRED

    def _registered(self, said: Any) -> bool:
        return str(said).casefold() not in ("", "none", "false", "no", "n", "0")

    def _day(self, said: Any) -> date | None:
        """Read a day; None where none is stated. Raises ValueError for what is no day."""
        if said is None or str(said).strip().casefold() in NO_DAY:
            return None
        if isinstance(said, str):
            if self.settings.date_format:
                return datetime.strptime(said, self.settings.date_format).date()  # noqa: DTZ007
            return datetime.fromisoformat(said).date()
        raise ValueError("is no day")


def _filled(template: str, serials: Sequence[str], product: str) -> str:
    """Fill a path; whatever a serial holds, it stays one part of the path."""
    quoted = [quote(serial, safe="") for serial in serials]
    return template.format(
        serial=quoted[0], serials=",".join(quoted), product=quote(product, safe="")
    )


def _decoded(content: bytes) -> Any:
    try:
        return parsed_json(content)
    except ValueError as error:
        raise Unknown("the manufacturer's answer is not JSON") from error


def _reach(item: Any, path: str) -> Any:
    """Follow a dotted path through objects and lists; None where it leads nowhere."""
    for part in path.split(".") if path else ():
        if isinstance(item, dict):
            item = item.get(part)
        elif isinstance(item, list) and part.isdigit() and int(part) < len(item):
            item = item[int(part)]
        else:
            return None
    return item


def _listed(item: Any) -> list[Any]:
    if item is not None and not isinstance(item, list):
        raise TypeError("is no list")
    return item or []
