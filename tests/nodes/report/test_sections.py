"""Sections of a run's page, on a small loop: what is told, and that text from data is shown and never executed."""

from __future__ import annotations

import html
import json
import re
import time

import pytest

from graph.report import draw_report
from graph.run import run
from graph.spec import load_spec
from nodes.report.sections import chart
from store.open import open_store
from tests.browser import chromium
from tests.nodes.report.hostile import ASKED, SCRIPT, write_spec
from tests.test_loop import KINDS, SPEC


def draw(path, store_at):
    store = open_store(str(store_at))
    result = run(load_spec(path, []), store, [])
    return draw_report(store, [result.run])


def charts_of(page: str) -> dict:
    return json.loads(re.search(r'id="charts">(.*?)</script>', page, re.DOTALL)[1])


@pytest.fixture(scope="module")
def loop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loop")
    (folder / "loop.toml").write_text(SPEC.replace("KINDS", str(KINDS)))
    return draw(folder / "loop.toml", folder / "store")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    path = folder / "page.html"
    path.write_text(draw(write_spec(folder), folder / "store"), encoding="utf-8")
    return path


def test_the_loop_is_told_round_by_round(loop):
    charts = charts_of(loop)
    assert {"accuracy-curve", "accuracy-tasks", "pass-rates-0", "mix-0", "mix-1"} <= charts.keys()
    tasks = charts["accuracy-tasks"]["data"]["values"]
    assert {row["round"] for row in tasks} == {1, 2, 3}
    # exists is mastered
    assert {row["accuracy"] for row in tasks if row["task"] == "exists (eval)"} == {1.0}
    rates = charts["pass-rates-0"]["data"]["values"]
    for round in (1, 2, 3):
        assert sum(row["share"] for row in rates if row["round"] == round) == pytest.approx(1)
    assert "could not be drawn" not in loop and " is gone: " not in loop
    assert all(f'id="{name}"' in loop for name in charts)


def test_samples_say_what_was_rolled_out_and_how_hard_it_was(loop):
    cards = re.findall(r'<article class="sample" data-task="(\w+)" data-round="(\d)" data-difficulty="(\w+)"', loop)
    assert {task for task, _, _ in cards} == {"exists", "closer", "taller"} and {card[1] for card in cards} == set(
        "123"
    )
    # by what the policy of the loop can do; taller gains a tenth a round where it is asked
    assert {difficulty for task, _, difficulty in cards if task == "exists"} == {"easy"}
    assert "hard" in {difficulty for task, _, difficulty in cards if task == "taller"}
    assert "8 rollouts" in loop and "pass rate 1.00" in loop and "accuracy 1<" in loop
    assert loop.count('<polygon class="room') > 10  # maps from above


def test_text_from_data_is_text(hostile):
    page = hostile.read_text()
    assert SCRIPT not in page and html.escape(SCRIPT, quote=False) in page
    assert "{{ 7 * 7 }}" in page and "</article>" in page
    assert re.search(r"sha256-[A-Za-z0-9+/=]{44}' 'sha256-", page)
    charts_of(page)  # is whole, whatever a task is called
    assert "could not be drawn" not in page
    # each has the probe of its own rollouts: four, and one
    assert ">4 rollouts<" in page and ">1 rollout<" in page


def test_many_variants_are_told_by_their_means(tmp_path):
    text = SPEC.replace("KINDS", str(KINDS)).replace("rounds = 3", "rounds = 1")
    (tmp_path / "many.toml").write_text(
        f'{text}\n[variants]\n"experiment.seed" = [1, 2, 3, 4, 5]\n[variants.arms.a]\n'
        '[variants.arms.b]\n"nodes.qa.params" = { per_scene = 6 }\n'
    )
    page = draw(tmp_path / "many.toml", tmp_path / "store")
    rows = charts_of(page)["accuracy-arms"]["data"]["values"]
    assert {(row["variants"], row["round"]) for row in rows} == {("eval@a (5)", 1), ("eval@b (5)", 1)}
    assert "could not be drawn" not in page


def test_a_chart_holds_no_number_that_json_lacks():
    spec = chart.lines([{"x": 1, "y": float("nan"), "c": "a"}, {"x": 2, "y": 0.5, "c": "a"}], "x", "y", "c")
    assert json.dumps(spec, allow_nan=False) and spec["data"]["values"][0]["y"] is None


@pytest.fixture(scope="module")
def browser():
    with chromium() as chrome:
        yield chrome


def opened(browser, path, width):
    browser.set_window_size(width, 900)
    browser.get(f"file://{path}")
    names = browser.execute_script("return Object.keys(JSON.parse(document.getElementById('charts').textContent))")
    for name in names:  # charts are drawn as they come into view
        browser.execute_script("document.getElementById(arguments[0]).scrollIntoView()", name)
        end = time.monotonic() + 20
        while not browser.execute_script("return document.querySelector('#' + arguments[0] + ' svg') !== null", name):
            assert time.monotonic() < end, name
            time.sleep(0.05)
    return names


@pytest.mark.parametrize("width", [1280, 500])
def test_a_browser_draws_all_charts_and_runs_no_script_of_the_data(browser, hostile, width):
    assert len(opened(browser, hostile, width)) >= 3
    assert browser.execute_script("return window.hacked === undefined")
    assert [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    # four questions of rounds 1 and 2, of two that roll out
    shown = "return [...document.querySelectorAll('article.sample')].filter(card => !card.hidden).length"
    assert browser.execute_script(shown) == 4 * len(ASKED)
    choose = "const s = document.querySelector('select[data-filter=' + arguments[0] + ']'); s.value = arguments[1];" \
             "s.dispatchEvent(new Event('change'))"  # fmt: skip
    browser.execute_script(choose, "task", "plain")
    assert browser.execute_script(shown) == 8
    browser.execute_script(choose, "round", "2")
    assert browser.execute_script(shown) == 4
    assert browser.execute_script("return document.getElementById('shown').textContent") == "4 questions"
