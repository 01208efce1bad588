"""The paper's long-term control, by its text and as its authors ran it."""
