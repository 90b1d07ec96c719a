"""Writers of ScanNet's files in their true formats, and a procedural room as a scan."""

import io
import json
import struct
import zlib

import numpy as np
from PIL import Image
from plyfile import PlyData, PlyElement

from nodes.scenes.geometry import out_of_box, surface_points

LOST = np.full((4, 4), -np.inf)


def jpeg_of(rgb):
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "JPEG", quality=90)
    return out.getvalue()


def file_matrix(K):
    """K in the file's convention: pixels counted from the middle of the first one."""
    out = np.eye(4)
    out[:3, :3] = K
    out[:2, 2] -= 0.5
    return out


def sens_bytes(frames, K, K_depth, colour_size, depth_size, *, codes=(2, 1), unit=1000.0, n=None, version=4):
    """A `.sens`; frames: (pose (4, 4), stamp in us, colour bytes, depth bytes); sizes (height, width)."""
    name = b"StructureSensor"
    head = struct.pack("<IQ", version, len(name)) + name
    for matrix in (file_matrix(K), np.eye(4), file_matrix(K_depth), np.eye(4)):
        head += np.asarray(matrix, "<f4").tobytes()
    head += struct.pack("<ii", *codes) + struct.pack("<II", *colour_size[::-1]) + struct.pack("<II", *depth_size[::-1])
    parts = [head + struct.pack("<fQ", unit, len(frames) if n is None else n)]
    for pose, stamp, colour, depth in frames:
        parts += [np.asarray(pose, "<f4").tobytes(), struct.pack("<QQQQ", stamp, stamp, len(colour), len(depth))]
        parts += [colour, depth]
    return b"".join(parts)


def depth_bytes(depth_m, unit=1000.0):
    return zlib.compress(np.round(depth_m * unit).astype("<u2").tobytes())


def write_ply(path, vertices, labels=None):
    """A binary little-endian mesh with vertex colours, a label property and one face."""
    fields = [("x", "f4"), ("y", "f4"), ("z", "f4"), ("red", "u1"), ("green", "u1"), ("blue", "u1"), ("alpha", "u1")]
    rows = np.zeros(len(vertices), [*fields, ("label", "u2")])
    rows["x"], rows["y"], rows["z"] = vertices.T
    if labels is not None:
        rows["label"] = labels
    faces = np.array([([0, 1, 2],)], dtype=[("vertex_indices", "i4", (3,))])
    elements = [PlyElement.describe(rows, "vertex"), PlyElement.describe(faces, "face")]
    PlyData(elements, text=False, byte_order="<").write(path)


def write_scan(folder, vertices, segments, groups, sens=None, alignment=None):
    """A scan's folder; groups: (label, its segments); sens: bytes."""
    folder.mkdir(parents=True)
    name = folder.name
    write_ply(folder / f"{name}_vh_clean_2.ply", vertices, segments)
    segs = {"params": {"kThresh": "0.0001"}, "sceneId": name, "segIndices": [int(s) for s in segments]}
    (folder / f"{name}_vh_clean_2.0.010000.segs.json").write_text(json.dumps(segs))
    found = [
        {"id": i, "objectId": i, "segments": [int(s) for s in own], "label": label}
        for i, (label, own) in enumerate(groups)
    ]
    told = {"sceneId": f"scannet.{name}", "appId": "Aggregator.v2", "segGroups": found, "segmentsFile": "x"}
    (folder / f"{name}.aggregation.json").write_text(json.dumps(told))
    lines = ["colorHeight = 968", "sceneType = Apartment"]
    if alignment is not None:
        lines.insert(0, "axisAlignment = " + " ".join(f"{v:.6f}" for v in alignment.ravel()) + " ")
    (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    if sens is not None:
        (folder / f"{name}.sens").write_bytes(sens)


def surfaces_of(world, n_each=3000, step=0.04):
    """Vertices of a world's boxes, floor and walls, segments by vertex, and the groups of an aggregation."""
    parts, groups = [], []
    for i, label in enumerate(world.labels):
        # the corners too: points in the middle of cells do not reach a box's edges
        corners = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)]) * world.size[i]
        local = np.concatenate([surface_points(world.size[i], n_each), corners])
        parts.append(out_of_box(local, world.centre[i], world.rotation[i]))
        groups.append((label, [10 + i]))
    half = world.room_size / 2
    x, y, z = (np.arange(-h, h + step / 2, step) for h in half)
    floor = np.stack([*(a.ravel() for a in np.meshgrid(x, y)), np.full(len(x) * len(y), -half[2])], axis=1)
    walls = []
    for axis, other in ((0, y), (1, x)):
        a, b = (g.ravel() for g in np.meshgrid(other, z))
        for side in (-1, 1):
            wall = np.zeros((len(a), 3))
            wall[:, axis], wall[:, 1 - axis], wall[:, 2] = side * half[axis], a, b
            walls.append(wall)
    walls = np.concatenate(walls)
    for label, points in (("floor", floor), ("wall", walls)):
        parts.append(out_of_box(points, world.room_centre, world.room_rotation))
        groups.append((label, [500 + len(groups)]))
    segments = np.concatenate([np.full(len(p), g[1][0]) for p, g in zip(parts, groups)])
    return np.concatenate(parts), segments, groups


def scan_of(folder, world, rgb, depth, alignment=None, lost=(), keep=None):
    """Write a drawn world as a scan; raw coordinates are the aligned ones turned back. Return its JPEG files."""
    align = np.eye(4) if alignment is None else alignment
    back = np.linalg.inv(align)
    vertices, segments, groups = surfaces_of(world)
    jpegs = [jpeg_of(picture) for picture in rgb]
    frames = [
        (
            LOST if f in lost else back @ world.T_wc[f],
            1_000_000 + int(world.time_s[f] * 1e6),
            jpegs[f],
            depth_bytes(depth[f]),
        )
        for f in range(len(rgb))
    ]
    size = rgb.shape[1:3]
    sens = sens_bytes(frames, world.K, world.K, size, size)
    write_scan(folder, vertices @ back[:3, :3].T + back[:3, 3], segments, groups, sens, align)
    return jpegs
