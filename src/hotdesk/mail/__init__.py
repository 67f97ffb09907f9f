"""Mail without a network: what a letter says, where it belongs, who may write, what we answer."""
