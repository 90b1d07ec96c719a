"""The wordings of all prompts, by template name. VSI-Bench's are its own, so that answers transfer (arXiv:2412.14171).

A template is a wording: difficulty is told apart by task and wording. The line breaks are VSI-Bench's.
"""

from __future__ import annotations

_CLOSEST = "Measuring from the closest point of each object, "
_STANDING = "If I am standing by the {stand} and facing the {face}, is the {query} to "
_FRONT = "Let front be where the camera of the {} image looks, on level ground. "
_EIGHT = "In which of the eight directions, each 45 degrees wide, "

# Route planning: what a step says; the options are turns by these names.
ROUTE_GO = "Go forward until the {a}"
ROUTE_TURN = "[please fill in]"
TURNS = ("left", "right", "back")

# What the template `think` adds to a question; the form is SpaceR's (arXiv:2504.01805), the words are ours.
THINK = (
    "First think, in <think> </think>. A map of the room from above may stand there, in <map> </map>: 10 x 10 cells, "
    "up where the first image looks, and for each category in question the cells [x, y] of its objects, from 0 to 9, "
    'as {"bed": [[2, 7]]}. Then answer, in <answer> </answer>: a letter, a number or a word.'
)
# What traces say around labels, numbers and options (sentences.py); a call without a sentence says its name.
TOLD = (
    "There is a no in the image. I count. The closest points of the and the are m apart. The closest to the is the. "
    "The longest side of the is m, cm. The is m tall. By the, facing the, the is degrees to the left right. That is. "
    "The floor measures square meters. The is first seen at s. So they appear in this order. "
    "Of the and the, the is closer to the camera taller further left. The answer is yes no."
)
CALLS = (
    "Angle Appearance order Attribute Camera direction distance elevation motion position Center Closer Closest Count "
    "any coloured identical taller Depth Direction Distance Exists First seen Further left Height Labels Longest side "
    "Object in other camera Region Room size Route Size Taller Visibility compare width length height True False None"
)

WORDINGS: dict[str, str] = {
    "exists": "Is there a {a}?",
    "exists.see": "Can you see a {a}?",
    "count": "How many {a} are there?",
    "closer": "Which is closer to the camera, the {a} or the {b}?",
    "taller": "Which is taller, the {a} or the {b}?",
    "further_left": "Which is further left, the {a} or the {b}?",
    "object_counting": "How many {a}(s) are in this room?",
    "count_identity": "How many {a} are in this room?",
    "count_attribute.colour": "How many things in this room are {a}?",
    "count_attribute.taller": "How many {a} in this room are taller than {b} meters?",
    "count_category": "How many {a} are in this room?",
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
    "route_planning": "You are a robot beginning at the {start} and facing the {face}. "
    "You want to navigate to the {target}. You will perform the following actions (Note: for each [please fill in], "
    "choose either 'turn back,' 'turn left,' or 'turn right.'): {steps}. You have reached the final destination.",
    "camera_direction": "Let front be where the camera looks, on level ground. In which direction, 45 degrees wide, is "
    "the center of the {a}? It is above or below as well if the difference in height is more than half of the level "
    "distance.",
    "camera_distance": "What is the distance from the camera to the closest point of the {a} (in meters)?",
    "depth_order": "Which of these objects is nearer, measured along the viewing direction of the camera?",
    "camera_position": _FRONT.format("first") + _EIGHT + "does the camera of the second image stand?",
    "camera_elevation": "Compared with the camera of the first image, at what height is the camera of the second "
    "image? Up to 15 centimeters of difference count as about as high.",
    "object_in_other_camera": _FRONT.format("second") + _EIGHT + "is the center of the {a} of the first image?",
    "region_in_other_camera": _FRONT.format("second") + _EIGHT + "is what the {region} of the first image shows?",
    "visibility_compare": "In which of the two images is a larger part of the {a} visible?",
    "attribute_measurement.height": "What is the height of the {a} that both images show, in centimeters?",
    "attribute_measurement.length": "What is the length of the {a} that both images show, its longer level side, in "
    "centimeters?",
    "attribute_measurement.width": "What is the width of the {a} that both images show, its shorter level side, in "
    "centimeters?",
    "camera_motion": "How did the camera move from the first image to the second? A turn of 8 degrees or more to the "
    "left or right counts as a turn, however far it moved; otherwise name the largest movement, relative to where it "
    "looked at first.",
}
