"""Scanners that are set to another keyboard than their computer: what the label says instead.

A scanner sends keys as if on a US keyboard, and the computer writes the letters of its own layout
on these keys. Each layout is given as the letters on the keys of ``US``, in the same order.
"""

US = (
    "`-=[]\\;',./qwertyuiopasdfghjklzxcvbnm1234567890"
    + '~_+{}|:"<>?QWERTYUIOPASDFGHJKLZXCVBNM!@#$%^&*()'
)
_LAYOUTS = (
    # German
    "^ß´ü+#öä,.-qwertzuiopasdfghjklyxcvbnm1234567890"
    + "°?`Ü*'ÖÄ;:_QWERTZUIOPASDFGHJKLYXCVBNM!\"§$%&/()=",
    # French
    "²)=^$*mù;:!azertyuiopqsdfghjklwxcvbn,&é\"'(-è_çà"
    + "~°+¨£µM%./§AZERTYUIOPQSDFGHJKLWXCVBN?1234567890",
    # Canadian (multilingual)
    "#-=^çà;è,.éqwertyuiopasdfghjklzxcvbnm1234567890"
    + "|_+^ÇÀ:È'\"ÉQWERTYUIOPASDFGHJKLZXCVBNM!@/$%?&*()",
    # Spanish
    "º'¡`+çñ´,.-qwertyuiopasdfghjklzxcvbnm1234567890"
    + 'ª?¿^*ÇÑ¨;:_QWERTYUIOPASDFGHJKLZXCVBNM!"·$%&/()=',
    # Italian
    "\\'ìè+ùòà,.-qwertyuiopasdfghjklzxcvbnm1234567890"
    + '|?^é*§ç°;:_QWERTYUIOPASDFGHJKLZXCVBNM!"£$%&/()=',
    # British
    "`-=[]#;',./qwertyuiopasdfghjklzxcvbnm1234567890"
    + '¬_+{}~:@<>?QWERTYUIOPASDFGHJKLZXCVBNM!"£$%^&*()',
)
_TABLES = tuple(
    str.maketrans({typed: key for typed, key in zip(layout, US, strict=True) if typed != key})
    for layout in _LAYOUTS
)


def as_typed_elsewhere(text: str) -> set[str]:
    """Return what a label may say whose reading was written on another layout."""
    return {text.translate(table) for table in _TABLES} - {text}
