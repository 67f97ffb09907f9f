"""Where instructions come from: each intake turns something outside into submitted jobs."""
