-- name: job_by_id
SELECT job.*, desk.key AS desk_key FROM job JOIN desk ON desk.id = job.desk WHERE job.id = :job;

-- name: is_known
SELECT 1 FROM job WHERE id = :job;

-- name: running_job
-- What the rules need.
SELECT id, send, "order", thread, interrupt, attempt, preemptions, given_back, cancelled
FROM job WHERE id = :job;

-- name: settling_job
-- What the rules need of a job, what is written when it settles, and its desk as its owner
-- needs it, in one look.
SELECT job.seq, job.id, job.desk, job.thread, job.interrupt, job."order", job.place, job.send,
    job.attempt, job.preemptions, job.given_back, job.cancelled, job.started_at, job.error,
    job.outcomes, job.deliveries, job.settled, job.origin,
    desk.key AS desk_key, desk.generation, desk.owner, desk.active_job, desk.active_send,
    desk.due_at, desk.paused, desk.release_asked, coalesce(worker.draining, 1) AS draining,
    thread.success
FROM job JOIN desk ON desk.id = job.desk
LEFT JOIN worker ON worker.id = desk.owner
LEFT JOIN thread ON thread.desk = job.desk AND thread.name = job.thread
WHERE job.id = :job;

-- name: insert_job
INSERT INTO job (id, desk, thread, instruction, interrupt, "order", place, submitted_at, origin)
VALUES (:id, :desk, :thread, :instruction, :interrupt, :place, :place, :now, :origin);

-- name: head
-- The oldest send: by place, never by time, since two sends can share a microsecond.
SELECT job.*, thread.run_order, thread.success
FROM job INDEXED BY job_pending
LEFT JOIN thread ON thread.desk = job.desk AND thread.name = job.thread
WHERE job.desk = :desk AND job.ended_at IS NULL
ORDER BY job.place
LIMIT 1;

-- name: newer
-- One of each kind is enough: each of the same thread folds the older job in, and each
-- of another one preempts it.
SELECT * FROM (
    SELECT id, send, "order", thread, interrupt, attempt, preemptions, given_back, cancelled
    FROM job INDEXED BY job_folding
    WHERE desk = :desk AND thread = :thread AND "order" > :order
        AND ended_at IS NULL AND interrupt <> 'never' AND cancelled = 0
    LIMIT 1
)
UNION ALL
SELECT * FROM (
    SELECT id, send, "order", thread, interrupt, attempt, preemptions, given_back, cancelled
    FROM job INDEXED BY job_preempting
    WHERE desk = :desk AND "order" > :order AND thread <> :thread
        AND ended_at IS NULL AND interrupt = 'desk' AND send = 1 AND cancelled = 0
    LIMIT 1
);

-- name: folded
-- What this job continues: interrupted since the last success of the thread. A job
-- that was put back and is older than this one ends as soon as its turn comes.
SELECT id, instruction, partial, partial_commit FROM job INDEXED BY job_interrupted
WHERE desk = :desk AND thread = :thread AND interrupted IS NOT NULL AND interrupted > :success AND id <> :job
    AND (state = 'preempted' OR (state = 'queued' AND "order" < :order AND :interrupt <> 'never'))
ORDER BY "order";

-- name: start
UPDATE job SET
    state = 'running', attempt = :attempt, started_at = :now, worker = :worker,
    generation = :generation, deliveries = deliveries + 1
WHERE seq = :seq;

-- name: back_to_queue
UPDATE job SET state = 'queued' WHERE id = :job AND state = 'running';

-- name: settle
UPDATE job SET
    state = :state, place = :place, send = :send, attempt = :attempt,
    preemptions = :preemptions, given_back = :given_back,
    interrupted = coalesce(:interrupted, interrupted),
    ended_at = :ended_at, result = :result, error = :error, outcomes = :outcomes,
    settled = :settled
WHERE seq = :seq;

-- name: mark_cancelled
UPDATE job SET cancelled = 1 WHERE seq = :seq;

-- name: save_partial
UPDATE job SET
    partial = :partial,
    partial_commit = CASE WHEN :commit = '' THEN partial_commit ELSE :commit END
WHERE id = :job;

-- name: thread_stopped
-- A thread without an interruption has no row: nothing of it is ever owed or overtaken.
INSERT INTO thread (desk, name) VALUES (:desk, :thread) ON CONFLICT DO NOTHING;

-- name: thread_ran
-- What was put back may have been overtaken, and what is owed ends with a success.
UPDATE thread SET run_order = max(run_order, :run_order), success = max(success, :success)
WHERE desk = :desk AND name = :thread;

-- name: thread_state
SELECT run_order, success FROM thread WHERE desk = :desk AND name = :thread;

-- name: retry
UPDATE job SET
    state = 'queued', "order" = :place, place = :place, send = send + 1, attempt = 0,
    preemptions = 0, given_back = 0, cancelled = 0, interrupted = NULL, started_at = NULL,
    ended_at = NULL, result = NULL, error = ''
WHERE seq = :seq;

-- name: pending_of_thread
SELECT 1 FROM job INDEXED BY job_pending
WHERE desk = :desk AND ended_at IS NULL AND thread = :thread
LIMIT 1;

-- name: delete_job
DELETE FROM job WHERE seq = :seq;

-- name: delete_log
DELETE FROM log WHERE job = :job;

-- name: delete_outbox
DELETE FROM outbox WHERE job = :job;

-- name: ended_before
-- An interrupted job is kept until its thread has succeeded: a later run is handed it.
SELECT job.seq, job.id FROM job INDEXED BY job_ended
LEFT JOIN thread ON thread.desk = job.desk AND thread.name = job.thread
WHERE job.ended_at IS NOT NULL AND job.ended_at < :before AND job.state <> 'dead'
    AND (job.state <> 'preempted' OR coalesce(thread.success, 0) > job.interrupted)
    -- Somebody still waits for its answer.
    AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.job = job.id AND outbox.due_at IS NOT NULL)
LIMIT :limit;

-- name: delete_old_events
-- Only the oldest are looked at: a search by time would read every event in every sweep.
-- The newest stays, because the next cursor is counted from it.
DELETE FROM event WHERE cursor IN (
    SELECT cursor FROM (SELECT cursor, at FROM event ORDER BY cursor LIMIT :limit)
    WHERE at < :before AND cursor < (SELECT max(cursor) FROM event)
);

-- name: delete_old_mail
DELETE FROM mail WHERE (message_id, desk) IN (
    SELECT message_id, desk FROM mail INDEXED BY mail_by_age WHERE at < :before LIMIT :limit
);
