"""Cisco Support APIs, Serial Number to Information v2: what Cisco says about its serials.

Cisco's serials are not unique across its products: the key is serial and product id (PID). With
`match_product`, which is the default, the coverage summary is asked and an answer counts only if it
names the PID that the product has as its model number; else it is unknown. Without it the shorter
coverage status is asked by serial alone.

It cannot: register a sale, or say when a cover began (Cisco gives the last day only). Needs a
customer of Smart Net Total Care or a partner (PSS), and an application in the API console that was
granted "Serial Number to Information".
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr

from connectors.contract import Connector, LookupWarranty
from connectors.errors import Unknown
from connectors.remote import Remote
from connectors.toolkit import warranty_status
from connectors.toolkit.bearer_auth import client_credentials
from connectors.toolkit.json_fields import records, text
from connectors.unreadable import UnreadableRecord
from hub.vocabulary import Coverage, Warranty, WarrantyQuestion

SERIALS_MAX = 75
PAGES_MAX = 20
STATUS_PATH = "/sn2info/v2/coverage/status/serial_numbers"
SUMMARY_PATH = "/sn2info/v2/coverage/summary/serial_numbers"
CHECK_SERIAL = "SERIALHUB00"


class CiscoSettings(BaseModel):
    """One application of the API console."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    client_id: str = Field(min_length=1)
    client_secret: SecretStr
    match_product: bool = Field(
        True, description="Believe an answer only if it names the product's model number as PID"
    )
    base_url: HttpUrl = HttpUrl("https://apix.cisco.com")
    token_url: HttpUrl = HttpUrl("https://id.cisco.com/oauth2/default/v1/token")
    calls_per_second: float = Field(4.0, gt=0)


class Cisco(Connector[CiscoSettings], LookupWarranty):
    """One application of the API console."""

    key: ClassVar[str] = "cisco"
    settings_model: ClassVar[type[BaseModel]] = CiscoSettings
    questions_max: ClassVar[int] = SERIALS_MAX
    reports_start_date: ClassVar[bool] = False

    @classmethod
    def remote(cls, settings: CiscoSettings) -> Remote:
        """Describe the Support APIs."""
        client = (settings.client_id, settings.client_secret.get_secret_value())
        return Remote(
            base_url=str(settings.base_url).rstrip("/"),
            auth=client_credentials(str(settings.token_url), client, in_body=True),
            calls_per_second=settings.calls_per_second,
        )

    async def check(self) -> None:
        """Look up a serial that nobody has: an answer proves keys and grant."""
        await self._records([CHECK_SERIAL])

    async def lookup_warranty(
        self, questions: Sequence[WarrantyQuestion]
    ) -> Sequence[Warranty | UnreadableRecord]:
        """Ask about up to 75 serials at once."""
        found = warranty_status.by_serial(
            await self._records(warranty_status.valid_serials(questions)), "sr_no"
        )
        return [
            warranty_status.answered(each, found.get(each.serial.casefold(), []), self._warranty)
            if warranty_status.is_valid_serial(each.serial)
            else warranty_status.invalid_warranty(each)
            for each in questions
        ]

    async def _records(self, serials: Sequence[str]) -> list[Mapping[str, Any]]:
        records: list[Mapping[str, Any]] = []
        for start in range(0, len(serials), SERIALS_MAX):
            some = ",".join(serials[start : start + SERIALS_MAX])
            if self.settings.match_product:
                records += await self._summary(f"{SUMMARY_PATH}/{some}")
            else:
                answer = await self.api.json("GET", f"{STATUS_PATH}/{some}")
                records += _records_of(answer)
        return records

    async def _summary(self, path: str) -> list[Mapping[str, Any]]:
        """Read every page; Cisco says in the answer how many there are."""
        records: list[Mapping[str, Any]] = []
        for page in range(1, PAGES_MAX + 1):
            answer = await self.api.json("GET", path, params={"page_index": str(page)})
            records += _records_of(answer)
            paging = answer.get("pagination_response_record")
            last = paging.get("last_index") if isinstance(paging, dict) else None
            if not str(last or "").isdecimal() or page >= int(str(last)):
                return records
        raise Unknown("coverage summary: the pages do not end")

    def _warranty(self, question: WarrantyQuestion, found: Sequence[Mapping[str, Any]]) -> Warranty:
        if self.settings.match_product:
            wanted = question.product.casefold()
            found = [each for each in found if wanted in {pid.casefold() for pid in _pids(each)}]
        if len(found) != 1:
            return warranty_status.unknown_warranty(question)
        item = found[0]
        word = text(item, "is_covered").upper()
        ends_on = warranty_status.day(item, "covered_product_line_end_date")
        ends_on = ends_on or warranty_status.day(item, "coverage_end_date")
        warranty_ends = warranty_status.day(item, "warranty_end_date")
        entitled = [
            Coverage(name=str(name or fallback), starts_on=None, ends_on=end)
            for name, fallback, end in (
                (text(item, "service_line_descr"), "Service contract", ends_on),
                (text(item, "warranty_type_description"), "Warranty", warranty_ends),
            )
            if end is not None
        ]
        if word not in ("YES", "NO"):
            return warranty_status.unknown_warranty(question)
        if word == "NO" and not entitled and not self.settings.match_product:
            return warranty_status.unknown_warranty(
                question
            )  # NO is said of serials too that nobody ever had
        # The word is about service contracts; a warranty that still runs is cover all the same.
        return warranty_status.warranty_from_coverages(
            question, entitled, said=True if word == "YES" else None
        )


def _records_of(answer: Any) -> list[Mapping[str, Any]]:
    said = warranty_status.expect_object(answer, "coverage").get("serial_numbers")
    return warranty_status.expect_list(said, "coverage")


def _pids(item: Mapping[str, Any]) -> Iterable[str]:
    """Name every product id of a record."""
    for field, name in (("base_pid_list", "base_pid"), ("orderable_pid_list", "orderable_pid")):
        for each in records(item, field):
            if pid := text(each, name).strip():
                yield pid
