"""Log records without the secrets of requests, whatever library writes them.

At the level debug the WebSocket library writes the head of each handshake, with the caller's key
and cookie; other libraries may do the same with what is sent to channels.
"""

import logging
import re

HIDDEN = "***"
#: A header that carries a secret, as libraries write it: ``> Authorization: Bearer x``,
#: ``(b'cookie', b'x')`` or ``'x-api-key': 'x'``.
_HEADER = re.compile(
    r"(?i)(?P<name>(?:proxy-)?authorization|(?:set-)?cookie|[\w-]*(?:token|secret|signature|"
    r"api-?key|access-?key)[\w-]*)(?P<mark>['\"]?\s*[:=,]\s*)(?P<value>b?'[^']*'|b?\"[^\"]*\"|[^\r\n]+)"
)
_KEY = re.compile(r"\bshk_[\w-]{8,}")


def without_secrets(text: str) -> str:
    """Return a text without API keys and without the values of headers that carry secrets."""
    return _KEY.sub(HIDDEN, _HEADER.sub(rf"\g<name>\g<mark>{HIDDEN}", text))


class SecretFilter(logging.Filter):
    """Rewrites records that name a secret; drops none."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean the message of a record."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            return True  # the handler reports it
        clean = without_secrets(text)
        if clean != text:
            record.msg, record.args = clean, ()
        return True


def hide_secrets() -> None:
    """Put the filter on every handler that there is; again after others were made."""
    named = (logging.getLogger(name) for name in [*logging.root.manager.loggerDict])
    for each in (logging.getLogger(), *named):
        for handler in each.handlers:
            if not any(isinstance(known, SecretFilter) for known in handler.filters):
                handler.addFilter(SecretFilter())
