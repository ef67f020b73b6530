"""English: how numbers, signs and abbreviations are read aloud. Number words come from ``num2words``."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping

from generators.speech.text.letters import spell_initialisms

_MAX_CARDINAL_DIGITS = 15
_READ_OUT_FROM = 7  # so many digits or more without commas are an identifier, read one by one

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_MONTH_ABBREVIATIONS: Mapping[str, str] = {
    "Jan": "January", "Feb": "February", "Mar": "March", "Apr": "April", "Jun": "June", "Jul": "July",
    "Aug": "August", "Sep": "September", "Sept": "September", "Oct": "October", "Nov": "November", "Dec": "December",
}  # fmt: skip
_MONTH = "(" + "|".join((*_MONTHS, *(f"{short}\\.?" for short in _MONTH_ABBREVIATIONS))) + ")"

#: Written with a full stop (or without one in British spelling); read in full.
_ABBREVIATIONS: Mapping[str, str] = {
    r"Dr": "Doctor", r"Mr": "Mister", r"Mrs": "Missus", r"Ms": "Miz", r"Prof": "Professor", r"Mt": "Mount",
    r"Ave": "Avenue", r"Blvd": "Boulevard", r"Rd": "Road", r"Jr": "Junior", r"Sr": "Senior", r"Capt": "Captain",
    r"Sgt": "Sergeant", r"Gen": "General", r"Gov": "Governor", r"Dept": "Department", r"Inc": "Incorporated",
    r"Ltd": "Limited", r"approx": "approximately", r"Approx": "Approximately", r"dept": "department",
    r"appt": "appointment", r"apt": "apartment", r"Apt": "Apartment", r"misc": "miscellaneous", r"est": "established",
}  # fmt: skip
_BARE_TITLES = ("Dr", "Mr", "Mrs", "Ms", "Prof")

_UNITS: Mapping[str, tuple[str, str]] = {
    "km/h": ("kilometer per hour", "kilometers per hour"), "mph": ("mile per hour", "miles per hour"),
    "m/s": ("meter per second", "meters per second"), "km²": ("square kilometer", "square kilometers"),
    "m²": ("square meter", "square meters"), "m2": ("square meter", "square meters"),
    "m³": ("cubic meter", "cubic meters"),
    "sq ft": ("square foot", "square feet"), "km": ("kilometer", "kilometers"), "cm": ("centimeter", "centimeters"),
    "mm": ("millimeter", "millimeters"), "m": ("meter", "meters"), "kg": ("kilogram", "kilograms"),
    "mg": ("milligram", "milligrams"), "g": ("gram", "grams"), "lbs": ("pound", "pounds"), "lb": ("pound", "pounds"),
    "oz": ("ounce", "ounces"), "ft": ("foot", "feet"), "mi": ("mile", "miles"), "yd": ("yard", "yards"),
    "ml": ("milliliter", "milliliters"), "mL": ("milliliter", "milliliters"), "L": ("liter", "liters"),
    "l": ("liter", "liters"), "°C": ("degree Celsius", "degrees Celsius"), "℃": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"), "°": ("degree", "degrees"), "GB": ("gigabyte", "gigabytes"),
    "MB": ("megabyte", "megabytes"), "TB": ("terabyte", "terabytes"), "kWh": ("kilowatt hour", "kilowatt hours"),
    "kW": ("kilowatt", "kilowatts"), "W": ("watt", "watts"), "Hz": ("hertz", "hertz"),
    "kHz": ("kilohertz", "kilohertz"),
    "ms": ("millisecond", "milliseconds"), "sec": ("second", "seconds"), "secs": ("second", "seconds"),
    "min": ("minute", "minutes"), "mins": ("minute", "minutes"), "hr": ("hour", "hours"), "hrs": ("hour", "hours"),
    "yr": ("year", "years"), "yrs": ("year", "years"), "¢": ("cent", "cents"),
}  # fmt: skip
_CURRENCIES: Mapping[str, tuple[str, str, str, str]] = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "US$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
    "¥": ("yuan", "yuan", "fen", "fen"),
    "￥": ("yuan", "yuan", "fen", "fen"),
}
_SCALES: Mapping[str, str] = {
    "k": "thousand",
    "K": "thousand",
    "m": "million",
    "M": "million",
    "bn": "billion",
    "B": "billion",
}
_CENTS_DIGITS = 2

_NUMBER = r"\d+(?:\.\d+)?"
_START = r"(?<![\w.])"
_UNIT = re.compile(
    rf"({_NUMBER})[ -]?("
    + "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))
    + r")(?![A-Za-z0-9²³'])"
)


def normalise_en(text: str) -> str:
    """Read numbers, signs, units and abbreviations of an English text; from the special to the general.

    >>> normalise_en("Meet Mr. Ho at 3:30 p.m., room 203, e.g. for 1/2 an hour.")
    'Meet Mister Ho at three thirty P M, room two oh three, for example for one half an hour.'
    """
    text = _plain_signs(text)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    text = spell_initialisms(text, english=True)
    text = re.sub(r"\s+([,.;:!?…])", r"\1", text)
    return re.sub(r"\s{2,}", " ", text).strip()


def read_integer(digits: str) -> str:
    """A cardinal without commas; what is too long or starts with 0 is read digit by digit.

    >>> read_integer("1205"), read_integer("007")
    ('one thousand two hundred and five', 'zero zero seven')
    """
    from num2words import num2words

    if len(digits) > _MAX_CARDINAL_DIGITS or (len(digits) > 1 and digits[0] == "0"):
        return read_digits(digits)
    words: str = num2words(int(digits))
    return words.replace(",", "")


def read_digits(digits: str, zero: str = "zero") -> str:
    """Digit by digit; other characters are left out."""
    names = (zero, "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    return " ".join(names[int(char)] for char in digits if char.isdecimal())


def read_number(number: str) -> str:
    """Integer or decimal: '14.20' -> fourteen point two zero."""
    whole, _, fraction = number.partition(".")
    return read_integer(whole) + (f" point {read_digits(fraction)}" if fraction else "")


def read_ordinal(digits: str) -> str:
    """'21' -> twenty-first."""
    from num2words import num2words

    words: str = num2words(int(digits), to="ordinal")
    return words.replace(",", "")


def read_year(digits: str) -> str:
    """'2026' -> twenty twenty-six, '1905' -> nineteen oh-five."""
    from num2words import num2words

    words: str = num2words(int(digits), to="year")
    return words.replace(",", "")


def _plain_signs(text: str) -> str:
    """Typographic quotes, dashes and full-width forms as ASCII where they mean the same."""
    kept = {"²", "³", "°", "…", "℃", "¢"}
    text = "".join(char if char in kept else unicodedata.normalize("NFKC", char) for char in text)
    text = text.replace("’", "'").replace("‘", "'").replace("⁄", "/")
    text = re.sub(r"\.{3,}|…+", "…", text)
    text = re.sub(r"(?<=\d)[–—−‑](?=\d)", "-", text)
    return re.sub(r"\s*—\s*|\s+[-–]+\s+|--+", ", ", text)


def _month(name: str) -> str:
    return _MONTH_ABBREVIATIONS.get(name.rstrip("."), name)


def _month_day_year(match: re.Match[str]) -> str:
    year = f", {read_year(match[3])}" if match[3] else ""
    return f"{_month(match[1])} {read_ordinal(match[2])}{year}"


def _day_month_year(match: re.Match[str]) -> str:
    year = f" {read_year(match[3])}" if match[3] else ""
    return f"the {read_ordinal(match[1])} of {_month(match[2])}{year}"


def _iso_date(match: re.Match[str]) -> str:
    return _date_words(match[1], match[2], match[3]) or match[0]


def _us_date(match: re.Match[str]) -> str:
    return _date_words(match[3], match[1], match[2]) or match[0]


def _date_words(year: str, month: str, day: str) -> str:
    """'' when the month does not exist."""
    if not 1 <= int(month) <= len(_MONTHS) or int(day) == 0:
        return ""
    return f"{_MONTHS[int(month) - 1]} {read_ordinal(day)}, {read_year(year)}"


def _clock(match: re.Match[str]) -> str:
    hour, minute, half = match[1], match[2], match[3]
    spoken = read_integer(str(int(hour)))
    if minute == "00":
        spoken += "" if half else " o'clock"
    elif minute is not None:
        spoken += f" oh {read_integer(minute[1])}" if minute[0] == "0" else f" {read_integer(minute)}"
    return spoken + (f" {half[0].upper()} M" if half else "")


def _hour_half(match: re.Match[str]) -> str:
    return f"{read_integer(match[1])} {match[2].upper()} M"


def _money(match: re.Match[str]) -> str:
    sign, amount, high, scale = match[1], match[2], match[3], match[4]
    one, many, cent, cents = _CURRENCIES[sign]
    if high or scale:
        words = read_number(amount) + (f" to {read_number(high)}" if high else "")
        return f"{words} {_SCALES.get(scale, scale)} {many}" if scale else f"{words} {many}"
    whole, _, fraction = amount.partition(".")
    if len(fraction) not in (0, _CENTS_DIGITS):
        return f"{read_number(amount)} {many}"
    spoken = f"{read_integer(whole)} {one if int(whole) == 1 else many}"
    if not int(fraction or "0"):
        return spoken
    small = f"{read_integer(str(int(fraction)))} {cent if int(fraction) == 1 else cents}"
    return small if int(whole) == 0 else f"{spoken} and {small}"


def _unit(match: re.Match[str]) -> str:
    one, many = _UNITS[match[2]]
    single = match[1] == "1" or _ATTRIBUTIVE.match(match.string, match.end())
    return f"{match[1]} {one if single else many}"


def _fraction(match: re.Match[str]) -> str:
    top, bottom = int(match[1]), int(match[2])
    if not 0 < top < bottom:
        return f"{read_integer(match[1])} {read_integer(match[2])}"  # 24/7
    name = {2: "half", 4: "quarter"}.get(bottom) or read_ordinal(str(bottom))
    plural = "halves" if name == "half" else f"{name}s"
    return f"{read_integer(str(top))} {name if top == 1 else plural}"


def _room(match: re.Match[str]) -> str:
    """203 -> two oh three, 1502 -> fifteen oh two."""
    digits = match[2]
    if len(digits) == len("203") and digits[1:] != "00":
        return match[1] + read_digits(digits, zero="oh")
    if len(digits) == len("1502") and digits[1:] != "000":
        return match[1] + read_year(digits).replace("-", " ") if digits[0] != "0" else match[1] + read_digits(digits)
    return match[1] + read_integer(digits)


def _decade(match: re.Match[str]) -> str:
    words = read_year(match[1]) if len(match[1]) == len("1990") else read_integer(match[1])
    return (words[:-1] + "ies") if words.endswith("y") else words + "s"


def _feet_inches(match: re.Match[str]) -> str:
    return f"{read_integer(match[1])} foot {read_integer(match[2])}"


def _dotted_initials(match: re.Match[str]) -> str:
    return " ".join(match[0].replace(".", ""))


def _letters_then_digits(match: re.Match[str]) -> str:
    digits = match[1]
    short = len(digits) <= len("99") and digits[0] != "0"
    return f" {read_integer(digits) if short else read_digits(digits)} "


Replacement = str | Callable[[re.Match[str]], str]

_HALF_DAY = r"([AaPp])\.?\s?[Mm](?![A-Za-z])(?:\.(?!\s+[A-Z]|$))?"
_ABBREVIATION = re.compile(r"(?<![A-Za-z])(" + "|".join(_ABBREVIATIONS) + r")\.(?=[\s,;:)]|$)")
_ABBREVIATION_INSIDE = re.compile(r"(?<![A-Za-z])(" + "|".join(_ABBREVIATIONS) + r")\.(?=\s+[a-zA-Z0-9]|[,;:)])")
_ANY_UNIT = "|".join(re.escape(unit) for unit in _UNITS)
#: A four-digit number is a year after these words, unless something is counted by it.
_YEAR = re.compile(
    r"(?<![A-Za-z])((?:in|since|year|of|from|until|till|by|before|after|circa|spring|summer|fall|autumn|winter|"
    rf"Christmas|early|late|mid|{'|'.join(_MONTHS)})[\s,-]+)(1[0-9]\d\d|20\d\d)"
    rf"(?![\d%]|[.,]\d|\s*(?:{_ANY_UNIT})\b|\s+(?:people|men|women|dollars|pounds|euros|words|times|steps|miles|"
    r"kilometers|meters|metres|feet|grams|calories|of))",
    re.IGNORECASE,
)
_TELEPHONE = re.compile(
    r"(?<![\d.])(?:\+?1[-. ])?\(?\d{3}\)?[-. ]\d{3}[-. ]\d{4}(?!\d)|(?<![\d.-])\d{3}-\d{4}(?![\d-])"
)
#: Emergency and service numbers, unless people or things are counted.
_SERVICE = re.compile(r"(?<![\d$£€¥.,:-])(?:911|999|411)(?!\d|[.,]\d|[%:-]|\s+(?:[a-z]+s|people|men|women|children)\b)")
_MONTH_DAY = re.compile(
    rf"(?<![A-Za-z]){_MONTH}\s+(\d{{1,2}})(?:st|nd|rd|th)?(?:,?\s+([12]\d{{3}}))?(?![\d:]|[.,]\d|\w)"
)
_DAY_MONTH = re.compile(
    rf"(?:[Tt]he )?{_START}(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? {_MONTH}(?:,?\s+([12]\d{{3}}))?(?![A-Za-z\d])"
)
_TIME = r"(?<![\d:])([01]?\d|2[0-4]):([0-5]\d)(?::\d\d)?"
_AMOUNT = re.compile(
    rf"(US\$|[$£€¥￥])\s?({_NUMBER})(?:\s?(?:-|to)\s?[$£€¥]?({_NUMBER}))?"
    r"(?:\s?(million|billion|thousand|trillion|bn|[kKmMB])(?![A-Za-z]))?"
)
#: After a measure before one of these nouns the unit stays singular: "a ten kilometer run".
_ATTRIBUTIVE = re.compile(
    r"\s+(?:run|race|walk|hike|ride|drive|swim|trip|journey|radius|limit|zone|bag|bottle|jar|box|pack|screen|baby|dog|"
    r"weight|wall|fence|rope|drop|climb|trek|dive|pool|track|course|shift|session|window|plan|tank|file|card|drive)\b"
)
_LETTERS_AND_LETTERS = re.compile(r"(?<![A-Za-z])([A-Z]{1,3})&([A-Z]{1,3})(?![A-Za-z])")
_PER = re.compile(r"(?<=[a-z])/(?=(?:hour|day|week|month|year|hr|person|night|minute|second|gallon)\b)")
_ROOM = re.compile(
    r"((?:[Rr]oom|[Ff]light|[Aa]partment|[Aa]pt|[Ss]uite|[Gg]ate|[Bb]us|[Rr]oute|[Hh]ighway|[Ii]nterstate)\s)"
    r"(\d{3,4})(?!\d|\.\d)"
)

_RULES: tuple[tuple[re.Pattern[str], Replacement], ...] = (
    (re.compile(r"(?<=\d),(?=\d{3}(?!\d))"), ""),
    # abbreviations
    (re.compile(r"(?<![A-Za-z])[Ee]\.\s?g\.,?"), "for example"),
    (re.compile(r"(?<![A-Za-z])[Ii]\.\s?e\.,?"), "that is"),
    (re.compile(r"(?<![A-Za-z])vs?\.(?=\s)|(?<![A-Za-z])vs(?![A-Za-z])"), "versus"),
    (re.compile(r"(?<![A-Za-z])etc\.(?=\s+[a-z]|[,;:?!])"), "et cetera"),
    (re.compile(r"(?<![A-Za-z])etc\.?(?![A-Za-z])"), "et cetera."),
    (re.compile(r"(?<![A-Za-z])w/\s?(?=[A-Za-z])"), "with "),
    (re.compile(r"(?<![A-Za-z])Ph\.?D\.?(?![A-Za-z])"), "P H D"),
    (re.compile(r"(?<![A-Za-z])(?:No|Nr)\.\s?(?=\d)|#\s?(?=\d)"), "number "),
    (re.compile(r"(?<=[a-z]\s)St\.(?=\s+[A-Z][a-z])|^St\.(?=\s+[A-Z])"), "Saint"),
    (re.compile(r"(?<=[A-Z][a-z])(\w*\s)St\.?(?=[\s,.?!]|$)(?!\s[A-Z])"), r"\1Street"),
    (re.compile(r"(?<![A-Za-z])St\.(?=\s)"), "Saint"),
    (re.compile(r"(?<![A-Za-z])(" + "|".join(_BARE_TITLES) + r")(?=\s+[A-Z])"), lambda m: _ABBREVIATIONS[m[1]]),
    (_ABBREVIATION_INSIDE, lambda m: _ABBREVIATIONS[m[1]]),
    (_ABBREVIATION, lambda m: _ABBREVIATIONS[m[1]] + "."),
    # telephone numbers and other digits that are dictated
    (_TELEPHONE, lambda m: read_digits(m[0])),
    (_SERVICE, lambda m: read_digits(m[0])),
    # dates
    (re.compile(r"(?<!\d)(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)"), _iso_date),
    (re.compile(r"(?<![\d/])(\d{1,2})/(\d{1,2})/(\d{4})(?![\d/])"), _us_date),
    (_MONTH_DAY, _month_day_year),
    (_DAY_MONTH, _day_month_year),
    (re.compile(r"(?<![\d$£€.,])'?((?:1[0-9]|20)?\d0)'?s(?![A-Za-z])"), _decade),
    (_YEAR, lambda m: m[1] + read_year(m[2])),
    # times of day
    (re.compile(rf"{_TIME}\s*{_HALF_DAY}"), _clock),
    (re.compile(rf"{_TIME}()(?![\d:])"), _clock),
    (re.compile(r"(?<![\d:.$£€])(1[0-2]|0?[1-9])\s?" + _HALF_DAY), _hour_half),
    # amounts
    (_AMOUNT, _money),
    (re.compile(rf"({_NUMBER})\s?-\s?({_NUMBER})\s?%"), r"\1 to \2 percent"),
    (re.compile(rf"({_NUMBER})\s?%"), r"\1 percent"),
    (re.compile(r"(?<![\d.])(\d)'\s?(\d{1,2})(?:\"|''|(?![\d\w]))"), _feet_inches),
    (re.compile(rf"{_START}-(?={_NUMBER}\s?(?:°|degrees))"), "minus "),
    (re.compile(rf"({_NUMBER})\s?-\s?({_NUMBER})(?=[ -]?(?:{_ANY_UNIT})\b)"), r"\1 to \2"),
    (_UNIT, _unit),
    (_PER, " per "),
    (_ROOM, _room),
    (re.compile(rf"(?<![\d.])(?!\d+000(?!\d))(\d{{{_READ_OUT_FROM},}}|0\d+)(?!\d|\.\d)"), lambda m: read_digits(m[1])),
    (re.compile(r"(?<![\d.])(\d+)(?:st|nd|rd|th)(?![A-Za-z])", re.IGNORECASE), lambda m: read_ordinal(m[1])),
    (re.compile(r"(?<![\d/])9/11(?![\d/])"), "nine eleven"),
    (re.compile(r"(?<=\d) (?=\d+/\d+(?![\d/]))"), " and "),
    (re.compile(r"(?<![\d./])(\d+)\s?/\s?(\d+)(?![\d/])"), _fraction),
    (re.compile(rf"(?<=\d)\s?-\s?(?={_NUMBER})"), " to "),
    (re.compile(rf"({_NUMBER})\s?[×xX*]\s?(?={_NUMBER})"), r"\1 times "),
    (re.compile(rf"(?<=\d)\s?\+\s?(?={_NUMBER})"), " plus "),
    (re.compile(r"(?<=\d)\s?=\s?|(?<=\w)\s=\s(?=\w)"), " equals "),
    (re.compile(r"²"), " squared"),
    (re.compile(r"³"), " cubed"),
    (re.compile(r"(?<=\d)\s?:\s?(?=\d)"), " to "),
    (re.compile(rf"(?<![\w-])-(?={_NUMBER})"), "minus "),
    (re.compile(r"(?<=[A-Za-z])-?(\d+)(?!\d|\.\d)"), _letters_then_digits),
    (re.compile(rf"({_NUMBER})(?=[A-Za-z])"), r"\1 "),
    (re.compile(_NUMBER), lambda m: read_number(m[0])),
    # letters and signs
    (re.compile(r"(?<![A-Za-z.])(?:[A-Za-z]\.){2,}(?![A-Za-z])"), _dotted_initials),
    (re.compile(r"(?<![A-Za-z])k(?![A-Za-z])"), "K"),
    (_LETTERS_AND_LETTERS, lambda m: f"{' '.join(m[1])} and {' '.join(m[2])}"),
    (re.compile(r"\s*&\s*"), " and "),
    (re.compile(r"(?<=\w)@(?=\w)|\s@\s"), " at "),
    (re.compile(r"(?<=[a-z])\.(?=(?:com|org|net|edu|gov|io|cn|co)\b)"), " dot "),
    (re.compile(r"%"), " percent"),
    (re.compile(r"(?<=and)/(?=or\b)"), " "),
    (re.compile(r"(?<=[A-Za-z])/(?=[A-Za-z])"), " or "),
    (re.compile(r"[$£€¥#*_^|\\{}\[\]<>=+~`@/]"), " "),
)  # fmt: skip
