-- Jobs that wait for a person's word. By the key of the desk: one that was never worked at has
-- no row.
CREATE TABLE held (
    job TEXT PRIMARY KEY,
    desk TEXT NOT NULL,
    thread TEXT NOT NULL,
    instruction TEXT NOT NULL,
    interrupt TEXT NOT NULL,
    origin TEXT NOT NULL,
    reason TEXT NOT NULL,
    held_at INTEGER NOT NULL
) STRICT;
CREATE INDEX held_by_age ON held (held_at, job);
CREATE INDEX held_by_desk ON held (desk, held_at, job);
CREATE INDEX held_by_thread ON held (thread, held_at, job);

-- Amounts by name, in steps of five minutes.
CREATE TABLE tally (
    name TEXT NOT NULL,
    step INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (name, step)
) WITHOUT ROWID, STRICT;
CREATE INDEX tally_by_age ON tally (step);

-- Of every outcome that is no success: the rare ones are found among a million others.
DROP INDEX job_to_mend;
CREATE INDEX job_not_succeeded ON job (state, seq)
WHERE state IN ('failed', 'dead', 'cancelled', 'preempted');

-- A program that knows only schema 1 cannot read results with notes and costs.
UPDATE meta SET value = '2' WHERE key = 'compatible_with';
