"""Chaos: a real Hotdesk under real faults, judged by witnesses outside of it."""
