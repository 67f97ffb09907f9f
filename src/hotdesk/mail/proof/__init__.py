"""Whether a mail comes from the domain that its From field names, and by what that is shown."""
