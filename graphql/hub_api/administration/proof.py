"""Proof: the custody certificate of a unit, and the key that others verify it with."""

import strawberry

from hub.access.keys import Scope
from hub.proof import certificate
from hub.proof.checkpoints import Signer
from hub_api.common.context import Info


@strawberry.type
class ProofQuery:
    """Reading proofs."""

    @strawberry.field(
        description="The signed history of one unit; verify it offline with `publicKey`.",
        metadata={"cost": 100},
    )
    async def custody_certificate(
        self, info: Info, identifier: str, sku: str | None = None
    ) -> strawberry.scalars.JSON:
        """Write the certificate; events of the last minute may not be signed yet."""
        info.context.require(Scope.POS, Scope.SCANNER, Scope.OPS)
        signer, now = Signer(info.context.vault), info.context.clock()
        paper = await info.context.read(
            lambda tx: certificate.issue(tx, signer, identifier, sku, now)
        )
        return strawberry.scalars.JSON(paper)

    @strawberry.field(description="The Ed25519 key, in base64, that certificates are signed with.")
    async def public_key(self, info: Info) -> str:
        return Signer(info.context.vault).public_key
