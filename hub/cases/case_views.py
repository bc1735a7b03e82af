"""Cases with their channel, page by page."""

from hub.cases.rows import CaseOfChannel
from hub.storage.paging import Filter, page_size
from hub.storage.sql import Transaction


def cases(
    tx: Transaction,
    *,
    first: int,
    before: str | None,
    state: str | None = None,
    kind: str | None = None,
) -> list[CaseOfChannel]:
    """Return cases, the newest first, one more than `first`; `state` "live": not resolved."""
    wanted = Filter()
    wanted.add("exception_case.id < :before", before=before)
    wanted.add("exception_case.kind = :kind", kind=kind)
    if state == "live":
        wanted.add("exception_case.state <> 'resolved'")
    else:
        wanted.add("exception_case.state = :state", state=state)
    return tx.rows_as(
        CaseOfChannel,
        "SELECT exception_case.*, channel.code AS channel_code FROM exception_case "
        f"LEFT JOIN channel ON channel.id = exception_case.channel_id {wanted.where()}"
        "ORDER BY exception_case.id DESC LIMIT :limit",
        limit=page_size(first) + 1,
        **wanted.values,
    )
