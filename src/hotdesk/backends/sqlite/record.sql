-- name: jobs_latest
SELECT job.*, desk.key AS desk_key FROM job JOIN desk ON desk.id = job.desk
WHERE job.seq < :before
ORDER BY job.seq DESC LIMIT :limit;

-- name: jobs_of_desk
SELECT job.*, desk.key AS desk_key FROM job INDEXED BY job_by_desk
JOIN desk ON desk.id = job.desk
WHERE job.desk = :desk AND job.seq < :before AND job.seq >= :floor
    AND (:thread IS NULL OR job.thread = :thread) AND (:state IS NULL OR job.state = :state)
ORDER BY job.seq DESC LIMIT :limit;

-- name: floor
-- The last job that is looked at for one page; none if all may be.
SELECT seq FROM job WHERE seq < :before ORDER BY seq DESC LIMIT 1 OFFSET :looked;

-- name: floor_of_desk
SELECT seq FROM job INDEXED BY job_by_desk
WHERE desk = :desk AND seq < :before ORDER BY seq DESC LIMIT 1 OFFSET :looked;

-- name: ahead_of
SELECT count(*) AS ahead FROM job INDEXED BY job_pending
WHERE job.desk = (SELECT id FROM desk WHERE key = :key)
    AND job.ended_at IS NULL AND job.place < :place;

-- name: owed
SELECT job.id, job.instruction, job.partial, job.partial_commit
FROM desk JOIN job INDEXED BY job_interrupted ON job.desk = desk.id
LEFT JOIN thread ON thread.desk = desk.id AND thread.name = job.thread
WHERE desk.key = :key AND job.thread = :thread AND job.interrupted IS NOT NULL
    AND job.interrupted > coalesce(thread.success, 0)
    AND job.state IN ('preempted', 'queued')
ORDER BY job."order";

-- name: jobs_not_succeeded
SELECT job.*, desk.key AS desk_key FROM job INDEXED BY job_not_succeeded
JOIN desk ON desk.id = job.desk
WHERE job.state = :state AND job.state IN ('failed', 'dead', 'cancelled', 'preempted')
    AND job.seq < :before
ORDER BY job.seq DESC LIMIT :limit;

-- name: jobs_succeeded
SELECT job.*, desk.key AS desk_key FROM job NOT INDEXED JOIN desk ON desk.id = job.desk
WHERE job.state = 'succeeded' AND job.seq < :before AND job.seq >= :floor
ORDER BY job.seq DESC LIMIT :limit;

-- name: jobs_queued
SELECT job.*, desk.key AS desk_key FROM job INDEXED BY job_unended
JOIN desk ON desk.id = job.desk
WHERE job.ended_at IS NULL AND job.state = 'queued' AND job.seq < :before
ORDER BY job.seq DESC LIMIT :limit;

-- name: jobs_running
SELECT job.*, desk.key AS desk_key FROM desk INDEXED BY desk_owned
JOIN job ON job.id = desk.active_job
WHERE desk.owner IS NOT NULL AND job.seq < :before
ORDER BY job.seq DESC LIMIT :limit;

-- name: jobs_pending
SELECT job.*, desk.key AS desk_key FROM job INDEXED BY job_pending
JOIN desk ON desk.id = job.desk
WHERE job.desk = :desk AND job.ended_at IS NULL
ORDER BY job.place LIMIT :limit;

-- name: threads_latest
-- NOT INDEXED leaves the primary key: an index would group more easily, but over every job.
SELECT desk.key AS desk_key, job.thread, count(*) AS jobs, max(job.seq) AS last_seq
FROM job NOT INDEXED JOIN desk ON desk.id = job.desk
WHERE job.seq > (SELECT max(seq) FROM job) - :looked
GROUP BY job.desk, job.thread HAVING last_seq < :before
ORDER BY last_seq DESC LIMIT :limit;

-- name: threads_of_desk
SELECT desk.key AS desk_key, job.thread, count(*) AS jobs, max(job.seq) AS last_seq
FROM job INDEXED BY job_by_desk JOIN desk ON desk.id = job.desk
WHERE job.desk = :desk AND job.seq >= :floor
GROUP BY job.thread HAVING last_seq < :before
ORDER BY last_seq DESC LIMIT :limit;

-- name: job_by_seq
SELECT id, submitted_at FROM job WHERE seq = :seq;

-- name: insert_event
INSERT INTO event (at, kind, desk, job, generation, details)
VALUES (:at, :kind, :desk, :job, :generation, :details);

-- name: events_after
SELECT * FROM event WHERE cursor > :after ORDER BY cursor LIMIT :limit;

-- name: events_of_job
SELECT * FROM event WHERE job = :job AND job <> '' AND cursor > :after
ORDER BY cursor LIMIT :limit;

-- name: last_cursor
SELECT coalesce(max(cursor), 0) AS cursor FROM event;

-- name: last_chunk
SELECT coalesce(max(number), 0) AS number FROM log WHERE job = :job;

-- name: insert_log
INSERT INTO log (job, number, attempt, at, text) VALUES (:job, :number, :attempt, :at, :text);

-- name: log_after
SELECT * FROM log WHERE job = :job AND number > :after ORDER BY number LIMIT :limit;

-- name: log_end
SELECT * FROM log WHERE job = :job ORDER BY number DESC LIMIT 1;

-- name: remember_mail
INSERT INTO mail (message_id, desk, thread, at) VALUES (:message_id, :desk, :thread, :at)
ON CONFLICT DO NOTHING;

-- name: thread_of_mail
SELECT thread FROM mail WHERE message_id = :message_id AND desk = :desk;

-- name: answer_due
INSERT INTO outbox (job, number, state, created_at, due_at)
VALUES (:job, :number, :state, :now, :now)
ON CONFLICT DO NOTHING;

-- name: due_answers
SELECT * FROM outbox INDEXED BY outbox_due
WHERE due_at IS NOT NULL AND due_at <= :now ORDER BY due_at LIMIT :limit;

-- name: due_answers_of
SELECT * FROM outbox
WHERE job = :job AND due_at IS NOT NULL AND due_at <= :now ORDER BY number LIMIT :limit;

-- name: hold_answer
UPDATE outbox SET due_at = :until
WHERE job = :job AND number = :number AND due_at IS NOT NULL AND due_at <= :now;

-- name: answer_sent
UPDATE outbox SET due_at = NULL, sent_at = :now, tries = tries + 1
WHERE job = :job AND number = :number;

-- name: answer_failed
-- What was sent stays sent, whoever reports late.
UPDATE outbox SET due_at = :due_at, tries = tries + 1, error = :error
WHERE job = :job AND number = :number AND sent_at IS NULL;
