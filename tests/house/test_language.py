"""Words of the project's old dialect only become fewer: docstrings, comments and pages."""

import ast
import io
import re
import subprocess
import tokenize
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Terms that the glossary replaced: none of them comes back anywhere.
REPLACED = re.compile(
    r"\b(occasion|circumstances|fulfilment|licence|retrofit|old stock|takeApartKit|putPerson"
    r"|untold|being told)\b",
    re.IGNORECASE,
)
# Words that are vague for a reader from elsewhere. The number only falls: lower it as you mend.
VAGUE = re.compile(r"\b(tells?|told|whom|awaited|come true|give back|given back)\b", re.IGNORECASE)
REPLACED_MAX = 0
VAGUE_MAX = 153


def prose(path: Path) -> str:
    """Return the docstrings and comments of a module, or the text of a page."""
    text = path.read_text()
    if path.suffix != ".py":
        return text
    found = [
        ast.get_docstring(node) or ""
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    found += [token.string for token in tokens if token.type == tokenize.COMMENT]
    return "\n".join(found)


def places(words: re.Pattern[str]) -> dict[str, int]:
    """Count words by file, in the product and its pages; the changelog names old terms."""
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "*.md", "graphql/schema.graphql"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    counts = {
        name: len(words.findall(prose(ROOT / name)))
        for name in listed.stdout.splitlines()
        if not name.startswith("tests/") and name != "CHANGELOG.md"
    }
    return {name: count for name, count in counts.items() if count}


def test_replaced_terms_do_not_come_back() -> None:
    found = places(REPLACED)
    assert sum(found.values()) <= REPLACED_MAX, found


def test_vague_words_become_fewer() -> None:
    found = places(VAGUE)
    assert sum(found.values()) <= VAGUE_MAX, found
