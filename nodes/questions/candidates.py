"""Candidates: out of all that could be asked of a scene, a few of each answer, in a seeded order.

How many are kept and what is drawn from the generator does not depend on how many questions are wanted, so that a
larger budget keeps the letters of the smaller one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nodes.questions.bearing import Cameras
    from nodes.questions.view import SceneView

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

A_ANSWER = 16  # candidates kept of each answer: more than one scene is ever asked
N_OPTIONS = 4
ROUNDING = 1e-6  # a number nearer to where it rounds to another is not asked: programs add in another order


def choose(answers: Ints, rng: np.random.Generator, most: int = A_ANSWER) -> Ints:
    """Return indices of up to `most` candidates of each answer (C,), in a seeded order."""
    import numpy as np

    order = rng.permutation(len(answers))
    shuffled = answers[order]
    kept = [np.flatnonzero(shuffled == answer)[:most] for answer in np.unique(shuffled)]
    return order[np.sort(np.concatenate(kept))] if kept else order


def options(right: str, answers: Sequence[str], rng: np.random.Generator) -> tuple[str, ...]:
    """Return up to four options, the right one first, the others drawn from all answers."""
    wrong = [answer for answer in answers if answer != right]
    return (right, *(wrong[i] for i in rng.permutation(len(wrong))[: N_OPTIONS - 1]))


def overlapping(view: SceneView, cameras: Cameras) -> Bools:
    """Tell which ordered pairs of different shown frames (F, F) see `shared_min` objects or more in common.

    Without something that both show, where one camera stands seen from the other is a guess.
    """
    import numpy as np

    seen = view.seen.astype(np.int64)
    shared = (seen @ seen.T >= view.thresholds.shared_min) & cameras.is_known[:, None] & cameras.is_known
    np.fill_diagonal(shared, False)
    return np.asarray(shared)


def named_in(view: SceneView, task: str) -> Bools:
    """Tell which objects may be named in which shown frames (F, N); count those that only their label keeps out."""
    if out := int((view.seen & ~view.nameable).sum()):
        view.ambiguous[task] += out
    return view.nameable


def one_way(n_frames: int, rng: np.random.Generator) -> Bools:
    """Return (F, F): of two frames one order, drawn; the other asks the same thing backwards."""
    import numpy as np

    forward = np.triu(rng.random((n_frames, n_frames)) < 0.5, 1)
    return np.asarray(forward | np.tril(~forward.T, -1))


def both(view: SceneView, task: str) -> Bools:
    """Tell which objects (F, F, N) may be named in both of two shown frames."""
    nameable = named_in(view, task)
    return nameable[:, None] & nameable[None]
