-- name: announce
-- One place for the send, and the desk as it stands, in one step.
INSERT INTO desk (key, pending, last_place) VALUES (:key, 1, 1)
ON CONFLICT (key) DO UPDATE SET pending = pending + 1, last_place = last_place + 1
RETURNING id, key, generation, owner, pending, last_place, paused, pinned,
    active_job, active_send, active_ending;

-- name: announce_again
UPDATE desk SET pending = pending + 1, last_place = last_place + 1 WHERE id = :desk
RETURNING *;

-- name: begin_waiting
UPDATE desk SET free_since = :now WHERE id = :desk;

-- name: desk_by_key
SELECT * FROM desk WHERE key = :key;

-- name: desk_by_id
SELECT * FROM desk WHERE id = :desk;

-- name: held_desk
-- What the verbs of an owner need, and no more: on the hot path each column is felt.
SELECT desk.id, desk.key, desk.generation, desk.owner, desk.pending, desk.due_at, desk.paused,
    desk.pinned, desk.release_asked, desk.unfenced,
    desk.active_job, desk.active_send, desk.active_ending,
    coalesce(worker.draining, 1) AS draining, worker.pinned AS worker_pinned
FROM desk LEFT JOIN worker ON worker.id = desk.owner
WHERE desk.key = :key;

-- name: next_place
UPDATE desk SET last_place = last_place + 1 WHERE id = :desk RETURNING last_place;

-- name: waiting_desk
-- The longest without an owner, counted from when it was given way, not by the age of its jobs.
SELECT id, key, generation, paused, pinned, unclean, unfenced FROM desk INDEXED BY desk_waiting
WHERE free_since IS NOT NULL AND paused = 0 AND pinned = 0 AND due_at <= :now
ORDER BY free_since
LIMIT 1;

-- name: waiting_pinned_desk
SELECT id, key, generation, paused, pinned, unclean, unfenced FROM desk
WHERE key = :key AND free_since IS NOT NULL AND paused = 0 AND due_at <= :now;

-- name: next_due
-- When the first desk that waits out a backoff may be claimed.
SELECT min(due_at) AS due_at FROM desk INDEXED BY desk_waiting
WHERE free_since IS NOT NULL AND paused = 0 AND pinned = 0 AND due_at > :now;

-- name: shorten_backoffs
-- One that ends later than any could was made before the clock was set back.
UPDATE desk SET due_at = :latest WHERE id IN (
    SELECT id FROM desk INDEXED BY desk_waiting
    WHERE free_since IS NOT NULL AND due_at > :latest
    UNION ALL
    SELECT id FROM desk INDEXED BY desk_owned WHERE owner IS NOT NULL AND due_at > :latest
);

-- name: lapsed_desks
SELECT * FROM desk INDEXED BY desk_owned
WHERE owner IS NOT NULL AND lease_until <= :before;

-- name: desks_of_worker
SELECT * FROM desk INDEXED BY desk_owned WHERE owner IS NOT NULL AND owner = :worker;

-- name: take
-- A takeover stays one until its owner has left by itself: its answer may be asked for again.
UPDATE desk SET
    owner = :worker,
    generation = generation + 1,
    lease_until = :lease_until,
    free_since = NULL,
    release_asked = 0
WHERE id = :desk;

-- name: catch_up
-- Never back: a generation that was given away once must not be given again.
UPDATE desk SET generation = max(generation, :generation) WHERE id = :desk;

-- name: renew
UPDATE desk SET
    lease_until = :lease_until,
    active_expires = CASE WHEN active_job IS NULL THEN NULL ELSE :active_expires END
WHERE id = :desk;

-- name: activate
-- *ended* jobs ended just before: the desk is written once for them and for the next one.
UPDATE desk SET
    pending = pending - :ended,
    due_at = 0,
    active_job = :job,
    active_send = :send,
    active_since = :now,
    active_expires = :active_expires,
    active_ending = 0
WHERE id = :desk;

-- name: seal
UPDATE desk SET active_ending = 1, lease_until = :lease_until WHERE id = :desk;

-- name: deactivate
UPDATE desk SET
    pending = pending - :ended,
    due_at = :due_at,
    active_job = NULL,
    active_send = NULL,
    active_since = NULL,
    active_expires = NULL,
    active_ending = 0
WHERE id = :desk;

-- name: count_pending
UPDATE desk SET
    pending = pending + :change,
    due_at = :due_at,
    free_since = CASE WHEN pending + :change = 0 THEN NULL ELSE free_since END
WHERE id = :desk;

-- name: release
-- Compare and release: a job that was announced meanwhile keeps the owner.
UPDATE desk SET
    owner = NULL, lease_until = NULL, free_since = NULL, release_asked = 0, unclean = 0
WHERE id = :desk AND pending = 0;

-- name: leave
UPDATE desk SET
    owner = NULL,
    lease_until = NULL,
    free_since = CASE WHEN pending > 0 THEN :now END,
    release_asked = 0,
    unclean = :unclean,
    unfenced = :unfenced,
    active_job = NULL,
    active_send = NULL,
    active_since = NULL,
    active_expires = NULL,
    active_ending = 0
WHERE id = :desk;

-- name: set_unfenced
UPDATE desk SET unfenced = :unfenced WHERE id = :desk;

-- name: pause
UPDATE desk SET paused = :paused WHERE id = :desk;

-- name: ask_release
UPDATE desk SET release_asked = 1 WHERE id = :desk AND owner IS NOT NULL;

-- name: unpin_all
UPDATE desk SET pinned = 0 WHERE pinned = 1;

-- name: pin
INSERT INTO desk (key, pinned) VALUES (:key, 1)
ON CONFLICT (key) DO UPDATE SET pinned = 1;

-- name: owned_desks
SELECT * FROM desk INDEXED BY desk_owned WHERE owner IS NOT NULL AND id > :after
ORDER BY id LIMIT :limit;

-- name: waiting_desks
-- Those that any worker may claim come first.
SELECT * FROM desk INDEXED BY desk_waiting WHERE free_since IS NOT NULL
ORDER BY paused, pinned, free_since
LIMIT :limit;

-- name: waiting_desks_behind
SELECT * FROM desk INDEXED BY desk_waiting
WHERE free_since IS NOT NULL
    AND (paused, pinned, free_since, id) > (:paused, :pinned, :free_since, :desk)
ORDER BY paused, pinned, free_since, id
LIMIT :limit;

-- name: other_desks
-- Ids are given in order and never taken back, so that the floor bounds what is read.
SELECT * FROM desk
WHERE id < :before AND id >= :floor AND owner IS NULL AND free_since IS NULL
ORDER BY id DESC LIMIT :limit;

-- name: behind_desks
SELECT coalesce(max(id), 0) + 1 AS id FROM desk;

-- name: some_waiting
SELECT count(*) AS waiting FROM (
    SELECT 1 FROM desk INDEXED BY desk_waiting
    WHERE free_since IS NOT NULL AND paused = 0 AND pinned = 0 AND due_at <= :now
    LIMIT :limit
);
