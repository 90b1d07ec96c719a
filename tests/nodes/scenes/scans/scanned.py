"""A room with known boxes as a scanner would record it: pictures, depth, cameras and a labelled mesh."""

import math
from dataclasses import dataclass

import numpy as np

from nodes.scenes.camera import intrinsics, look_at
from nodes.scenes.geometry import out_of_box, yaw_rotation
from nodes.scenes.render import World, render
from nodes.scenes.styles import STYLES

# label, centre, size, yaw: all stand on the floor, none touches another
BOXES = [
    ("bed", (-1.4, 0.9, 0.25), (2.0, 1.2, 0.5), 0.2),
    ("table", (1.3, -0.7, 0.375), (1.2, 0.7, 0.75), -0.5),
    ("chair", (0.2, 1.2, 0.45), (0.5, 0.45, 0.9), 1.1),
    ("chair", (-0.6, -1.1, 0.45), (0.5, 0.45, 0.9), 0.4),
]
ROOM_M = (5.0, 4.0, 2.6)
EVERY_S = 0.1


@dataclass
class Scan:
    """`turn`: all of it about z. Arrays as in World; rgb, depth (m) and ids of every frame; a mesh with an owner."""

    world: World
    rgb: np.ndarray
    depth: np.ndarray
    ids: np.ndarray
    vertices: np.ndarray
    triangles: np.ndarray
    owner: np.ndarray


def scan(turn: float = 0.0, frames: int = 12, size_px: int = 96, step_m: float = 0.05) -> Scan:
    spin = yaw_rotation(turn).T
    poses = []
    for f in range(frames):
        angle = 2 * math.pi * f / frames
        eye = np.array([2.2 * math.cos(angle), 1.7 * math.sin(angle), 1.5])
        poses.append(look_at(spin @ eye, spin @ np.array([-0.3 * math.cos(angle), 0.2, 0.3])))
    world = World(
        labels=[label for label, *_ in BOXES],
        centre=np.array([spin @ np.array(centre) for _, centre, _, _ in BOXES]),
        size=np.array([size for _, _, size, _ in BOXES]),
        rotation=np.array([yaw_rotation(yaw + turn) for *_, yaw in BOXES]),
        colour=np.array([(0.8, 0.2, 0.2), (0.2, 0.8, 0.2), (0.2, 0.2, 0.8), (0.8, 0.8, 0.2)]),
        room_centre=np.array([0.0, 0.0, ROOM_M[2] / 2]),
        room_size=np.array(ROOM_M),
        room_rotation=yaw_rotation(turn),
        K=intrinsics(size_px, 75.0),
        T_wc=np.stack(poses),
        time_s=np.arange(frames) * EVERY_S,
        style=STYLES["old"],
        noise_seed=1,
        size_px=size_px,
    )
    return Scan(world, *render(world), *mesh_of(world, step_m))


def mesh_of(world: World, step_m: float):
    """Floor and walls, and of each box all faces but the one it stands on."""
    parts = [(world.room_centre, world.room_size, world.room_rotation, [(2, -1), (0, -1), (0, 1), (1, -1), (1, 1)], -1)]
    sides = [(2, 1), (0, -1), (0, 1), (1, -1), (1, 1)]
    parts += [(world.centre[i], world.size[i], world.rotation[i], sides, i) for i in range(len(world.labels))]
    vertices, triangles, owner = [], [], []
    for centre, size, rotation, faces, own in parts:
        for axis, side in faces:
            a, b = (axis + 1) % 3, (axis + 2) % 3
            na, nb = (max(2, math.ceil(size[k] / step_m) + 1) for k in (a, b))
            local = np.zeros((na * nb, 3))
            local[:, axis] = side * size[axis] / 2
            local[:, a] = np.repeat(np.linspace(-0.5, 0.5, na) * size[a], nb)
            local[:, b] = np.tile(np.linspace(-0.5, 0.5, nb) * size[b], na)
            corner = (np.arange(na - 1)[:, None] * nb + np.arange(nb - 1)).ravel() + sum(map(len, vertices))
            triangles.append(np.stack([corner, corner + nb, corner + 1], 1))
            triangles.append(np.stack([corner + 1, corner + nb, corner + nb + 1], 1))
            vertices.append(out_of_box(local, centre, rotation))
            owner.append(np.full(len(local), own))
    return np.concatenate(vertices), np.concatenate(triangles), np.concatenate(owner)


def write_ply(path, vertices, triangles, text=False):
    from plyfile import PlyData, PlyElement

    rows = np.zeros(
        len(vertices), [("x", "f4"), ("y", "f4"), ("z", "f4"), ("red", "u1"), ("green", "u1"), ("blue", "u1")]
    )
    rows["x"], rows["y"], rows["z"] = vertices.T
    faces = np.zeros(len(triangles), [("vertex_indices", "i4", (3,))])
    faces["vertex_indices"] = triangles
    PlyData([PlyElement.describe(rows, "vertex"), PlyElement.describe(faces, "face")], text=text).write(str(path))
