"""--recompute: actions run again and are compared; nothing is replaced."""

from __future__ import annotations

import msgspec

from graph.cli import main

FICKLE = """
[experiment]
name = "fickle"
[nodes.data]
kind = "TOYS:make_list"
[nodes.sum]
kind = "TOYS:count_runs"
inputs = { items = "data" }
"""


def test_what_gives_the_same_again_is_told_so_and_leaves_no_record(lab, loop, capsys):
    lab.run(loop)
    records = sorted(found.name for found in lab.store.objects.walk("actions"))
    lab.forget()
    assert main(["run", str(lab.write(loop)), "--recompute", "scaled", "--recompute", "update"]) == 0
    said = capsys.readouterr().out
    assert "scaled: 3 actions again, 3 gave what they had given" in said
    assert "update[2]: 1 actions again, 1 gave what they had given" in said
    assert lab.executed == {"scale": 3, "step": 2}
    assert sorted(found.name for found in lab.store.objects.walk("actions")) == records


def test_what_gives_another_output_is_named_and_what_was_there_stays(lab, capsys):
    made = lab.run(FICKLE)
    assert main(["run", str(lab.write(FICKLE)), "--recompute", "sum"]) == 1
    said = capsys.readouterr().out
    assert "sum: 1 actions again, 0 gave what they had given" in said
    assert f"the record says {made.outputs['sum'][:12]}" in said
    assert lab.run(FICKLE).digest == made.digest


def test_a_record_that_somebody_made_up_is_found_out(lab, loop, capsys):
    made = lab.run(loop)
    for found in list(lab.store.objects.walk("actions")):
        record = msgspec.json.decode(lab.store.objects.read(found.name).split(b"\n", 1)[1])
        if record["action"]["kind"] == "toy.sum":
            record["output"], record["size"] = (
                made.outputs["update[1]"],
                lab.store.manifests.size(made.outputs["update[1]"]),
            )
            lab.store.records.numbered.create(f"{record['key'][:2]}/{record['key']}/local", msgspec.json.encode(record))
    assert main(["run", str(lab.write(loop)), "--until", "sum", "--recompute", "sum"]) == 1
    assert "differs" in capsys.readouterr().out


def test_a_node_that_is_not_there_is_told_with_the_nearest(lab, loop, capsys):
    assert main(["run", str(lab.write(loop)), "--recompute", "scalde"]) == 2
    assert "did you mean 'scaled'?" in capsys.readouterr().err


def test_what_a_server_said_stands_and_is_not_asked_again(lab, capsys):
    asked = FICKLE.replace("count_runs", "ask")
    remote = asked + 'params = { server = "here" }\n'
    lab.run(remote)
    lab.forget()
    assert main(["run", str(lab.write(remote)), "--recompute", "sum"]) == 0
    assert "sum: asks a server, its first answers stand; not run again" in capsys.readouterr().out
    assert not lab.executed
    assert main(["run", str(lab.write(asked)), "--recompute", "sum"]) == 0
    assert "sum: 1 actions again, 1 gave what they had given" in capsys.readouterr().out
