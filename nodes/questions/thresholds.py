"""Margins and floors below which a question is not asked, each with its source.

"VSI-Bench" is arXiv:2412.14171 as its public generator and answers have it; "ours" was chosen so that no answer turns
on a pixel or on which of two readings of a word is meant.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from nodes.scenes.visibility import SEEN_PIXELS, SEEN_VISIBILITY

Share = Annotated[float, Meta(ge=0, le=1)]
Metres = Annotated[float, Meta(ge=0, extra={"unit": "m"})]


class Thresholds(Struct, frozen=True, forbid_unknown_fields=True):
    """Every number that decides whether a question may be asked."""

    visibility_min: Annotated[Share, Meta(description="share of the surface points in view (SpatialEvo)")] = (
        SEEN_VISIBILITY
    )
    pixels_min: Annotated[Share, Meta(description="share of the frame's pixels (ours)")] = SEEN_PIXELS
    closer_m: Annotated[Metres, Meta(description="difference of two camera distances (SpatialEvo's depth order)")] = (
        0.15
    )
    closer_ratio: Annotated[Share, Meta(description="the same, as a share of the larger (ours)")] = 0.1
    taller_ratio: Annotated[Share, Meta(description="difference of two heights, share of the larger (ours)")] = 0.15
    taller_visibility_min: Annotated[Share, Meta(description="visibility where height is judged (ours)")] = 0.2
    left_width: Annotated[Share, Meta(description="difference of two centroids, share of the width (ours)")] = 0.08
    count_max: Annotated[int, Meta(ge=2, le=9, description="largest count in one frame; k options (ours)")] = 4
    counting_min: Annotated[int, Meta(ge=1, description="instances in a room (VSI-Bench)")] = 2
    abs_distance_min_m: Annotated[Metres, Meta(description="smallest distance asked for (VSI-Bench's answers)")] = 0.4
    room_size_match: Annotated[Share, Meta(description="drawn against stated area, where walls are ours (ours)")] = 0.05
    rel_distance_gap_m: Annotated[Metres, Meta(description="between any two options (VSI-Bench)")] = 0.15
    rel_distance_min_m: Annotated[Metres, Meta(description="of the closest option (VSI-Bench)")] = 0.15
    direction_min_m: Annotated[Metres, Meta(description="between two objects, on the floor (VSI-Bench)")] = 0.3
    direction_max_m: Annotated[Metres, Meta(description="between two objects, on the floor (VSI-Bench)")] = 5.0
    direction_deg: Annotated[
        float,
        Meta(
            ge=0,
            lt=22.5,
            description="from any boundary, on both sides (VSI-Bench: one)",
            extra={"unit": "deg"},
        ),
    ] = 10.0
    order_gap_s: Annotated[
        float, Meta(ge=0, description="between first appearances (VSI-Bench)", extra={"unit": "s"})
    ] = 1.0
    steep_deg: Annotated[
        float, Meta(ge=0, le=20, description="from the slope of above and below (ours)", extra={"unit": "deg"})
    ] = 5.0
    tilt_deg: Annotated[
        float, Meta(ge=0, le=89, description="steepest view that has a level front (ours)", extra={"unit": "deg"})
    ] = 60.0
    roll_deg: Annotated[
        float,
        Meta(ge=0, le=90, description="a picture more on its side has another left (ours)", extra={"unit": "deg"}),
    ] = 30.0
    shared_min: Annotated[int, Meta(ge=0, description="objects that both images of a pair show (ours)")] = 2
    cameras_apart_m: Annotated[Metres, Meta(description="between two cameras, on the floor (ours)")] = 0.3
    same_height_m: Annotated[Metres, Meta(description="from SpatialEvo's .15 m between two cameras (ours)")] = 0.05
    visibility_gap: Annotated[Share, Meta(description="difference of two visible shares (ours)")] = 0.1
    upright_deg: Annotated[
        float, Meta(ge=0, lt=45, description="of the edge that is a box's height (ours)", extra={"unit": "deg"})
    ] = 15.0
    turn_deg: Annotated[
        float, Meta(ge=0, le=8, description="from SpatialEvo's 8 of a turn (ours)", extra={"unit": "deg"})
    ] = 2.0
    motion_min_m: Annotated[Metres, Meta(description="movement along the main axis (ours)")] = 0.1
    motion_gap: Annotated[Share, Meta(description="main over second axis, share of the main (ours)")] = 0.25
    region_share: Annotated[Share, Meta(description="of a region that lies in its direction (ours)")] = 0.8
