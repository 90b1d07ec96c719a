"""Pictures: what is drawn, where it stands, and in which colour."""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path

import pytest

from graph.drawing import _size, draw_picture
from graph.layout import lay_out
from graph.mermaid import draw_mermaid
from graph.overview import Arrow, show_instances, show_nodes
from graph.spec import load_spec

SPECS = Path(__file__).parents[2] / "specs"


@pytest.fixture
def spec(request, monkeypatch):
    monkeypatch.setenv("DATAFLOW_VSIBENCH", "/somewhere")
    return load_spec(SPECS / f"{request.param}.toml", [])


SHIPPED = pytest.mark.parametrize("spec", ["smoke", "evolve", "rooms"], indirect=True)


def place(overview):
    return lay_out(overview, {box.name: _size(box) for box in overview.boxes})


def overlap(one, other):
    return (
        one[0] < other[0] + other[2]
        and other[0] < one[0] + one[2]
        and one[1] < other[1] + other[3]
        and other[1] < one[1] + one[3]
    )


def test_flowchart_has_the_loop_as_a_subgraph(lab, loop):
    text = loop + '[nodes.pool]\nartifact = "pools/old"\n'
    text = text.replace('inputs = { items = "scaled" }', 'inputs = { items = "scaled" }\nseed = 1')
    assert (
        draw_mermaid(show_nodes(lab.load(text), {"update[1]": "hit", "update[2]": "may run"}))
        == """flowchart LR
  n0["data<br/><small>toys.py:make_list</small>"]
  n1["scaled<br/><small>toys.py:scale</small>"]
  n2["sum<br/><small>toys.py:total</small>"]
  n4["report<br/><small>toys.py:report</small>"]
  n5[("pool<br/><small>pools/old</small>")]
  subgraph g1["rounds 1–2"]
    n3["update<br/><small>toys.py:step</small>"]
  end
  n0 --> n1
  n1 --> n2
  n3 -.->|"[-1]"| n3
  n2 --> n3
  n3 -->|"[all]"| n4
  classDef may-run fill:#fffbe6,stroke:#d8bd4a,color:#1d2733,stroke-dasharray:4 3
  class n3 may-run"""
    )


def test_every_round_can_have_a_box_of_its_own(lab, loop):
    overview = show_instances(lab.load(loop), {})
    assert {box.name: box.group for box in overview.boxes if box.group} == {
        "update[1]": "round 1",
        "update[2]": "round 2",
    }
    assert Arrow("update[1]", "update[2]", "", False) in overview.arrows
    assert 'subgraph g2["round 2"]' in draw_mermaid(overview)


def test_rounds_that_are_alike_are_drawn_once(lab, loop):
    spec = lab.load(loop, "experiment.rounds=6")
    overview = show_instances(spec, {})
    groups = {box.name: box.group for box in overview.boxes if box.group}
    assert groups == {"update[1]": "round 1", "update[2..6]": "rounds 2–6"}
    assert {arrow for arrow in overview.arrows if "[" in arrow.target} == {
        Arrow("sum", "update[1]", "", False),
        Arrow("update[1]", "update[2..6]", "", False),
        Arrow("update[2..6]", "update[2..6]", "-1", True),
    }
    states = {f"update[{n}]": "hit" if n < 4 else "may run" for n in range(1, 7)}
    names = [box.name for box in show_instances(spec, states).boxes if box.group]
    assert names == ["update[1]", "update[2..3]", "update[4..6]"]


@SHIPPED
@pytest.mark.parametrize("show", [show_nodes, show_instances])
def test_boxes_keep_apart_and_arrows_lead_to_the_right(spec, show):
    overview = show(spec, {})
    layout = place(overview)
    for one, other in combinations(layout.boxes, 2):
        assert not overlap(layout.boxes[one], layout.boxes[other]), (one, other)
    for arrow, points in layout.paths.items():
        across = [x for x, _ in points]
        assert arrow.is_back or across == sorted(across), arrow
    assert all(left >= 0 and left + width <= layout.width for left, _, width, _ in layout.boxes.values())
    assert all(top >= 0 and top + height <= layout.height for _, top, _, height in layout.boxes.values())


@SHIPPED
def test_no_arrow_runs_through_a_box(spec):
    layout = place(show_nodes(spec, {}))
    for arrow, points in layout.paths.items():
        for (x0, y0), (x1, y1) in pairwise(points):
            if y0 == y1 or arrow.is_back:  # the curves between are between columns
                line = (min(x0, x1) + 0.1, min(y0, y1) - 0.1, abs(x1 - x0) - 0.2, abs(y1 - y0) + 0.2)
                through = [name for name, place in layout.boxes.items() if overlap(line, place)]
                assert set(through) <= {arrow.source, arrow.target}, (arrow, through)


@SHIPPED
def test_frame_holds_the_loop_and_nothing_else(spec):
    overview = show_nodes(spec, {})
    layout = place(overview)
    left, top, width, height = layout.frame
    for box in overview.boxes:
        x, y, w, h = layout.boxes[box.name]
        is_within = left < x and x + w < left + width and top < y and y + h < top + height
        assert is_within if box.group else not overlap(layout.boxes[box.name], layout.frame), box.name


def test_lone_nodes_and_names_of_any_length_are_drawn(lab, tmp_path):
    long = "a" * 60
    text = f'[experiment]\nname = "t"\n[nodes.{long}]\nkind = "TOYS:make_list"\n[nodes.b]\nartifact = "pool"'
    overview = show_nodes(lab.load(text), {})
    assert place(overview).boxes[long][2] > 300
    draw_picture(overview, tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_picture_is_the_same_every_time(lab, loop, tmp_path):
    overview = show_nodes(lab.load(loop), {"sum": "hit", "update[1]": "will run"})
    for name in ("a.svg", "b.svg"):
        draw_picture(overview, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert b"<svg" in (tmp_path / "a.svg").read_bytes()


def test_command_colours_what_the_store_has(lab, loop):
    path = lab.write(loop)
    plain = lab.command("graph", path)
    assert plain.returncode == 0, plain.stderr
    assert "class " not in plain.stdout
    lab.run(loop)
    assert classes(lab.command("graph", path)) == ["class n0,n1,n2,n3,n4 hit"]
    changed = lab.command("graph", path, "--set", "nodes.scaled.params.factor=3")
    assert classes(changed) == ["class n0 hit", "class n1 will-run", "class n2,n3,n4 may-run"]


def classes(done):
    return [line.strip() for line in done.stdout.splitlines() if line.startswith("  class ")]


def test_command_draws_although_it_cannot_plan(lab, loop):
    lab.run(loop)
    text = loop + '[nodes.pool]\nartifact = "pools/old"\n'
    done = lab.command("graph", lab.write(text), "--svg", lab.folder / "x.svg")
    assert done.returncode == 0 and "without colours" in done.stderr
    assert (lab.folder / "x.svg").is_file()
