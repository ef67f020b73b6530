"""Sentences for `benchmarks.gate`: a few frames with many fillings, so that thousands share nearly all their words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from data_schemas.tasks import Language

_ZH: dict[str, tuple[str, ...]] = {
    "day": ("今天", "明天", "后天", "周一", "周二", "周三", "周四", "周五", "周六", "周日", "月底", "年底"),
    "time": ("上午", "下午", "晚上", "中午", "凌晨", "清早"),
    "hour": ("一点", "两点", "三点", "四点", "五点", "六点", "七点", "八点", "九点", "十点", "十一点", "十二点"),
    "city": (
        "成都", "北京", "上海", "广州", "深圳", "杭州", "苏州", "西安", "武汉", "长沙", "南京", "天津", "重庆",
        "青岛", "厦门", "昆明", "大连", "沈阳", "郑州", "济南", "福州", "合肥", "贵阳", "兰州", "徐州", "常州",
    ),
    "who": (
        "妈妈", "爸爸", "姐姐", "哥哥", "弟弟", "妹妹", "老板", "同事", "室友", "邻居", "老师", "同学", "表姐",
        "表哥", "姑姑", "舅舅", "叔叔", "阿姨", "爷爷", "奶奶",
    ),
    "thing": (
        "钥匙", "手机", "钱包", "雨伞", "电脑", "相机", "书包", "眼镜", "手表", "护照", "车票", "耳机", "外套",
        "围巾", "日记", "蛋糕", "杯子", "花瓶", "自行车", "充电器",
    ),
    "food": ("面条", "饺子", "火锅", "烤鸭", "米线", "包子", "馄饨", "炒饭", "汤圆", "豆腐", "牛肉", "排骨", "粽子"),
    "number": ("两", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二", "十四", "十五", "二十"),
    "verb": ("弄丢", "借走", "摔坏", "送人", "忘在车上", "落在家里", "锁进柜子", "卖掉", "弄湿", "藏起来"),
}  # fmt: skip
_EN: dict[str, tuple[str, ...]] = {
    "day": (
        "today", "tomorrow", "on Monday", "on Tuesday", "on Wednesday", "on Thursday", "on Friday", "on Saturday",
        "on Sunday", "next week", "next month",
    ),
    "time": ("morning", "evening", "afternoon", "midday", "midnight"),
    "hour": ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    "city": (
        "Leeds", "London", "Bristol", "Dover", "York", "Oxford", "Boston", "Denver", "Austin", "Dallas", "Dublin",
        "Glasgow", "Cardiff", "Lincoln", "Bath", "Derby", "Preston", "Brighton", "Reading", "Norwich", "Newport",
    ),
    "who": (
        "mother", "father", "sister", "brother", "cousin", "boss", "neighbour", "teacher", "roommate", "uncle", "aunt",
        "grandmother", "grandfather", "colleague", "son", "daughter", "niece", "nephew", "friend", "landlord",
    ),
    "thing": (
        "keys", "phone", "wallet", "umbrella", "laptop", "camera", "backpack", "glasses", "watch", "passport",
        "ticket", "headphones", "jacket", "scarf", "diary", "cake", "mug", "vase", "bike", "charger",
    ),
    "food": ("soup", "noodles", "pizza", "curry", "pasta", "salad", "rice", "toast", "stew", "pie", "tacos", "sushi"),
    "number": ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "fifteen", "twenty"),
    "verb": ("lost", "borrowed", "broke", "sold", "hid", "dropped", "ruined", "took", "forgot", "gave away"),
}  # fmt: skip
WORDS = {Language.ZH: _ZH, Language.EN: _EN}
FRAMES: dict[Language, tuple[str, ...]] = {
    Language.ZH: (
        "请帮我把{day}{time}{hour}的闹钟改一下，谢谢你。",
        "我想订{number}张{day}{time}去{city}的高铁票，最好是靠窗的座位。",
        "我{who}又把我的{thing}{verb}了，这已经是第{number}次了。",
        "你知道吗，{day}{time}我在{city}碰到了我{who}，聊了好久。",
        "好的，我已经帮您把{day}{hour}的会议推迟到{time}，还需要别的吗？",
        "从{city}到{city}坐车要几个小时，{day}{time}还有票吗？",
        "{who}说{day}想吃{food}，我得先去买{number}斤菜。",
        "我{day}在{city}丢了{thing}，找了{number}个小时也没找到。",
        "其实我不是因为{food}不好吃才难过，是因为{who}没有来。",
        "天气预报说{city}{day}{time}有大雨，出门记得带{thing}。",
        "您的{thing}已经寄到{city}了，预计{day}{time}送到您家里。",
        "都{hour}了，{who}怎么还不回来，{food}都凉了。",
        "我跟{who}约好{day}{hour}在{city}见面，结果等了{number}个小时。",
        "能不能告诉我{city}哪一家的{food}最好吃，我{day}要请{who}吃饭。",
    ),
    Language.EN: (
        "Please move my {day} {time} alarm to {hour} o'clock, thank you.",
        "I would like to book {number} seats to {city} {day}, by the window please.",
        "My {who} {verb} my {thing} again, that is the {hour} hundredth time this year.",
        "You know what, {day} I ran into my {who} in {city} and we talked for {number} hours.",
        "All right, I have moved the meeting {day} to {hour} in the {time}, anything else?",
        "How long does the train from {city} to {city} take {day}?",
        "My {who} wants {food} {day}, so I have to buy {number} onions first.",
        "I lost my {thing} in {city} and looked for it for {number} hours.",
        "It is not because of the {food} that I am sad, it is because my {who} did not come.",
        "The forecast says heavy rain in {city} {day}, do not forget your {thing}.",
        "Your {thing} has been sent to {city} and should arrive {day} in the {time}.",
        "It is {hour} already, why is my {who} not home, the {food} is getting cold.",
        "I was going to meet my {who} at {hour} in {city} and waited for {number} hours.",
        "Can you tell me where they make the best {food} in {city}, I am taking my {who} there {day}.",
    ),
}


class Sentence(NamedTuple):
    """What one clip says, and in which voice."""

    language: Language
    voice: str
    text: str


def sentences(
    voices: Mapping[Language, Sequence[str]], count: int, seed: int, first_voice_share: float
) -> Iterator[Sentence]:
    """``count`` different ones, languages in turn; the first voice of a language says ``first_voice_share`` of its."""
    draw = np.random.default_rng(seed)
    said: set[tuple[str, str]] = set()
    while len(said) < count:
        language = tuple(Language)[len(said) % len(Language)]
        own = voices[language]
        voice = own[0] if draw.random() < first_voice_share else own[int(draw.integers(len(own)))]
        frame = FRAMES[language][int(draw.integers(len(FRAMES[language])))]
        text = _filled(frame, WORDS[language], draw)
        if (voice, text) not in said:
            said.add((voice, text))
            yield Sentence(language, voice, text)


def _filled(frame: str, words: dict[str, tuple[str, ...]], draw: np.random.Generator) -> str:
    for slot, values in words.items():
        while f"{{{slot}}}" in frame:
            frame = frame.replace(f"{{{slot}}}", values[int(draw.integers(len(values)))], 1)
    return frame
