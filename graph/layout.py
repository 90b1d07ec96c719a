"""The layout of a picture: boxes in columns from left to right, arrows as points, the loop in a frame of its own.

Layered drawing after Sugiyama, Tagawa and Toda (1981), with positions as in Gansner et al., "A technique for drawing
directed graphs" (1993): columns, then the order in each, then positions; both sets of positions are linear programs
here, which HiGHS solves. Departs: what is no part of the loop stays out of its frame, all that hangs together on one
side of it, and arrows that lead back run along the other side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import msgspec

from graph.overview import Arrow, Overview
from graph.positions import Program

GAP_X, GAP_Y, PASSING_Y = 34.0, 14.0, 9.0  # between columns, boxes, an arrow that passes
FRAME, TITLE, LANE, BESIDE = 12.0, 20.0, 9.0, 9.0  # around a group, its title, arrows that lead back, beside a box
SWEEPS = 24
ABOVE, INSIDE, BELOW = 0, 1, 2

Point = tuple[float, float]


class Layout(msgspec.Struct):
    """Where everything stands, in pixels, y downwards.

    Attributes:
        boxes: name -> left, top, width, height.
        paths: arrow -> points; from one box to the next column these are joined by curves, back arrows by lines.
        frame: left, top, width, height of the group, if there is one.
    """

    width: float
    height: float
    boxes: dict[str, tuple[float, float, float, float]]
    paths: dict[Arrow, list[Point]]
    frame: tuple[float, float, float, float] | None


def lay_out(overview: Overview, sizes: Mapping[str, Point]) -> Layout:
    """Place an overview. `sizes` holds the width and height of every box; groups are framed if there is just one."""
    return _Placing(overview, sizes).place()


class _Placing:
    """Boxes and the places where arrows pass a column are vertices, numbered; an arrow is a chain of them."""

    def __init__(self, overview: Overview, sizes: Mapping[str, Point]) -> None:
        self.overview, self.sizes = overview, sizes
        self.numbers = {box.name: number for number, box in enumerate(overview.boxes)}
        groups = {box.group for box in overview.boxes if box.group}
        self.inside = {self.numbers[box.name] for box in overview.boxes if box.group and len(groups) == 1}
        self.forward = [arrow for arrow in overview.arrows if not arrow.is_back]
        self.back = [arrow for arrow in overview.arrows if arrow.is_back]
        back = [arrow for arrow in self.back if arrow.source != arrow.target]
        self.heights = [sizes[box.name][1] for box in overview.boxes]
        self.column = self._columns()
        columns = [self.column[number] for number in self.inside]
        self.span = range(min(columns), max(columns) + 1) if columns else range(0)
        self.lanes = sorted(back, key=self._span, reverse=True)  # the longest outermost
        self.chains = {arrow: self._chain(arrow) for arrow in self.forward}
        self.links = [link for chain in self.chains.values() for link in pairwise(chain)]
        self.zone = self._zones()
        self.boxes: dict[str, tuple[float, float, float, float]] = {}

    def place(self) -> Layout:
        """Return where everything stands."""
        self.y, frame = self._rows_y(self._order())
        self.x, self.widths = self._columns_x()
        for name, number in self.numbers.items():
            width, height = self.sizes[name]
            left = self.x[self.column[number]] + (self.widths[self.column[number]] - width) / 2
            self.boxes[name] = (left, self.y[number] - height / 2, width, height)
        top, bottom = frame or (0.0, 0.0)
        paths = {arrow: self._path(arrow) for arrow in self.forward} | self._back_paths(top)
        bottom = max([bottom, *(top + height for _, top, _, height in self.boxes.values())])
        placed = None
        if frame is not None:
            left = self.x[self.span[0]] - 2 * FRAME
            right = self.x[self.span[-1]] + self.widths[self.span[-1]] + 2 * FRAME
            placed = (left, frame[0], right - left, frame[1] - frame[0])
        return Layout(self.x[-1] + self.widths[-1], bottom, self.boxes, paths, placed)

    def _columns(self) -> list[int]:
        """Return the column of every box: arrows lead to the right and are as short as they can be together."""
        edges = [(self.numbers[arrow.source], self.numbers[arrow.target]) for arrow in self.forward]
        program = Program(len(self.numbers))
        for source, target in edges:
            program.cost[target] += 1
            program.cost[source] -= 1
            program.apart(source, target, 1)
        return [round(value) for value in program.solve()]

    def _span(self, arrow: Arrow) -> int:
        return abs(self.column[self.numbers[arrow.source]] - self.column[self.numbers[arrow.target]])

    def _chain(self, arrow: Arrow) -> list[int]:
        source, target = self.numbers[arrow.source], self.numbers[arrow.target]
        chain = [source]
        for column in range(self.column[source] + 1, self.column[target]):
            chain.append(len(self.column))
            if self.inside & {source, target}:
                self.inside.add(len(self.column))
            self.column.append(column)
            self.heights.append(0.0)
        return [*chain, target]

    def _zones(self) -> list[int]:
        """Return where every vertex stands to the frame; what hangs together beside it, on one side."""
        beside = [n for n, column in enumerate(self.column) if column in self.span and n not in self.inside]
        parts = {number: {number} for number in beside}
        for source, target in self.links:
            if source in parts and target in parts and parts[source] is not parts[target]:
                parts[source] |= parts[target]
                for number in parts[target]:
                    parts[number] = parts[source]
        largest = max(parts.values(), key=len, default=set())
        return [
            INSIDE if number not in parts else BELOW if number in largest else ABOVE
            for number in range(len(self.column))
        ]

    def _order(self) -> list[list[int]]:
        """Return the vertices of every column from top to bottom, with few crossings."""
        rows: list[list[int]] = [[] for _ in range(max(self.column) + 1)]
        for number in sorted(range(len(self.column)), key=lambda number: self.zone[number]):
            rows[self.column[number]].append(number)
        before: dict[int, list[int]] = {number: [] for number in range(len(self.column))}
        after: dict[int, list[int]] = {number: [] for number in range(len(self.column))}
        for source, target in self.links:
            after[source].append(target)
            before[target].append(source)
        best, fewest = rows, _crossings(rows, self.links, self.column)
        for sweep in range(SWEEPS):
            rows = [list(row) for row in rows]
            for row in rows if sweep % 2 == 0 else reversed(rows):
                self._sort_row(row, rows, before if sweep % 2 == 0 else after)
            crossings = _crossings(rows, self.links, self.column)
            if crossings < fewest:
                best, fewest = rows, crossings
        return best

    def _sort_row(self, row: list[int], rows: list[list[int]], neighbours: dict[int, list[int]]) -> None:
        place = {number: (index + 0.5) / len(other) for other in rows for index, number in enumerate(other)}

        def key(number: int) -> tuple[int, float]:
            found = [place[other] for other in neighbours[number]]
            return self.zone[number], sum(found) / len(found) if found else place[number]

        row.sort(key=key)

    def _rows_y(self, rows: list[list[int]]) -> tuple[list[float], tuple[float, float] | None]:
        """Return the middle of every vertex, and the top and bottom of the frame: arrows as level as can be."""
        count = len(self.column)
        program = Program(count + 2)  # the last two are the frame
        top, bottom = count, count + 1
        program.cost[bottom], program.cost[top] = 0.2, -0.2
        program.apart(top, bottom, 0)
        boxes = len(self.numbers)
        for source, target in self.links:
            program.level(source, target, 1 + 2 * (source >= boxes) + 2 * (target >= boxes))
        for row in rows:
            for upper, lower in pairwise(row):
                gap = GAP_Y if max(upper, lower) < boxes else PASSING_Y
                program.apart(upper, lower, (self.heights[upper] + self.heights[lower]) / 2 + gap)
            if row:
                program.low[row[0]] = self.heights[row[0]] / 2
        lanes = TITLE + LANE * len(self.lanes) + GAP_Y / 2
        for number, column in enumerate(self.column) if self.span else ():
            if column in self.span:
                half = self.heights[number] / 2
                if self.zone[number] == ABOVE:
                    program.apart(number, top, half + GAP_Y)
                elif self.zone[number] == BELOW:
                    program.apart(bottom, number, half + GAP_Y)
                else:
                    program.apart(top, number, half + lanes)
                    program.apart(number, bottom, half + FRAME)
        found = program.solve()
        return found[:count], (found[top], found[bottom]) if self.span else None

    def _columns_x(self) -> tuple[list[float], list[float]]:
        """Return the left edge and the width of every column."""
        widths = [0.0] * (max(self.column) + 1)
        for name, number in self.numbers.items():
            widths[self.column[number]] = max(widths[self.column[number]], self.sizes[name][0])
        x, right = [], 0.0
        for column, width in enumerate(widths):
            right += FRAME if self.span and column in (self.span[0], self.span[-1] + 1) else 0
            x.append(right)
            right += width + GAP_X
        return x, widths

    def _path(self, arrow: Arrow) -> list[Point]:
        """Return the points of an arrow: level through its own columns and all that it passes."""
        source, *passed, target = self.chains[arrow]
        left, top, width, height = self.boxes[arrow.source]
        points = [(left + width, top + height / 2), (self._right(source), top + height / 2)]
        for number in passed:
            points += [(self.x[self.column[number]], self.y[number]), (self._right(number), self.y[number])]
        left, top, _, height = self.boxes[arrow.target]
        return [*points, (self.x[self.column[target]], top + height / 2), (left, top + height / 2)]

    def _back_paths(self, top: float) -> dict[Arrow, list[Point]]:
        """Return the arrows that lead back, each in a lane above the loop; one that leads to itself stays close."""
        paths = {}
        for number, arrow in enumerate(self.lanes):
            source, target = self.numbers[arrow.source], self.numbers[arrow.target]
            level = top + TITLE + LANE * (number + 0.3)
            shift = BESIDE + LANE / 2 * (len(self.lanes) - 1 - number)
            paths[arrow] = self._around(arrow, self._right(source) + shift, level, self.x[self.column[target]] - shift)
        for arrow in self.back:
            if arrow.source == arrow.target:
                left, top, width, _ = self.boxes[arrow.source]
                paths[arrow] = self._around(arrow, left + width + BESIDE, top - GAP_Y / 2, left - BESIDE)
        return paths

    def _around(self, arrow: Arrow, right: float, level: float, left: float) -> list[Point]:
        source, target = self.boxes[arrow.source], self.boxes[arrow.target]
        out, into = source[1] + source[3] * 0.3, target[1] + target[3] * 0.3
        return [
            (source[0] + source[2], out),
            (right, out),
            (right, level),
            (left, level),
            (left, into),
            (target[0], into),
        ]

    def _right(self, number: int) -> float:
        return self.x[self.column[number]] + self.widths[self.column[number]]


def _crossings(rows: Sequence[Sequence[int]], links: Sequence[tuple[int, int]], column: Sequence[int]) -> int:
    import numpy as np

    place = {number: index for row in rows for index, number in enumerate(row)}
    by_column: dict[int, list[tuple[int, int]]] = {}
    for source, target in links:
        by_column.setdefault(column[source], []).append((place[source], place[target]))
    total = 0
    for pairs in by_column.values():
        ends = np.array(sorted(pairs))
        for index, (first, second) in enumerate(ends):
            later = ends[index + 1 :]
            total += int(np.count_nonzero((later[:, 0] > first) & (later[:, 1] < second)))
    return total
