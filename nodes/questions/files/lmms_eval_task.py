"""What lmms-eval calls for questions of dataflow: pictures and words of a question, and how right an answer is.

It stands beside the questions and needs nothing else. The words are those of the template `direct`, the score is
dataflow's reward `accuracy`: exact for a choice, mean relative accuracy (arXiv:2412.14171) for a number.
"""

import math
from pathlib import Path

folder = str(Path(__file__).with_name("questions"))
THRESHOLDS = [0.5 + 0.05 * step for step in range(10)]
SLACK = 1e-9


def pictures(doc):
    """Return the pictures of a question, in its order."""
    return [image.convert("RGB") for image in doc["images"]]


def words(doc, lmms_eval_specific_kwargs=None):
    """Return the words of a question, options included."""
    return doc["words"]


def messages(doc, lmms_eval_specific_kwargs=None):
    """Return the conversation up to the answer: pictures before words."""
    shown = [{"type": "image", "url": image} for image in pictures(doc)]
    return [{"role": "user", "content": [*shown, {"type": "text", "text": words(doc)}]}]


def marks(doc, results):
    """Return the accuracy of an answer, by metric: over all, and of the question's task."""
    value = accuracy(results[0], doc["answer"], doc["kind"])
    return {"accuracy": value, f"accuracy_{doc['task']}": value}


def mean(values):
    """Return the mean."""
    return sum(values) / len(values)


def accuracy(said, answer, kind):
    """Return 0 or 1 for a choice, a multiple of .1 for a number."""
    end = said.rfind("</answer>")
    start = said.rfind("<answer>", 0, end) if end >= 0 else -1
    said = plain(said[start + len("<answer>") :].partition("</answer>")[0] if start >= 0 else said)
    if kind == "choice":
        return float(said == plain(answer))
    number, true = number_of(said), float(answer)
    if number is None or not math.isfinite(true):
        return 0.0
    if true == 0:
        return float(number == 0)
    error = abs(number - true) / abs(true)
    return sum(error <= 1 - threshold + SLACK for threshold in THRESHOLDS) / len(THRESHOLDS)


def plain(text):
    """Return a text in lower case, without white space around it or a final dot."""
    return text.strip().removesuffix(".").strip().lower()


def number_of(digits):
    """Return the number that a text is, None if it is anything else."""
    sign, unsigned = (-1, digits[1:]) if digits.startswith("-") else (1, digits)
    whole, _, part = unsigned.partition(".")
    is_number = (whole + part).isascii() and (whole + part).isdigit()
    number = sign * float(unsigned) if is_number else math.inf
    return number if math.isfinite(number) else None
