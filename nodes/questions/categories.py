"""What kind of thing a label names: seats, tables, storage and so on, for counting by category.

Ours, after the categories of ScanNet, ARKitScenes and VSI-Bench. A label is certainly of a category (`MEMBERS`),
perhaps of one, as people differ (`DOUBTFUL`), or of none (`OTHERS`). Of one that stands nowhere here nothing is known.
"""

from __future__ import annotations

from nodes.questions.vocabulary import is_coloured_box

MEMBERS: dict[str, tuple[str, ...]] = {
    "pieces of seating furniture": (
        "chair",
        "sofa",
        "stool",
        "armchair",
        "office chair",
        "dining chair",
        "couch",
        "bench",
        "sofa chair",
    ),
    "tables or desks": ("table", "desk", "coffee table", "dining table", "end table", "side table"),
    "pieces of sleeping furniture": ("bed", "crib", "bunk bed", "single bed"),
    "pieces of storage furniture": (
        *("bookshelf", "closet", "cabinet", "shelf", "dresser", "wardrobe", "nightstand", "bookcase"),
        *("cupboard", "chest of drawers", "file cabinet", "kitchen cabinet", "bathroom cabinet"),
    ),
    "kitchen or laundry appliances": (
        *("microwave", "oven", "refrigerator", "washing machine", "washer", "dishwasher", "stove", "toaster"),
        *("clothes dryer", "coffee maker", "toaster oven"),
    ),
    "screens": ("monitor", "tv", "laptop", "projector screen"),
    "lights": ("lamp", "ceiling lamp", "floor lamp", "table lamp", "ceiling light", "desk lamp"),
}
DOUBTFUL: dict[str, tuple[str, ...]] = {
    "pieces of seating furniture": ("toilet", "ottoman", "pouf", "bed", "piano bench", "bean bag"),
    "tables or desks": (
        "counter",
        "nightstand",
        "kitchen counter",
        "kitchen island",
        "bar",
        "dresser",
        "piano",
        "tv stand",
    ),
    # a mattress is part of a bed, or one; so is a sofa bed
    "pieces of sleeping furniture": ("mattress", "sofa bed", "sofa", "couch", "futon"),
    "pieces of storage furniture": (
        *("counter", "kitchen counter", "desk", "tv stand", "refrigerator", "trash bin", "rack", "coat rack"),
        *("storage bin", "box", "basket", "mirror"),
    ),
    "kitchen or laundry appliances": ("fan", "radiator", "tv", "printer", "kettle", "sink", "water heater"),
    "screens": ("telephone", "computer", "tablet", "whiteboard", "mirror", "blackboard"),
    "lights": ("candle", "fan", "ceiling fan", "window"),
}
OTHERS = (
    *(
        "backpack",
        "bathtub",
        "clock",
        "computer mouse",
        "door",
        "fireplace",
        "guitar",
        "keyboard",
        "pillow",
        "plant",
        "towel",
    ),
    *("curtain", "picture", "shower curtain", "coat hanger", "shoe", "bottle", "book", "bag", "cup"),
)


def counted(category: str, labels: set[str]) -> list[str] | None:
    """Return which labels are of a category, in alphabetical order; None where one is in doubt or not known."""
    sure = set(MEMBERS[category])
    unsure = {label for label in labels - sure if label in DOUBTFUL[category] or not is_known(label)}
    return None if unsure else sorted(labels & sure)


def is_known(label: str) -> bool:
    """Tell whether anything is known of a label."""
    return label in _KNOWN or is_coloured_box(label)


_KNOWN = {*OTHERS, *(label for table in (MEMBERS, DOUBTFUL) for labels in table.values() for label in labels)}
