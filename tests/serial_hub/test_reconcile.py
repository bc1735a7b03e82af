"""The command `serial-hub reconcile`, run as people and a cron run it."""

import asyncio
import os
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.shopify.simulator.server import ShopifySimulator
from connectors.testing.serving import serve
from hub.clock import micros, now
from hub.settings import Settings
from serial_hub.compose import prepare
from world import World


async def hub(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run the command in a process of its own; return its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "serial_hub", "reconcile", *arguments),
        cwd=folder,
        env=os.environ | {"SERIAL_HUB_PRIVATE_HOSTS": "127.0.0.1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert "Traceback" not in err.decode()
    return process.returncode or 0, out.decode() + err.decode()


@pytest.mark.slow
def test_the_exit_code_says_whether_both_sides_agree(tmp_path: Path) -> None:
    asyncio.run(_story(tmp_path))


async def _story(folder: Path) -> None:
    twin = ShopifySimulator()
    item = twin.add_item("CAM", 0)
    async with serve(twin.app) as url:
        settings = Settings(database=f"sqlite:///{folder}/serial-hub.db")
        with closing(prepare(settings)) as database:
            world = World.build(database)
            world.vault = settings.vault()
            channel = world.channel(settings=twin.settings(url))
            world.receive("SN-1", "SN-2")
            world.list_product(channel, remote={"inventory_item_id": item})
            world.channel("broken")  # without settings; it stops no other
        code, text = await hub(folder, "shop")
        assert (code, twin.quantity("CAM")) == (0, 2), text
        assert "Shop, levels: 1 compared, 1 match" in text
        twin.set_quantity("CAM", 9)
        code, text = await hub(folder, "shop", "--scope", "levels", "--preview")
        assert (code, twin.quantity("CAM")) == (1, 9), text
        assert "open      quantity  CAM: We set 2" in text
        code, text = await hub(folder)
        assert (code, twin.quantity("CAM")) == (2, 2), text
        assert "Broken: not compared: settings of shopify" in text
        assert "1 differ, 1 healed" in text
        with closing(prepare(settings)) as database:
            end = micros(now() + timedelta(hours=1))
            database.write_now(
                lambda tx: tx.run(
                    "UPDATE reconciliation_run SET state = 'running', lease_until = :end WHERE id "
                    "= (SELECT MAX(id) FROM reconciliation_run WHERE scope = 'levels')",
                    end=end,
                )
            )
        code, text = await hub(folder, "shop")  # the other scopes are compared all the same
        assert code == 2, text
        assert "Shop, levels: not compared: a run of levels of Shop is under way since" in text
        assert "Shop, orders: 0 compared" in text
        with closing(prepare(settings)) as database:
            database.write_now(lambda tx: tx.run("UPDATE reconciliation_run SET lease_until = 0"))
        code, text = await hub(folder, "shop", "--scope", "levels")
        assert code == 0, text
        assert "by a process that ended, continued at" in text
        code, text = await hub(folder, "nowhere")
        assert code == 1
        assert text.startswith("UNKNOWN_REFERENCE")
        twin.access_token = "another"
        code, text = await hub(folder, "shop")
        assert code == 2
        assert "not compared: AuthFailed" in text
