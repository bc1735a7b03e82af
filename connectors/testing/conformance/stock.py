"""Cases about stock: what is set is shown, one bad level harms only itself, sales are kept."""

from connectors.contract import PushStock, SnapshotStock
from connectors.errors import Conflict, ConnectorError, NotFound, Rejected
from connectors.testing.case import (
    NotApplicable,
    case,
    require,
    require_equal,
    unless_flag,
)
from connectors.testing.harness import Harness

BEYOND_DOUBLES = 2**53 + 1


@case(PushStock)
async def quantities_are_set(harness: Harness) -> None:
    """A quantity that was pushed is shown there, and the answer says it; so is zero."""
    driver, connector = harness.driver, harness.connector
    refs = {sku: driver.list_article(sku, 5) for sku in ("CAM", "LENS")}
    wanted = {"CAM": 7, "LENS": 0}
    levels = [harness.level(sku, wanted[sku], refs[sku], expected=5) for sku in refs]
    answers = {each.listing: each for each in await harness.push(levels)}
    for sku, quantity in wanted.items():
        answer = answers[f"L-{sku}"]
        require(answer.error is None, f"{sku}: {answer.error!r}")
        require_equal(answer.quantity, quantity, f"what the answer says of {sku}")
        require_equal(driver.quantity_shown(sku), quantity, f"what is shown of {sku}")
    if isinstance(connector, SnapshotStock):
        require_equal(await harness.stock(), wanted, "the snapshot")


@case(PushStock)
async def one_bad_level(harness: Harness) -> None:
    """A listing that is gone is reported in its place; the others of the call are set."""
    driver = harness.driver
    good = {sku: driver.list_article(sku, 5) for sku in ("A", "B", "C", "D")}
    levels = [
        harness.level("A", 6, good["A"], expected=5),
        harness.level("GONE", 6, driver.missing_article(), expected=5),
        harness.level("B", 6, good["B"], expected=5),
        harness.level("LOOSE", 6, {}),
        harness.level("C", 6, good["C"], expected=5),
        harness.level("D", 6, good["D"], expected=5),
    ]
    answers = await harness.push(levels)
    require_equal(
        sorted(each.listing for each in answers),
        sorted(each.listing for each in levels),
        "the listings that are answered for",
    )
    by_listing = {each.listing: each for each in answers}
    for sku in good:
        require(by_listing[f"L-{sku}"].error is None, f"{sku}: {by_listing[f'L-{sku}'].error!r}")
        require_equal(driver.quantity_shown(sku), 6, f"what is shown of {sku}")
    require_equal(type(by_listing["L-LOOSE"].error), NotFound, "a level without references")
    gone = by_listing["L-GONE"].error
    require(isinstance(gone, NotFound | Rejected), f"a listing that is gone: {gone!r}")


@case(
    PushStock, unless=unless_flag("compares_stock", "the channel is not compared before it is set")
)
async def foreign_edits_are_seen(harness: Harness) -> None:
    """What somebody else set meanwhile is a Conflict that says what is there; it is not undone."""
    remote = harness.driver.list_article("CAM", 5)
    other = harness.driver.list_article("LENS", 5)
    harness.driver.foreign_edit("CAM", 3)
    levels = [harness.level("CAM", 9, remote, 5), harness.level("LENS", 9, other, 5)]
    answers = {each.listing: each for each in await harness.push(levels)}
    error = answers["L-CAM"].error
    require(isinstance(error, Conflict), f"a stale level: {error!r}, not Conflict")
    require_equal(getattr(error, "observed", None), 3, "what the conflict observed")
    require_equal(harness.driver.quantity_shown("CAM"), 3, "what is shown")
    require_equal(harness.driver.quantity_shown("LENS"), 9, "the level beside it")
    (again,) = await harness.push([harness.level("CAM", 8, remote, 3, key="2")])
    require(again.error is None, f"compared with what is there: {again.error!r}")
    require_equal(harness.driver.quantity_shown("CAM"), 8, "what is shown at the end")


@case(PushStock, unless=unless_flag("compares_in_one_step", "it reads, compares, and then sets"))
async def edits_within_a_push_are_seen(harness: Harness) -> None:
    """What somebody sets just before any call of a push arrives is not undone by it."""
    await harness.connector.check()  # a token that is fetched once is no call of a push
    remote = harness.driver.list_article("CLEAN", 5)
    before = len(harness.transport.requests)
    await harness.push([harness.level("CLEAN", 9, remote, 5)])
    calls = len(harness.transport.requests) - before
    for number in range(1, calls + 1):
        sku = f"CAM-{number}"
        remote = harness.driver.list_article(sku, 5)
        harness.transport.before_call(number, lambda sku=sku: harness.driver.foreign_edit(sku, 3))  # type: ignore[misc]
        (answer,) = await harness.push([harness.level(sku, 9, remote, 5)])
        require_equal(
            harness.driver.quantity_shown(sku), 3, f"what is shown after an edit at call {number}"
        )
        require(
            isinstance(answer.error, Conflict), f"call {number}: {answer.error!r}, not Conflict"
        )


