"""Data quality job: runs all checks of the records."""

from functools import partial

from hub.cases import quality
from hub.cases.quality import Check
from jobs.runtime import Runtime


async def examine(runtime: Runtime) -> str:
    """Run all checks; return the number of findings of each."""
    found: list[str] = []
    for check in Check:
        look = partial(quality.see, check=check, now=runtime.clock())
        seen = await runtime.database.report(look)
        conclude = partial(quality.conclude, context=runtime.context("quality"), seen=seen)
        found.append(f"{check} {await runtime.database.write(conclude)}")
    return ", ".join(found)
