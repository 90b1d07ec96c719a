"""Writes the harness's graph as a spec: one table a node."""

from eb_graph import nodes

tables = ['[experiment]\nname = "engine"\n']
for key, _, _, upstream, p, tag in nodes():
    inputs = ", ".join(f'{name} = "n{read}"' for name, read in zip(("left", "right"), upstream))
    tables.append(
        f'[nodes.n{key}]\nkind = "wf.py:work"\ninputs = {{ {inputs} }}\nparams = {{ p = {p}, tag = "{tag}" }}\n'
    )
with open("graph.toml", "w") as file:
    file.write("\n".join(tables))
