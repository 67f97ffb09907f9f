-- name: register
INSERT INTO worker (id, pid, pinned, free_since, started_at, seen_at)
VALUES (:worker, :pid, :pinned, :now, :now, :now)
ON CONFLICT (id) DO UPDATE SET pid = :pid, pinned = :pinned, seen_at = :now;

-- name: worker_by_id
SELECT * FROM worker WHERE id = :worker;

-- name: workers
SELECT worker.*, desk.key AS desk_key, desk.active_job
FROM worker LEFT JOIN desk ON desk.id = worker.desk AND desk.owner = worker.id
ORDER BY worker.started_at, worker.id;

-- name: other_workers
SELECT id, pid FROM worker WHERE id <> :worker;

-- name: free_workers
-- Workers that can take any desk now; the one seen last is the surest to answer.
SELECT id FROM worker
WHERE desk IS NULL AND draining = 0 AND pinned IS NULL AND seen_at > :seen_after
ORDER BY seen_at DESC LIMIT :limit;

-- name: pinned_worker
SELECT id FROM worker WHERE pinned = :key AND desk IS NULL AND draining = 0 LIMIT 1;

-- name: lingering_workers
-- Owners of desks with nothing to do: they may leave for a desk that waits.
SELECT worker.id FROM desk INDEXED BY desk_owned JOIN worker ON worker.id = desk.owner
WHERE desk.owner IS NOT NULL AND desk.pending = 0 AND worker.pinned IS NULL
LIMIT :limit;

-- name: is_one_wanted
-- A desk waits and no worker is free to take it.
SELECT
    EXISTS (
        SELECT 1 FROM desk INDEXED BY desk_waiting
        WHERE free_since IS NOT NULL AND paused = 0 AND pinned = 0 AND due_at <= :now
    )
    AND NOT EXISTS (
        SELECT 1 FROM worker
        WHERE desk IS NULL AND draining = 0 AND pinned IS NULL AND seen_at > :seen_after
    ) AS wanted;

-- name: sit
UPDATE worker SET desk = :desk, free_since = NULL, seen_at = :now WHERE id = :worker;

-- name: stand
UPDATE worker SET desk = NULL, free_since = :now, seen_at = :now, jobs_done = jobs_done + :done WHERE id = :worker;

-- name: seen
UPDATE worker SET seen_at = :now, jobs_done = jobs_done + :done WHERE id = :worker RETURNING draining;

-- name: drain
UPDATE worker SET draining = 1 WHERE id = :worker;

-- name: retire
UPDATE worker SET draining = 1 WHERE id = :worker AND desk IS NULL;

-- name: forget_worker
DELETE FROM worker WHERE id = :worker;
