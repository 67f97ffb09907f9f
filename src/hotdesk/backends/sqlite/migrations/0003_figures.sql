-- What happened in each step of five minutes, as JSON: outcomes by state, waits by class.
CREATE TABLE figure (
    step INTEGER PRIMARY KEY,
    counts TEXT NOT NULL
) STRICT;

-- The cursor of the last event that is counted in there. A program that knows only schema 2
-- counts nothing, and the next one that does goes on from here.
INSERT INTO meta VALUES ('counted', '0');
