"""`frames.sample`: which frames of a scene are shown, and so what may be asked of it.

A sample names frames of its scene by index and holds none; questions refer to the scene's own frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from msgspec import Meta, Struct

from graph.node import node
from nodes.scenes.scene import Scene
from store.artifact import Artifact, Reader, Writer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Sample(Artifact):
    """The frames of one scene that are shown, in the order of time."""

    type: ClassVar[str] = "sample/1"
    plain: ClassVar[str] = "nodes.plain:write_samples"

    def __init__(self, scene: str, frames_digest: str, indices: Sequence[int]) -> None:
        self.scene, self.frames_digest, self.indices = scene, frames_digest, tuple(indices)

    def write(self, w: Writer) -> None:
        w.attrs = {"scene": self.scene, "frames_digest": self.frames_digest, "indices": list(self.indices)}

    @classmethod
    def open(cls, r: Reader) -> Self:
        return cls(**r.attrs)

    def summary(self) -> dict[str, Any]:
        return {"scene": self.scene, "frames": list(self.indices)}


class SampleFrames(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `frames.sample`."""

    n: Annotated[int, Meta(ge=1, le=4096, description="most frames shown", extra={"unit": "frames"})] = 8
    by: Annotated[
        Literal["uniform", "fps", "coverage"],
        Meta(description="evenly by number; a frame every 1/fps seconds; greedily what shows most that is new"),
    ] = "uniform"
    fps: Annotated[float, Meta(gt=0, description="frames a second, of by = fps", extra={"unit": "1/s"})] = 1.0


@node("frames.sample", version=1, each="scenes", packages=("numpy",))
def sample_scene(scenes: Scene, *, params: SampleFrames) -> Sample:
    """Choose the frames of one scene that are shown; all if it has no more than `n`; none of a scene without frames.

    Coverage takes, one after another, the frame that sees most objects not seen before (visibility in sum where two see
    as many, then the earlier one), until nothing is new; the rest is filled uniformly.
    """
    n_frames = len(scenes.visibility)
    if not scenes.has_frames:
        return Sample(scenes.id, "", ())
    if params.by == "uniform":
        chosen = sample_frames(n_frames, params.n)
    elif params.by == "fps":
        chosen = by_time(scenes.frames.time_s, params.fps, params.n)
    else:
        chosen = by_coverage(scenes.visibility, params.n)
    return Sample(scenes.id, scenes.frames.digest or "", chosen)


def sample_frames(n_frames: int, n_shown: int) -> tuple[int, ...]:
    """Return the indices of a uniform sample, first and last frame included; one alone is the middle frame.

    Example:
        >>> sample_frames(9, 3), sample_frames(9, 1), sample_frames(2, 4)
        ((0, 4, 8), (4,), (0, 1))
    """
    if n_shown >= n_frames:
        return tuple(range(n_frames))
    if n_shown == 1:
        return (n_frames // 2,)
    return tuple(i * (n_frames - 1) // (n_shown - 1) for i in range(n_shown))


def by_time(time_s: Floats, fps: float, n: int) -> tuple[int, ...]:
    """Return the first frame of every 1/fps seconds, at most n, thinned evenly where there are more.

    Args:
        time_s: (F,) ascending, seconds.
    Raises:
        ValueError: a time that is not finite.
    """
    import numpy as np

    if not np.isfinite(time_s).all():
        raise ValueError(f"frame {int((~np.isfinite(time_s)).argmax())} has no time: frames a second mean nothing here")
    slots = np.floor((time_s - time_s[0]) * fps + 1e-9).astype(np.int64)
    firsts = np.flatnonzero(np.diff(slots, prepend=-1) > 0)
    return tuple(int(firsts[k]) for k in sample_frames(len(firsts), n))


def by_coverage(visibility: NDArray[np.float32], n: int, seen_from: float = 0.1) -> tuple[int, ...]:
    """Return up to n frames that together see most objects, in the order of time.

    Args:
        visibility: (F, N) share of each object's surface; seen from `seen_from` on.
    """
    import numpy as np

    seen = visibility >= seen_from
    left = np.ones(visibility.shape[1], bool)
    chosen: list[int] = []
    while len(chosen) < min(n, len(seen)):
        new = (seen & left).sum(1)
        if not new.max(initial=0):
            break
        best = int(np.lexsort((-(visibility * left).sum(1), -new))[0])
        chosen.append(best)
        left &= ~seen[best]
    rest = [f for f in range(len(seen)) if f not in chosen]
    more = sample_frames(len(rest), n - len(chosen)) if len(chosen) < n else ()
    return tuple(sorted(chosen + [rest[k] for k in more]))
