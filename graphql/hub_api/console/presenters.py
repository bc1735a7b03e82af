"""Readings: what an answer of the API means to somebody who looks at it."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from hub_api.console import labels as words


class Health(NamedTuple):
    """How a channel is: a tone, a word, and a sentence where there is something to say."""

    tone: str
    word: str
    sentence: str = ""


LATE_SECONDS = 300
TOO_LATE_SECONDS = 3_600


def health(channel: Mapping[str, Any], now: datetime) -> Health:
    """Say how a channel is, the worst first."""
    lag = channel["lag"]
    if channel["state"] == "paused":
        return Health("attention", "Paused", channel["pausedReason"] or "")
    if lag["dead"]:
        sentence = f"{words.number(lag['dead'])} to be replayed when the cause is gone."
        return Health("danger", "Messages given up", sentence)
    if lag["seconds"] >= TOO_LATE_SECONDS:
        return Health("danger", "Far behind", "Its oldest change has waited for over an hour.")
    if channel["waitsUntil"] and words.moment(channel["waitsUntil"]) > now:
        return Health("attention", "Slowed down", "It asked us to send less for a while.")
    if lag["seconds"] >= LATE_SECONDS:
        return Health("attention", "Behind", "Its oldest change has waited for some minutes.")
    return Health("ok", "In step")


class Share(NamedTuple):
    """One part of a bar that is a thousand wide."""

    name: str
    x: int
    width: int


SHARE_MIN = 18


def shares(run: Mapping[str, Any]) -> list[Share]:
    """Divide a bar by what became of what was compared; what is there can always be seen."""
    healed = min(run["healed"], run["differencesFound"])
    open_ = run["differencesFound"] - healed
    small = [
        (name, max(SHARE_MIN, count * 1000 // max(1, run["compared"])))
        for name, count in (
            ("info", run["inFlight"]),
            ("explained", run["explained"]),
            ("healed", healed),
            ("danger", open_),
        )
        if count
    ]
    rest = 1000 - sum(width for _, width in small)
    if rest < 0:  # what is raised to be seen is taken from the widest
        widest = max(range(len(small)), key=lambda place: small[place][1])
        small[widest] = (small[widest][0], small[widest][1] + rest)
    parts = [("ok", rest), *small] if run["matched"] and rest > 0 else small
    found, x = [], 0
    for name, width in parts:
        found.append(Share(name, x, width))
        x += width
    return found


def by_kind(groups: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return the number of differences of each kind, the most first."""
    found: dict[str, int] = {}
    for group in groups:
        found[group["kind"]] = found.get(group["kind"], 0) + group["number"]
    return dict(sorted(found.items(), key=lambda each: -each[1]))


class Bundle(NamedTuple):
    """The differences of one kind on one channel: what can be done about all of them at once."""

    channel: str
    channel_name: str
    kind: str
    number: int
    surplus: int
    shortage: int
    oldest_at: str
    causes: dict[str, int]
    fixes: dict[str, int]  # those that one command applies to many, with their number
    sample: str


ONE_BY_ONE = frozenset({"ASK", "ACCEPT_ORDER", "ACCEPT_RETURN"})


def bundles(groups: Iterable[Mapping[str, Any]]) -> list[Bundle]:
    """Put groups of one channel and kind together, the largest first."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for group in groups:
        found.setdefault((group["channel"], group["kind"]), []).append(group)
    return sorted(map(_bundle, found.values()), key=lambda bundle: -bundle.number)


def _bundle(groups: list[Mapping[str, Any]]) -> Bundle:
    causes: dict[str, int] = {}
    fixes: dict[str, int] = {}
    for group in groups:
        causes[group["cause"]] = causes.get(group["cause"], 0) + group["number"]
        for fix in dict.fromkeys((group["fix"], *group["choices"])):
            if fix not in ONE_BY_ONE:
                fixes[fix] = fixes.get(fix, 0) + group["number"]
    return Bundle(
        channel=groups[0]["channel"],
        channel_name=groups[0]["channelName"],
        kind=groups[0]["kind"],
        number=sum(group["number"] for group in groups),
        surplus=sum(group["surplus"] for group in groups),
        shortage=sum(group["shortage"] for group in groups),
        oldest_at=min(group["oldestAt"] for group in groups),
        causes=causes,
        fixes=fixes,
        sample=groups[0]["sample"],
    )


class TrendBar(NamedTuple):
    """One day of a chart: where it stands, and how high its two bars are, of a hundred."""

    on: str
    x: int
    begun: int
    ended: int


DAY_WIDTH = 30  # of which the bars take twenty


def trend(levels: Mapping[str, Any]) -> list[TrendBar]:
    """Return a bar for each day of a period: differences that began, and those that ended."""
    first = words.moment(levels["since"]).date()
    last = words.moment(levels["until"]).date()
    days = {day["on"]: day for day in levels["days"]}
    begun = {on: day["begun"] for on, day in days.items()}
    ended = {on: day["healed"] + day["closed"] for on, day in days.items()}
    highest = max([*begun.values(), *ended.values(), 1])
    found = []
    for number in range((last - first).days + 1):
        on = (first + timedelta(days=number)).isoformat()
        heights = [-(-100 * each.get(on, 0) // highest) for each in (begun, ended)]
        found.append(TrendBar(on, number * DAY_WIDTH, *heights))
    return found


def promised(levels: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the promises for a channel by what they are about."""
    return {promise["measure"]: promise for promise in levels["promises"]}


class Claim(NamedTuple):
    """One thing that both sides say something about; None: that side says nothing."""

    label: str
    ledger: str | None
    remote: str | None

    @property
    def agrees(self) -> bool:
        """Say whether both say the same."""
        return self.ledger == self.remote

    @property
    def is_one_sided(self) -> bool:
        """Say whether only one side says anything."""
        return self.ledger is None or self.remote is None


def claims(difference: Mapping[str, Any]) -> list[Claim]:
    """Set both sides' claims beside each other."""
    ledger = dict(_flat(difference["ledgerClaim"]))
    remote = dict(_flat(difference["remoteClaim"]))
    labels = dict.fromkeys((*ledger, *remote))
    return [Claim(label, ledger.get(label), remote.get(label)) for label in labels]


def facts(details: Mapping[str, Any] | None, *hidden: str) -> list[tuple[str, str]]:
    """List what is known beside, in words, without what is shown elsewhere."""
    known = {key: value for key, value in (details or {}).items() if key not in hidden}
    return list(_flat(known))


def _flat(value: Any, label: str = "") -> Iterable[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            # Names of ours become words; a SKU inside stays as it is.
            yield from _flat(each, f"{label} {key}" if label else words.word("claim", key))
    elif isinstance(value, list):
        texts = (
            " ".join(map(str, each)) if isinstance(each, list) else str(each) for each in value
        )
        if joined := ", ".join(texts):
            yield label, joined
    elif value is not None and value != "":
        yield label, _plain(value)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return words.number(value)
    text = str(value)
    try:
        return words.exact(text) if len(text) > 18 and text[4:5] == "-" else text
    except ValueError:
        return text
