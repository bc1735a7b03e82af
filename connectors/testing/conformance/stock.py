"""Rows about stock: what is set is shown, one bad level harms only itself, sales are kept."""

from connectors.contract import PushStock, SnapshotStock
from connectors.errors import Conflict, ConnectorError, NotFound, Rejected
from connectors.testing.case import holds, lacks, row, same
from connectors.testing.harness import Stage

BEYOND_DOUBLES = 2**53 + 1


@row(PushStock)
async def quantities_are_set(stage: Stage) -> None:
    """A quantity that was pushed is shown there, and the answer says it; so is zero."""
    driver, connector = stage.driver, stage.connector
    refs = {sku: driver.list_article(sku, 5) for sku in ("CAM", "LENS")}
    wanted = {"CAM": 7, "LENS": 0}
    levels = [stage.level(sku, wanted[sku], refs[sku], expected=5) for sku in refs]
    answers = {each.listing: each for each in await connector.push_stock(levels)}
    for sku, quantity in wanted.items():
        answer = answers[f"L-{sku}"]
        holds(answer.error is None, f"{sku}: {answer.error!r}")
        same(answer.quantity, quantity, f"what the answer says of {sku}")
        same(driver.quantity_shown(sku), quantity, f"what is shown of {sku}")
    if isinstance(connector, SnapshotStock):
        same(await stage.stock(), wanted, "the snapshot")


@row(PushStock)
async def one_bad_level(stage: Stage) -> None:
    """A listing that is gone is told in its place; the others of the call are set."""
    driver, connector = stage.driver, stage.connector
    good = {sku: driver.list_article(sku, 5) for sku in ("A", "B", "C", "D")}
    levels = [
        stage.level("A", 6, good["A"], expected=5),
        stage.level("GONE", 6, driver.missing_article(), expected=5),
        stage.level("B", 6, good["B"], expected=5),
        stage.level("LOOSE", 6, {}),
        stage.level("C", 6, good["C"], expected=5),
        stage.level("D", 6, good["D"], expected=5),
    ]
    answers = await connector.push_stock(levels)
    same(
        sorted(each.listing for each in answers),
        sorted(each.listing for each in levels),
        "the listings that are answered for",
    )
    by_listing = {each.listing: each for each in answers}
    for sku in good:
        holds(by_listing[f"L-{sku}"].error is None, f"{sku}: {by_listing[f'L-{sku}'].error!r}")
        same(driver.quantity_shown(sku), 6, f"what is shown of {sku}")
    same(type(by_listing["L-LOOSE"].error), NotFound, "a level without references")
    gone = by_listing["L-GONE"].error
    holds(isinstance(gone, NotFound | Rejected), f"a listing that is gone: {gone!r}")


@row(PushStock, unless=lacks("compares_stock", "the channel is not compared before it is set"))
async def foreign_edits_are_seen(stage: Stage) -> None:
    """What somebody else set meanwhile is a Conflict that says what is there; it is not undone."""
    remote = stage.driver.list_article("CAM", 5)
    other = stage.driver.list_article("LENS", 5)
    stage.driver.foreign_edit("CAM", 3)
    levels = [stage.level("CAM", 9, remote, 5), stage.level("LENS", 9, other, 5)]
    answers = {each.listing: each for each in await stage.connector.push_stock(levels)}
    error = answers["L-CAM"].error
    holds(isinstance(error, Conflict), f"a stale level: {error!r}, not Conflict")
    same(error.observed, 3, "what the conflict observed")
    same(stage.driver.quantity_shown("CAM"), 3, "what is shown")
    same(stage.driver.quantity_shown("LENS"), 9, "the level beside it")
    (again,) = await stage.connector.push_stock([stage.level("CAM", 8, remote, 3, key="2")])
    holds(again.error is None, f"compared with what is there: {again.error!r}")
    same(stage.driver.quantity_shown("CAM"), 8, "what is shown at the end")


