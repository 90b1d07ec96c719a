"""Rays at triangle meshes by Embree, several times as fast as the numpy z-buffer: the extra `embree`.

Embree says in single precision which face a pixel's ray hits; depth and weights are then worked out in double precision
for that face, as mesh.py does. Where two faces are within a few ulp of each other, or a ray meets an edge, the two may
name different faces: a result says which of the two made it by who was asked, and numpy is what is asked by default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.scenes.camera import NEAR_M
from nodes.scenes.mesh import cross

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nodes.scenes.mesh import MeshIndex

    Floats = NDArray[np.float64]


class EmbreeCaster:
    """Casts rays at one mesh; stands for `cast_mesh` in `draw_mesh(..., cast=EmbreeCaster(index))`."""

    def __init__(self, index: MeshIndex) -> None:
        """Build Embree's tree.

        Raises:
            ImportError: embreex is not installed.
            ValueError: the mesh has one-sided faces, which Embree's rays do not know.
        """
        import numpy as np
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene

        if index.mesh.one_sided:
            raise ValueError("one-sided faces: Embree sees faces from both sides, cast them with numpy")
        self._scene = EmbreeScene()
        corners = np.moveaxis(index.corner, 2, 0) - index.middle  # (S, 3, 3)
        self._mesh = TriangleMesh(self._scene, np.ascontiguousarray(corners, np.float32)) if len(corners) else None

    def __call__(
        self, index: MeshIndex, T_wc: Floats, K: Floats, shape: tuple[int, int]
    ) -> tuple[Floats, NDArray[np.int64], Floats]:
        """Return depth (H, W) m or 0, face (H, W) or -1, weights of its corners (H, W, 3), as `cast_mesh`."""
        import numpy as np

        depth, face, weights = np.zeros(shape), np.full(shape, -1, np.int64), np.zeros((*shape, 3))
        if self._mesh is None or not (np.isfinite(T_wc).all() and np.isfinite(K).all()):
            return depth, face, weights
        row, column = np.indices(shape).reshape(2, -1)
        x, y = (column + 0.5 - K[0, 2]) / K[0, 0], (row + 0.5 - K[1, 2]) / K[1, 1]
        ray = np.stack([T_wc[k, 0] * x + T_wc[k, 1] * y + T_wc[k, 2] for k in range(3)], axis=1)  # 1 m deep
        start = T_wc[:3, 3] - index.middle + NEAR_M * ray
        found = self._scene.run(start.astype(np.float32), ray.astype(np.float32))
        hit = np.flatnonzero(found >= 0)
        a, b, c = (np.take(corner, found[hit], axis=1) - T_wc[:3, 3, None] for corner in index.corner)  # (3, M)
        to = np.take(ray, hit, axis=0).T
        sides = [cross(b, c), cross(c, a), cross(a, b)]
        inside = [to[0] * side[0] + to[1] * side[1] + to[2] * side[2] for side in sides]
        total = inside[0] + inside[1] + inside[2]
        with np.errstate(divide="ignore", invalid="ignore"):
            z = (a[0] * sides[0][0] + a[1] * sides[0][1] + a[2] * sides[0][2]) / total
        sound = np.isfinite(z) & (z > 0)
        where = (row[hit[sound]], column[hit[sound]])
        depth[where], face[where] = z[sound], index.row[found[hit[sound]]]
        weights[where] = (np.stack(inside) / np.where(sound, total, 1.0))[:, sound].T
        return depth, face, weights
