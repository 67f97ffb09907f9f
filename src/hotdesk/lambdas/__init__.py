"""What runs on AWS without a machine: mail in, answers out, the sweep."""
