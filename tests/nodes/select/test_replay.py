"""Replay: past questions in a share of a pool; and anchors."""

from __future__ import annotations

from graph.run import run
from graph.spec import load_spec
from nodes.questions.question import Questions, pool_of, pool_rows
from nodes.select.anchors import Anchors, anchors
from nodes.select.replay import Replay, replay
from store.collection import Collection
from store.open import open_store
from tests.nodes.select.asked import counts, ids, pool

NOW = pool(closer=20)


def rounds(*pools):
    return Collection(Collection[Questions], {f"{number:04d}": of for number, of in enumerate(pools, start=1)})


def test_a_share_is_replaced_by_past_questions():
    made = replay(NOW, rounds(pool(count=30), pool(taller=30)), None, params=Replay(share=0.3), seed=1)
    found = counts(made)
    assert found["closer"] == 14 and found["count"] + found["taller"] == 6


def test_what_was_before_the_loop_may_be_replayed():
    assert counts(replay(NOW, None, pool(exists=9), params=Replay(), seed=1)) == {"closer": 18, "exists": 2}


def test_none_comes_twice():
    past = rounds(pool(closer=20, count=1), pool(closer=20, count=1))
    made = ids(replay(NOW, past, None, params=Replay(share=0.5), seed=1))
    assert made.count("count-0") == 1 and len(made) == len(set(made)) == 20


def test_with_nothing_past_the_pool_stays():
    for past in (None, rounds(), rounds(NOW), rounds(pool_of([]))):
        assert ids(replay(NOW, past, None, params=Replay(share=0.5), seed=1)) == ids(NOW)
    assert ids(replay(pool_of([]), rounds(NOW), None, params=Replay(), seed=1)) == []


def test_the_seed_draws_which():
    past = rounds(pool(count=30))
    drawn = [ids(replay(NOW, past, None, params=Replay(share=0.5), seed=seed)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


SPEC = """
[experiment]
name = "replayed"
seed = 7
rounds = 3
[nodes.rooms]
kind = "scene.list"
params = { style = "new", count = 3 }
[nodes.scenes]
kind = "scene.extract"
inputs = { list = "rooms" }
params = { frames = 4 }
[nodes.old]
kind = "qa.synthesize"
inputs = { scenes = "scenes" }
params = { per_scene = 4, tasks = ["exists"] }
[nodes.qa]
kind = "qa.synthesize"
inputs = { scenes = "scenes", feedback = "nothing[-1]" }
params = { per_scene = 8, tasks = ["closer", "taller"] }
[nodes.nothing]
kind = "KINDS:nothing"
inputs = { questions = "qa" }
[nodes.selected]
kind = "select.uniform"
inputs = { questions = "qa" }
params = { n = 10 }
[nodes.replayed]
kind = "select.replay"
inputs = { questions = "selected", past = "selected[past]", old = "old" }
params = { share = 0.5 }
"""
KIND = """
from graph.node import node
from nodes.feedback.compile import SceneFeedback
from nodes.questions.question import QuestionPool
from store.collection import Collection


@node("nothing", version=1)
def nothing(questions: QuestionPool) -> Collection[SceneFeedback]:
    return Collection(SceneFeedback, {})
"""


def test_past_rounds_reach_it_in_a_loop(tmp_path):
    (tmp_path / "nothing.py").write_text(KIND)
    (tmp_path / "loop.toml").write_text(SPEC.replace("KINDS", str(tmp_path / "nothing.py")))
    store = open_store(str(tmp_path / "store"))
    outputs = run(load_spec(tmp_path / "loop.toml", []), store, []).outputs
    pools = {
        name: store.open(outputs[name], Collection[Questions]) for name in outputs if name.startswith(("sel", "rep"))
    }
    first = pools["replayed[1]"]
    assert counts(first)["exists"] == 5  # nothing is past but what was before the loop
    past = {*ids(pools["selected[1]"]), *ids(pools["selected[2]"])}
    came = set(ids(pools["replayed[3]"])) - set(ids(pools["selected[3]"]))
    assert len(ids(pools["replayed[3]"])) == 10 and len(came) == 5
    assert came & past and all(name in past or "exists" in name for name in came)


def test_anchors_are_so_many_of_every_cell():
    asked = pool(closer=30, count=5)
    drawn = anchors(asked, params=Anchors(per_cell=8), seed=1)
    assert counts(drawn) == {"closer": 8, "count": 5}
    more = pool_of([*pool_rows(asked), *pool_rows(pool(taller=9))])
    again = anchors(more, params=Anchors(per_cell=8), seed=1)
    assert set(ids(drawn)) < set(ids(again))  # a new cell changes no other
