"""The console: who gets in, what pages show, what they refuse, and what cannot hurt them."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

import pytest

from browser.console_shop import HOSTILE, SERIAL, Shop
from browser.console_visits import Visitor, text_of, visit
from hub import webhooks
from hub.access import keys
from hub.cases import CaseKind, Severity
from hub.commands.context import CommandContext
from hub.ledger.holds import HoldKind
from hub.lifecycle import Action, Status
from hub.reconciliation.kinds import Cause, Fix, Kind, Totals
from hub.reconciliation.kinds import Scope as Comparison
from hub.storage.sql import Transaction
from hub.vocabulary import (
    CaptureMethod,
    Disposition,
    HoldReason,
    LineKind,
    OrderLine,
    OrderState,
    WarrantyStatus,
)
from hub_api.console import certificates, labels, presenters
from hub_api.console.session import FORM_BYTES_MAX, local
from hub_api.engine.documents import core_schema
from hub_api.schema import schema
from world import World

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)


@pytest.fixture
def empty_shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path, NOW)
    yield made
    made.database.close()


@pytest.fixture
def shop(empty_shop: Shop) -> Shop:
    return empty_shop.fill()


def test_a_channel_says_why_it_shows_what_it_shows(shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        page = text_of(await visitor.get("/channels/mitte-pos/availability?sku=AX-200"))
        assert "AX-200" in page
        assert "Units that count" in page
        assert "/channels/mitte-pos/availability" in await visitor.get("/channels/mitte-pos")
        page = await visitor.get("/channels/mitte-pos/availability?sku=NOTHING", 404)
        assert "UNKNOWN_REFERENCE" in page

    visit(shop, work)


def test_a_case_tells_what_became_of_it(shop: Shop) -> None:
    case_id = shop.database.read_now(
        lambda tx: tx.value("SELECT id FROM exception_case WHERE state <> 'resolved' LIMIT 1")
    )

    async def work(visitor: Visitor) -> None:
        page = text_of(await visitor.post(f"/cases/{case_id}/assign"))
        assert "What became of it" in page
        page = text_of(await visitor.get(f"/cases/{case_id}"))
        assert "Opened hub" in page
        assert "Assigned to" in page

    visit(shop, work)


# ---- who gets in


def test_who_is_not_signed_in_is_led_to_the_gate_and_back(shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        answer = await visitor.client.get("/console/units?q=L7-03")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/console/login?next=%2Fconsole%2Funits%3Fq%3DL7-03"
        entered = await visitor.sign_in(target="/console/units?q=L7-03")
        assert entered.headers["location"] == "/console/units?q=L7-03"
        again = await visitor.client.get("/console/login?next=/console/cases")
        assert again.headers["location"] == "/console/cases"

    visit(shop, work, signed_in=False)


def test_an_unknown_key_is_told_so(empty_shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        form = {"csrf": await visitor.token("/login"), "key": "shk_wrong"}
        answer = await visitor.client.post("/console/login", data=form)
        assert answer.status_code == 401
        assert "not known here" in answer.text

    visit(empty_shop, work, signed_in=False)


def test_a_key_without_the_scope_is_told_which_it_has(empty_shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        answer = await visitor.sign_in("scanner")
        assert answer.status_code == 403
        assert "needs the scope ops" in answer.text
        assert "scanner, storefront" in answer.text

    visit(empty_shop, work, signed_in=False)


def test_a_revoked_key_is_out_at_once(empty_shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        await visitor.get("/")
        key_id = empty_shop.ids["ops"]
        await empty_shop.database.write(lambda tx: keys.revoke(tx, key_id, NOW))
        await visitor.get("/", 303)

    visit(empty_shop, work)


def test_signing_out_forgets_the_session(empty_shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        page = await visitor.post("/logout")
        assert "You are signed out." in page
        await visitor.get("/", 303)

    visit(empty_shop, work)


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "/console//evil.example",
        "/console/../graphql",
        "/graphql",
        "javascript:alert(1)",
        "/console/\r\nset-cookie: a=b",
        "",
        None,
    ],
)
def test_nobody_is_led_elsewhere(target: str | None) -> None:
    assert local(target) == "/console/"


def test_a_page_of_the_console_is_kept_as_the_next_one() -> None:
    assert local("/console/units?q=A%2F1#top") == "/console/units?q=A%2F1#top"


# ---- forged and broken forms


def test_a_post_without_the_token_of_the_session_does_nothing(shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        path = f"/console/cases/{shop.ids['case-unknown_serial']}/resolve"
        for token in ({}, {"csrf": "x"}, {"csrf": "ü"}):
            answer = await visitor.client.post(path, data={"resolution": "gone", **token})
            assert answer.status_code == 403
            assert "FORM_EXPIRED" in answer.text
        assert "Resolve" in await visitor.get(f"/cases/{shop.ids['case-unknown_serial']}")
        answer = await visitor.client.post("/console/logout")
        assert answer.status_code == 415
        await visitor.get("/")

    visit(shop, work)


def test_what_is_no_form_of_ours_is_refused(empty_shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        media = {"content-type": "application/x-www-form-urlencoded"}
        for content, headers, status in (
            (b"{}", {"content-type": "application/json"}, 415),
            (b"a=" + b"x" * FORM_BYTES_MAX, media, 413),
            (b"a=\xff", media, 400),
            (b"&".join([b"a=1"] * 400), media, 400),
        ):
            answer = await visitor.client.post("/console/runs", content=content, headers=headers)
            assert answer.status_code == status
            assert "<h1>" in answer.text

    visit(empty_shop, work)


def test_a_post_of_somebody_signed_out_leads_to_the_gate(empty_shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        answer = await visitor.client.post("/console/runs", data={"channel": "northwind"})
        assert answer.headers["location"] == "/console/login"

    visit(empty_shop, work, signed_in=False)


def test_every_answer_keeps_to_itself(shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        style = re.search('href="(/console/static/console.css[^"]+)"', await visitor.get("/"))
        assert style is not None
        for path in ("/console/", "/console/login", "/console/nowhere", style[1]):
            headers = (await visitor.client.get(path)).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert headers["x-content-type-options"] == "nosniff"
        assert "immutable" in (await visitor.client.get(style[1])).headers["cache-control"]
        page = await visitor.client.get("/console/")
        assert page.headers["cache-control"] == "no-store"
        assert " style=" not in page.text
        assert re.findall("<script[^>]*>", page.text) == re.findall(
            '<script src="/console/static/[^"]+" defer>', page.text
        )

    visit(shop, work)


# ---- pages with nothing in them


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/", 200, "No channel is connected yet."),
        ("/runs", 200, "Nothing was compared yet"),
        ("/differences", 200, "No difference is open."),
        ("/units", 200, "No unit fits"),
        ("/units?q=L7-03", 404, "No unit bears “L7-03”"),
        ("/cases", 200, "No open case"),
        ("/cases?kind=OVERSOLD", 200, "No such case"),
        ("/orders", 200, "No order yet"),
        ("/orders?number=1", 200, "No such order"),
        ("/channels", 200, "No channel yet"),
        ("/runs/nothing", 404, "UNKNOWN_REFERENCE"),
        ("/runs/nothing.csv", 404, "UNKNOWN_REFERENCE"),
        ("/units/nothing", 404, "UNKNOWN_UNIT"),
        ("/cases/nothing", 404, "UNKNOWN_REFERENCE"),
        ("/orders/nothing", 404, "UNKNOWN_REFERENCE"),
        ("/channels/nothing", 404, "UNKNOWN_REFERENCE"),
        ("/nothing/at/all", 404, "NOT_FOUND"),
        ("/cases?kind=SILLY", 400, "BAD_USER_INPUT"),
        ("/units?after=%C3%BC", 400, "INVALID_INPUT"),
    ],
)
def test_an_empty_hub_says_what_is_missing(
    empty_shop: Shop, path: str, status: int, says: str
) -> None:
    async def work(visitor: Visitor) -> None:
        assert says in text_of(await visitor.get(path, status))

    visit(empty_shop, work)


# ---- pages with a day's work in them


def test_the_overview_says_what_is_out_of_step(shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        page = text_of(await visitor.get("/"))
        assert "2 of 4 channels in step, 5 open cases." in page
        assert "Oldest open difference 2 h waits for a person" in page
        assert "4 high · 1 medium" in page
        assert "Paused The channel refuses our credentials (401)." in page
        assert "Messages given up" in page
        assert "4 runs, 4 differences, 1 healed Done in 420 ms" in page
        assert "Warranty no outcome yet Running" in page

    visit(shop, work)


def test_a_run_shows_totals_that_add_up_and_both_claims(shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        page = await visitor.get(f"/runs/{shop.ids['northwind-levels']}")
        said = text_of(page)
        assert (
            "Compared 1,876 Matched 1,868 In flight 6 Explained 0 Differences 2 of these healed 1"
            in said
        )
        assert "The ledger says Northwind Online says Quantity 21 35" in said
        assert "Somebody edited it on the channel" in said
        assert "healed 10 min ago by reconcile" in said
        assert f"/differences/{shop.ids['edited']}/heal" not in page
        assert f"/differences/{shop.ids['formula']}/dismiss" in page
        assert f"/differences/{shop.ids['formula']}/heal" not in page  # only a person can settle it
        failed = text_of(await visitor.get(f"/runs/{shop.ids['failed']}"))
        assert "authentication: 401 Unauthorized" in failed

    visit(shop, work)


def test_runs_go_on_page_by_page(shop: Shop) -> None:
    def more(tx: Transaction) -> None:
        for _ in range(45):
            shop._run(tx, "mitte-pos", Comparison.LEVELS, Totals(matched=1), minutes=1)

    shop.write(more)

    async def work(visitor: Visitor) -> None:
        page = await visitor.get("/runs?channel=mitte-pos")
        assert page.count('class="linked"') == 40
        following = re.search('rel="next" href="([^"]+)"', page)
        assert following is not None
        assert "channel=mitte-pos" in following[1]
        last = await visitor.get("/runs" + following[1].replace("&amp;", "&"))
        assert last.count('class="linked"') == 6
        assert "First page" in last

    visit(shop, work)


def test_a_unit_is_found_in_any_writing_and_tells_its_life(shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        answer = await visitor.client.get("/console/units?q=ax2%200042%207719")
        assert answer.headers["location"] == f"/console/units/{shop.ids[SERIAL]}"
        page = await visitor.get(f"/units/{shop.ids[SERIAL]}")
        said = text_of(page)
        for each in (
            "In stock Blocked",
            "Quality block QA-31 “left ear cup rattles”",
            "Covered",
            "1 Nov 2026 – 31 Oct 2028",
            "aurora-care, 3 h ago",
            "Return RMA-118 · “changed their mind”",
            "With a customer → Returns desk",
            "Tomasz, picking, scanned",
            "Tracking: JD0140 2233 7781",
            "Chain links hold Each of the 10 events",
        ):
            assert each in said
        assert re.search('title="Version 10, hash [0-9a-f]{64}"', page)

    visit(shop, work)


def test_the_certificate_of_a_unit_is_a_page_that_proves_itself(shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        path = f"/units/{shop.ids[SERIAL]}/certificate"
        assert f'href="/console{path}"' in await visitor.get(f"/units/{shop.ids[SERIAL]}")
        answer = await visitor.client.get(f"/console{path}")
        assert answer.headers["content-security-policy"] == certificates.POLICY
        record, wrong = certificates.read(answer.text)
        assert wrong == []
        assert record["unit"]["id"] == shop.ids[SERIAL]
        assert "of the 10 events are sealed, but not yet signed" in answer.text
        await visitor.get("/units/nothing/certificate", 404)

    visit(shop, work)


def test_a_history_that_was_changed_is_pointed_out(shop: Shop) -> None:
    def forge(tx: Transaction) -> None:
        for row in tx.rows("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            tx.run(f"DROP TRIGGER {row['name']}")
        tx.run(
            "UPDATE event SET hash = 'forged' WHERE unit_id = :id AND version = 4",
            id=shop.ids[SERIAL],
        )

    shop.write(forge)

    async def work(visitor: Visitor) -> None:
        assert "Chain is broken" in await visitor.get(f"/units/{shop.ids[SERIAL]}")

    visit(shop, work)


def test_search_helps_where_it_does_not_find(shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        several = await visitor.get("/units?q=twin-1")
        assert "Several units bear “twin-1”" in several
        assert 'href="/console/units?q=twin-1&amp;sku=HL-7"' in several
        one = await visitor.client.get("/console/units?q=twin-1&sku=HL-7")
        assert one.status_code == 303
        begun = await visitor.get("/units?q=L7-0")
        assert "These begin with it:" in begun
        assert "L7-03" in begun
        nobody = await visitor.get("/units?q=NOBODY", 404)
        assert "Check the label for look-alikes" in nobody
        unread = await visitor.get("/units?q=%00", 404)
        assert "INVALID_BARCODE" in unread
        shipped = await visitor.get("/units?status=SHIPPED&sku=AX-200&location=CUSTOMER")
        assert shipped.count('class="linked"') == 19

    visit(shop, work)


def test_cases_and_orders_show_what_belongs_to_them(shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        page = text_of(await visitor.get(f"/cases/{shop.ids['case-unknown_serial']}"))
        assert "Mitte POS sold L7-99 on 2211, but no unit bears this identifier." in page
        assert "SKU HL-7" in page
        assert "Owner nobody yet" in page
        only = await visitor.get("/cases?state=assigned&kind=MISSING_CAPTURE")
        assert only.count('class="linked"') == 1
        order = await visitor.get(f"/orders/{shop.ids['#1041']}")
        assert f'href="/console/units/{shop.ids["AX2-0042-7700"]}"' in order
        assert "Fulfilled" in order
        lacking = text_of(await visitor.get(f"/orders/{shop.ids['#1044']}"))
        assert "none bound yet" in lacking
        orders = text_of(await visitor.get("/orders?state=FULFILLED"))
        assert "#1041" in orders
        assert "#1042" not in orders

    visit(shop, work)


def test_an_order_that_waits_says_why(empty_shop: Shop) -> None:
    world = World.build(empty_shop.database)
    channel = world.channel()
    line = OrderLine(ref="l-2", sku="GIFT", quantity=1, kind=LineKind.GIFT_CARD, title="Gift")
    camera = OrderLine(ref="l-1", sku="CAM", quantity=1)
    asked = HoldReason.CANCELLATION_REQUESTED
    order = world.order(lines=[camera, line], hold=asked, currency="EUR", total=Decimal("19.90"))
    order_id = world.accept(channel, order)
    world.accept(channel, world.order("o-2"))

    async def work(visitor: Visitor) -> None:
        page = text_of(await visitor.get(f"/orders/{order_id}"))
        for words in ("Buyer asks to cancel", "Nothing of it may leave", "19.90 EUR", "Gift card"):
            assert words in page
        held = text_of(await visitor.get("/orders?hold=CANCELLATION_REQUESTED"))
        assert "#o-1" in held
        assert "#o-2" not in held

    visit(empty_shop, work)


def test_hostile_texts_stay_texts(shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        for path in (
            "/units?sku=HL-9",
            f"/units/{shop.ids[HOSTILE]}",
            f"/units?q={quote('no' + HOSTILE)}&sku={quote(HOSTILE)}",
            f"/runs/{shop.ids['northwind-levels']}",
            f"/runs?channel={quote(HOSTILE)}&after={quote(HOSTILE)}",
        ):
            page = (await visitor.client.get(f"/console{path}")).text
            assert HOSTILE not in page
        assert "&lt;script&gt;" in await visitor.get(f"/units/{shop.ids[HOSTILE]}")

    visit(shop, work)


# ---- actions


def test_a_difference_is_healed_or_dismissed(shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        back = f"/console/runs/{shop.ids['northwind-orders']}"
        page = await visitor.post(f"/differences/{shop.ids['lost']}/heal", back=back)
        assert "#1039 is healed." in page
        assert "Orders of Northwind Online" in text_of(page)
        again = text_of(await visitor.post(f"/differences/{shop.ids['lost']}/heal", back=back))
        assert "the difference is healed STEP_NOT_ALLOWED" in again
        silent = text_of(await visitor.post(f"/differences/{shop.ids['foreign']}/dismiss"))
        assert "a reason has 1 to 2,000 characters INVALID_INPUT" in silent
        page = await visitor.post(
            f"/differences/{shop.ids['foreign']}/dismiss", back=back, reason="a test order"
        )
        assert "#1042 is dismissed." in page
        assert "a test order" in page
        assert "UNKNOWN_REFERENCE" in await visitor.post("/differences/nothing/heal")

    visit(shop, work)


def test_a_case_gets_an_owner_and_an_end(shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        path = f"/cases/{shop.ids['case-unknown_serial']}"
        assert "belongs to Mara, day shift now" in await visitor.post(f"{path}/assign")
        assert "Assign to me" not in await visitor.get(path)
        assert "INVALID_INPUT" in await visitor.post(f"{path}/resolve", resolution="  ")
        page = text_of(await visitor.post(f"{path}/resolve", resolution="It was L7-09."))
        assert "The case is resolved." in page
        assert "It was L7-09. Mara, day shift" in page
        assert "resolved already STEP_NOT_ALLOWED" in text_of(await visitor.post(f"{path}/assign"))

    visit(shop, work)


def test_a_channel_is_paused_resumed_checked_and_replayed(shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        path = "/channels/mitte-pos"
        assert "INVALID_INPUT" in await visitor.post(f"{path}/pause", reason=" ")
        page = text_of(await visitor.post(f"{path}/pause", reason="stocktaking"))
        assert "is paused; what is to be told waits." in page
        assert "Paused mitte-pos · square stocktaking" in page
        assert "is active again." in await visitor.post(f"{path}/resume")
        assert "accepts our credentials" in await visitor.post(f"{path}/check")
        assert shop.services.checked == ["mitte-pos"]
        shop.services.problem = RuntimeError("401")
        assert "RuntimeError: 401" in await visitor.post(f"{path}/check")
        assert "nothing to put back" in await visitor.post(f"{path}/replay", id="wrong")
        assert "rejected: 422" in await visitor.get(path)
        assert "1 message is told again" in await visitor.post(
            f"{path}/replay", id=shop.ids["letter"]
        )
        assert "Nothing was given up" in await visitor.get(path)

    visit(shop, work)


def test_a_channel_is_reconciled_now(shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        one = await visitor.post("/runs", channel="northwind", scope="LEVELS")
        assert "Compared 12, found 0 differences." in one
        assert "Both sides agree" in one
        all_scopes = await visitor.post("/runs", channel="northwind", scope="")
        assert "Compared 24, found 0 differences." in all_scopes
        assert "UNKNOWN_REFERENCE" in await visitor.post("/runs", channel="nobody")
        shop.services.problem = RuntimeError("a bug")
        page = text_of(await visitor.post("/runs", channel="northwind"))
        assert "Something went wrong on our side." in page
        assert "Request id:" in page
        assert "INTERNAL" in page
        assert "a bug" not in page

    visit(shop, work)


def test_a_warranty_that_can_not_be_asked_spoils_nothing_else(shop: Shop) -> None:
    shop.write(lambda tx: tx.run("DELETE FROM warranty_record"))  # what is stored needs no question
    shop.services.problem = RuntimeError("a bug")

    async def work(visitor: Visitor) -> None:
        page = text_of(await visitor.get(f"/units/{shop.ids[SERIAL]}"))
        assert "Something went wrong on our side." in page
        assert "Chain links hold" in page

    visit(shop, work)


# ---- words


@pytest.mark.parametrize(
    ("vocabulary", "values"),
    [
        ("status", Status),
        ("happened", Action),
        ("action", Action),
        ("disposition", Disposition),
        ("hold", HoldKind),
        ("capture", CaptureMethod),
        ("warranty", WarrantyStatus),
        ("order", OrderState),
        ("order_hold", HoldReason),
        ("severity", Severity),
        ("case_kind", CaseKind),
        ("scope", Comparison),
        ("difference", Kind),
        ("cause", Cause),
        ("fix", Fix),
    ],
)
def test_every_value_of_the_api_has_a_word(vocabulary: str, values: type) -> None:
    assert set(labels.VOCABULARIES[vocabulary]) == {each.name for each in values}
    tones = labels.TONES.get(vocabulary, {})
    assert {value for named in tones.values() for value in named} <= {each.name for each in values}


def test_a_value_that_is_new_is_shown_in_its_own_letters() -> None:
    assert labels.word("status", "ON_THE_MOON") == "On the moon"
    assert labels.tone("status", "ON_THE_MOON") == "neutral"
    assert labels.humane("safetyBuffer") == "Safety buffer"
    assert labels.humane("pushStock") == "Push stock"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3_599, "59 min"), (3_600, "1 h"),
     (47 * 3_600, "47 h"), (48 * 3_600, "2 days")],
)  # fmt: skip
def test_an_age_is_one_number_and_one_unit(seconds: float, shown: str) -> None:
    assert labels.age(seconds) == shown


@pytest.mark.parametrize(
    ("matched", "in_flight", "explained", "found", "healed"),
    [
        (0, 0, 0, 0, 0),
        (1_868, 6, 3, 2, 1),
        (0, 0, 0, 3, 3),
        (1, 1_000, 9, 1_000, 500),
        (5, 0, 0, 0, 0),
    ],
)
def test_a_bar_never_runs_over(
    matched: int, in_flight: int, explained: int, found: int, healed: int
) -> None:
    run = {
        "compared": matched + in_flight + explained + found,
        "explained": explained,
        "matched": matched,
        "inFlight": in_flight,
        "differencesFound": found,
        "healed": healed,
    }
    shares = presenters.shares(run)
    assert sum(share.width for share in shares) <= 1_000
    assert [share.x for share in shares] == [
        sum(before.width for before in shares[:place]) for place in range(len(shares))
    ]


def test_the_schema_knows_no_vocabulary_that_the_console_has_not_met() -> None:
    shown = {"LocationKind": "place", "UnitStatus": "status", "UnitAction": "action"}
    for name, vocabulary in shown.items():
        values = set(core_schema(schema).type_map[name].values)
        assert values == set(labels.VOCABULARIES[vocabulary])


def test_webhooks_are_seen_and_worked_on(shop: Shop) -> None:
    card = webhooks.EndpointCard(url="https://partner.example/<hook>", description="A partner")
    sealed = webhooks.seal(shop.settings.vault(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    context = CommandContext(actor="ann", now=NOW)
    endpoint = shop.database.write_now(lambda tx: webhooks.create(tx, context, card, sealed))
    home = f"/webhooks/{endpoint}"

    async def work(visitor: Visitor) -> None:
        assert "partner.example/&lt;hook&gt;" in await visitor.get("/webhooks")
        page = text_of(await visitor.post(f"{home}/test"))
        assert "A test is on its way" in page
        page = text_of(await visitor.get(home))
        assert "webhook.test" in page
        assert "Waiting" in page
        message = shop.database.read_now(lambda tx: tx.value("SELECT id FROM webhook_message"))
        page = text_of(await visitor.post(f"{home}/replay", delivery=message))
        assert "sent again" in page
        assert "48 hours" in text_of(await visitor.post(f"{home}/recover", hours=48))
        assert "INVALID_INPUT" in text_of(await visitor.post(f"{home}/recover", hours="many"))
        assert "INVALID_INPUT" in text_of(await visitor.post(f"{home}/disable", reason=""))
        page = text_of(await visitor.post(f"{home}/disable", reason="they move"))
        assert "they move" in page
        assert "from where it stopped" in text_of(await visitor.post(f"{home}/enable"))
        assert "from now on" in text_of(await visitor.post(f"{home}/enable", skip="yes"))
        assert "UNKNOWN_REFERENCE" in await visitor.get("/webhooks/nothing", 404)
        assert "No message" in text_of(await visitor.get(f"{home}?state=delivered"))

    visit(shop, work)