@case(PushStock)
async def a_repeated_push_undoes_nothing(harness: Harness) -> None:
    """The same push twice is one effect: a sale between the two is not returned."""
    remote = harness.driver.list_article("CAM", 5)
    level = harness.level("CAM", 7, remote, expected=5)
    await harness.push([level])
    (again,) = await harness.push([level])
    require(again.error is None, f"the repeat: {again.error!r}")
    require_equal(harness.driver.quantity_shown("CAM"), 7, "what is shown after the repeat")
    harness.driver.foreign_edit("CAM", 6)
    (again,) = await harness.push([level])
    require_equal(
        harness.driver.quantity_shown("CAM"), 6, "what is shown after a sale and a repeat"
    )
    outcome = again.error  # a channel that knows the key may answer as it did the first time
    require(
        outcome is None or isinstance(outcome, Conflict), f"the repeat after a sale: {outcome!r}"
    )


@case(PushStock)
async def a_push_whose_answer_is_lost(harness: Harness) -> None:
    """Whichever call of a push gets no answer, the repeat ends with what was wanted."""
    async for loss in harness.lost_calls():
        level = loss.level("CAM", 7, loss.driver.list_article("CAM", 5), expected=5)
        loss.arm()
        try:
            outcome: object = (await loss.push([level]))[0].error
        except ConnectorError as error:
            outcome = error
        if loss.was_lost("the push", outcome):
            (again,) = await loss.push([level])
            require(again.error is None, f"{loss.what}, the repeat: {again.error!r}")
            shown = loss.driver.quantity_shown("CAM")
            require_equal((again.quantity, shown), (7, 7), f"{loss.what}, said and shown")


@case(PushStock)
async def large_quantities(harness: Harness) -> None:
    """The largest quantity that the channel can show is set and seen to the unit."""
    quantity = min(harness.driver.quantity_max, BEYOND_DOUBLES)
    remote = harness.driver.list_article("BOLT", 5)
    (answer,) = await harness.push([harness.level("BOLT", quantity, remote, 5)])
    require(answer.error is None, repr(answer.error))
    require_equal(answer.quantity, quantity, "what the answer says")
    require_equal(harness.driver.quantity_shown("BOLT"), quantity, "what is shown")
    if isinstance(harness.connector, SnapshotStock):
        require_equal((await harness.stock())["BOLT"], quantity, "the snapshot")


@case(SnapshotStock)
async def every_article_is_seen(harness: Harness) -> None:
    """A snapshot of many pages yields every article once, with what is shown."""
    wanted = {f"SKU-{n:04}": n for n in range(harness.driver.articles_for_pages)}
    for sku, quantity in wanted.items():
        harness.driver.list_article(sku, quantity)
    before = len(harness.transport.requests)
    seen = await harness.stock()
    require_equal(len(seen), len(wanted), "so many articles")
    require_equal(seen, wanted, "the snapshot")
    require(
        len(harness.transport.requests) - before > 1,
        "one page held them all: raise articles_for_pages",
    )


@case(PushStock, SnapshotStock)
async def untracked_listings_are_left_alone(harness: Harness) -> None:
    """A listing whose quantity the channel does not keep is not shown, not set, not switched on."""
    driver, connector = harness.driver, harness.connector
    remote = driver.list_untracked("CABLE")
    if remote is None:
        raise NotApplicable("the channel keeps a quantity of every listing")
    beside = driver.list_article("CAM", 5)
    require_equal(await harness.stock(), {"CAM": 5}, "the snapshot beside an untracked listing")
    levels = [harness.level("CABLE", 0, remote), harness.level("CAM", 6, beside, expected=5)]
    for sent in (levels, [harness.level("CABLE", 7, remote, 0, key="2")]):
        answers = {each.listing: each for each in await connector.push_stock(sent)}
        error = answers["L-CABLE"].error
        require(isinstance(error, Rejected), f"a level of an untracked listing: {error!r}")
        require(not driver.is_tracked("CABLE"), "keeping its quantity was switched on")
    require_equal(driver.quantity_shown("CAM"), 6, "what is shown of the listing beside it")
    require_equal(await harness.stock(), {"CAM": 6}, "the snapshot after the push")


CASES = (
    quantities_are_set,
    one_bad_level,
    foreign_edits_are_seen,
    edits_within_a_push_are_seen,
    a_repeated_push_undoes_nothing,
    a_push_whose_answer_is_lost,
    large_quantities,
    every_article_is_seen,
    untracked_listings_are_left_alone,
)
