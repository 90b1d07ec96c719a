"""Meshes in PLY files, text or binary: vertices and triangles, in the file's own units and axes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def read_ply(path: Path, faces: bool = True) -> tuple[Floats, NDArray[np.int32]]:
    """Return vertices (P, 3) and triangles (T, 3), T = 0 if there are none or they are not asked for.

    Raises:
        ValueError: no PLY, cut off, without vertices, not finite, or a triangle of no three vertices; with path and
            element, row or byte.
    """
    import warnings

    import numpy as np
    from plyfile import PlyData, PlyParseError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy's, on text that ends early; the error says it
            # lists of a length known beforehand are mapped, not parsed
            data = PlyData.read(str(path), known_list_len={"face": {"vertex_indices": 3, "vertex_index": 3}})
        vertex = data["vertex"].data
        vertices = np.stack([vertex[axis] for axis in "xyz"], axis=1).astype(np.float64)
    except OSError as e:
        raise ValueError(f"{path}: {e.strerror or e}, expected a mesh") from None
    except KeyError as e:
        raise ValueError(f"{path}: no {e.args[0]!r}, expected vertices with x, y and z") from None
    except MemoryError:
        size = path.stat().st_size
        raise ValueError(f"{path}: {size} bytes: its header promises more than memory holds, expected a mesh") from None
    except (PlyParseError, ValueError, UnicodeDecodeError) as e:
        raise ValueError(f"{path}: {path.stat().st_size} bytes: {e or type(e).__name__}, expected a mesh") from None
    if not len(vertices):
        raise ValueError(f"{path}: no vertex")
    if not (finite := np.isfinite(vertices).all(1)).all():
        row = int((~finite).argmax())
        raise ValueError(f"{path}: vertex {row}: {vertices[row].tolist()}, expected finite numbers")
    return vertices, _triangles(path, data, len(vertices)) if faces else np.zeros((0, 3), np.int32)


def _triangles(path: Path, data, n_vertices: int) -> NDArray[np.int32]:
    import numpy as np

    if "face" not in data or not data["face"].count:
        return np.zeros((0, 3), np.int32)
    face = data["face"].data
    name = next((n for n in ("vertex_indices", "vertex_index") if n in (face.dtype.names or ())), None)
    if name is None:
        raise ValueError(f"{path}: faces without vertex_indices")
    try:
        triangles = np.array(face[name].tolist() if face[name].dtype == object else face[name])
    except ValueError:
        triangles = np.zeros(0)  # lists of several lengths
    if triangles.shape != (len(face), 3) or triangles.dtype.kind not in "iu":
        raise ValueError(f"{path}: faces that are not three vertex numbers each, expected triangles")
    if triangles.min() < 0 or triangles.max() >= n_vertices:
        row = int(((triangles < 0) | (triangles >= n_vertices)).any(1).argmax())
        raise ValueError(f"{path}: face {row}: {triangles[row].tolist()}, expected three of {n_vertices} vertices")
    return triangles.astype(np.int32)
