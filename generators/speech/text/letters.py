"""Initialisms: which runs of capitals are spelled, and how a phonemiser is told the names of letters."""

from __future__ import annotations

import re

#: Initialisms with a vowel letter that English text spells out; those without a vowel are spelled anyway.
#: Runs of capitals that are in neither group are words said with emphasis ("I am SO angry").
ENGLISH_INITIALISMS = frozenset(
    re.findall(
        r"[A-Z]+",
        """
        AA AC ADHD AED AI AKA AM API ASAP ATM BA BBC CEO CFO CIA CIO CNN COO CPA CPU CT CTO CV DIY DNA DOB DUI
        DVD ECG EEG EKG EMT ER ETA EU EV FAA FAQ FBI FDA FYI GPA GPS GPU HIV HOA HR IBM ICU ID IDK IMO IOU IPA
        IPO IQ IRL IRS ISP IUD IV IVF KTV LA MBA MRI NBA NFL NGO NHL NHS NYC NYU OCD OK OMG PA PDF PE PM PMS PR
        PTA PTO PTSD QA RSVP SOS SUV TA TBA TSA TV UAE UFO UI UK UN UPS URL US USA USB UTI UV VIP VPN VR
        """,
    )
)
#: Read as words although written in capitals, in Mandarin text, where every other run of capitals is spelled.
MANDARIN_WORDS = frozenset({"NASA", "NATO", "UNESCO", "OPEC", "COSPLAY", "IKEA", "NIKE", "ZARA", "EMO"})
#: Written small and still spelled in Mandarin text.
_MANDARIN_SMALL = re.compile(
    r"(?<![A-Za-z])(vip|ppt|ktv|ceo|cpu|usb|dna|gps|diy|pk|hr|ai|ip|pc|tv|dj|mv|ok|pdf|vr)(?![A-Za-z])"
)
#: Sounds people write without a vowel.
_INTERJECTIONS = frozenset({"HM", "HMM", "MM", "MMM", "SH", "SHH", "PSST", "BRR", "BRRR", "GRR", "GRRR", "PFFT", "TSK"})
#: Abbreviations shouted with the rest of a sentence.
_SHOUTED = frozenset({"MR", "MRS", "MS", "DR", "ST", "VS", "NTH"})

_CAPITALS = re.compile(r"(?<![A-Za-z])([A-Z]{2,})(?:(['’]?)(s))?(?![A-Za-z])")
_SPELLED_RUN = re.compile(r"(?<![A-Za-z])[A-Z](?: [A-Z])+(?:'s)?(?![A-Za-z])")
_LONE_A = re.compile(r"(?<![A-Za-z])A(?![A-Za-z'])")
#: What espeak-ng reads as the letter's name; a bare "A" it takes for the article.
NAME_OF_A = "eh"


def spell_initialisms(text: str, english: bool = False) -> str:
    """Put blanks between the letters of initialisms.

    >>> spell_initialisms("去KTV用APP"), spell_initialisms("The FBI said NO, two IDs.", english=True)
    ('去K T V用A P P', "The F B I said NO, two I D's.")
    """

    def spell(match: re.Match[str]) -> str:
        word, plural = match[1], match[3]
        spelled = _is_english_initialism(word) if english else word not in MANDARIN_WORDS
        return (" ".join(word) + ("'s" if plural else "")) if spelled else match[0]

    if not english:
        text = _MANDARIN_SMALL.sub(lambda small: small[0].upper(), text)
    return _CAPITALS.sub(spell, text)


def _is_english_initialism(word: str) -> bool:
    return word in ENGLISH_INITIALISMS or (not set(word) & set("AEIOUY") and word not in _INTERJECTIONS | _SHOUTED)


def letter_names(text: str) -> str:
    """Spelled runs as a phonemiser of English reads them right: "A" as a letter, not as the article.

    >>> letter_names("the A T M on A street")
    'the eh T M on A street'
    """
    return _SPELLED_RUN.sub(lambda run: _LONE_A.sub(NAME_OF_A, run[0]), text)
