"""Codes as they are printed, and what scanners, keyboards and clerks make of them."""

from hypothesis import strategies as st

from hub.identifiers import epc
from hub.identifiers.medical import HIBC_LETTERS, hibc_check
from hub.identifiers.numbers import check_digit

GS, RS, EOT = "\x1d", "\x1e", "\x04"
DIGITS = "0123456789"
SET_82 = "!\"%&'()*+,-./0123456789:;<=>?ABCXYZ_abcxyz"
SEPARATORS = (GS, "|", "^", "{GS}", "<GS>", "~1", "@", "␝", "\\x1d", "", " ")
SYMBOLOGIES = ("", "", "]C1", "]d2", "]Q3", "]d1", "]E0", "]e0", "]I0", "]Z9", "]")
LABELS = ("", "", "S/N: ", "IMEI1: ", "MEID ", "EID:", "VIN ", "MAC Address ", "SSCC ", "IMEI/SV ")
LENGTHS = {"00": 18, "01": 14, "02": 14, "11": 6, "13": 6, "15": 6, "17": 6, "410": 13, "414": 13}
VARIABLE = ("10", "21", "22", "235", "240", "242", "250", "251", "37", "400", "7007", "8002",
            "8003", "8004", "8006", "8017", "8200", "90", "91", "99")  # fmt: skip


def digits(low: int, high: int | None = None) -> st.SearchStrategy[str]:
    """Return numbers of so many digits."""
    return st.text(DIGITS, min_size=low, max_size=high or low)


def checked(count: int) -> st.SearchStrategy[str]:
    """Return numbers of so many digits, the last one their check digit."""
    return digits(count - 1).map(lambda text: text + check_digit(text))


def serials() -> st.SearchStrategy[str]:
    """Return serials as makers print them."""
    return st.text(SET_82, min_size=1, max_size=20)


@st.composite
def element_strings(draw: st.DrawFn) -> str:
    """Write GS1 elements, for people or for machines, with one separator or another."""
    for_people, separator = draw(st.booleans()), draw(st.sampled_from(SEPARATORS))
    text = ""
    for _ in range(draw(st.integers(1, 5))):
        if draw(st.booleans()):
            ai = draw(st.sampled_from(list(LENGTHS)))
            length = LENGTHS[ai]
            value = draw(checked(length) if length > 6 else digits(6))
            end = ""
        else:
            ai, value = draw(st.sampled_from(VARIABLE)), draw(serials())
            end = separator
        text += f"({ai}){value}" if for_people else ai + value + end
    return draw(st.sampled_from(SYMBOLOGIES)) + text


@st.composite
def links(draw: st.DrawFn) -> str:
    """Write a GS1 Digital Link, with a path of its own or without one."""
    path = draw(st.sampled_from(("", "/de", "/a/b", "/x/01", "/01")))
    rest = draw(st.sampled_from(("", "/10/L1", "/22/V2")))
    query = draw(st.sampled_from(("", "?17=271231", "?linkType=all", "?21=9", "#x")))
    serial = draw(st.text(SET_82 + "%2F", min_size=1, max_size=20))
    scheme = draw(st.sampled_from(("https://id.gs1.org", "HTTP://shop.example", "https://")))
    return f"{scheme}{path}/01/{draw(checked(14))}{rest}/21/{serial}{query}"


@st.composite
def tags(draw: st.DrawFn) -> str:
    """Write the EPC of a unit: a URI of either kind, or the bits of a tag."""
    form = draw(st.sampled_from(("uri", "tag", "hex", "bits")))
    prefix = draw(st.integers(6, 12))
    number = str(draw(st.integers(0, 2**38)))
    if form == "bits":
        return draw(st.sampled_from(("30", "36"))) + draw(
            st.text("0123456789ABCDEFabcdef", min_size=20, max_size=52)
        )
    company, item = draw(digits(prefix)), draw(digits(13 - prefix))
    if form == "uri":
        return f"urn:epc:id:sgtin:{company}.{item}.{draw(serials())}"
    if form == "tag":
        bits = draw(st.sampled_from(("96", "198")))
        return f"urn:epc:tag:sgtin-{bits}:{draw(digits(1))}.{company}.{item}.{number}"
    try:
        return epc.encode(epc.Sgtin(company, item, number))
    except Exception:  # a number that no tag holds; the URI is as good
        return f"urn:epc:id:sgtin:{company}.{item}.{number}"


