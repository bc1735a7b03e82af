"""Data quality: the checks of the records, one after the other."""

from functools import partial

from hub.cases import quality
from hub.cases.quality import Check
from jobs.runtime import Runtime


async def examine(runtime: Runtime) -> str:
    """Run all checks; return how much each found."""
    found: list[str] = []
    for check in Check:
        look = partial(quality.see, check=check, now=runtime.clock())
        seen = await runtime.database.report(look)
        conclude = partial(quality.conclude, context=runtime.context("quality"), seen=seen)
        found.append(f"{check} {await runtime.database.write(conclude)}")
    return ", ".join(found)
