"""How policies fare where they were not tuned or trained: other days, levels of traffic and problems, in one table and heat map."""
