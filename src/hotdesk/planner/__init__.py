"""Which placement: one traffic played through all of them, with waits, worker hours and cost."""
