"""Numbers of people, found where they are and not where they only look like it."""

import random

import pytest

from datamall import identifiers

# Test numbers that the government publishes for software (RvIG), and bank examples (ISO 13616).
NUMBERS = ("999990019", "999993653", "999990482")
ACCOUNTS = ("NL91ABNA0417164300", "DE89370400440532013000", "GB29NWBK60161331926819")


@pytest.mark.parametrize("number", [*NUMBERS, "111222333", "10000008"])
def test_service_numbers_pass_the_11_test(number: str) -> None:
    assert identifiers.service_number(number)


def test_a_changed_digit_or_two_swapped_ones_fail() -> None:
    for number in NUMBERS:
        for place in range(9):
            for digit in set("0123456789") - {number[place]}:
                assert not identifiers.service_number(number[:place] + digit + number[place + 1 :])
        for place in range(8):
            a, b = number[place : place + 2]
            swapped = number[:place] + b + a + number[place + 2 :]
            # The last two weigh 2 and -1, which is 3 apart, and no multiple of 11 either.
            assert swapped == number or not identifiers.service_number(swapped)


@pytest.mark.parametrize(
    "text", ["", "000000000", "1234567", "1234567890", "99999001x", "²²²²²²²²²"]
)
def test_other_texts_are_none(text: str) -> None:
    assert not identifiers.service_number(text)


def test_bank_accounts_pass_mod_97() -> None:
    assert all(map(identifiers.bank_account, ACCOUNTS))
    assert not any(
        identifiers.bank_account(f"{one[:-1]}{(int(one[-1]) + 1) % 10}") for one in ACCOUNTS
    )
    assert not identifiers.bank_account("NL91")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("write to jan.jansen@example.org today", "an e-mail address"),
        ("call 06-12345678", "a telephone number"),
        ("call 06 12 34 56 78.", "a telephone number"),
        ("(050) 123 45 67", "a telephone number"),
        ("+31 (0)50 1234567", "a telephone number"),
        ("0031612345678", "a telephone number"),
        ("to NL91 ABNA 0417 1643 00 TODAY", "a bank account"),
        ("to NL91ABNA0417164300.", "a bank account"),
        ("BSN: 999990019", "a citizen service number"),
        ("burgerservicenummer 9999.90.019", "a citizen service number"),
    ],
)  # fmt: skip
def test_found_in_any_text(text: str, kind: str) -> None:
    assert identifiers.found(text, strict=False) == kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("999990019", "a citizen service number"),
        ("it was (999990019).", "a citizen service number"),
        ("number 9999.90.019", "a citizen service number"),
        ("9711 AB 12", "a postcode with the number of a house"),
        ("9711AB, 12", "a postcode with the number of a house"),
        ("Grote Markt 1, 9711 LV Groningen", "a postcode with the number of a house"),
    ],
)
def test_found_in_text_about_persons_alone(text: str, kind: str) -> None:
    assert identifiers.found(text, strict=True) == kind
    assert identifiers.found(text, strict=False) is None


@pytest.mark.parametrize(
    "text",
    [
        "1,234,567,890 rows, 12.999990019 of 1, seed 20260101",
        "2026-01-05 06:30:00, 2026-01-05T06:30:00+01:00",
        "sha256 0f61234567890abc, 999990018, 999990019999",
        "x 233456.78 and y 581234.5; 0.0612345678; -999990019",
        "9711 AB and 9712",
        "Regulation (EU) 2024/1689, articles 10 and 26; 2024 SA 5",
        "@ 5 euro, p@q",
    ],
)
def test_not_found_in_what_only_looks_like_it(text: str) -> None:
    assert identifiers.found(text, strict=True) is None


def test_a_list_passes_by_chance_less_than_once_in_a_thousand_times() -> None:
    generator = random.Random(7)
    drawn = [[str(generator.randrange(10**8, 10**9)) for _ in range(3)] for _ in range(20_000)]
    assert 0 < sum(map(identifiers.service_numbers, drawn)) < 40  # 20,000 / 11³ = 15
    assert identifiers.service_numbers(NUMBERS)
    assert not identifiers.service_numbers(NUMBERS[:1] * 5)
    assert not identifiers.service_numbers([*NUMBERS, "999990018"])
