"""The environments as other libraries want them; each module needs the extra that its first line names."""
