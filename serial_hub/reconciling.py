"""The command `serial-hub reconcile`: compare channels with the ledger now."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import IntEnum

from connectors.registry import ConnectorUnknown, SettingsInvalid
from hub.clock import moment
from hub.errors import InvalidInput, RunUnderWay
from hub.reconciliation import run_views
from hub.reconciliation.kinds import Scope, Totals
from hub.reconciliation.run_views import RunRow
from hub.settings import Settings
from hub.storage.rows import ChannelRow
from hub.sync import channels
from jobs.reconciliation import run as reconciliation
from jobs.reconciliation.options import RunOptions
from jobs.runtime import Runtime
from serial_hub.compose import prepare, runtime_of

DIFFERENCES_SHOWN = 20  # of each run; the report in the console has them all


class Outcome(IntEnum):
    """Exit code of the command."""

    AGREE = 0  # both sides agree, or what differed is healed or was explained before
    DIFFER = 1  # differences are left
    FAILED = 2  # a run could not be finished


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("channel", nargs="?", help="code of a channel; all, if left out")
    parser.add_argument(
        "--scope", choices=[*Scope], help="all that the channel supports, if left out"
    )
    parser.add_argument("--preview", action="store_true", help="compare only; heal nothing")
    parser.add_argument(
        "--since", type=_moment, metavar="TIME", help="compare orders from this ISO 8601 time on"
    )


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no ISO 8601 time") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def run(settings: Settings, options: argparse.Namespace) -> Outcome:
    """Reconcile, print each run with its differences, and return the exit code.

    Raises UnknownReference for an unknown channel, StepNotAllowed for one without a connector.
    """
    database = prepare(settings)
    try:
        return asyncio.run(_reconcile(runtime_of(settings, database), options))
    finally:
        database.close()


async def _reconcile(runtime: Runtime, options: argparse.Namespace) -> Outcome:
    async with runtime.open():
        if options.channel is None:
            rows = await runtime.database.read(channels.with_capability)
        else:
            row = await runtime.database.read(lambda tx: channels.get(tx, options.channel))
            channels.require_remote(row)
            rows = [row]
        if options.since is not None and options.since >= runtime.clock():
            raise InvalidInput("the time is not in the past", field="since")
        outcome = Outcome.AGREE
        for row in rows:
            try:
                scopes = reconciliation.supported(runtime, row)
            except (SettingsInvalid, ConnectorUnknown) as error:
                sys.stdout.write(f"{row['name']}: not compared: {error}\n")
                outcome = Outcome.FAILED
                continue
            for scope in scopes:
                if options.scope in (None, scope):
                    outcome = max(outcome, await _compare(runtime, row, scope, options))
        return outcome


async def _compare(
    runtime: Runtime, row: ChannelRow, scope: Scope, options: argparse.Namespace
) -> Outcome:
    try:
        given = _options(runtime, row, options)
        (run_id,) = await reconciliation.reconcile(runtime, row, given, scope)
    except RunUnderWay as error:  # what others compare stops no other comparison
        sys.stdout.write(f"{row['name']}, {scope}: not compared: {error}\n")
        return Outcome.FAILED
    return await _report(runtime, run_id)


def _options(runtime: Runtime, channel: ChannelRow, options: argparse.Namespace) -> RunOptions:
    def progress(scope: Scope, totals: Totals) -> None:
        if sys.stderr.isatty():
            text = f"{channel['name']}, {scope}: {totals.compared:,} compared"
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()

    window = None if options.since is None else runtime.clock() - options.since
    return RunOptions(
        trigger="command line",
        heal=not options.preview,
        window=window,
        grace=runtime.grace,
        progress=progress,
    )


async def _report(runtime: Runtime, run_id: str) -> Outcome:
    run = await runtime.database.read(lambda tx: run_views.run(tx, run_id))
    assert run is not None  # it was just made
    found = await runtime.database.read(
        lambda tx: run_views.differences(tx, first=DIFFERENCES_SHOWN, after=None, run=run_id)
    )
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    sys.stdout.writelines(f"{line}\n" for line in _lines(run, found))
    if run["state"] != "finished":
        return Outcome.FAILED
    return Outcome.DIFFER if any(each["state"] in _LEFT for each in found) else Outcome.AGREE


_LEFT = frozenset({"open", "healing"})


def _lines(run: RunRow, found: Sequence[run_views.DifferenceRow]) -> list[str]:
    name = f"{run['channel_name']}, {run['scope']}"
    if run["state"] == "running":
        return [f"{name}: another process goes on with run {run['id']}"]
    if run["state"] != "finished":
        return [f"{name}: not compared: {run['error']}"]
    lines = [
        f"{name}: {run['compared']:,} compared, {run['matched']:,} match, "
        f"{run['in_flight']:,} in flight, {run['explained']:,} explained, "
        f"{run['differences']:,} differ, {run['healed']:,} healed, {run['closed']:,} closed, "
        f"{run['not_compared']:,} not compared"
    ]
    if run["resumed_at"]:
        began, again = moment(run["started_at"]), moment(run["resumed_at"])
        lines.append(
            f"  begun at {began:%Y-%m-%d %H:%M:%S} UTC by a process that ended, continued at "
            f"{again:%Y-%m-%d %H:%M:%S} UTC"
        )
    lines += [
        f"  {each['state']:<9} {each['kind']}  {each['subject']}: {each['evidence']}"
        for each in found[:DIFFERENCES_SHOWN]
    ]
    if len(found) > DIFFERENCES_SHOWN:
        lines.append(f"  more: run {run['id']} in the console")
    return lines
