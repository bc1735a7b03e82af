"""A hundred thousand rows of a file, read in by the command, against the plain driver."""

import os
import resource
import subprocess
import sys

from tests.benchmarks.harness import (
    BINS,
    Ground,
    Measurement,
    fresh_ground,
    opened,
    register,
    say,
)
from tests.benchmarks.receive_bulk import UNITS, bare

ROWS = 100_000


def import_100k(backend: str) -> Measurement:
    """Measure the processor time of `serial-hub import` of 100,000 new units.

    It is the command's own, with what SQLite takes in its process; a server of PostgreSQL is not
    counted. Wall time depends on what else the machine does, and is told beside it.
    """
    with fresh_ground(backend) as ground:
        with opened(ground) as database:
            skus = database.write_now(register)
        path = ground.folder.parent / f"{ground.folder.name}.csv"
        try:
            with path.open("w") as file:
                file.write("serial,sku,lot,supplier\n")
                for number in range(ROWS):
                    serial = f"SN-{number * 7919 % 9_999_991:07}-{'ABCDEFGHJK'[number % 10]}"
                    sku = skus[number % len(skus)]
                    file.write(f"{serial},{sku},L{number // 1_000},ACME Supply\n")
            seconds = _read_in(ground, str(path))
        finally:
            path.unlink(missing_ok=True)
        yardstick = sum(bare(ground, ROWS // UNITS))
    return Measurement("import_100k", seconds, "s", yardstick, seconds / yardstick)


def _read_in(ground: Ground, path: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "serial_hub", "import", path, "--location", BINS[0]],
        env=os.environ | {"SERIAL_HUB_DATABASE": ground.url, "SERIAL_HUB_LOG_LEVEL": "warning"},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    say(f"{ROWS} rows: {user:.1f} s in user mode, {system:.1f} s in the kernel")
    return user + system
