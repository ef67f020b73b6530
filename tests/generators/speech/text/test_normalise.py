"""Text normalisation: what is written becomes what is said, and never a digit or a tag is left."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data_schemas.tasks import Language
from generators.speech.text.letters import letter_names, spell_initialisms
from generators.speech.text.normalise import normalise

ZH = [
    # 两 and 二
    ("我买了2个苹果", "我买了两个苹果"),
    ("2点到，2块钱，2号走", "两点到，两块钱，二号走"),
    ("2月2日，2年级2班，2楼", "二月二日，二年级二班，二楼"),
    ("第2名，第2个，22个，202个", "第二名，第二个，二十二个，两百零二个"),
    ("2年前花了2000块，又花2万", "两年前花了两千块，又花两万"),
    ("2分之1，2手车，2把手，2对2", "二分之一，二手车，二把手，二对二"),
    ("2-3个人，2斤2两", "两到三个人，两斤二两"),
    ("星期二下午，周二点外卖，二位", "星期二下午，周二点外卖，二位"),
    # money
    ("花了￥200，赔8块5", "花了两百元，赔八块五"),
    ("$45，£3.50，1,200元", "四十五美元，三点五英镑，一千二百元"),
    ("250块，12000元，￥3-5", "二百五十块，一万两千元，三到五元"),
    # dates and times
    ("8月15号，2026年3月1日", "八月十五号，二零二六年三月一日"),
    ("2025-03-01，1974年春天，2000多年", "二零二五年三月一日，一九七四年春天，两千多年"),
    ("90后，80年代，98年", "九零后，八十年代，九八年"),
    ("3点半，8:30，14:05，2:30", "三点半，八点半，十四点零五分，两点半"),
    ("7点05分，20:00-22:00，0:05", "七点零五分，二十点到二十二点，零点零五分"),
    # numbers
    ("增长12.5%，2%-5%，5-10%", "增长百分之十二点五，百分之二到百分之五，百分之五到百分之十"),
    ("1/3的人，3:2赢了，7*24", "三分之一的人，三比二赢了，七乘二十四"),
    ("-5度，零下10℃，-3", "零下五度，零下十摄氏度，负三"),
    ("3.14，0.5小时，10500，110块", "三点一四，零点五小时，一万零五百，一百一十块"),
    # dictated
    ("电话13812345678", "电话幺三八幺二三四五六七八"),
    ("订单号是20260301", "订单号是二零二六零三零幺"),
    ("打110，打12306，203室", "打幺幺零，打幺二三零六，二零三室"),
    ("坐203路，坐18路", "坐二零三路，坐十八路"),
    ("007，一共30000000人", "零零七，一共三千万人"),
    # units
    ("5km，3.5kg，30°C，100m²，500ml", "五公里，三点五公斤，三十摄氏度，一百平方米，五百毫升"),
    ("60km/h，1米8", "六十公里每小时，一米八"),
    # letters
    ("去KTV用APP", "去K T V用A P P"),
    ("WiFi和iPhone15", "WiFi和iPhone 十五"),
    ("A4纸，5G网，G102次，vip客户", "A 四纸，五 G网，G 幺零二次，V I P客户"),
    # signs
    ("好的~~ [laughter] 等等......", "好的等等…"),
    ("我——不去,真的!", "我，不去，真的！"),
    ("２０岁，½杯，😂好笑1️⃣", "二十岁，二分之一杯，好笑"),
]  # fmt: skip

EN = [
    ("Dr. Lee paid $45 on August 15th.", "Doctor Lee paid forty-five dollars on August fifteenth."),
    ("£3.50, $0.99, $1", "three pounds and fifty pence, ninety-nine cents, one dollar"),
    ("$1,200 and $45.05", "one thousand two hundred dollars and forty-five dollars and five cents"),
    ("$5 million, $15-20", "five million dollars, fifteen to twenty dollars"),
    ("At 3:30 p.m., 8:00 and 14:05", "At three thirty P M, eight o'clock and fourteen oh five"),
    ("8:05 am, 9 PM", "eight oh five A M, nine P M"),
    ("a 6 am shift", "a six A M shift"),
    ("March 3rd, 2026 or 5 May", "March third, twenty twenty-six or the fifth of May"),
    ("2026-03-01, 3/4/2026", "March first, twenty twenty-six, March fourth, twenty twenty-six"),
    ("in 1999 and the 1990s", "in nineteen ninety-nine and the nineteen nineties"),
    ("over 1000 people in 1500 homes", "over one thousand people in fifteen hundred homes"),
    ("30°C, 5 km, 1 km, 1.8 kg", "thirty degrees Celsius, five kilometers, one kilometer, one point eight kilograms"),
    ("a 10 km run at 25 mph", "a ten kilometer run at twenty-five miles per hour"),
    ("3-5 days, 10-15%", "three to five days, ten to fifteen percent"),
    ("1/2 cup, 3/4, 1½ cups, 24/7", "one half cup, three quarters, one and one half cups, twenty-four seven"),
    ("the 21st, 2nd", "the twenty-first, second"),
    ("call 555-0134 or 911", "call five five five zero one three four or nine one one"),
    ("911 people, room 203, flight 1502", "nine hundred and eleven people, room two oh three, flight fifteen oh two"),
    ("e.g. this vs. that, etc., ok", "for example this versus that, et cetera, ok"),
    ("St. Mary on Main St. now", "Saint Mary on Main Street now"),
    ("Mr Smith, Mrs. Jones", "Mister Smith, Missus Jones"),
    ("The FBI, two IDs, the U.S.A., I'm SO angry", "The F B I, two I D's, the U S A, I'm SO angry"),
    ("H2O, A4, COVID-19", "H two O, A four, COVID nineteen"),
    ("AT&T, 100%, #1, and/or", "A T and T, one hundred percent, number one, and or"),
    ("5'10\" tall, -5 degrees", "five foot ten tall, minus five degrees"),
    ("I have 2,000,000, 007", "I have two million, zero zero seven"),
    ("Well [sigh] fine 😀", "Well fine"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "spoken"), ZH)
def test_mandarin(written: str, spoken: str) -> None:
    assert normalise(written, Language.ZH) == spoken


@pytest.mark.parametrize(("written", "spoken"), EN)
def test_english(written: str, spoken: str) -> None:
    assert normalise(written, Language.EN) == spoken


SIGNS = st.sampled_from(list("0123456789.,:-/%$£￥°²½①２٣ kmgAPSt第点块个年月日号度室的é😀[](){}&@#+=*~'\"…—，。"))


@pytest.mark.parametrize("language", list(Language))
@settings(max_examples=400, deadline=None)
@given(text=st.one_of(st.lists(SIGNS, max_size=24).map("".join), st.text(max_size=24)))
@example(text="x²")
@example(text="１，２３４．５元")
@example(text="2026/13/45 99:99 0000000000000000000000")
def test_no_digit_and_no_tag_is_ever_left(language: Language, text: str) -> None:
    spoken = normalise(text, language)
    assert not any(char.isdigit() for char in spoken)
    assert not any(char in "[]\n\t" for char in spoken)
    assert spoken == spoken.strip()
    assert spoken == "" or any(char.isalpha() for char in spoken)


@pytest.mark.parametrize("language", list(Language))
@given(number=st.integers(min_value=0, max_value=10**12))
def test_every_number_has_words(language: Language, number: int) -> None:
    unit = "块" if language is Language.ZH else " apples"
    spoken = normalise(f"{number}{unit}", language)
    assert spoken.endswith(unit.strip()) and len(spoken) > len(unit)


@pytest.mark.parametrize("text", ["[sigh]", "……", "😀😀", " ", "、"])
@pytest.mark.parametrize("language", list(Language))
def test_what_cannot_be_spoken_is_empty(text: str, language: Language) -> None:
    assert normalise(text, language) == ""


def test_normalising_twice_changes_nothing() -> None:
    for language, cases in ((Language.ZH, ZH), (Language.EN, EN)):
        for written, _ in cases:
            once = normalise(written, language)
            assert normalise(once, language) == once


def test_emphasis_is_no_initialism() -> None:
    assert spell_initialisms("I am SO TIRED, HMM", english=True) == "I am SO TIRED, HMM"
    assert spell_initialisms("在NASA用USB") == "在NASA用U S B"


def test_the_letter_a_is_not_the_article() -> None:
    assert letter_names("an A P I on A street, I D") == "an eh P I on A street, I D"
