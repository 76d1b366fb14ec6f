"""Numbers and addresses that identify people, found in text.

The Dutch citizen service number is told from other numbers by its 11-test (weights 9 to 2 and -1),
a bank account by ISO 7064 mod 97-10. One number of nine digits in eleven passes the 11-test by
chance: so it counts in text about persons, who are not so many, elsewhere after its name, or where
each of a list passes (`service_numbers`).
"""

import re
from collections.abc import Sequence

from datamall.errors import DatamallError

ALONE = r"(?<![\w.,+-])", r"(?![\w-]|[.,]\d)"
NINE = re.compile(rf"{ALONE[0]}\d{{9}}{ALONE[1]}|{ALONE[0]}\d{{4}}[. ]\d{{2}}[. ]\d{{3}}{ALONE[1]}")
NAMED = re.compile(
    r"(?:\bbsn\b|burgerservicenummer|sofinummer|service number)\W{0,5}(\d[\d. ]{6,10}\d)",
    re.IGNORECASE,
)
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}", re.IGNORECASE)
TELEPHONE = re.compile(
    r"(?<![\w.,+-])(?:(?:\+|00)31[ -]?(?:\(0\))?|\(?0)[1-9](?:[ -]?\d|\)[ -]?\d){8}(?![\w-]|[.,]\d)"
)
ACCOUNT = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{1,4}){3,8}\b")
POSTCODE = r"\b[1-9]\d{3} ?(?!SA|SD|SS)[A-Z]{2}\b"  # three pairs of letters are not given out
# With the number of the house after it, or before it as in an address.
ADDRESS = re.compile(rf"{POSTCODE}[ ,;/-]{{1,3}}\d{{1,5}}\b|[a-z]\.? \d{{1,5}} ?\w?, ?{POSTCODE}")
SHORTEST, LONGEST = 15, 34  # letters of a bank account
SENTENCE = 600  # letters of what somebody says and the mall keeps
FEWEST = 3  # numbers that pass together: by chance once in 1,331 times


def service_number(text: str) -> bool:
    """Return whether digits are those of a citizen service number (8 or 9 of them)."""
    if not (text.isascii() and text.isdigit() and len(text) in (8, 9)):
        return False
    digits = list(map(int, text.zfill(9)))
    weighed = sum(digit * weight for digit, weight in zip(digits, range(9, 1, -1), strict=False))
    return any(digits) and (weighed - digits[8]) % 11 == 0


def service_numbers(values: Sequence[str]) -> bool:
    """Return whether all of a list, three or more different ones, are citizen service numbers."""
    return len(set(values)) >= FEWEST and all(map(service_number, values))


def bank_account(text: str) -> bool:
    """Return whether a text is an international bank account number (IBAN), without spaces."""
    if not SHORTEST <= len(text) <= LONGEST:
        return False
    return int("".join(str(int(letter, 36)) for letter in text[4:] + text[:4])) % 97 == 1


def found(text: str, strict: bool) -> str | None:
    """Return what kind of identifier a text holds, in words; None if there is none.

    Parameters
    ----------
    text
        Anything.
    strict
        Whether the text is about persons: then each number that passes the 11-test counts, and
        each postcode with the number of a house, which is that of a thing elsewhere.
    """
    if "@" in text and EMAIL.search(text):
        return "an e-mail address"
    for match in ACCOUNT.finditer(text):
        words = match.group().split(" ")
        if any(bank_account("".join(words[:end])) for end in range(1, len(words) + 1)):
            return "a bank account"
    if TELEPHONE.search(text):
        return "a telephone number"
    numbers = NAMED.findall(text) + (NINE.findall(text) if strict else [])
    if any(service_number(re.sub("[. ]", "", number)) for number in numbers):
        return "a citizen service number"
    if strict and ADDRESS.search(text):
        return "a postcode with the number of a house"
    return None


def sentence(text: str, what: str) -> str:
    """Return what somebody says and the mall keeps for good, such as why something was decided.

    Parameters
    ----------
    text
        As given.
    what
        What it is, such as "a condition", for the sentence.

    Raises
    ------
    DatamallError
        When it is empty, too long or more than one line, or holds what identifies a person.
    """
    whole = text.strip()
    if not whole or not whole.isprintable() or len(whole) > SENTENCE:
        raise DatamallError(
            f"{what[0].upper()}{what[1:]} must be one line of at most {SENTENCE} letters, about "
            "no person by name."
        )
    if kind := found(whole, strict=True):
        raise DatamallError(
            f"{what[0].upper()}{what[1:]} holds {kind}: it is kept for good and read by many, so "
            "say it without anything that identifies a person."
        )
    return whole
