"""Self-BLEU: how much the lines of a sample repeat one another."""

from __future__ import annotations

from statistics import fmean

from data_schemas.tasks import Language


def self_bleu(texts: list[str], language: Language) -> float | None:
    """Mean BLEU-4 (0 to 100) of each text against all others; None under two texts.

    Zhu et al., "Texygen", 2018. The figure is what ``sacrebleu``'s ``sentence_score`` gives text by text; here
    the n-grams of each text are counted once, and not once for every other text.
    """
    if len(texts) < 2:  # noqa: PLR2004
        return None
    from sacrebleu.metrics.bleu import BLEU, MAX_NGRAM_ORDER
    from sacrebleu.metrics.helpers import extract_all_word_ngrams

    split = BLEU(tokenize="zh" if language is Language.ZH else "13a").tokenizer
    counted = [extract_all_word_ngrams(split(text.lower().rstrip()), 1, MAX_NGRAM_ORDER) for text in texts]
    # of every n-gram, its two highest counts in one text: without a text that has the highest, the second one holds
    most: dict[tuple[str, ...], tuple[int, int]] = {}
    for ngrams, _ in counted:
        for ngram, count in ngrams.items():
            first, second = most.get(ngram, (0, 0))
            if count > second:
                most[ngram] = (count, first) if count > first else (first, count)
    scores = []
    for place, (ngrams, length) in enumerate(counted):
        correct, total = [0] * MAX_NGRAM_ORDER, [0] * MAX_NGRAM_ORDER
        for ngram, count in ngrams.items():
            first, second = most[ngram]
            total[len(ngram) - 1] += count
            correct[len(ngram) - 1] += min(count, second if count == first else first)
        _, closest = min((abs(length - other), other) for k, (_, other) in enumerate(counted) if k != place)
        bleu = BLEU.compute_bleu(correct, total, length, closest, smooth_method="exp", effective_order=True)
        scores.append(bleu.score)
    return round(fmean(scores), 2)
