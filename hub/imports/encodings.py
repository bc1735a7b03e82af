"""Which encoding a text file has: as it says itself, as somebody names it, or as it looks.

UTF-8 is certain where the whole file is UTF-8. For other files the writing decides: words of many
letters outside ASCII are of another script, which charset-normalizer recognizes; single letters are
Western European, or Central European where its words are more likely. A file whose lines are in
two encodings is refused: whatever was chosen would be wrong for some.
"""

import codecs
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from pathlib import Path

from charset_normalizer import from_bytes

from hub.errors import InvalidInput

SAMPLE_BYTES = 256 * 1024
LINE_BYTES_MAX = 1024 * 1024
WESTERN, CENTRAL = "cp1252", "cp1250"
OTHER_SCRIPTS = ["cp1251", "cp932", "gb18030", "big5", "cp949"]
CHAOS_MAX = 0.2  # of a text that is one, by the measure of charset-normalizer
LIKELIER = 0.1  # by so much must Central European be more likely than Western
NAMES = "utf-8, cp1252, cp1250, cp1251, shift_jis, gb18030"

# A sign within a word that no language has there; U+0080 to U+009F are no signs at all.
_BROKEN = re.compile(r"\w[®¾¹³±¿¡¶§¦¢£¥¤˝˛ˇ˘¨´¸¬°×÷]\w|[\x80-\x9f\ufffd]")
_WORD = re.compile(rb"[\x80-\xff]{3,}")


def named(encoding: str) -> str:
    """Return the codec of an encoding that somebody names; raises InvalidInput for none."""
    try:
        codec = codecs.lookup(encoding)
    except (LookupError, ValueError) as error:
        raise _unknown(encoding) from error
    if not codec._is_text_encoding:  # such as base64: no encoding of texts
        raise _unknown(encoding)
    # Japanese and Chinese Windows write more letters than the standards of these names have.
    return {"shift_jis": "cp932", "gb2312": "gb18030", "gbk": "gb18030"}.get(codec.name, codec.name)


def _unknown(encoding: str) -> InvalidInput:
    return InvalidInput(f"{encoding[:40]!r} is no encoding: {NAMES}", field="encoding")


def detect(path: Path, *, is_utf8: bool) -> str:
    """Return the encoding of a file that names none; raises InvalidInput where it has two."""
    with path.open("rb") as file:
        mark = file.read(4)
    if mark.startswith(BOM_UTF8):
        return "utf-8-sig"
    if mark.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return "utf-16"
    if b"\x00" in mark:
        return "utf-16-le" if mark[1:2] == b"\x00" else "utf-16-be"
    return "utf-8" if is_utf8 else _other(path)


def _other(path: Path) -> str:
    sample, size = [], 0
    as_utf8 = another = None
    for number, line in _foreign_lines(path):
        try:
            line.decode()
            as_utf8 = as_utf8 or number
        except UnicodeDecodeError:
            another = another or number
            if size < SAMPLE_BYTES:
                sample.append(line)
                size += len(line)
        if as_utf8 and another:
            raise InvalidInput(
                f"the file is in two encodings: line {as_utf8} is UTF-8, line {another} is not; "
                "save it as UTF-8, or name the encoding of all",
                field="encoding",
            )
    return _guess(b"".join(sample))


