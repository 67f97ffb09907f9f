"""The claim protocol as a model, explored exhaustively: see ``docs/model.md``."""
