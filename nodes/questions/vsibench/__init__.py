"""VSI-Bench's published questions, and whether geometry gives their answers."""
