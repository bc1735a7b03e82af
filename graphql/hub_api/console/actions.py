"""What people do in the console: each action is one mutation, then a message on the next page."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from secrets import token_hex
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from hub_api.console.client import Unanswered
from hub_api.console.labels import DIFFERENCE_STATE, number
from hub_api.console.page_request import Visit
from hub_api.console.session import HOME, Form, read_form, value

Act = Callable[[Visit], Awaitable[Response]]
Result = Mapping[str, Any]
REASONS_SHOWN = 3  # of refused listings, in a message


def _key() -> str:
    """Return an idempotency key: each press of a button is a command of its own."""
    return f"console:{token_hex(16)}"


async def _do(visit: Visit, operation: str, **variables: Any) -> Result:
    """Run a mutation; raise `Unanswered` when it was refused."""
    answer = await visit.ask(operation, key=_key(), **variables)
    result: Result = answer.data["result"]
    if "code" in result:
        raise Unanswered(str(result["message"]), str(result["code"]))
    return result


def _action(home: str, work: Callable[[Visit, Form], Awaitable[tuple[str, str, str]]]) -> Act:
    """Make an action; a refusal is told on the page that the action came from."""

    async def act(visit: Visit) -> Response:
        form = await read_form(visit.request)
        target = value(form, "back") or HOME + home.format(**visit.request.path_params)
        try:
            where, tone, text = await work(visit, form)
        except Unanswered as refusal:
            return visit.back(target, "danger", str(refusal), refusal.code)
        return visit.back(where or target, tone, text)

    return act


async def _reconcile(visit: Visit, form: Form) -> tuple[str, str, str]:
    channel, scope = value(form, "channel"), value(form, "scope") or None
    runs = (await _do(visit, "reconcile", channel=channel, scope=scope))["runs"]
    failed = [run["error"] for run in runs if run["error"]]
    if failed:
        return "", "danger", f"{channel} could not be compared: {failed[0]}"
    if not runs:
        return "", "attention", f"There is nothing of {channel} that can be compared."
    compared, found, healed = (
        sum(run[name] for run in runs) for name in ("compared", "differencesFound", "healed")
    )
    text = f"Compared {number(compared)}, found {number(found)} differences"
    text += f", healed {number(healed)} at once." if healed else "."
    where = f"runs/{runs[0]['id']}" if len(runs) == 1 else f"runs?channel={quote(channel)}"
    return HOME + where, "ok", text


async def _heal(visit: Visit, form: Form) -> tuple[str, str, str]:
    fix = value(form, "fix") or None
    result = await _do(visit, "heal", id=visit.part("id"), fix=fix)
    if result["state"] == "HEALED":
        return "", "ok", f"{result['subject']} is healed."
    if result["state"] == "HEALING":
        return "", "info", f"{result['subject']}: the fix is queued; healed when it is confirmed."
    state = DIFFERENCE_STATE.get(result["state"], result["state"]).lower()
    return "", "attention", f"{result['subject']} is {state}."


async def _dismiss(visit: Visit, form: Form) -> tuple[str, str, str]:
    result = await _do(visit, "dismiss", id=visit.part("id"), reason=value(form, "reason"))
    return "", "ok", f"{result['subject']} is dismissed."


async def _heal_all(visit: Visit, form: Form) -> tuple[str, str, str]:
    given = {name: value(form, name) for name in ("channel", "kind", "fix")}
    result = await _do(visit, "heal_all", **given)
    applied, healed, refused = (int(result[each]) for each in ("applied", "healed", "refused"))
    if not applied and not refused:
        return "", "attention", "No open difference is settled by this fix."
    text = f"The fix is applied to {number(applied)}; {number(healed)} are seen to be healed."
    if refused:
        text += f" {number(refused)} refused it and say why."
    return "", "attention" if refused else "ok", text


async def _dismiss_all(visit: Visit, form: Form) -> tuple[str, str, str]:
    given = {name: value(form, name) for name in ("channel", "kind", "reason")}
    count = int((await _do(visit, "dismiss_all", **given))["dismissed"])
    return "", "ok" if count else "attention", f"{number(count)} dismissed."


async def _import_listings(visit: Visit, form: Form) -> tuple[str, str, str]:
    given = {name: value(form, name) for name in ("channel", "manufacturer", "tracking")}
    result = await _do(visit, "import_listings", **given)
    registered, refused = len(result["registered"]), result["refused"]
    became = "listing is a product" if registered == 1 else "listings are products"
    text = f"{number(registered)} {became} now"
    text += "; the next run of stock levels binds what is listed." if registered else "."
    if refused:
        shown = "; ".join(f"{each['sku']}: {each['reason']}" for each in refused[:REASONS_SHOWN])
        more = f"; and {number(len(refused) - REASONS_SHOWN)} more" * (len(refused) > REASONS_SHOWN)
        text += f" {number(len(refused))} refused: {shown}{more}."
    return "", "attention" if refused or not registered else "ok", text


async def _promise(visit: Visit, form: Form) -> tuple[str, str, str]:
    channel = value(form, "channel")
    await _do(
        visit,
        "promise",
        channel=channel,
        detect=_whole(form, "detect", 60),
        heal=_whole(form, "heal", 60),
        unattended=_whole(form, "unattended", 1),
    )
    where = f"service-levels?channel={quote(channel)}"
    return HOME + where, "ok", "The promises apply from now on; they are checked every few minutes."


def _whole(form: Form, name: str, factor: int) -> int | None:
    """Read a number of a form, times a factor; None for an empty one."""
    if not (text := value(form, name)):
        return None
    try:
        return round(float(text) * factor)
    except (ValueError, OverflowError):
        raise Unanswered(f"{text} is no number.", "INVALID_INPUT") from None


async def _assign(visit: Visit, _: Form) -> tuple[str, str, str]:
    result = await _do(visit, "assign", id=visit.part("id"), owner=visit.context.caller.name)
    return "", "ok", f"The case belongs to {result['owner']} now."


async def _resolve(visit: Visit, form: Form) -> tuple[str, str, str]:
    await _do(visit, "resolve", id=visit.part("id"), resolution=value(form, "resolution"))
    return "", "ok", "The case is resolved."


async def _pause(visit: Visit, form: Form) -> tuple[str, str, str]:
    if not (reason := value(form, "reason")):
        raise Unanswered("Say why: the next person will want to know.", "INVALID_INPUT")
    result = await _do(visit, "pause", code=visit.part("code"), reason=reason)
    return "", "attention", f"{result['name']} is paused; what is to be told waits."


async def _resume(visit: Visit, _: Form) -> tuple[str, str, str]:
    result = await _do(visit, "resume", code=visit.part("code"))
    return "", "ok", f"{result['name']} is active again."


async def _check(visit: Visit, _: Form) -> tuple[str, str, str]:
    result = await _do(visit, "check", code=visit.part("code"))
    return "", "ok" if result["ok"] else "danger", str(result["message"])


async def _replay(visit: Visit, form: Form) -> tuple[str, str, str]:
    result = await _do(visit, "replay", channel=visit.part("code"), ids=form.get("id"))
    count = int(result["messages"])
    if count == 0:
        return "", "attention", "There was nothing to put back."
    return "", "ok", f"{number(count)} {'message is' if count == 1 else 'messages are'} told again."


async def _disable_webhook(visit: Visit, form: Form) -> tuple[str, str, str]:
    if not (reason := value(form, "reason")):
        raise Unanswered("Say why: the next person will want to know.", "INVALID_INPUT")
    endpoint = visit.part("id")
    result = await _do(visit, "disable_webhook", id=endpoint, reason=reason)
    return "", "attention", f"{result['endpoint']['url']} is told nothing more."


async def _enable_webhook(visit: Visit, form: Form) -> tuple[str, str, str]:
    skip = value(form, "skip") == "yes"
    result = await _do(visit, "enable_webhook", id=visit.part("id"), skip=skip)
    where = "from now on" if skip else "from where it stopped"
    return "", "ok", f"{result['endpoint']['url']} is told again, {where}."


async def _test_webhook(visit: Visit, _: Form) -> tuple[str, str, str]:
    await _do(visit, "test_webhook", id=visit.part("id"))
    return "", "info", "A test is on its way: look at what was answered in a moment."


async def _recover_webhooks(visit: Visit, form: Form) -> tuple[str, str, str]:
    try:
        hours = int(value(form, "hours"))
    except ValueError:
        raise Unanswered("Say how many hours back.", "INVALID_INPUT") from None
    since = (visit.context.clock() - timedelta(hours=max(0, min(hours, 720)))).isoformat()
    await _do(visit, "recover_webhooks", id=visit.part("id"), since=since)
    return "", "ok", f"Everything of the last {number(hours)} hours is sent again."


async def _replay_webhook(visit: Visit, form: Form) -> tuple[str, str, str]:
    await _do(visit, "replay_webhook", delivery=value(form, "delivery"))
    return "", "ok", "The message is sent again."


ACTIONS: Mapping[str, Act] = {
    "/runs": _action("runs", _reconcile),
    "/differences/heal": _action("differences", _heal_all),
    "/differences/import": _action("differences", _import_listings),
    "/service-levels": _action("service-levels", _promise),
    "/differences/dismiss": _action("differences", _dismiss_all),
    "/differences/{id}/heal": _action("differences", _heal),
    "/differences/{id}/dismiss": _action("differences", _dismiss),
    "/cases/{id}/assign": _action("cases/{id}", _assign),
    "/cases/{id}/resolve": _action("cases/{id}", _resolve),
    "/channels/{code}/pause": _action("channels/{code}", _pause),
    "/channels/{code}/resume": _action("channels/{code}", _resume),
    "/channels/{code}/check": _action("channels/{code}", _check),
    "/channels/{code}/replay": _action("channels/{code}", _replay),
    "/webhooks/{id}/disable": _action("webhooks/{id}", _disable_webhook),
    "/webhooks/{id}/enable": _action("webhooks/{id}", _enable_webhook),
    "/webhooks/{id}/test": _action("webhooks/{id}", _test_webhook),
    "/webhooks/{id}/recover": _action("webhooks/{id}", _recover_webhooks),
    "/webhooks/{id}/replay": _action("webhooks/{id}", _replay_webhook),
}
