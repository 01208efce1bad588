"""The wall: a process of the policy's own, and how what it sees and says goes over."""
