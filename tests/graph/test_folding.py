"""What is told of many rounds and variants: rows, lines and a table that are as long for twenty rounds as for three."""

from __future__ import annotations

import io
import json

import pytest

from graph.events import Event
from graph.folding import fold, relative, rounds_text, span_text
from graph.plan import make_plan
from graph.progress import PlainLines
from graph.runs import End, Root, RunLog
from graph.show import fold_rows, list_run
from graph.tally import group_events


def test_rounds_and_variants_that_say_the_same_are_one_row():
    said = {
        "data": "hit",
        "a[1]": "hit", "b@x[1]": "hit", "b@y[1]": "hit",
        "a[2]": "run", "b@x[2]": "hit", "b@y[2]": "hit",
        "a[3]": "hit", "b@x[3]": "hit", "b@y[3]": "run",
        "end@x": "run", "end@y": "run",
    }  # fmt: skip
    rows = fold(said)
    assert [row.label for row in rows] == [
        "data",
        "a[1,3]",
        "b@x[1..3]",
        "b@y[1..2]",
        "a[2]",
        "b@y[3]",
        "end@2 variants",
    ]
    assert rows[1].members == ["a[1]", "a[3]"] and rows[-1].members == ["end@x", "end@y"]
    assert sorted(label for row in rows for label in row.members) == sorted(said)


@pytest.mark.parametrize(
    ("rounds", "text"), [([None], ""), ([3], "[3]"), ([1, 2, 3], "[1..3]"), ([5, 1, 2, 8, 9], "[1..2,5,8..9]")]
)
def test_rounds_are_told_by_spans(rounds, text):
    assert rounds_text(rounds) == text


def test_labels_are_told_as_a_spec_refers_to_them():
    text = "reads update@a,seed=7[6], selected[7]; code nodes/x.py:f; data[2] params.n[0] 1 -> 2"
    assert relative(text, 7) == "reads update[-1], selected; code nodes/x.py:f; data[2] params.n[0] 1 -> 2"
    assert relative("reads update[6]", None) == "reads update[6]"


def test_column_of_many_rows_has_their_text_or_their_span():
    assert [span_text(texts) for texts in (["60", "60"], ["57", "60", "58"], ["", "3"], ["a", "b"], ["", ""])] == [
        "60", "57..60", "3", "", ""
    ]  # fmt: skip


def test_plan_of_twenty_rounds_is_as_long_as_that_of_three(lab, loop):
    rows = {n: make_plan(lab.load(loop, f"experiment.rounds={n}"), lab.store).rows() for n in (3, 20)}
    assert [row[0] for row in rows[3]] == ["data", "scaled", "sum", "update[1]", "update[2..3]", "report"]
    assert len(rows[20]) == len(rows[3])
    assert rows[20][-2:] == [
        ("update[2..20]", "may run", "", "", "reads update[-1]"),
        ("report", "may run", "", "", "reads update[all]"),
    ]
    lab.run(loop, "experiment.rounds=20")
    hits = make_plan(lab.load(loop, "experiment.rounds=20"), lab.store)
    assert hits.rows()[3] == ("update[1..20]", "hit", "", "", "") and len(hits.rows(is_folded=False)) == 24
    changed = make_plan(lab.load(loop, "experiment.rounds=20", "nodes.update.params.add=2.0"), lab.store)
    assert changed.rows()[3][4] == "params.add 1.0 -> 2.0"
    assert changed.rows()[4][0::4] == ("update[2..20]", "params.add 1.0 -> 2.0; reads update[-1]")


def test_plan_and_ls_show_every_round_when_asked_to(lab, loop):
    spec = lab.write(loop.replace("rounds = 2", "rounds = 4"))
    lab.command("run", spec)
    for command in ("plan", "ls"):
        folded, whole = (lab.command(command, spec, *more).stdout for more in ((), ("--rounds",)))
        assert "update[1..4]" in folded and "update[3]" not in folded
        assert "update[3]" in whole and "update[1..4]" not in whole
        assert len(json.loads(lab.command(command, spec, "--json").stdout)["nodes"]) == 8


def test_ls_tells_the_seconds_of_all_rounds_and_the_last_digest(lab, loop):
    result = lab.run(loop, "experiment.rounds=3")
    _, rows = list_run(lab.store, None, None)
    (row,) = [row for row in fold_rows(rows) if row[0] == "update[1..3]"]
    assert (row[1], row[2], row[5]) == ("done", "pair/1", result.outputs["update[3]"])
    two = [
        {"node": f"a@{v}", "state": "hit", "type": "", "entries": n, "seconds": 0.5, "digest": v}
        for n, v in ((1, "x"), (2, "y"))
    ]
    assert fold_rows(two) == [("a@2 variants", "hit", "", "1..2", "1.0", "")]


