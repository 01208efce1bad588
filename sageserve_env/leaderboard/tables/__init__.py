"""Tables of a board: what every entry's actions come to, kept and compared, and where the entries stand."""
