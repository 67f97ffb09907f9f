-- name: hold
-- A mail that is delivered again after its approval is a job already, and waits no more.
INSERT INTO held (job, desk, thread, instruction, interrupt, origin, reason, held_at)
SELECT :job, :desk, :thread, :instruction, :interrupt, :origin, :reason, :now
WHERE NOT EXISTS (SELECT 1 FROM job WHERE id = :job)
ON CONFLICT DO NOTHING;

-- name: held_oldest
SELECT * FROM held INDEXED BY held_by_age ORDER BY held_at, job LIMIT :limit;

-- name: held_of_desk
SELECT * FROM held INDEXED BY held_by_desk WHERE desk = :desk ORDER BY held_at, job LIMIT :limit;

-- name: held_of_thread
SELECT * FROM held INDEXED BY held_by_thread
WHERE thread = :thread AND desk = coalesce(:desk, desk)
ORDER BY held_at, job LIMIT :limit;

-- name: held_job
SELECT * FROM held WHERE job = :job;

-- name: drop_held
DELETE FROM held WHERE job = :job;

-- name: held_before
SELECT job, desk, origin FROM held INDEXED BY held_by_age
WHERE held_at < :before ORDER BY held_at LIMIT :limit;
