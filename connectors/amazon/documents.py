"""Documents of feeds and reports: fetched from a signed address, unpacked within a bound."""

import zlib
from collections.abc import Mapping
from gzip import BadGzipFile
from typing import Any

from connectors.errors import Unknown
from connectors.remote import RemoteApi

DOCUMENT_BYTES_MAX = 32 * 1024 * 1024
GZIP_MAGIC = b"\x1f\x8b"


async def document_content(api: RemoteApi, place: Mapping[str, Any]) -> bytes:
    """Return what a document holds; `place` is Amazon's answer about it.

    The address is signed: our own token is none of its business. Raises Unknown for a document
    that cannot be unpacked.
    """
    content = (await api.request("GET", place["url"], auth=None)).content
    if place.get("compressionAlgorithm") != "GZIP" or content[:2] != GZIP_MAGIC:
        return content
    try:
        return _unpacked(content)
    except (EOFError, OSError, zlib.error) as error:
        raise Unknown("a document of Amazon's cannot be unpacked") from error


async def document_text(api: RemoteApi, place: Mapping[str, Any]) -> str:
    """Return a document as text; older reports are not in UTF-8."""
    content = await document_content(api, place)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _unpacked(content: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    plain = unpacker.decompress(content, DOCUMENT_BYTES_MAX)
    if unpacker.unconsumed_tail:
        raise BadGzipFile("too long")
    return plain
