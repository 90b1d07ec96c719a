"""Recorded rooms: readers of ScanNet, ScanNet++ and ARKitScenes, and what they share."""
