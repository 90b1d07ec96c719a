"""Mermaid: an overview as the text of a flowchart, which GitHub and editors draw."""

from __future__ import annotations

from graph.overview import Arrow, Box, Overview

COLOURS = {
    "hit": "fill:#e4f4ea,stroke:#4ba673,color:#1d2733",
    "will run": "fill:#fdebd2,stroke:#e08e2b,color:#1d2733",
    "may run": "fill:#fffbe6,stroke:#d8bd4a,color:#1d2733,stroke-dasharray:4 3",
}


def draw_mermaid(overview: Overview) -> str:
    """Return a flowchart; groups are subgraphs, what leads back in the loop is dashed."""
    ids = {box.name: f"n{number}" for number, box in enumerate(overview.boxes)}  # names may be Mermaid's own words
    lines = ["flowchart LR"]
    groups = list(dict.fromkeys(box.group for box in overview.boxes))
    for number, group in enumerate(groups):
        own = [_draw_box(box, ids[box.name]) for box in overview.boxes if box.group == group]
        lines += own if not group else [f'  subgraph g{number}["{group}"]', *(f"  {line}" for line in own), "  end"]
    lines += [_draw_arrow(arrow, ids) for arrow in overview.arrows]
    for state, colours in COLOURS.items():
        members = [ids[box.name] for box in overview.boxes if box.state == state]
        name = state.replace(" ", "-")
        lines += [f"  classDef {name} {colours}", f"  class {','.join(members)} {name}"] if members else []
    return "\n".join(lines)


def _draw_box(box: Box, id: str) -> str:
    text = f'"{box.name}<br/><small>{box.kind}</small>"'
    return f"  {id}[({text})]" if box.is_stored else f"  {id}[{text}]"


def _draw_arrow(arrow: Arrow, ids: dict[str, str]) -> str:
    line = "-.->" if arrow.is_back else "-->"
    text = f'|"[{arrow.turn}]"|' if arrow.turn else ""
    return f"  {ids[arrow.source]} {line}{text} {ids[arrow.target]}"
