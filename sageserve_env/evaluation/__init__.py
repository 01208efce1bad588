"""Running policies on scenarios and what comes of it: episodes, results, tables, figures; and validation against recorded runs."""
