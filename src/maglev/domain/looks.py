"""Tells which names look alike to people."""

from __future__ import annotations

import unicodedata

_ALIKE = str.maketrans(
    # Latin letters and digits that many typefaces draw alike, then Cyrillic and Greek ones that all do.
    "0Il|" + "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u0501\u051b\u051d"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425\u0423\u0406\u0408\u0405"
    "\u03bf\u03b1\u03bd\u03c1\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7"
    "\u2010\u2011\u2012\u2013\u2014\u2212",
    "O111" + "aeopcyxijshdqw" + "ABEKMHOPCTXY1JS" + "oavpABEZH1KMNOPTYX" + "------",
)


def look(name: str) -> str:
    """Return a text that names have in common if people take one for the other.

    Such are names that differ only in characters of no width, in the letters O, I and l against digits, in alphabets
    (a Cyrillic e), in the kind of a dash or blank, or in how an accent is written. Capitals are not small letters.
    """
    seen = unicodedata.normalize("NFKC", name)
    return "".join(character for character in seen if not _invisible(character)).translate(_ALIKE)


def unseen(name: str) -> str:
    """Return the characters of a name that have no width or turn the direction of text, as `U+200B`; or nothing."""
    found = dict.fromkeys(character for character in name if _invisible(character))
    return ", ".join(f"U+{ord(character):04X}" for character in found)


def _invisible(character: str) -> bool:
    return unicodedata.category(character) == "Cf"
