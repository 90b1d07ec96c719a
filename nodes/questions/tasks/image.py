"""Questions on one frame with a one-word answer: exists, count, closer, taller, further left.

An object is named where it is seen and the only one of its label with a pixel in that frame. Two readings of a word
must agree: closer by the closest point of the box and by its centre. No answer turns on a glimpse.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nodes.questions.draft import Draft
from nodes.questions.programs.calls import call
from nodes.questions.task import task
from nodes.questions.vocabulary import YES_NO, box_labels, is_coloured_box, plural, shape_name, short_name
from nodes.questions.wording import WORDINGS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nodes.questions.view import SceneView

PAIRS_A_SLOT = 4  # pairs listed for every question wanted: enough to balance answers, few enough to be cheap


@task("exists", shows="image", needs=("boxes", "instances"))
def exists(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List "Is there a red box?": yes if one is seen, no if none has a pixel in the frame.

    Absent labels are those of the room's other objects; in a room of coloured boxes the colours it lacks as well. A
    label that its kind of room never has would give "no" away, so annotated rooms draw from their own labels alone.
    """
    import numpy as np

    floor = view.thresholds.pixels_min * view.shape[0] * view.shape[1]
    found: list[tuple[int, str, str, float]] = []  # row, label, answer, margin in pixels
    for label, group in view.instances.items():
        most = view.pixels[:, group].max(1)
        found += [(f, label, "yes", float(most[f])) for f in np.flatnonzero(view.seen[:, group].any(1)).tolist()]
        if view.complete[label]:  # else one without a box may be in the picture
            found += [(f, label, "no", floor) for f in np.flatnonzero(most == 0).tolist()]
    if view.labels and all(map(is_coloured_box, view.labels)):
        absent = [label for label in box_labels() if label not in view.instances]
        found += [(frame, label, "no", floor) for frame in range(view.n_frames) for label in absent]
    order = rng.permutation(len(found)).tolist()
    return [_exists(view, found[i], wording) for wording in ("exists", "exists.see") for i in order]


def _exists(view: SceneView, found: tuple[int, str, str, float], wording: str) -> Draft:
    row, label, answer, margin = found
    frame = view.shown[row]
    return Draft(
        task="exists",
        template=wording,
        frames=(frame,),
        prompt=WORDINGS[wording].format(a=label),
        answer=answer,
        options=YES_NO,
        unit="pixels",
        program=call("exists", label, frame=frame),
        margin=margin,
        balance=answer,
        objects=tuple(view.instances.get(label, [])) if answer == "yes" else (),
        reserve=0 if wording == "exists" else 2,
    )