@st.composite
def hibc(draw: st.DrawFn) -> str:
    """Write a HIBC label: primary data, secondary data, or both."""
    letters = "ABC0123456789"
    primary = "A123" + draw(st.text(letters, min_size=1, max_size=18)) + draw(digits(1))
    secondary = draw(
        st.sampled_from(
            ("$$3", "$$2", "$$5", "$$7", "$$+7", "$$", "$+", "$", "$$8", "$$9", "S", "16D", "14D")
        )
    ) + draw(st.text(letters, max_size=18))
    ordinal = draw(digits(5)) + draw(st.text(letters, max_size=10))
    parts = draw(
        st.lists(st.sampled_from((primary, secondary, ordinal, "Q100")), min_size=1, max_size=4)
    )
    text = "+" + "/".join(parts)
    wrong = any(letter not in HIBC_LETTERS for letter in text) or draw(st.integers(0, 9)) == 0
    return text + ("?" if wrong else hibc_check(text))


@st.composite
def isbt(draw: st.DrawFn) -> str:
    """Write an ISBT 128 label of a device, a donation or a component."""
    parts = (
        "=/" + draw(st.text("AB01", min_size=14, max_size=17)),
        "=," + draw(st.text("AB01", min_size=5, max_size=7)),
        "=>0" + draw(digits(5)),
        "=}0" + draw(digits(5)),
        "&,1" + draw(st.text("AB01", min_size=0, max_size=19)),
        "=W0000" + draw(digits(8)) + draw(digits(2)),
        "=<E" + draw(digits(4)) + draw(st.text("VA0b", min_size=2, max_size=4)),
        "=+0" + draw(digits(4)),
        "&>0" + draw(digits(9)),
    )
    return "".join(draw(st.lists(st.sampled_from(parts), min_size=1, max_size=5)))


@st.composite
def plus_tags(draw: st.DrawFn) -> str:
    """Write the digits of a tag of the newer kind, right in its GTIN and any behind it."""
    header = draw(st.sampled_from(("F71", "F79", "FB10F9F", "f71")))
    rest = draw(st.text("0123456789ABCDEF", min_size=6, max_size=40))
    return f"{header}{draw(checked(14))}{rest}"


@st.composite
def labels(draw: st.DrawFn) -> str:
    """Write a label with several codes, with and without words before them."""
    words = st.sampled_from(
        ("IMEI1:", "imei2: ", "SN:", "S/N ", "VIN=", "MAC ", "EID:", "Color: ", "LOT:", "", "EAN:")
    )
    part = st.one_of(devices(), serials(), checked(14), element_strings())
    parts = draw(st.lists(st.tuples(words, part).map("".join), min_size=1, max_size=4))
    return draw(st.sampled_from((",", "; ", "\n", " ", "|"))).join(parts)


@st.composite
def envelopes(draw: st.DrawFn) -> str:
    """Write an envelope of ISO/IEC 15434."""
    rs, gs, eot = draw(
        st.sampled_from(
            ((RS, GS, EOT), ("{RS}", "{GS}", "{EOT}"), ("", GS, ""), ("^^", "^]", "^D"))
        )
    )
    fields = draw(
        st.lists(
            st.tuples(
                st.sampled_from(("S", "P", "1P", "T", "1T", "8P", "14D", "16D", "25S", "K")),
                st.one_of(serials(), digits(8), checked(14)),
            ),
            max_size=5,
        )
    )
    body = gs.join(name + value for name, value in fields)
    form = draw(st.sampled_from(("05", "06", "12", "")))
    return f"[)>{rs}{form}{gs}{body}{rs}{eot}"


@st.composite
def devices(draw: st.DrawFn) -> str:
    """Write the number of a device, with a label in front or without one."""
    number = draw(
        st.one_of(
            digits(14, 16),
            digits(15).map(lambda text: f"{text}/01"),
            st.text("0123456789ABCDEF", min_size=12, max_size=16),
            digits(18, 19),
            digits(30).map(lambda text: f"89{text}"),
            st.text("ABCDEFGHJKLMNPRSTUVWXYZ0123456789I", min_size=17, max_size=18),
            st.lists(
                st.text("0123456789abcdef", min_size=2, max_size=2), min_size=6, max_size=6
            ).map(":".join),
        )
    )
    return draw(st.sampled_from(LABELS)) + number


@st.composite
def spoilt(draw: st.DrawFn) -> str:
    """Write a code, and change some of it as a scanner, a keyboard or a clerk would."""
    text = draw(
        st.one_of(
            element_strings(), links(), tags(), hibc(), isbt(), plus_tags(), labels(),
            envelopes(), devices(), serials(), digits(7, 14), checked(13), checked(8),
            checked(18).map(lambda each: f"00{each}"),
        )
    )  # fmt: skip
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(text)))
        piece = draw(
            st.one_of(
                st.sampled_from(
                    (*SEPARATORS, "٣", "１", "é", "ß", "İ", "\u200b", "\ufeff", "(", ")")
                ),
                st.characters(),
                st.sampled_from("0123456789ABCDEFSN+-/%.$ "),
            )
        )
        cut = draw(st.integers(0, 2))
        text = text[:place] + piece + text[place + cut :]
    return text


READINGS = st.one_of(spoilt(), st.text(max_size=60))
