"""Readings: what an answer of the API means to somebody who looks at it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
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
        for name, count in (("info", run["inFlight"]), ("healed", healed), ("danger", open_))
        if count
    ]
    rest = 1000 - sum(width for _, width in small)
    parts = [("ok", rest), *small] if run["matched"] and rest > 0 else small
    found, x = [], 0
    for name, width in parts:
        found.append(Share(name, x, width))
        x += width
    return found


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
