"""What goes wrong: VMs that fail or are evicted, regions that go out, lead times that are drawn, a router that sees the past."""
