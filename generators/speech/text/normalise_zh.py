"""Mandarin: how numbers and signs are read aloud. Number words come from ``cn2an``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from generators.speech.text.letters import spell_initialisms

_DIGITS = "零一二三四五六七八九"
#: 两 before 千, 万 and 亿 when nothing stands before it in its group; 二百 and 两百 are both said, 二百五十 only so.
_TWO_OF_SCALE = re.compile(r"(?<![十百千零])二(?=[千万亿])|^二(?=百(?!五))")
_PHONE_ONE = "幺"  # "one" where numbers are dictated: telephone, room, flight, bus
_TWO = 2
_MAX_CARDINAL_DIGITS = 16  # cn2an's limit
_READ_OUT_FROM = 8  # so many digits or more are an identifier, read one by one

#: Measure words and units before which 2 is 两 (吕叔湘《现代汉语八百词》 "两、二"), with what follows
#: where the word could be something else. Ordinals and names (2号, 2楼, 2月, 2班, 2级, 2手) are not here.
_MEASURES = (
    "个|小时|分钟|秒|点|天|周|星期|年(?!级|代)|只|条|张|位|名|次|遍|趟|件|把(?!手)|块|毛|元|角|美元|欧元|英镑|"
    "公斤|千克|斤|克|毫克|吨|公里|千米|毫米|厘米|平方|立方|米|里|步|杯|瓶|碗|盘|份|套|本|支|枝|根|颗|粒|片|"
    r"层|间|家|座|辆|台|部|架|艘|匹|头|群|排|双|对(?!\d)|人|口|顿|场|节|门|首|篇|句|段|页|岁|倍|种|类|样|组|队|"
    "批|桶|箱|袋|包|盒|罐|升|毫升|道|锅|盏|朵|棵|株|扇|滴|堆|束|串|亩|回|轮|拨|摄氏度|度|分(?!之)|百|千|万|亿|"
    "成|刻钟|股|笔|款|项|档|幅|封|顶|床|尾|勺|壶|集|章|瓣|副|剂|针|晚|夜|截|码|平|寸|尺|丈|下"
)
_BEFORE_MEASURE = re.compile(rf"\s*(?:[到至]\d+(?:\.\d+)?)?(?:多|来|几)?(?:{_MEASURES})")

#: Longest first: a unit ends where no further letter follows.
_UNITS: Mapping[str, str] = {
    "km/h": "公里每小时", "m/s": "米每秒", "kWh": "千瓦时", "km²": "平方公里", "cm²": "平方厘米", "m²": "平方米",
    "㎡": "平方米", "m³": "立方米", "m2": "平方米", "m3": "立方米", "km": "公里", "KM": "公里", "cm": "厘米",
    "CM": "厘米", "mm": "毫米", "dm": "分米", "m": "米", "kg": "公斤", "KG": "公斤", "mg": "毫克", "g": "克",
    "ml": "毫升", "mL": "毫升", "ML": "毫升", "L": "升", "l": "升", "°C": "摄氏度", "℃": "摄氏度",
    "°F": "华氏度", "℉": "华氏度", "°": "度", "kHz": "千赫兹", "MHz": "兆赫兹", "GHz": "吉赫兹", "Hz": "赫兹",
    "kW": "千瓦", "W": "瓦", "ms": "毫秒", "min": "分钟", "h": "小时", "s": "秒", "t": "吨",
}  # fmt: skip
_UNIT = re.compile(
    r"(?<=\d)\s*(" + "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True)) + r")(?![A-Za-z0-9²³])"
)
_CURRENCIES: Mapping[str, str] = {
    "￥": "元",
    "¥": "元",
    "RMB": "元",
    "$": "美元",
    "US$": "美元",
    "£": "英镑",
    "€": "欧元",
}

_NUMBER = r"\d+(?:\.\d+)?"
_RANGE_SIGN = r"\s*[-~～–—−至]\s*"
_NO_DIGIT_BEFORE = r"(?<![\d.A-Za-z])"
_NO_DIGIT_AFTER = r"(?![\d]|\.\d)"
#: After these words a number is dictated.
_DICTATED = re.compile(
    r"((?:电话|手机|号码|热线|拨打?|QQ|微信号?|尾号|编号|单号|工号|学号|验证码|密码|邮编|车牌号?|账号|卡号|房号|门牌|代码)"
    r"(?:号码|号)?(?:是|为|：|:|，)?\s*)(\d[\d\s-]*\d|\d)"
)
#: Service numbers people know by heart; digits only where nothing is being counted.
_SERVICE = re.compile(
    rf"{_NO_DIGIT_BEFORE}(110|119|120|122|114|911|12306|12345|12315|12348|10000|10010|10086)"
    rf"(?!\d|\.\d|\s*(?:{_MEASURES}|多|来|几|%|号|路|分|年|月|日))"
)
_SHORT_YEAR = re.compile(r"(?<!\d)[6-9]\d(?=年(?!代|前|后|多|以|的))|(?<!\d)[05-9]0(?=后(?!面|来|天|边))")
_CLOCK = r"([01]?\d|2[0-4]):([0-5]\d)(?::\d\d)?"
_AMOUNT = re.compile(
    rf"(US\$|RMB|[￥¥$£€])\s*({_NUMBER})(?:{_RANGE_SIGN}[￥¥$£€]?({_NUMBER}))?"
    r"\s*(万|亿|千|百)?(?:元|块钱?|美元|英镑|欧元)?"
)
#: Long digit strings that count nothing and are not round.
_IDENTIFIER = re.compile(rf"{_NO_DIGIT_BEFORE}(?!\d+000(?!\d))\d{{{_READ_OUT_FROM},}}(?!\d|\.\d|\s*(?:{_MEASURES}))")
_PUNCTUATION: Mapping[str, str] = {",": "，", "?": "？", "!": "！", ":": "：", ";": "；"}


def normalise_zh(text: str) -> str:
    """Read numbers, signs and units of a Mandarin text; rules go from the special to the general.

    >>> normalise_zh("2026年3月1日14:05，2个人3-5块")
    '二零二六年三月一日十四点零五分，两个人三到五块'
    """
    text = _half_width(text)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return _punctuate(spell_initialisms(text))


def read_integer(digits: str) -> str:
    """A cardinal; what is too long or starts with 0 is read digit by digit.

    >>> read_integer("10500"), read_integer("12"), read_integer("007")
    ('一万零五百', '十二', '零零七')
    >>> read_integer("200"), read_integer("22000"), read_integer("250")
    ('两百', '两万两千', '二百五十')
    """
    import cn2an

    if len(digits) > _MAX_CARDINAL_DIGITS or (len(digits) > 1 and digits[0] == "0"):
        return read_digits(digits)
    words: str = cn2an.an2cn(digits, "low")
    words = words[1:] if words.startswith("一十") else words
    return _TWO_OF_SCALE.sub("两", words)


def read_digits(digits: str, one: str = "一") -> str:
    """Digit by digit; other characters are left out.

    >>> read_digits("138", "幺")
    '幺三八'
    """
    return "".join(one if char == "1" else _DIGITS[int(char)] for char in digits if char.isdecimal())


def read_number(number: str) -> str:
    """Integer or decimal: '3.50' -> 三点五零."""
    whole, _, fraction = number.partition(".")
    return read_integer(whole) + ("点" + read_digits(fraction) if fraction else "")


def _half_width(text: str) -> str:
    """Full-width letters, digits and signs as ASCII; Chinese punctuation stays."""
    kept = "，。！？：；（）［］｛｝"
    shift = 0xFEE0
    narrow = "".join(
        chr(ord(char) - shift) if "\uff01" <= char <= "\uff5e" and char not in kept else char for char in text
    )
    return re.sub(r"(?<=\d)：(?=\d\d)", ":", narrow)


def _dictated(match: re.Match[str]) -> str:
    return match[1] + read_digits(match[2], _PHONE_ONE)


def _digits_with_phone_one(match: re.Match[str]) -> str:
    return read_digits(match[0], _PHONE_ONE)


def _full_date(match: re.Match[str]) -> str:
    year, month, day = match[1], match[2], match[3]
    return f"{read_digits(year)}年{read_integer(month.lstrip('0') or '0')}月{read_integer(day.lstrip('0') or '0')}日"


def _year(match: re.Match[str]) -> str:
    return read_digits(match[1])


def _clock(match: re.Match[str]) -> str:
    return _time_words(match[1], match[2])


def _clock_range(match: re.Match[str]) -> str:
    return f"{_time_words(match[1], match[2])}到{_time_words(match[3], match[4])}"


def _time_words(hour: str, minute: str) -> str:
    """14:05 -> 十四点零五分, 8:30 -> 八点半, 8:00 -> 八点."""
    spoken = _hour(hour) + "点"
    if minute == "00":
        return spoken
    if minute == "30":
        return spoken + "半"
    return spoken + ("零" if minute[0] == "0" else "") + read_integer(str(int(minute))) + "分"


def _hour(digits: str) -> str:
    return "两" if int(digits) == _TWO else read_integer(str(int(digits)))


def _minutes_after_hour(match: re.Match[str]) -> str:
    return f"{_hour(match[1])}点零{_DIGITS[int(match[2])]}"


def _money(match: re.Match[str]) -> str:
    low, high, scale = match[2], match[3], match[4] or ""
    amount = _trim_zeros(low) + (f"到{_trim_zeros(high)}" if high else "")
    return f"{amount}{scale}{_CURRENCIES[match[1]]}"


def _trim_zeros(number: str) -> str:
    return number.rstrip("0").rstrip(".") if "." in number else number


def _percent(match: re.Match[str]) -> str:
    lead = "百分之" if match[3] in "%％" else "千分之"
    high = f"到{lead}{read_number(match[2])}" if match[2] else ""
    return f"{lead}{read_number(match[1])}{high}"


def _fraction(match: re.Match[str]) -> str:
    top, bottom = match[1], match[2]
    if int(top) < int(bottom):
        return f"{read_integer(bottom)}分之{read_integer(top)}"
    return f"{read_integer(top)}比{read_integer(bottom)}"


def _letters_then_digits(match: re.Match[str]) -> str:
    """A4 -> A 四, G102 -> G 幺零二: up to two digits are a number, more are dictated."""
    digits = match[1]
    short = len(digits) <= len("99") and digits[0] != "0"
    return " " + (read_integer(digits) if short else read_digits(digits, _PHONE_ONE))


def _number(match: re.Match[str]) -> str:
    """Any number left; 2 is 两 where something is counted."""
    counted = match[0] == str(_TWO) and _BEFORE_MEASURE.match(match.string, match.end())
    return "两" if counted and not match.string[: match.start()].endswith("第") else read_number(match[0])


Replacement = str | Callable[[re.Match[str]], str]

_RULES: tuple[tuple[re.Pattern[str], Replacement], ...] = (
    (re.compile(r"(?<=\d),(?=\d{3}(?!\d))"), ""),
    (_DICTATED, _dictated),
    (re.compile(rf"{_NO_DIGIT_BEFORE}(?:\+?86[- ]?)?1[3-9]\d(?:[- ]?\d{{4}}){{2}}(?!\d)"), _digits_with_phone_one),
    (re.compile(rf"{_NO_DIGIT_BEFORE}0\d{{2,3}}[- ]\d{{7,8}}(?!\d)"), _digits_with_phone_one),
    (re.compile(rf"{_NO_DIGIT_BEFORE}[48]00[- ]?\d{{3,4}}[- ]?\d{{3,4}}(?!\d)"), _digits_with_phone_one),
    (re.compile(r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)"), _full_date),
    (re.compile(r"(?<!\d)([12]\d{3})(?=年(?!前|后|左右|多|以))"), _year),
    (_SHORT_YEAR, lambda m: read_digits(m[0])),
    (re.compile(rf"(?<![\d:]){_CLOCK}{_RANGE_SIGN}{_CLOCK}(?![\d:])"), _clock_range),
    (re.compile(rf"(?<![\d:]){_CLOCK}(?![\d:])"), _clock),
    (re.compile(r"(?<!\d)([01]?\d|2[0-4])点0(\d)(?!\d)"), _minutes_after_hour),
    (_AMOUNT, _money),
    (re.compile(rf"({_NUMBER})%?(?:{_RANGE_SIGN}({_NUMBER}))?\s*([%％‰])"), _percent),
    (re.compile(rf"{_NO_DIGIT_BEFORE}-({_NUMBER})(?=\s*(?:°C?|℃|度|摄氏度))"), r"零下\1"),
    (re.compile(r"(?<=零下)\s*-(?=\d)"), ""),
    (re.compile(r"(?<=\d)(?:km|KM|公里)/(?:h|小时)"), "公里每小时"),
    (_UNIT, lambda match: _UNITS[match[1]]),
    (re.compile(r"(?<=[元块角克斤升米里瓦])/(?=[\u4e00-\u9fff])"), "每"),
    (re.compile(rf"({_NUMBER}){_RANGE_SIGN}(?={_NUMBER})"), r"\1到"),
    (re.compile(rf"({_NUMBER})([\u4e00-\u9fff°℃]{{1,3}})[-~～–—−](?={_NUMBER})"), r"\1\2到"),
    (re.compile(r"(?<=\d) (?=\d+/\d)"), "又"),
    (re.compile(rf"{_NO_DIGIT_BEFORE}(\d+)\s*/\s*(\d+)(?!\d)"), _fraction),
    (re.compile(rf"({_NUMBER})\s*:\s*(?={_NUMBER})"), r"\1比"),
    (re.compile(rf"({_NUMBER})\s*[×xX*]\s*(?={_NUMBER})"), r"\1乘"),
    (re.compile(rf"({_NUMBER})\s*\+\s*(?={_NUMBER})"), r"\1加"),
    (re.compile(rf"({_NUMBER})\s*=\s*(?={_NUMBER})"), r"\1等于"),
    (re.compile(r"(?<!\d)(\d{3,4})(?=室|房|号房|号门|次列车|次航班|航班|路(?!口|程))"), _digits_with_phone_one),
    (_SERVICE, _digits_with_phone_one),
    (re.compile(r"(?<=[A-Za-z])[-\s]?(\d+)(?!\d|\.\d)"), _letters_then_digits),
    (re.compile(rf"{_NO_DIGIT_BEFORE}-(?=\d)"), "负"),
    (_IDENTIFIER, _digits_with_phone_one),
    (re.compile(_NUMBER), _number),
    (re.compile(r"(?<=[一二三四五六七八九十百千万亿零])([A-Za-z])"), r" \1"),
    (re.compile(r"²"), "的平方"),
    (re.compile(r"³"), "的立方"),
    (re.compile(r"&"), "和"),
    (re.compile(r"(?<=[A-Za-z0-9])@(?=[A-Za-z0-9])"), " at "),
    (re.compile(r"(?<=[A-Za-z])\.(?=[A-Za-z])"), "点"),
    (re.compile(r"[%％]"), "百分号"),
    (re.compile(r"[$£€￥¥]"), ""),
    (re.compile(r"[=+<>#*_^|\\{}\[\]@`]"), " "),
    (re.compile(r"(?<=[\u4e00-\u9fff])/(?=[\u4e00-\u9fff])"), "，"),
    (re.compile(r"/"), " "),
)  # fmt: skip


def _punctuate(text: str) -> str:
    """Chinese punctuation throughout, no blanks beside it, elongation waves gone."""
    text = re.sub(r"\.{2,}|…+|。{2,}", "…", text)
    text = re.sub(r"[—–]{1,}|(?<=[\u4e00-\u9fff])-+(?=[\u4e00-\u9fff])", "，", text)
    text = re.sub(r"[~～]+", "", text)
    text = re.sub(r"(?<=[\u4e00-\u9fff])\.", "。", text)
    text = re.sub(r"(?<![A-Za-z])-|-(?![A-Za-z])", " ", text)
    text = "".join(_PUNCTUATION.get(char, char) for char in text)
    text = re.sub(r"\s*([，。！？：；、…])\s*", r"\1", text)
    text = re.sub(r"^[，。：；、]+", "", text)
    return re.sub(r"，(?=[，。！？；…])|(?<=[，。！？；])，", "", text)
