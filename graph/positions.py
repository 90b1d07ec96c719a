"""Positions as a linear program: variables that keep their distance from each other, at the least cost."""

from __future__ import annotations

from typing import Any


class Program:
    """Costs and distances are told one by one, then solved together; no position is below its `low`."""

    def __init__(self, count: int) -> None:
        self.cost = [0.0] * count
        self.low = [0.0] * count
        self._rows: list[list[tuple[int, float]]] = []
        self._limits: list[float] = []

    def apart(self, first: int, second: int, least: float) -> None:
        """Let `second` be at least `least` after `first`."""
        self._rows.append([(first, 1.0), (second, -1.0)])
        self._limits.append(-least)

    def level(self, first: int, second: int, weight: float) -> None:
        """Want both to be level: their distance costs."""
        distance = len(self.cost)
        self.cost.append(weight)
        self.low.append(0.0)
        for sign in (1.0, -1.0):
            self._rows.append([(first, sign), (second, -sign), (distance, -1.0)])
            self._limits.append(0.0)

    def solve(self) -> list[float]:
        """Return the positions."""
        import numpy as np
        from scipy.optimize import linprog
        from scipy.sparse import coo_array

        if not self._rows:
            return list(self.low)
        entries = [(row, column, value) for row, own in enumerate(self._rows) for column, value in own]
        rows, columns, values = (np.array(part) for part in zip(*entries))
        matrix = coo_array((values, (rows, columns)), shape=(len(self._rows), len(self.cost))).tocsr()
        bounds = [(low, None) for low in self.low]
        found: Any = linprog(self.cost, A_ub=matrix, b_ub=self._limits, bounds=bounds, method="highs-ds")
        return [float(value) for value in found.x]
