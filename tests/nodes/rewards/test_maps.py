"""The weakness of SpaceR's map score, and the map reward that has chance taken off it."""

from __future__ import annotations

import random
from itertools import product
from statistics import mean, pstdev

import pytest

from nodes.questions.cells import draw_map
from nodes.rewards.map import above_chance, map_above_chance
from nodes.rewards.maps import Map, map_of
from nodes.rewards.spacer_map import s_map
from nodes.scenes.extract import Extract, extract
from nodes.scenes.list import ListRooms, list_rooms
from nodes.scenes.scene import Scene
from tests.nodes.questions.programs.rooms import DATA, real_rooms, view_of
from tests.nodes.rewards.batches import ASKED, batch, traced

TRUE: Map = {"bed": [(2, 2)], "chair": [(0, 0), (9, 9), (4, 7)]}


def test_the_true_map_is_worth_one_and_no_map_nothing() -> None:
    question = traced(ASKED, '{"bed": [[2, 2]], "chair": [[0, 0], [9, 9]]}')
    texts = ('<map>{"chair": [[9, 9], [0, 0]], "bed": [[2, 2]]}</map>', "red", "<map>{", "<map>[]</map>")
    assert map_above_chance(batch(question, *texts)) == [pytest.approx(1), 0, 0, 0]
    assert map_above_chance(batch(ASKED, texts[0])) == [0]  # no true map


def test_a_single_object_by_hand() -> None:
    # C is the mean of 1 - d / 14.142 over all cells, whatever was said; a corner says the least of where others are
    cells = list(product(range(10), repeat=2))
    chance = mean(1 - (x**2 + y**2) ** 0.5 / (10 * 2**0.5) for x, y in cells)
    said = {"bed": [(3.0, 4.0)]}  # 5 away from (0, 0)
    expected = (1 - 5 / (10 * 2**0.5) - chance) / (1 - chance)
    assert above_chance(said, {"bed": [(0, 0)]}) == pytest.approx(expected)
    assert mean(above_chance({"bed": [cell]}, {"bed": [(0, 0)]}) for cell in cells) == pytest.approx(0)


@pytest.mark.parametrize("counts", [(1, 3), (1, 5), (2, 1), (0, 3)])
def test_all_shifts_of_a_map_are_worth_nothing_together(counts: tuple[int, int]) -> None:
    draw = random.Random(1)
    said = {name: random_cells(draw, n) for name, n in zip(TRUE, counts, strict=True)}
    shifted = [
        {name: [((x + i) % 10, (y + j) % 10) for x, y in cells] for name, cells in said.items()}
        for i, j in product(range(10), repeat=2)
    ]
    assert mean(above_chance(one, TRUE) for one in shifted) == pytest.approx(0, abs=1e-12)


def test_pairs_are_the_best_ones_together() -> None:
    # (0, 2), (0, 9) for (0, 0), (0, 3): greedy takes (0, 2)-(0, 3) and is left with 9; the best is 2 + 6
    true, said = {"chair": [(0.0, 0.0), (0.0, 3.0)]}, {"chair": [(0.0, 2.0), (0.0, 9.0)]}
    unshifted = 1 - 4 / (10 * 2**0.5)
    scores = []
    for i, j in product(range(10), repeat=2):
        (a, b), (c, d) = [((x + i) % 10, (y + j) % 10) for x, y in said["chair"]], true["chair"]
        apart = [[((p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2) ** 0.5 for q in (c, d)] for p in (a, b)]
        scores.append(1 - min(apart[0][0] + apart[1][1], apart[0][1] + apart[1][0]) / 2 / (10 * 2**0.5))
    chance = mean(scores)
    assert above_chance(said, true) == pytest.approx((unshifted - chance) / (1 - chance))


def test_what_is_no_cell_counts_and_is_nowhere() -> None:
    # one met of four said: S = 1/4, and C a quarter of what one object has by chance
    chance = mean(1 - ((x - 2) ** 2 + (y - 2) ** 2) ** 0.5 / (10 * 2**0.5) for x, y in product(range(10), repeat=2)) / 4
    said: Map = {"bed": [(2, 2), (10, 0), (1.5, 1), (-1, 0)]}
    assert above_chance(said, {"bed": [(2, 2)]}) == pytest.approx((0.25 - chance) / (1 - chance))
    everywhere: Map = {"bed": [(x, y) for x, y in product(range(10), repeat=2)]}
    assert above_chance(everywhere, TRUE) == pytest.approx(0)
    assert above_chance({"bed": everywhere["bed"] * 2}, TRUE) == 0


def random_cells(draw: random.Random, n: int) -> list[tuple[float, float]]:
    return [(draw.randrange(10), draw.randrange(10)) for _ in range(n)]


def worth_at_random(maps: list[Map], draws: int) -> tuple[list[float], list[float]]:
    """Return S_map and ours of right counts at random places."""
    draw = random.Random(7)
    pairs = [
        ({name: random_cells(draw, len(cells)) for name, cells in true.items()}, true)
        for true in maps
        for _ in range(draws)
    ]
    return [s_map(*pair) for pair in pairs], [above_chance(*pair) for pair in pairs]


def maps_of(scenes: list[Scene]) -> list[Map]:
    drawn = [draw_map(view, view.labels) for view in map(view_of, scenes)]
    return [read for cells in drawn if (read := map_of(f"<map>{cells}</map>".replace("'", '"')))]


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no VSI-Bench data at {DATA}")
def test_random_maps_of_real_rooms_score_high_by_spacer_and_nothing_by_ours() -> None:
    theirs, ours = worth_at_random(maps_of(real_rooms("scannet", 0, 4)), 40)
    print(f"S_map {mean(theirs):.3f} sd {pstdev(theirs):.3f}; ours {mean(ours):.4f} sd {pstdev(ours):.3f}; {len(ours)}")
    assert 0.63 < mean(theirs) < 0.74
    assert abs(mean(ours)) < 4 * pstdev(ours) / len(ours) ** 0.5 < 0.05


def test_random_maps_of_generated_rooms_do_too() -> None:
    listed = list_rooms(params=ListRooms(count=20))
    rooms = [extract(listed[key], params=Extract(frames=4)) for key in listed]
    theirs, ours = worth_at_random(maps_of(rooms), 50)
    print(f"S_map {mean(theirs):.3f} sd {pstdev(theirs):.3f}; ours {mean(ours):.4f} sd {pstdev(ours):.3f}; {len(ours)}")
    assert 0.55 < mean(theirs) < 0.74
    assert abs(mean(ours)) < 4 * pstdev(ours) / len(ours) ** 0.5 < 0.1


def test_a_true_map_that_fills_the_room_or_leaves_it_is_worth_nothing() -> None:
    everywhere: Map = {"bed": [(x, y) for x, y in product(range(10), repeat=2)]}
    assert above_chance(everywhere, everywhere) == 0  # every shift of it is as good
    assert above_chance({"bed": [(1, 1)]}, {"bed": [(1e308, 1)]}) == 0
