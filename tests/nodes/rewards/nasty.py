"""Two hundred texts that a policy should never say, and may."""

from __future__ import annotations

import random

MEGABYTE = 1 << 20
TAGS = ("<think>", "</think>", "<map>", "</map>", "<answer>", "</answer>", "<assert>", "</assert>")

MAPS = (
    *("", "[]", "null", "1", '"bed"', "{", "}", "{}", '{"bed"}', '{"bed": null}', '{"bed": {}}', '{"bed": [1, 2]}'),
    *('{"bed": [[1]]}', '{"bed": [[1, 2, 3]]}', '{"bed": [["1", "2"]]}', '{"bed": [[true, false]]}', '{"bed": [[]]}'),
    *('{"bed": [[NaN, 1]]}', '{"bed": [[Infinity, 1]]}', '{"bed": [[-1, -1]]}', '{"bed": [[1e308, -1e308]]}'),
    *('{"bed": [[1e999, 1]]}', f'{{"bed": [[{"9" * 5000}, 1]]}}', f'{{"bed": [[0.{"3" * 5000}, 1]]}}'),
    *('{"bed": ' + "[" * 9000, "[" * MEGABYTE, '{"a":' * 3000 + "1" + "}" * 3000, '{"bed": [[1, 2]], "bed": [[3, 4]]}'),
    *(
        "{'bed': [[1, 2]]}",
        '{"bed": [[1, 2],]}',
        '{"\\ud800": [[1, 2]]}',
        '{"\ud800": [[1, 2]]}',
        '{"bed\\u0000": [[1, 2]]}',
    ),
    *('{"bed": [' + "[1, 1]," * 2000 + "[1, 1]]}", '{"bed": [' + "[1, 1]," * 99 + "[1, 1]]}", '{"": [[0, 0]]}'),
    *('{"bed": [[1, 2]]}' * 2, "bed: [[1, 2]]", '<map>{"bed": [[1, 2]]}', "\x00", "\u202e{}", '{"bed": [[-0.0, 9.5]]}'),
)
ANSWERS = (
    *(
        "",
        "A" * MEGABYTE,
        "9" * MEGABYTE,
        "-",
        "--4",
        "+4",
        "4e9",
        "1_0",
        "٤",
        "④",
        "0x4",
        "inf",
        "-inf",
        "nan",
        "4" * 310,
    ),
    *(
        "\ud800",
        "\x00A",
        "A\x00",
        "a b " * 5000,
        "(A)",
        "**A**",
        "\n" * MEGABYTE,
        ".",
        "..",
        "4.",
        "4,0",
        "A" + "." * 9999,
    ),
    *("None", "{}", "[4]", "<answer>", "</think>", "Ａ", "a\u0301", "🛏" * 999, "%s", "\\", "'", '"', "`A`", "${A}"),
)
PROGRAMS = (
    *("", "True", "1/0", "while 1: 1", "[].append(count)", "__import__('os').system('x')", "exec('1')", "FACTS"),
    *(
        "count('bed') == 1 or 1/0",
        "x" * MEGABYTE,
        "(" * 9999,
        "count(" * 500,
        "lambda: count('bed')",
        "count('bed')\x00",
    ),
    *(
        "'a' * 10**9 == count('bed')",
        "9**9**9 > count('bed')",
        "sorted(range(10**8))[0] == count('bed')",
        "count('\ud800')",
    ),
    *(
        "[count('bed') for i in range(10**7)]",
        "count(*'bed')",
        "count(**{'label': 'bed'}) == 1",
        "return True",
        "yield 1",
    ),
)


def nasty_texts() -> list[str]:
    """Return the texts: hostile maps, answers and programs beside a right answer, tags at random, and sheer size."""
    right = "<answer>A</answer>"
    texts = ["", " ", "A", *(f"<think><map>{cells}</map></think>{right}" for cells in MAPS)]
    texts += [f"<think></think><answer>{answer}</answer>" for answer in ANSWERS] + list(ANSWERS)
    texts += [f"<assert>{program}</assert>{right}" for program in PROGRAMS]
    texts += [tag * (MEGABYTE // len(tag)) for tag in TAGS]
    texts += [
        "</think><answer>" * 50_000 + "</answer>",
        "<think>" + "</think> " * 90_000,
        "<think></think>" + " " * MEGABYTE,
    ]
    texts += [
        "<answer></answer>" * 60_000,
        "<map>{}</map>" * 80_000 + right,
        "<assert>count('bed')</assert>" * 30_000 + right,
    ]
    draw = random.Random(5)
    while len(texts) < 200:
        texts.append("".join(draw.choices((*TAGS, "A", " ", '{"bed": [[1, 2]]}', "4"), k=draw.randrange(1, 30))))
    return texts