@row(PushStock, unless=lacks("compares_in_one_step", "it reads, compares, and then sets"))
async def edits_within_a_push_are_seen(stage: Stage) -> None:
    """What somebody sets just before any call of a push arrives is not undone by it."""
    remote = stage.driver.list_article("CLEAN", 5)
    before = len(stage.wire.requests)
    await stage.connector.push_stock([stage.level("CLEAN", 9, remote, 5)])
    calls = len(stage.wire.requests) - before
    for number in range(1, calls + 1):
        sku = f"CAM-{number}"
        remote = stage.driver.list_article(sku, 5)
        stage.wire.meanwhile(number, lambda sku=sku: stage.driver.foreign_edit(sku, 3))  # type: ignore[misc]
        (answer,) = await stage.connector.push_stock([stage.level(sku, 9, remote, 5)])
        same(stage.driver.quantity_shown(sku), 3, f"what is shown after an edit at call {number}")
        holds(isinstance(answer.error, Conflict), f"call {number}: {answer.error!r}, not Conflict")


@row(PushStock)
async def a_push_again_undoes_nothing(stage: Stage) -> None:
    """The same push twice is one effect: a sale between the two is not taken back."""
    remote = stage.driver.list_article("CAM", 5)
    level = stage.level("CAM", 7, remote, expected=5)
    await stage.connector.push_stock([level])
    (again,) = await stage.connector.push_stock([level])
    holds(again.error is None, f"the repeat: {again.error!r}")
    same(stage.driver.quantity_shown("CAM"), 7, "what is shown after the repeat")
    stage.driver.foreign_edit("CAM", 6)
    (again,) = await stage.connector.push_stock([level])
    same(stage.driver.quantity_shown("CAM"), 6, "what is shown after a sale and a repeat")
    told = again.error  # a channel that knows the key may answer as it did the first time
    holds(told is None or isinstance(told, Conflict), f"the repeat after a sale: {told!r}")


@row(PushStock)
async def a_push_whose_answer_is_lost(stage: Stage) -> None:
    """Whichever call of a push gets no answer, the repeat ends with what was wanted."""
    async for loss in stage.losses():
        level = loss.level("CAM", 7, loss.driver.list_article("CAM", 5), expected=5)
        loss.begins()
        try:
            told: object = (await loss.connector.push_stock([level]))[0].error
        except ConnectorError as error:
            told = error
        if loss.happened("the push", told):
            (again,) = await loss.connector.push_stock([level])
            holds(again.error is None, f"{loss.what}, the repeat: {again.error!r}")
            shown = loss.driver.quantity_shown("CAM")
            same((again.quantity, shown), (7, 7), f"{loss.what}, said and shown")


@row(PushStock)
async def large_quantities(stage: Stage) -> None:
    """The largest quantity that the channel can show is set and seen to the unit."""
    quantity = min(stage.driver.quantity_max, BEYOND_DOUBLES)
    remote = stage.driver.list_article("BOLT", 5)
    (answer,) = await stage.connector.push_stock([stage.level("BOLT", quantity, remote, 5)])
    holds(answer.error is None, repr(answer.error))
    same(answer.quantity, quantity, "what the answer says")
    same(stage.driver.quantity_shown("BOLT"), quantity, "what is shown")
    if isinstance(stage.connector, SnapshotStock):
        same((await stage.stock())["BOLT"], quantity, "the snapshot")


@row(SnapshotStock)
async def every_article_is_seen(stage: Stage) -> None:
    """A snapshot of many pages yields every article once, with what is shown."""
    wanted = {f"SKU-{n:04}": n for n in range(stage.driver.articles_for_pages)}
    for sku, quantity in wanted.items():
        stage.driver.list_article(sku, quantity)
    before = len(stage.wire.requests)
    seen = await stage.stock()
    same(len(seen), len(wanted), "so many articles")
    same(seen, wanted, "the snapshot")
    holds(len(stage.wire.requests) - before > 1, "one page held them all: raise articles_for_pages")


ROWS = (
    quantities_are_set,
    one_bad_level,
    foreign_edits_are_seen,
    edits_within_a_push_are_seen,
    a_push_again_undoes_nothing,
    a_push_whose_answer_is_lost,
    large_quantities,
    every_article_is_seen,
)
