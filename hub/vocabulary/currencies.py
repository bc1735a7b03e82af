"""Currencies of ISO 4217: how many decimals an amount has."""

from collections.abc import Mapping
from typing import Final

DECIMALS_DEFAULT: Final = 2
# The currencies whose smallest unit is not a hundredth.
DECIMALS: Final[Mapping[str, int]] = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}


def decimals_of(currency: str) -> int:
    """Return how many decimals an amount of a currency has: 2 in EUR, 0 in JPY, 3 in KWD."""
    return DECIMALS.get(currency, DECIMALS_DEFAULT)
