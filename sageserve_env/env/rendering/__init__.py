"""The dashboard of an episode: as an RGB frame, in a window, or as text for terminals."""
