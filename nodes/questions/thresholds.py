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
