"""Questions with answers derived from geometry: task families, vocabulary, synthesis."""
