"""Redaction: records of a remote without personal data, as JSON that can be stored."""

import json
import re
from typing import Any

REDACTED = "(redacted)"
TEXT_CHARS_MAX = 200
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_MAIL = re.compile(r"[^\s@<>\"]+@[^\s@<>\"]+\.\w+")
_PHONE = re.compile(r"^\+?[\d ()/.-]{9,}$")
_PERSONAL_WORDS = (
    "account address addresses agent attendee billing birth birthday buyer card city "
    "comment company contact customer email fax first firstname iban invoice ip last "
    "lastname latitude longitude mail message mobile note notes passport password payer "
    "payment phone post postal postcode recipient secret shipping signature ssn street "
    "surname tax token user vat zip "
)
PERSONAL = frozenset(_PERSONAL_WORDS.split())
NEVER_PERSONAL = re.compile(r"(?i)(status|state|quantity|amount|date|time|_at|At)$")


def is_personal(path: str) -> bool:
    """Say whether a field, or an object around it, is named as personal data are."""
    return any(_names_a_person(part) for part in path.split("."))


def _names_a_person(name: str) -> bool:
    if NEVER_PERSONAL.search(name):
        return False
    return bool(PERSONAL.intersection(word.lower() for word in _WORDS.findall(name)))


def redact(value: Any) -> Any:
    """Copy JSON without personal data, by the names of fields and by the look of texts."""
    if isinstance(value, dict):
        return {
            name: REDACTED if each and _names_a_person(str(name)) else redact(each)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [redact(each) for each in value]
    return _text(value) if isinstance(value, str) else value


def _text(text: str) -> str:
    if _MAIL.search(text) or (_PHONE.match(text) and not text.isdecimal()):
        return REDACTED
    return text if len(text) <= TEXT_CHARS_MAX else f"{text[:TEXT_CHARS_MAX]}…"


def as_json(value: Any, chars_max: int, *, personal: bool = False) -> str:
    """Write a value as JSON in ASCII; no more than `chars_max` characters.

    Of a personal value only its type is written.
    """
    if personal and value not in (None, "", [], {}):
        return f"({type(value).__name__}, redacted)"
    text = json.dumps(redact(value), default=str)
    return text if len(text) <= chars_max else f"{text[: chars_max - 1]}…"
