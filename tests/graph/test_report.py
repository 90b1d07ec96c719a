"""Reports: what a run took by node, its graph, what is gone, and sections of anybody's."""

from __future__ import annotations

import sys

import pytest

from graph.accounts import account, total
from graph.errors import ExportError, RunError
from graph.history import Past
from graph.report import Material, draw_report, overview
from graph.runs import Runs
from tests.graph.conftest import LOOP

FAILING = LOOP + '[nodes.broken]\nkind = "TOYS:quit_early"\nparams = { tag = "enough" }\n'


def accounts(lab, run):
    return {line.node: line for line in account(lab.store, Past(lab.store, run))}


def test_a_node_is_accounted_for_in_all_its_rounds(lab):
    first = accounts(lab, lab.run(LOOP).run)
    assert list(first)[:3] == ["data", "scaled", "sum"]
    update = first["update"]
    assert (update.instances, update.executed, update.found, update.failed) == (2, 2, 0, 0)
    assert update.seconds > 0 and update.saved == 0 and update.n_bytes > 0 and update.is_whole


def test_what_was_found_says_what_it_saved(lab):
    earlier = accounts(lab, lab.run(LOOP).run)
    again = accounts(lab, lab.run(LOOP).run)
    assert again["update"].found == 2 and again["update"].executed == 0 and again["update"].seconds == 0
    assert again["update"].saved == pytest.approx(earlier["update"].seconds, abs=1e-3)  # records round
    assert again["update"].n_bytes == earlier["update"].n_bytes


def test_lines_add_up_to_what_the_store_holds(lab):
    lines = account(lab.store, Past(lab.store, lab.run(LOOP).run))
    # the sum of one is the sum of all: no blob is counted twice
    held = {}
    for event in Past(lab.store, Runs(lab.store).find(None, None)).outcomes.values():
        _blobs(lab.store, event.output, held)
    assert total(lines).n_bytes == sum(held.values()) and total(lines).instances == sum(
        line.instances for line in lines
    )


def _blobs(store, digest, held):
    from store.manifest import decode

    for entry in decode(store.manifests.read(digest)).entries:
        if entry.kind in ("artifact", "part"):
            _blobs(store, entry.digest, held)
        else:
            held[entry.digest] = entry.size


def test_page_tells_of_the_run_and_draws_its_graph(lab):
    run = lab.run(LOOP).run
    page = draw_report(lab.store, [run])
    assert f"run {run}" in page and "done" in page and "rounds 1–2" in page
    assert page.count('class="graph"><svg') == 1 and ">update<" in page
    assert "Content-Security-Policy" in page and "vegaEmbed(target" in page


def test_two_runs_stand_side_by_side(lab):
    runs = [lab.run(LOOP).run, lab.run(LOOP, "experiment.seed=8").run]
    page = draw_report(lab.store, runs)
    assert all(run in page for run in runs) and page.count('class="graph"><svg') == 2 and "experiment.seed=8" in page
    assert "A: 5 nodes" in page and "B: 5 nodes" in page


def test_a_node_that_passes_on_what_it_was_given_closes_no_circle(lab):
    # clip gives what it was given, so its digest is that of sum: by digests alone, who reads sum may read either
    spec = (
        '[experiment]\nname = "passing"\n[nodes.data]\nkind = "TOYS:make_list"\n'
        '[nodes.sum]\nkind = "TOYS:total"\ninputs = { items = "data" }\n'
        '[nodes.clip]\nkind = "TOYS:clip"\ninputs = { numbers = "sum" }\n'
        '[nodes.again]\nkind = "TOYS:clip"\ninputs = { numbers = "clip" }\n'
    )
    result = lab.run(spec)
    assert result.outputs["sum"] == result.outputs["clip"] == result.outputs["again"]
    past = Past(lab.store, result.run)
    arrows = {(arrow.source, arrow.target) for arrow in overview(past, account(lab.store, past)).arrows}
    assert arrows == {("data", "sum"), ("sum", "clip"), ("clip", "again")}
    assert ">again<" in draw_report(lab.store, [result.run])


def test_what_failed_is_told(lab):
    with pytest.raises(RunError):
        lab.run(FAILING)
    page = draw_report(lab.store, [Runs(lab.store).find(None, None)])
    assert "broken failed: SystemExit: enough" in page and "1 failed or not reached" in page


def test_what_is_gone_is_said_and_the_rest_is_drawn(lab):
    result = lab.run(LOOP)
    path = lab.folder / "store" / "manifests" / result.outputs["sum"][:2] / result.outputs["sum"]
    path.unlink()
    page = draw_report(lab.store, [result.run])
    assert "sum is gone: " in page and ">update<" in page


@pytest.fixture
def sections(monkeypatch):
    """Let sections be these, `module:function` by name."""
    import graph.report

    def use(**named):
        monkeypatch.setattr(graph.report, "registered", lambda group: named)
        monkeypatch.setattr(graph.report, "find_target", lambda name, folder, group: tuple(named[name].split(":")))

    return use


def test_sections_come_in_their_order_and_a_broken_one_is_told(lab, sections, tmp_path, monkeypatch):
    (tmp_path / "my_sections.py").write_text(
        "from typing import NamedTuple\n"
        "class S(NamedTuple):\n"
        "    title: str\n"
        "    order: int\n"
        "    html: str\n"
        "    charts: dict = {}\n"
        "def late(material): return S('Late', 9, '<b>bold</b>', {'c</script>': {'mark': '<'}})\n"
        "def early(material): return S('Early & <first>', 1, 'x')\n"
        "def none(material): return None\n"
        "def bad(material): raise KeyError('<i>oops</i>')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    sections(a="my_sections:late", b="my_sections:early", c="my_sections:none", d="my_sections:bad")
    page = draw_report(lab.store, [lab.run(LOOP).run])
    assert page.index("Early &amp; &lt;first&gt;") < page.index(">Late<") and "<b>bold</b>" in page
    assert "section d could not be drawn: KeyError: &#39;&lt;i&gt;oops&lt;/i&gt;&#39;" in page
    assert '{"c\\u003c/script>": {"mark": "\\u003c"}}' in page


def test_charts_need_their_library(lab, monkeypatch):
    import graph.report

    graph.report._library.cache_clear()
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(ExportError, match=r"pip install 'dataflow-spatial\[report\]'"):
        draw_report(lab.store, [lab.run(LOOP).run])


def test_material_gives_outputs_and_inputs_by_type(lab):
    from tests.graph import toys

    run = lab.run(LOOP).run
    material = Material(lab.store, [Past(lab.store, run)])
    (total,) = [given for given in material.of(toys.Numbers) if given.node == "sum"]
    assert (total.run, total.label, total.variant, total.round) == (0, "sum", "", None)
    assert material.open(total, toys.Numbers) is not None and material.input(total, "nothing", toys.Numbers) is None
    rounds = [given.round for given in material.of(toys.Pair) if given.node == "update"]
    assert rounds == [1, 2]


def test_command_writes_the_page(lab, capsys):
    run = lab.run(LOOP).run
    done = lab.command("report", "--out", lab.folder / "out.html")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{lab.folder}/out.html") and run in (lab.folder / "out.html").read_text()
    wrong = lab.command("report", "20990101")
    assert wrong.returncode == 2 and "no run '20990101' in this store" in wrong.stderr
    assert lab.command("report", "a", "b", "c").stderr.startswith("expected one run or two")
