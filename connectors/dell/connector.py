"""Dell TechDirect, warranty API v5: what Dell says about its service tags.

One call takes a hundred service tags. Entitlements that are no cover of the hardware (codes D, DL,
PJ, PR) are left out. Needs a TechDirect account that was granted the Warranty API; its keys are
asked for there and have to be renewed once a year.

It cannot: register a sale, or look up anything but service tags (no express service codes).
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr

from connectors.contract import Connector, LookupWarranty
from connectors.remote import Remote
from connectors.toolkit import warranty_status
from connectors.toolkit.bearer_auth import client_credentials
from connectors.toolkit.json_fields import records, text
from connectors.unreadable import UnreadableRecord
from hub.vocabulary import Coverage, Warranty, WarrantyQuestion

TAGS_MAX = 100
TOKEN_PATH = "/auth/oauth/v2/token"
ENTITLEMENTS_PATH = "/PROD/sbil/eapi/v5/asset-entitlements"
NO_COVER = frozenset({"D", "DL", "PJ", "PR"})  # digital delivery, projects: not the hardware
CHECK_TAG = "0000000"


class DellSettings(BaseModel):
    """One TechDirect application."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    client_id: str = Field(min_length=1, description="The API key of TechDirect")
    client_secret: SecretStr
    base_url: HttpUrl = HttpUrl("https://apigtwb2c.us.dell.com")
    calls_per_second: float = Field(2.0, gt=0)


class Dell(Connector[DellSettings], LookupWarranty):
    """One TechDirect application."""

    key: ClassVar[str] = "dell"
    settings_model: ClassVar[type[BaseModel]] = DellSettings
    questions_max: ClassVar[int] = TAGS_MAX

    @classmethod
    def remote(cls, settings: DellSettings) -> Remote:
        """Describe TechDirect."""
        base = str(settings.base_url).rstrip("/")
        client = (settings.client_id, settings.client_secret.get_secret_value())
        return Remote(
            base_url=base,
            auth=client_credentials(f"{base}{TOKEN_PATH}", client, in_body=True),
            headers={"Accept": "application/json"},
            calls_per_second=settings.calls_per_second,
        )

    async def check(self) -> None:
        """Look up a service tag that nobody has: an answer proves keys and grant."""
        await self._entitlements([CHECK_TAG])

    async def lookup_warranty(
        self, questions: Sequence[WarrantyQuestion]
    ) -> Sequence[Warranty | UnreadableRecord]:
        """Ask about up to a hundred service tags at once."""
        tags = warranty_status.valid_serials(questions)
        found = warranty_status.by_serial(await self._entitlements(tags), "serviceTag")
        return [
            warranty_status.answered(each, found.get(each.serial.casefold(), []), self._warranty)
            for each in questions
        ]

    async def _entitlements(self, tags: Sequence[str]) -> list[Mapping[str, Any]]:
        answers: list[Mapping[str, Any]] = []
        for start in range(0, len(tags), TAGS_MAX):
            some = ",".join(tags[start : start + TAGS_MAX])
            said = await self.api.json("GET", ENTITLEMENTS_PATH, params={"servicetags": some})
            answers += warranty_status.expect_list(said, "asset-entitlements")
        return answers

    def _warranty(self, question: WarrantyQuestion, found: Sequence[Mapping[str, Any]]) -> Warranty:
        if not warranty_status.is_valid_serial(question.serial) or any(
            each.get("invalid") is True for each in found
        ):
            return warranty_status.invalid_warranty(question)
        if len(found) != 1 or found[0].get("duplicated") is True:
            return warranty_status.unknown_warranty(
                question
            )  # Dell has several machines of this tag, or none
        entitled = [
            Coverage(
                name=text(each, "serviceLevelDescription") or text(each, "serviceLevelCode"),
                starts_on=warranty_status.day(each, "startDate"),
                ends_on=warranty_status.day(each, "endDate"),
            )
            for each in records(found[0], "entitlements")
            if text(each, "serviceLevelCode").upper() not in NO_COVER
        ]
        return warranty_status.warranty_from_coverages(question, entitled)
