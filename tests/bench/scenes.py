"""Scenes: pictures a second of a core by size and source, and distances of oriented boxes beside fcl and a plain loop.

python tests/bench/scenes.py [FOLDER of VSI-Bench's *_meta_info_val.json]

CPU seconds of one thread, the best of a few rounds. The mesh is a made room, bumpy and cut as fine as a ScanNet scan;
embreex is measured where it is installed.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from nodes.scenes import vsibench
from nodes.scenes.camera import intrinsics, look_at
from nodes.scenes.embree import EmbreeCaster
from nodes.scenes.geometry import box_distances, out_of_box, surface_points
from nodes.scenes.mesh import Mesh, MeshIndex, draw_mesh, index_mesh
from nodes.scenes.procedural import build_world
from nodes.scenes.relations import find_relations
from nodes.scenes.render import World, render
from nodes.scenes.visibility import visibility

SIZES = (64, 128, 256)
ROOMS = 8
FRAMES = 8
ROUNDS = 3
Boxes = tuple[np.ndarray, np.ndarray, np.ndarray]


def best(work: Callable[[], object]) -> float:
    """Return the CPU seconds of the fastest of ROUNDS runs."""
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def worlds(folder: Path, size_px: int) -> Iterator[tuple[str, list[World]]]:
    """Yield a source's name and some of its rooms."""
    yield (
        "procedural",
        [build_world(style, n, FRAMES, size_px, 1.0) for style in ("old", "new") for n in range(ROOMS // 2)],
    )
    for name in ("scannet", "arkitscenes"):
        path = folder / f"{name}_meta_info_val.json"
        if path.exists():
            rooms = sorted(vsibench.load_entries(path).items())
            yield (
                f"vsibench {name}",
                [
                    vsibench.build_world(room, vsibench.entry_of(entry), "old", FRAMES, size_px, 1.0)
                    for room, entry in rooms[:: len(rooms) // ROOMS][:ROOMS]
                ],
            )


def measure_rooms(folder: Path) -> None:
    """Print pictures, visibilities and scene graphs a second by source and size."""
    print(
        "| rooms | px | boxes | pictures/s | visibility, frames/s | relations, ms a room |\n|---|--:|--:|--:|--:|--:|"
    )
    for size_px in SIZES:
        for name, rooms in worlds(folder, size_px):
            drawn = [render(world)[1] for world in rooms]
            boxes = [(world.centre, world.size, world.rotation) for world in rooms]
            n = FRAMES * len(rooms)
            seen = list(zip(boxes, rooms, drawn, strict=True))
            pictures = n / best(lambda rooms=rooms: [render(world) for world in rooms])
            frames = n / best(lambda seen=seen: [visibility(b, w.T_wc, w.K, d) for b, w, d in seen])
            graph = best(lambda boxes=boxes: [find_relations(*b) for b in boxes]) / len(rooms) * 1e3
            many = np.mean([len(world.labels) for world in rooms])
            print(f"| {name} | {size_px} | {many:.1f} | {pictures:.0f} | {frames:.0f} | {graph:.2f} |")


def made_scan(n_faces: int) -> Mesh:
    """Return a room with a dozen boxes in it, bumpy by 4 mm, in about n_faces triangles of one size."""
    rng = np.random.Generator(np.random.PCG64(0))
    boxes = [([0.0, 0, 1.3], [6.0, 5, 2.6])]
    boxes += [(rng.uniform([-2.5, -2, 0.3], [2.5, 2, 0.8]), rng.uniform(0.4, 1.2, 3)) for _ in range(12)]
    area = sum(2 * (s[0] * s[1] + s[1] * s[2] + s[2] * s[0]) for _, s in boxes)
    step = np.sqrt(2 * area / n_faces)
    vertices: list[np.ndarray] = []
    faces: list[np.ndarray] = []
    owner: list[np.ndarray] = []
    base = 0
    for n, (centre, size) in enumerate(boxes):
        for k in range(3):
            i, j = (k + 1) % 3, (k + 2) % 3
            ni, nj = (max(2, round(size[m] / step) + 1) for m in (i, j))
            for side in (-0.5, 0.5):
                points = np.empty((ni * nj, 3))
                points[:, i] = np.repeat(np.linspace(-0.5, 0.5, ni) * size[i], nj)
                points[:, j] = np.tile(np.linspace(-0.5, 0.5, nj) * size[j], ni)
                points[:, k] = side * size[k]
                a = (np.arange(ni - 1)[:, None] * nj + np.arange(nj - 1)).ravel() + base
                faces += [np.stack([a, a + 1, a + nj], 1), np.stack([a + nj, a + 1, a + nj + 1], 1)]
                owner.append(np.full(2 * len(a), n - 1))
                vertices.append(points + centre + rng.normal(0, 0.004, points.shape))
                base += len(points)
    points = np.concatenate(vertices)
    return Mesh(
        points, np.concatenate(faces).astype(np.int32), np.concatenate(owner).astype(np.int32), rng.random(points.shape)
    )


def measure_meshes() -> None:
    """Print pictures a second of meshes, beside embree's rays where it is installed."""
    print("\n| mesh, faces | px | pictures/s | embree, pictures/s | index, s |\n|--:|--:|--:|--:|--:|")
    poses = [look_at([2 * np.cos(a), 1.5 * np.sin(a), 1.5], [0, 0, 0.5]) for a in np.arange(FRAMES)]
    for n_faces in (100_000, 300_000):
        mesh = made_scan(n_faces)
        start = time.process_time()
        index = index_mesh(mesh)
        made = time.process_time() - start
        for size_px in SIZES:
            k, shape = intrinsics(size_px, 70.0), (size_px, size_px)
            ours = FRAMES / best(lambda k=k, shape=shape, index=index: [draw_mesh(index, p, k, shape) for p in poses])
            theirs = embree_rate(index, poses, k, shape)
            print(f"| {len(mesh.faces):,} | {size_px} | {ours:.0f} | {theirs} | {made:.1f} |")


def embree_rate(index: MeshIndex, poses: list[np.ndarray], K: np.ndarray, shape: tuple[int, int]) -> str:
    """Return the pictures a second of the same by Embree's rays, "-" where it is not installed."""
    try:
        caster = EmbreeCaster(index)
    except ImportError:
        return "-"
    draw_mesh(index, poses[0], K, shape, caster)  # the tree is built at the first ray
    return f"{len(poses) / best(lambda: [draw_mesh(index, pose, K, shape, caster) for pose in poses]):.0f}"


def random_boxes(n: int) -> Boxes:
    """Return n boxes of furniture's sizes in a room, turned every way."""
    from scipy.spatial.transform import Rotation

    rng = np.random.Generator(np.random.PCG64(1))
    return rng.uniform(-3, 3, (n, 3)), rng.uniform(0.1, 2.0, (n, 3)), Rotation.random(n, random_state=1).as_matrix()


def fcl_loop(boxes: Boxes, pairs: np.ndarray) -> np.ndarray:
    """Return distances by python-fcl, a pair at a time."""
    import fcl

    solids = [fcl.CollisionObject(fcl.Box(*s.tolist()), fcl.Transform(r.T, c)) for c, s, r in zip(*boxes, strict=True)]
    return np.array([max(0.0, fcl.distance(solids[a], solids[b])) for a, b in pairs])


def scipy_loop(boxes: Boxes, pairs: np.ndarray) -> np.ndarray:
    """Return distances between surface points 5 cm apart, a tree a box, a pair at a time."""
    from scipy.spatial import cKDTree

    trees = []
    for centre, size, rotation in zip(*boxes, strict=True):
        area = 2 * (size[0] * size[1] + size[1] * size[2] + size[2] * size[0])
        trees.append(cKDTree(out_of_box(surface_points(size, int(area / 0.0025) + 6), centre, rotation)))
    return np.array([trees[a].query(trees[b].data)[0].min() for a, b in pairs])


def measure_distances() -> None:
    """Print pairs of boxes a second by way of measuring."""
    print("\n| distances | pairs | pairs/s | µs a pair | largest difference, m |\n|---|--:|--:|--:|--:|")
    for n in (14, 60):
        boxes = random_boxes(n)
        pairs = np.stack(np.triu_indices(n, 1), axis=1)
        exact = box_distances(*boxes, pairs)
        ways: list[tuple[str, Callable[[], np.ndarray]]] = [
            ("box_distances", lambda b=boxes, p=pairs: box_distances(*b, p)),
            ("python-fcl, a loop", lambda b=boxes, p=pairs: fcl_loop(b, p)),
            ("scipy cKDTree of surface points, a loop", lambda b=boxes, p=pairs: scipy_loop(b, p)),
        ]
        for name, way in ways:
            off = np.abs(way() - exact)[exact > 0].max()
            each = best(way) / len(pairs)
            print(f"| {name} | {len(pairs)} | {1 / each:,.0f} | {each * 1e6:.1f} | {off:.1e} |")


if __name__ == "__main__":
    measure_rooms(Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("DATAFLOW_VSIBENCH", ".")))
    measure_meshes()
    measure_distances()
