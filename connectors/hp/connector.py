"""HP Inc., Product Warranty API v2: what HP says about its serials.

A few serials are answered at once (`/queries`); many are given to HP as a job that it processes,
and fetched when it says that it is done. HP knows a unit by serial and product number: where the
product has a model number, it is sent along and has to be what HP answers about.

It cannot: register a sale, or look up HPE (servers and storage are another company's). Needs keys
of HP's developer portal with the Warranty API, granted by an account manager; they are said to last
ninety days.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr

from connectors.contract import BulkWarranty, Connector, LookupWarranty
from connectors.errors import Rejected, Unknown
from connectors.remote import Remote
from connectors.toolkit import warranty_status
from connectors.toolkit.bearer_auth import client_credentials
from connectors.toolkit.json_fields import records, text
from connectors.unreadable import UnreadableRecord
from hub.vocabulary import Coverage, Warranty, WarrantyQuestion

QUERIES_MAX = 5
JOB_MAX = 1_000
QUERIES_PATH = "/productwarranty/v2/queries"
JOBS_PATH = "/productwarranty/v2/jobs"
TOKEN_PATH = "/oauth/v1/token"
CHECK_SERIAL = "5CG0000000"
DONE, FAILED = frozenset({"completed", "complete"}), frozenset({"failed", "error", "cancelled"})


class HpSettings(BaseModel):
    """One application of the developer portal."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    client_id: str = Field(min_length=1, description="The API key")
    client_secret: SecretStr
    send_product: bool = Field(
        True, description="Send the product's model number as HP's product number (1A2B3C#ABA)"
    )
    country: str | None = Field(None, pattern=r"^[A-Z]{2}$", description="Where the units are")
    base_url: HttpUrl = HttpUrl("https://warranty.api.hp.com")
    calls_per_second: float = Field(1.0, gt=0)


class Hp(Connector[HpSettings], LookupWarranty, BulkWarranty):
    """One application of the developer portal."""

    key: ClassVar[str] = "hp"
    settings_model: ClassVar[type[BaseModel]] = HpSettings
    questions_max: ClassVar[int] = QUERIES_MAX
    job_questions_max: ClassVar[int] = JOB_MAX

    @classmethod
    def remote(cls, settings: HpSettings) -> Remote:
        """Describe HP's service."""
        base = str(settings.base_url).rstrip("/")
        client = (settings.client_id, settings.client_secret.get_secret_value())
        return Remote(
            base_url=base,
            auth=client_credentials(f"{base}{TOKEN_PATH}", client),
            headers={"Accept": "application/json"},
            calls_per_second=settings.calls_per_second,
        )

    async def check(self) -> None:
        """Look up a serial that nobody has: an answer proves keys and grant."""
        question = WarrantyQuestion(serial=CHECK_SERIAL, product="")
        warranty_status.expect_list(await self._ask([question]), "queries")

    async def lookup_warranty(
        self, questions: Sequence[WarrantyQuestion]
    ) -> Sequence[Warranty | UnreadableRecord]:
        """Ask about a few serials at once."""
        asked = [each for each in questions if warranty_status.is_valid_serial(each.serial)]
        found: list[Mapping[str, Any]] = []
        for start in range(0, len(asked), QUERIES_MAX):
            answer = await self._ask(asked[start : start + QUERIES_MAX])
            found += warranty_status.expect_list(answer, "queries")
        return self._answers(questions, found)

    async def begin_warranty_job(self, questions: Sequence[WarrantyQuestion]) -> str:
        """Have HP process many serials."""
        asked = [each for each in questions if warranty_status.is_valid_serial(each.serial)]
        if not asked:
            raise Rejected("none of these can be a serial of HP")
        body = [self._item(each) for each in asked]
        answer = await self.api.json("POST", JOBS_PATH, json=body)
        job = warranty_status.expect_object(answer, "jobs").get("jobId")
        if not job:
            raise Unknown("jobs: the answer names no job")
        return str(job)

    async def read_warranty_job(
        self, job: str, questions: Sequence[WarrantyQuestion]
    ) -> Sequence[Warranty | UnreadableRecord] | None:
        """Fetch what a job found; None while HP works on it."""
        path = f"{JOBS_PATH}/{quote(job, safe='')}"
        status = warranty_status.expect_object(await self.api.json("GET", path), "job").get(
            "status"
        )
        word = str(status or "").casefold()
        if word in FAILED:
            raise Rejected(f"HP gave the job up: {word}")
        if word not in DONE:
            return None
        answer = await self.api.json("GET", f"{path}/results")
        return self._answers(questions, warranty_status.expect_list(answer, "results"))

    async def _ask(self, questions: Sequence[WarrantyQuestion]) -> Any:
        # A search: it may be repeated at once.
        body = [self._item(each) for each in questions]
        return await self.api.json("POST", QUERIES_PATH, json=body, repeat=True)

    def _item(self, question: WarrantyQuestion) -> dict[str, str]:
        item = {"sn": question.serial}
        if self.settings.send_product and question.product:
            item["pn"] = question.product
        if self.settings.country:
            item["cc"] = self.settings.country
        return item

    def _answers(
        self, questions: Sequence[WarrantyQuestion], found: Sequence[Mapping[str, Any]]
    ) -> list[Warranty | UnreadableRecord]:
        products = [
            {**each, **_product_of(each)} for each in found if _product_of(each).get("serialNumber")
        ]
        known = warranty_status.by_serial(products, "serialNumber")
        return [
            warranty_status.answered(each, known.get(each.serial.casefold(), []), self._warranty)
            if warranty_status.is_valid_serial(each.serial)
            else warranty_status.invalid_warranty(each)
            for each in questions
        ]

    def _warranty(self, question: WarrantyQuestion, found: Sequence[Mapping[str, Any]]) -> Warranty:
        if self.settings.send_product and question.product:
            found = [each for each in found if _is_of(each, question.product)]
        if len(found) != 1 or "offers" not in found[0]:
            return warranty_status.unknown_warranty(question)
        entitled = [
            Coverage(
                name=text(each, "offerDescription"),
                starts_on=warranty_status.day(each, "serviceObligationLineItemStartDate"),
                ends_on=warranty_status.day(each, "serviceObligationLineItemEndDate"),
            )
            for each in records(found[0], "offers")
        ]
        if not entitled:
            return warranty_status.unknown_warranty(
                question
            )  # HP answers so of serials too that it never had
        return warranty_status.warranty_from_coverages(question, entitled)


def _product_of(item: Mapping[str, Any]) -> Mapping[str, Any]:
    product = item.get("product")
    return product if isinstance(product, dict) else {}


def _is_of(item: Mapping[str, Any], product: str) -> bool:
    """Compare product numbers, with or without the country behind the # sign."""
    said = str(item.get("productNumber") or "").casefold()
    return not said or said.partition("#")[0] == product.casefold().partition("#")[0]