@task("count", shows="image", needs=("boxes", "instances"))
def count(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List "How many boxes are there?": 1 to `count_max`, where no counted object is merely glimpsed."""
    most = view.thresholds.count_max
    options = tuple(str(n) for n in range(1, most + 1))
    glimpsed_only = view.glimpsed & ~view.seen
    groups: dict[str, list[int]] = {}
    for label, members in view.instances.items():
        groups.setdefault(shape_name(label), []).extend(members)
    drafts = []
    missing = {shape_name(label) for label in view.instances if not view.complete[label]}
    for name, members in groups.items():
        if name in missing:
            continue
        counts = view.seen[:, members].sum(1)
        valid = (counts >= 1) & (counts <= most) & ~glimpsed_only[:, members].any(1)
        for row in valid.nonzero()[0].tolist():
            answer, frame = str(counts[row]), view.shown[row]
            drafts.append(
                Draft(
                    task="count",
                    template="count",
                    frames=(frame,),
                    prompt=WORDINGS["count"].format(a=plural(name)),
                    answer=answer,
                    options=options,
                    unit="objects",
                    program=call("count", name, frame=frame),
                    margin=1.0,
                    balance=answer,
                    objects=tuple(members[k] for k in view.seen[row, members].nonzero()[0].tolist()),
                )
            )
    return [drafts[i] for i in rng.permutation(len(drafts))]


@task("closer", shows="image", needs=("boxes", "instances", "poses"))
def closer(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List "Which is closer to the camera?": both by the closest point of the box and by its centre, by the margin."""
    import numpy as np

    a, b = _pairs(len(view.labels))
    t = view.thresholds
    gains = []  # by how much a is closer than b, in m, (F, P) by reading
    valid = view.nameable[:, a] & view.nameable[:, b]
    for distance in view.camera_distance:
        gain = distance[:, b] - distance[:, a]
        need = np.maximum(t.closer_m, t.closer_ratio * np.maximum(distance[:, a], distance[:, b]))
        valid &= np.abs(gain) >= need
        gains.append(gain)
    valid &= gains[0] * gains[1] > 0
    margin = np.minimum(np.abs(gains[0]), np.abs(gains[1])) * np.sign(gains[0])
    return list(_compare(view, "closer", "m", valid, margin, limit, rng))


@task("taller", shows="image", needs=("boxes", "instances", "poses"))
def taller(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List "Which is taller?": by the vertical extent of boxes that no edge of the picture cuts."""
    import numpy as np

    a, b = _pairs(len(view.labels))
    heights = view.heights
    fit = view.nameable & view.whole & (view.visibility >= view.thresholds.taller_visibility_min)
    gain = heights[a] - heights[b]
    clear = np.abs(gain) >= view.thresholds.taller_ratio * np.maximum(heights[a], heights[b])
    valid = fit[:, a] & fit[:, b] & clear
    return list(_compare(view, "taller", "m", valid, np.broadcast_to(gain, valid.shape), limit, rng))


@task("further_left", shows="image", needs=("boxes", "instances"))
def further_left(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List "Which is further left?": by the mean column of the pixels that show each object.

    Looks at `limit` frames at the most, since it must read their instance ids.
    """
    import numpy as np

    a, b = _pairs(len(view.labels))
    fit = np.flatnonzero(view.nameable.sum(1) >= 2)
    frames = sorted(rng.permutation(fit)[:limit].tolist())
    columns = view.columns(frames)
    gain = np.zeros((view.n_frames, len(a)))
    gain[frames] = columns[:, b] - columns[:, a]
    valid = view.nameable[:, a] & view.nameable[:, b] & (np.abs(gain) >= view.thresholds.left_width)
    return list(_compare(view, "further_left", "width", valid, gain, limit, rng))


def _compare(
    view: SceneView,
    name: str,
    unit: str,
    valid: NDArray[np.bool_],
    gain: NDArray[np.float64],
    limit: int,
    rng: np.random.Generator,
) -> Iterator[Draft]:
    """Yield the comparisons of pairs (a, b) in frames where `valid` (F, P); a is the answer where `gain` > 0.

    Every second question names the right object first. The same pairs named in the other order come last, in reserve.
    """
    first, second = _pairs(len(view.labels))
    frames, pairs = valid.nonzero()
    chosen = rng.permutation(len(frames))[: PAIRS_A_SLOT * limit]
    turn = int(rng.integers(2))
    rows = list(zip(frames[chosen].tolist(), pairs[chosen].tolist(), gain[frames, pairs][chosen].tolist(), strict=True))
    both = list(zip(first.tolist(), second.tolist(), strict=True))
    names = [(view.labels[i], view.labels[j]) for i, j in both]
    for reserve in (0, 1):
        for k, (row, pair, margin) in enumerate(rows):
            frame = view.shown[row]
            winner, loser = names[pair] if margin > 0 else names[pair][::-1]
            right_first = (k + turn + reserve) % 2 == 0
            a, b = (winner, loser) if right_first else (loser, winner)
            yield Draft(
                task=name,
                template=name,
                frames=(frame,),
                prompt=WORDINGS[name].format(a=a, b=b),
                answer=short_name(winner),
                options=(short_name(a), short_name(b)),
                unit=unit,
                program=call(name, a, b, frame=frame),
                margin=abs(margin),
                balance="first" if right_first else "second",
                objects=both[pair],
                reserve=reserve,
            )


def _pairs(n: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the indices (P,) and (P,) of all unordered pairs of n objects."""
    import numpy as np

    return np.triu_indices(n, 1)
