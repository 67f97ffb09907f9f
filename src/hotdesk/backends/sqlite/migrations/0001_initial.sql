-- Instants are INTEGER microseconds since 1970-01-01 UTC.

-- "Desk": tells our files from those of other programs.
PRAGMA application_id = 0x4465736B;

-- The lowest schema that a program may know and still work with this file.
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE desk (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    -- The fencing token: grows with every claim, never reset; so desks are never deleted.
    generation INTEGER NOT NULL DEFAULT 0,
    owner TEXT,
    lease_until INTEGER,
    -- Since when it has had no owner while jobs were pending.
    free_since INTEGER,
    pending INTEGER NOT NULL DEFAULT 0,
    -- Gives each send its place, and each job its order.
    last_place INTEGER NOT NULL DEFAULT 0,
    -- The backoff of the oldest send: the desk waits with it.
    due_at INTEGER NOT NULL DEFAULT 0,
    paused INTEGER NOT NULL DEFAULT 0,
    pinned INTEGER NOT NULL DEFAULT 0,
    release_asked INTEGER NOT NULL DEFAULT 0,
    -- The former owner did not leave by itself; the next claim is a takeover.
    unclean INTEGER NOT NULL DEFAULT 0,
    -- Threads (a JSON list) whose branch a former owner may still push to.
    unfenced TEXT NOT NULL DEFAULT '[]',
    -- The send being run.
    active_job TEXT,
    active_send INTEGER,
    active_since INTEGER,
    active_expires INTEGER,
    active_ending INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Only desks that wait and that own a worker are in an index: a million idle ones cost nothing,
-- and neither does one more job for a desk that waits or is served.
CREATE INDEX desk_waiting ON desk (paused, pinned, free_since) WHERE free_since IS NOT NULL;
CREATE INDEX desk_owned ON desk (lease_until) WHERE owner IS NOT NULL;
CREATE INDEX desk_pinned ON desk (key) WHERE pinned = 1;

CREATE TABLE job (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    desk INTEGER NOT NULL REFERENCES desk (id),
    thread TEXT NOT NULL,
    instruction TEXT NOT NULL,
    interrupt TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued',
    "order" INTEGER NOT NULL,
    place INTEGER NOT NULL,
    send INTEGER NOT NULL DEFAULT 1,
    attempt INTEGER NOT NULL DEFAULT 0,
    preemptions INTEGER NOT NULL DEFAULT 0,
    given_back INTEGER NOT NULL DEFAULT 0,
    cancelled INTEGER NOT NULL DEFAULT 0,
    -- The event that put it back or preempted it; a later success of its thread ends the debt.
    interrupted INTEGER,
    submitted_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    worker TEXT NOT NULL DEFAULT '',
    generation INTEGER NOT NULL DEFAULT 0,
    partial TEXT,
    partial_commit TEXT NOT NULL DEFAULT '',
    result TEXT,
    error TEXT NOT NULL DEFAULT '',
    outcomes INTEGER NOT NULL DEFAULT 0,
    -- How often it was handed over, and which hand-over was settled last.
    deliveries INTEGER NOT NULL DEFAULT 0,
    settled INTEGER NOT NULL DEFAULT 0,
    origin TEXT NOT NULL
) STRICT;

-- What has not ended is pending. By its end, not by its state: so no index changes when
-- it starts.
CREATE INDEX job_pending ON job (desk, place) WHERE ended_at IS NULL;
-- Those that may stop an older one: of the same thread, or of another.
CREATE INDEX job_folding ON job (desk, thread, "order")
WHERE ended_at IS NULL AND interrupt <> 'never' AND cancelled = 0;
CREATE INDEX job_preempting ON job (desk, "order")
WHERE ended_at IS NULL AND interrupt = 'desk' AND send = 1 AND cancelled = 0;
CREATE INDEX job_interrupted ON job (desk, thread, interrupted) WHERE interrupted IS NOT NULL;
CREATE INDEX job_by_desk ON job (desk, seq);
CREATE INDEX job_to_mend ON job (state, seq) WHERE state IN ('failed', 'dead');
CREATE INDEX job_unended ON job (seq) WHERE ended_at IS NULL;
CREATE INDEX job_ended ON job (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE thread (
    desk INTEGER NOT NULL REFERENCES desk (id),
    name TEXT NOT NULL,
    -- The newest job that folds older ones and has run to an end.
    run_order INTEGER NOT NULL DEFAULT 0,
    -- The event of its last success: interruptions before it are settled.
    success INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (desk, name)
) WITHOUT ROWID, STRICT;

CREATE TABLE worker (
    id TEXT PRIMARY KEY,
    pid INTEGER NOT NULL,
    pinned TEXT,
    desk INTEGER,
    draining INTEGER NOT NULL DEFAULT 0,
    free_since INTEGER,
    started_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    jobs_done INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE event (
    -- Never given twice, because retention keeps the newest event.
    cursor INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    desk TEXT NOT NULL,
    job TEXT NOT NULL,
    generation INTEGER NOT NULL,
    details TEXT
) STRICT;
CREATE INDEX event_of_job ON event (job) WHERE job <> '';

CREATE TABLE log (
    job TEXT NOT NULL,
    number INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    at INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (job, number)
) WITHOUT ROWID, STRICT;

CREATE TABLE outbox (
    job TEXT NOT NULL,
    number INTEGER NOT NULL,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- NULL once it was sent or given up.
    due_at INTEGER,
    tries INTEGER NOT NULL DEFAULT 0,
    sent_at INTEGER,
    error TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (job, number)
) WITHOUT ROWID, STRICT;
CREATE INDEX outbox_due ON outbox (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE mail (
    message_id TEXT NOT NULL,
    -- A mail to two desks belongs to a thread of each.
    desk TEXT NOT NULL,
    thread TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (message_id, desk)
) WITHOUT ROWID, STRICT;
CREATE INDEX mail_by_age ON mail (at);

INSERT INTO meta VALUES ('compatible_with', '1');
