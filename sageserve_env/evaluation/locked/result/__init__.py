"""The result: its file and that of the actions, what they come to, tables and pictures."""
