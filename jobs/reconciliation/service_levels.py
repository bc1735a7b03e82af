"""Checks promised service levels of reconciliation, channel by channel."""

from functools import partial

from hub.reconciliation import promises, service_levels
from jobs.runtime import Runtime


async def check(runtime: Runtime) -> str:
    """Check every promise; return a summary. What is measured is read before the write."""
    channels = await runtime.database.read(promises.promised_channels)
    broken = 0
    for channel in channels:
        now = runtime.clock()
        measure = partial(service_levels.measure, channel_id=channel["id"], now=now)
        levels = await runtime.database.report(measure)
        note = partial(promises.check, channel=channel, levels=levels, now=now)
        broken += await runtime.database.write(note)
    return f"{broken} promises are broken, of {len(channels)} channels"
