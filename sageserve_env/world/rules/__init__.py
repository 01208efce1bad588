"""What a world must keep to."""
