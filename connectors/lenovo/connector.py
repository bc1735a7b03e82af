"""Lenovo eSupport, warranty API v2.5: what Lenovo says about its serials.

One call takes many serials. A serial that Lenovo used for several machine types is answered as
unknown, unless `machine_types` is on: then it is asked as SERIAL.TYPE, with the first four letters
of the product's model number, which must be Lenovo's own (as in ``21CB000GUS``).

It cannot: register a sale, or tell days apart by their time zone (Lenovo gives none).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr

from connectors.contract import Connector, LookupWarranty
from connectors.remote import Remote
from connectors.toolkit import warranty_status
from connectors.toolkit.json_fields import records, text
from connectors.unreadable import UnreadableRecord
from hub.vocabulary import Coverage, Warranty, WarrantyQuestion

SERIALS_MAX = 50
WARRANTY_PATH = "/v2.5/warranty"
CHECK_SERIAL = "SERIALHUBCHECK"
TYPE = re.compile(r"[0-9A-Za-z]{4}")


class LenovoSettings(BaseModel):
    """One account of eSupport."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    client_id: SecretStr = Field(description="The token that Lenovo sends in the header ClientID")
    machine_types: bool = Field(
        False, description="Ask SERIAL.TYPE; model numbers of products begin with the machine type"
    )
    base_url: HttpUrl = HttpUrl("https://supportapi.lenovo.com")
    calls_per_second: float = Field(2.0, gt=0)


class Lenovo(Connector[LenovoSettings], LookupWarranty):
    """One account of eSupport."""

    key: ClassVar[str] = "lenovo"
    settings_model: ClassVar[type[BaseModel]] = LenovoSettings
    questions_max: ClassVar[int] = SERIALS_MAX

    @classmethod
    def remote(cls, settings: LenovoSettings) -> Remote:
        """Describe eSupport."""
        return Remote(
            base_url=str(settings.base_url).rstrip("/"),
            headers={"ClientID": settings.client_id.get_secret_value()},
            secrets=(settings.client_id.get_secret_value(),),  # its header does not sound like one
            calls_per_second=settings.calls_per_second,
        )

    async def check(self) -> None:
        """Look up a serial that nobody has: an answer proves the token."""
        await self._answers([CHECK_SERIAL])

    async def lookup_warranty(
        self, questions: Sequence[WarrantyQuestion]
    ) -> Sequence[Warranty | UnreadableRecord]:
        """Ask about up to fifty serials at once."""
        fits = set(warranty_status.valid_serials(questions))
        names = [self._name(each) for each in questions if each.serial in fits]
        found = warranty_status.by_serial(await self._answers(list(dict.fromkeys(names))), "Serial")
        return [
            warranty_status.answered(each, self._chosen(each, found), self._warranty)
            if each.serial in fits
            else warranty_status.invalid_warranty(each)
            for each in questions
        ]

    def _name(self, question: WarrantyQuestion) -> str:
        machine_type = question.product[:4]
        if self.settings.machine_types and TYPE.fullmatch(machine_type):
            return f"{question.serial}.{machine_type}"
        return question.serial

    def _chosen(
        self, question: WarrantyQuestion, found: Mapping[str, list[Mapping[str, Any]]]
    ) -> list[Mapping[str, Any]]:
        """Pick the answers about a question: Lenovo repeats the name, or the serial alone."""
        named = found.get(self._name(question).casefold())
        if named is not None:
            return named
        bare = found.get(question.serial.casefold(), [])
        if not self.settings.machine_types:
            return bare
        wanted = question.product[:4].casefold()
        return [each for each in bare if wanted in str(each.get("Product") or "").casefold()]

    async def _answers(self, names: Sequence[str]) -> list[Mapping[str, Any]]:
        answers: list[Mapping[str, Any]] = []
        for start in range(0, len(names), SERIALS_MAX):
            some = ",".join(names[start : start + SERIALS_MAX])
            said = await self.api.json("GET", WARRANTY_PATH, params={"Serial": some})
            # One serial is answered by an object, several by a list.
            single = [said] if isinstance(said, dict) else said
            answers += warranty_status.expect_list(single, "warranty")
        return answers

    def _warranty(self, question: WarrantyQuestion, found: Sequence[Mapping[str, Any]]) -> Warranty:
        if len(found) != 1 or "InWarranty" not in found[0] or found[0].get("ErrorCode"):
            return warranty_status.unknown_warranty(question)
        item = found[0]
        said = item.get("InWarranty")
        entitled = [
            Coverage(
                name=text(each, "Name") or text(each, "ID"),
                starts_on=warranty_status.day(each, "Start"),
                ends_on=warranty_status.day(each, "End"),
            )
            for each in (*records(item, "Warranty"), *records(item, "Contract"))
        ]
        if said is not True and not entitled and not (item.get("Shipped") or item.get("Purchased")):
            return warranty_status.unknown_warranty(question)  # an empty record is none
        return warranty_status.warranty_from_coverages(
            question,
            entitled,
            said=said if isinstance(said, bool) else None,
            registered=warranty_status.day(item, "Purchased") is not None,
        )