def test_ls_says_interrupted_of_what_a_run_did_not_come_to(lab):
    log = RunLog(lab.store, Root("toy", "toy.toml", "", [], ""))
    for label in ("a", "b"):
        log(Event(label, "waiting"))
    log(Event("a", "done"))
    log.flush()
    assert [row["state"] for row in list_run(lab.store, None, None)[1]] == ["done", "waiting"]
    log.end(End("interrupted", "", 1.0, 1, 0))
    assert [row["state"] for row in list_run(lab.store, None, None)[1]] == ["done", "interrupted"]


def tell(*events):
    stream = io.StringIO()
    with PlainLines(stream) as lines:
        for label in dict.fromkeys(label for label, *_ in events):
            lines(Event(label, "waiting"))
        for label, state, *seconds in events:
            lines(Event(label, state, seconds=seconds[0] if seconds else 0.0))
    return stream.getvalue().splitlines()


def test_round_is_one_line_with_the_nodes_that_took_longest():
    assert tell(
        ("rooms", "done", 0.5),
        ("qa[1]", "done", 0.4), ("draw[1]", "done", 1.7), ("pick[1]", "done", 0.1), ("learn[1]", "done", 0.6),
        ("qa[2]", "done", 0.3), ("draw[2]", "hit"), ("pick[2]", "hit"), ("learn[2]", "done", 12.0),
        ("qa[3]", "hit"), ("draw[3]", "hit"), ("pick[3]", "hit"), ("learn[3]", "hit"),
    ) == [
        "rooms  done  0.5 s",
        "round 1/3  done  2.8 s  draw 1.7 s, learn 0.6 s, qa 0.4 s",
        "learn[2]  done  12.0 s",
        "round 2/3  done  12.3 s  learn 12.0 s, qa 0.3 s",
    ]  # fmt: skip


def test_what_failed_is_told_at_once_and_what_was_skipped_at_the_end():
    assert tell(
        ("qa[1]", "done", 0.4), ("learn[1]", "done", 0.6),
        ("qa[2]", "done", 0.4), ("learn[2]", "failed", 0.1),
        ("qa[3]", "skipped"), ("learn[3]", "skipped"), ("end", "skipped"),
    ) == [
        "round 1/3  done  1.0 s  learn 0.6 s, qa 0.4 s",
        "learn[2]  failed  0.1 s",
        "round 2/3  1 failed  0.5 s  qa 0.4 s, learn 0.1 s",
        "qa[3]  skipped",
        "learn[3]  skipped",
        "end  skipped",
    ]  # fmt: skip


def test_round_that_was_broken_off_is_told_as_far_as_it_came():
    assert tell(("qa[1]", "done", 0.4), ("learn[1]", "running")) == ["round 1/1  1 of 2  0.4 s  qa 0.4 s"]


def test_table_has_a_row_a_node_with_the_round_that_it_is_in():
    events = [Event("rooms", "done", seconds=0.5), Event("late", "waiting")]
    events += [Event(f"qa[{n}]", "done", seconds=1.0, total=8, done=8) for n in (1, 2, 3)]
    events += [Event("qa[4]", "running", total=8, done=3), Event("qa[5]", "waiting")]
    events += [Event("learn@a[1]", "hit"), Event("learn@b[1]", "hit"), Event("learn@a[2]", "waiting")]
    events += [Event("learn@b[2]", "waiting"), Event("bad[1]", "failed", error="no"), Event("bad[2]", "skipped")]
    groups = {group.name: group for group in group_events(events)}
    assert list(groups) == ["rooms", "late", "qa", "learn", "bad"]
    assert (groups["qa"].state, groups["qa"].rounds, groups["qa"].seconds) == ("running", "4/5", 3.0)
    assert (groups["qa"].shown.label, groups["qa"].running) == ("qa[4]", ["qa[4]"])
    assert (groups["learn"].state, groups["learn"].rounds, groups["learn"].count) == ("waiting", "1/2", "2/4")
    assert (groups["bad"].state, groups["bad"].shown.error) == ("failed", "no")
    assert (groups["rooms"].rounds, groups["rooms"].count, groups["late"].shown.state) == ("", "", "waiting")
