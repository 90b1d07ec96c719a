"""The wordings of all prompts, by template name. VSI-Bench's are its own, so that answers transfer (arXiv:2412.14171).

A template is a wording: difficulty is told apart by task and wording. The line breaks are VSI-Bench's.
"""

from __future__ import annotations

_CLOSEST = "Measuring from the closest point of each object, "
_STANDING = "If I am standing by the {stand} and facing the {face}, is the {query} to "

WORDINGS: dict[str, str] = {
    "exists": "Is there a {a}?",
    "exists.see": "Can you see a {a}?",
    "count": "How many {a} are there?",
    "closer": "Which is closer to the camera, the {a} or the {b}?",
    "taller": "Which is taller, the {a} or the {b}?",
    "further_left": "Which is further left, the {a} or the {b}?",
    "object_counting": "How many {a}(s) are in this room?",
    "object_abs_distance": _CLOSEST + "what is the distance between the {a} and the {b} (in meters)?",
    "object_rel_distance": _CLOSEST + "which of these objects ({options}) is the closest to the {a}?",
    "object_rel_direction_easy": _STANDING + "the left or the right of the {face}?",
    "object_rel_direction_medium": _STANDING + "my left, right, or back?\n"
    "An object is to my back if I would have to turn at least 135 degrees in order to face it.",
    "object_rel_direction_hard": _STANDING + "my front-left, front-right, back-left, or back-right?\n"
    "The directions refer to the quadrants of a Cartesian plane "
    "(if I am standing at the origin and facing along the positive y-axis).",
    "object_size_estimation": "What is the length of the longest dimension (length, width, or height) of the {a}, "
    "measured in centimeters?",
    "room_size_estimation": "What is the size of this room (in square meters)? \n"
    "If multiple rooms are shown, estimate the size of the combined space.",
    "obj_appearance_order": "What will be the first-time appearance order of the following categories in the video: "
    "{options}?",
}
