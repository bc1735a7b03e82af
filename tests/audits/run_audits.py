"""Run the GraphQL-over-HTTP audits against one endpoint: any server of ours, any headers."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SECONDS_MAX = 120


def missing() -> str | None:
    """Say what is missing for the audits to run, or None."""
    if shutil.which("node") is None:
        return "the GraphQL-over-HTTP audits need node, which is not installed"
    if not (HERE / "node_modules" / "graphql-http").is_dir():
        return "the GraphQL-over-HTTP audits are not installed: run `npm ci` in tests/audits"
    return None


def run_audits(url: str, headers: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Return every audit as {id, name, status, reason}; status is ok, notice, warn or error."""
    done = subprocess.run(
        ["node", "audits.mjs", url, json.dumps(dict(headers or {}))],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=True,
    )
    results: list[dict[str, Any]] = json.loads(done.stdout)
    return results
