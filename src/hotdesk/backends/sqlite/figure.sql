-- name: counts
-- Each stops at a bound: only what waits, runs or needs a person is in these indexes.
SELECT
    (SELECT count(*) FROM (
        SELECT 1 FROM desk INDEXED BY desk_waiting WHERE free_since IS NOT NULL LIMIT :limit
    )) AS waiting,
    (SELECT count(*) FROM (
        SELECT 1 FROM job INDEXED BY job_unended WHERE ended_at IS NULL LIMIT :limit + :running
    )) AS unended,
    (SELECT count(*) FROM (
        SELECT 1 FROM job INDEXED BY job_not_succeeded
        WHERE state = 'dead' AND state IN ('failed', 'dead', 'cancelled', 'preempted')
        LIMIT :limit
    )) AS dead,
    (SELECT count(*) FROM (
        SELECT 1 FROM held INDEXED BY held_by_age LIMIT :limit
    )) AS held;

-- name: waiting_since
SELECT free_since FROM desk INDEXED BY desk_waiting
WHERE free_since IS NOT NULL AND paused = 0 AND pinned = 0 ORDER BY free_since LIMIT 1;

-- name: running_jobs
SELECT count(*) AS running FROM desk INDEXED BY desk_owned
WHERE owner IS NOT NULL AND active_job IS NOT NULL;

-- name: figures_since
SELECT step, counts FROM figure WHERE step >= :since ORDER BY step;

-- name: counted_up_to
SELECT CAST(value AS INTEGER) AS cursor FROM meta WHERE key = 'counted';

-- name: first_cursor
SELECT coalesce(min(cursor), 0) AS cursor FROM event;

-- name: events_to_count
-- By a span of cursors, so that what is read is bounded where few of them count.
SELECT * FROM event
WHERE cursor > :after AND cursor <= :until AND kind IN ('JobStarted', 'JobEnded')
ORDER BY cursor;

-- name: count_up_to
-- Compare and set: what two count at once is counted once.
UPDATE meta SET value = CAST(:until AS TEXT)
WHERE key = 'counted' AND value = CAST(:after AS TEXT);

-- name: figure
SELECT counts FROM figure WHERE step = :step;

-- name: set_figure
INSERT INTO figure (step, counts) VALUES (:step, :counts)
ON CONFLICT (step) DO UPDATE SET counts = excluded.counts;

-- name: delete_old_figures
DELETE FROM figure WHERE step < :before;

-- name: latest_events
SELECT * FROM event WHERE cursor < :before ORDER BY cursor DESC LIMIT :limit;
