"""Where desks and jobs are kept."""
