"""How an attempt is carried out."""