def _foreign_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not plain ASCII, with their numbers."""
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LINE_BYTES_MAX):
            number += 1
            if not line.isascii():
                yield number, line


# The letters of languages beside those of ASCII, by the encoding in which Windows writes them.
_WESTERN_LETTERS = (
    "äöüß", "àâæçéèêëîïôœùûüÿ", "áéíñóúüïç", "áâãàçéêíóôõúü", "àèéìíîòóùú", "åäöéüæø",
    "áðéíóúýþæö", "áéëïíöóüúèê",
)  # fmt: skip
_CENTRAL_LETTERS = (
    "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "ąćęłńóśźż", "áéíóöőúüű", "čćđšž", "ăâîşţșț",
)  # fmt: skip


_GERMAN = dict.fromkeys(map(ord, "äöüßÄÖÜ"))


def _letters(text: str) -> set[str]:
    return {sign for sign in text.lower() if sign.isalpha() and not sign.isascii()}


def _is_written(text: str, languages: tuple[str, ...]) -> bool:
    """Return whether every letter beside those of ASCII is one of a single language.

    Its words mix them with letters of ASCII: what does not is of another script.
    """
    letters = _letters(text)
    words = [word for word in re.findall(r"\w+", text) if not word.isascii()]
    mixed = sum(any(sign.isascii() for sign in word) for word in words)
    return 0 < len(words) <= 2 * mixed and any(letters <= set(each) for each in languages)


def _by_letters(sample: bytes) -> str | None:
    """Return the encoding by which a sample is of one language, where by the Western it is none."""
    western = sample.decode(WESTERN, "replace")
    if _is_written(western, _WESTERN_LETTERS) and _BROKEN.search(western) is None:
        return None
    for encoding in (CENTRAL, "iso8859_2"):
        text = sample.decode(encoding, "replace")
        if _letters(text) == _letters(western):
            continue  # they have the same letters: nothing speaks for this one
        # Firms of Germany are in the lists of their neighbours; ä, ö, ü, ß are the same in both.
        plain = text.translate(_GERMAN)
        if _is_written(plain, _CENTRAL_LETTERS) and _BROKEN.search(text) is None:
            return encoding
    return None


_HUNGARIAN = "áéíóöőúüű"
_DOUBLE_ACUTES = re.compile("[őűŐŰ]")
# In Western European these are õ and û, which Portuguese and French write so:
_PORTUGUESE = re.compile("[õÕ](?=[eE])")
_FRENCH = re.compile("(?<=[oO])[ûÛ]")
_DIGRAPH = re.compile(r"gy|sz|zs|cs|ny|ly|ty", re.IGNORECASE)  # beside a vowel, of Hungarian
_ONLY_HUNGARIAN = set("áíóúÁÍÓÚ")  # of those that share its õ or û, none writes these too


def _by_double_acutes(sample: bytes) -> str | None:
    """Return the encoding of texts whose letters may be Hungarian ő and ű, or Western õ and û.

    Raises InvalidInput where the words speak for neither.
    """
    central = sample.decode(CENTRAL, "replace")
    doubled = len(_DOUBLE_ACUTES.findall(central))
    plain = central.translate(_GERMAN)
    if not doubled or not (_letters(plain) <= set(_HUNGARIAN)) or _BROKEN.search(central):
        return None
    western = sample.decode(WESTERN, "replace")
    of_west = len(_PORTUGUESE.findall(western)) + len(_FRENCH.findall(western))
    if of_west == doubled:
        return WESTERN
    words = [word for word in re.findall(r"\w+", central) if _DOUBLE_ACUTES.search(word)]
    if not of_west and (_ONLY_HUNGARIAN & set(central) or any(map(_DIGRAPH.search, words))):
        return CENTRAL
    if "ä" in western.lower():
        return WESTERN  # Estonian writes it beside õ
    raise InvalidInput(
        f"{words[0][:40]!r} may be Hungarian, or {words[0].encode(CENTRAL).decode(WESTERN)[:40]!r} "
        f"Western European: name the encoding ({CENTRAL} or {WESTERN})",
        field="encoding",
    )


def _guess(sample: bytes) -> str:
    if (by_double_acutes := _by_double_acutes(sample)) is not None:
        return by_double_acutes
    if (by_letters := _by_letters(sample)) is not None:
        return by_letters
    if _WORD.search(sample) is None:
        found = from_bytes(sample, cp_isolation=[WESTERN, CENTRAL], enable_fallback=False)
        likely = {each.encoding: each.coherence for each in found}
        more = likely.get(CENTRAL, 0.0) - likely.get(WESTERN, 0.0)
        return CENTRAL if more >= LIKELIER and WESTERN in likely else WESTERN
    best = from_bytes(
        sample, cp_isolation=[*OTHER_SCRIPTS, WESTERN, CENTRAL], enable_fallback=False
    ).best()
    if best is None or best.chaos > CHAOS_MAX:
        raise InvalidInput(
            f"the file's encoding cannot be recognized: name it ({NAMES})", field="encoding"
        )
    return str(best.encoding)
