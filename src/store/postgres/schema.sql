-- The database of a cluster, version 1. Times are timestamptz, spans milliseconds or microseconds as
-- their names say; numbers of verdicts, states, causes and details are those of the embedded store.

CREATE SCHEMA IF NOT EXISTS poller;
SET LOCAL search_path TO poller;

-- One row: the version of this schema, and into how many shards targets are shared.
CREATE TABLE cluster (
    is_one boolean PRIMARY KEY DEFAULT true CHECK (is_one),
    version integer NOT NULL,
    shards integer NOT NULL CHECK (shards BETWEEN 1 AND 4096),
    -- Whoever changes targets takes the next one, and so waits for whoever changes them now: what
    -- has a higher revision is never seen before what has a lower one.
    revision bigint NOT NULL DEFAULT 0,
    -- The revision at which entries changed last, and not just pauses.
    edition bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE location (
    id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    seen_at timestamptz NOT NULL DEFAULT now(),
    -- Nobody polls from there any more, and jobs are not made for it.
    is_retired boolean NOT NULL DEFAULT false
);

-- What is polled. number = place * shards + shard.
CREATE TABLE target (
    number bigint PRIMARY KEY,
    shard integer NOT NULL,
    id bigint NOT NULL UNIQUE,
    given_id text,
    name text,
    -- The address as it is shown, without credentials.
    url text NOT NULL,
    kind smallint NOT NULL,
    every_ms integer NOT NULL CHECK (every_ms > 0),
    timeout_ms integer NOT NULL CHECK (timeout_ms > 0),
    priority smallint NOT NULL,
    locations smallint NOT NULL DEFAULT 0,
    quorum smallint NOT NULL DEFAULT 0,
    certificate_days integer NOT NULL,
    is_sentinel boolean NOT NULL DEFAULT false,
    group_name text,
    labels jsonb NOT NULL DEFAULT '{}',
    -- The whole entry as JSON, with what defaults and rules filled in at the time of the import.
    entry text NOT NULL,
    revision bigint NOT NULL,
    removed_at timestamptz,
    -- From when on it is polled: since it was imported, or came back.
    polled_since timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Who wants it polled: 0 a list, 1 somebody over the API. A list that does not name a target has
    -- it removed only when it is of a list.
    origin smallint NOT NULL DEFAULT 0,
    -- When it is removed by itself; none: never.
    expires_at timestamptz,
    -- Its last pause: from when until when it is not polled, and why. One without an end lasts until
    -- somebody ends it; one that is over stays, for those who have yet to hear of it.
    paused_at timestamptz,
    paused_until timestamptz,
    pause_reason text,
    CHECK (paused_at IS NOT NULL OR paused_until IS NULL)
);
CREATE INDEX target_changes ON target (shard, revision, number);
CREATE INDEX target_place ON target (shard, number);
CREATE INDEX target_own ON target (id) WHERE origin = 1 AND removed_at IS NULL;
CREATE INDEX target_expiry ON target (expires_at)
    WHERE expires_at IS NOT NULL AND removed_at IS NULL;
CREATE INDEX target_labels ON target USING gin (labels jsonb_path_ops);
CREATE INDEX target_group ON target (group_name, number)
    WHERE group_name IS NOT NULL AND removed_at IS NULL;
-- What a text is looked for in. Without the extension all targets are looked through.
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;
    CREATE INDEX target_text ON target USING gin (lower(url || E'\n' || coalesce(name, '') || E'\n'
        || coalesce(given_id, '') || E'\n' || coalesce(group_name, '')) public.gin_trgm_ops);
EXCEPTION WHEN OTHERS THEN
    RAISE NOTICE 'there is no index of texts: %', SQLERRM;
END $$;

-- Who has a shard, for each of the roles that have them. The epoch rises with every new owner;
-- whoever writes under an older one is refused.
CREATE TABLE lease (
    role text NOT NULL,
    shard integer NOT NULL,
    owner text,
    epoch bigint NOT NULL DEFAULT 0,
    until timestamptz,
    -- Schedulers: all jobs that fell due until then are on the topic.
    produced_until timestamptz,
    PRIMARY KEY (role, shard)
) WITH (fillfactor = 50);

CREATE TABLE member (
    name text NOT NULL,
    role text NOT NULL,
    location text NOT NULL DEFAULT '',
    host text NOT NULL,
    pid integer NOT NULL,
    version text NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    ahead_ms bigint NOT NULL DEFAULT 0,
    facts jsonb NOT NULL DEFAULT '{}',
    -- A name is a seat in its role: members of two roles may be called the same.
    PRIMARY KEY (role, name)
) WITH (fillfactor = 50);

-- Every poll and every slot that passed without one (kind 3); partitioned by the day it fell due.
CREATE TABLE sample (
    due timestamptz NOT NULL,
    target bigint NOT NULL,
    location smallint NOT NULL,
    tries smallint NOT NULL,
    finished timestamptz NOT NULL,
    kind smallint NOT NULL,
    verdict smallint NOT NULL,
    code smallint NOT NULL,
    cause smallint NOT NULL,
    detail smallint NOT NULL,
    latency_us integer NOT NULL,
    lag_us integer NOT NULL,
    bytes bigint NOT NULL,
    flags smallint NOT NULL,
    resolve_us integer,
    connect_us integer,
    tls_us integer,
    first_byte_us integer,
    transfer_us integer,
    PRIMARY KEY (due, target, location, tries)
) PARTITION BY RANGE (due);

-- What is known of a target, as its shard's recorder last wrote it.
CREATE TABLE record (
    target bigint PRIMARY KEY,
    shard integer NOT NULL,
    state smallint NOT NULL,
    since timestamptz NOT NULL,
    cause smallint NOT NULL,
    detail smallint NOT NULL,
    suspect_ms bigint NOT NULL,
    has_incident boolean NOT NULL,
    -- The offset of its last outcome in its shard's partition.
    last_offset bigint NOT NULL,
    last_at timestamptz,
    last_code smallint NOT NULL,
    last_latency_us integer NOT NULL,
    certificate_until timestamptz,
    hour integer NOT NULL,
    tally bytea NOT NULL,
    -- What each location said last, and which slots of it were recorded lately.
    votes bytea NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX record_state ON record (state, target) WHERE state <> 1;
-- Of what only changes with a state: the rows of all others are updated in place.
CREATE INDEX record_cause ON record (cause, target) WHERE state <> 1;
CREATE INDEX record_down ON record (since, target) WHERE state = 3;
CREATE INDEX record_shard ON record (shard, target);
CREATE INDEX record_certificate ON record (certificate_until) WHERE certificate_until IS NOT NULL;

CREATE TABLE transition (
    at timestamptz NOT NULL,
    target bigint NOT NULL,
    from_state smallint NOT NULL,
    to_state smallint NOT NULL,
    cause smallint NOT NULL,
    detail smallint NOT NULL,
    -- The transaction that wrote it: what is written late may be of an earlier time.
    written bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    PRIMARY KEY (target, at, to_state)
);
CREATE INDEX transition_at ON transition (at);
CREATE INDEX transition_written ON transition (written);

CREATE TABLE incident (
    target bigint NOT NULL,
    began timestamptz NOT NULL,
    ended timestamptz,
    cause smallint NOT NULL,
    detail smallint NOT NULL,
    PRIMARY KEY (target, began)
);
CREATE INDEX incident_began ON incident (began);
CREATE INDEX incident_open ON incident (target) WHERE ended IS NULL;

-- Tallies of a target and hour (hours since the Unix epoch) or day, as bytes that add up.
CREATE TABLE hour (
    target bigint NOT NULL,
    hour integer NOT NULL,
    checks integer NOT NULL,
    up integer NOT NULL,
    tally bytea NOT NULL,
    PRIMARY KEY (target, hour)
) PARTITION BY RANGE (hour);

CREATE TABLE day (
    target bigint NOT NULL,
    day integer NOT NULL,
    checks integer NOT NULL,
    up integer NOT NULL,
    tally bytea NOT NULL,
    PRIMARY KEY (target, day)
);
-- By which old ones are forgotten.
CREATE INDEX day_day ON day (day);

CREATE TABLE fleet_hour (
    shard integer NOT NULL,
    hour integer NOT NULL,
    tally bytea NOT NULL,
    PRIMARY KEY (shard, hour)
);

-- Windows of the last five minutes, by Unix second.
CREATE TABLE second (
    shard integer NOT NULL,
    second bigint NOT NULL,
    -- The revision of the shard's progress that wrote it last, so that readers read what is new.
    step bigint NOT NULL,
    window_bytes bytea NOT NULL,
    PRIMARY KEY (shard, second)
) WITH (fillfactor = 50);

-- How far the recorder of a shard is. Offsets are those of its partition of the topic of outcomes.
CREATE TABLE progress (
    shard integer PRIMARY KEY,
    epoch bigint NOT NULL DEFAULT 0,
    -- Rises with every batch.
    step bigint NOT NULL DEFAULT 0,
    -- All before this one is recorded.
    next_offset bigint NOT NULL DEFAULT 0,
    -- All before this one is in the records of targets; what lies between has to be taken in again
    -- by a new owner.
    settled_offset bigint NOT NULL DEFAULT 0,
    checks bigint NOT NULL DEFAULT 0,
    rechecks bigint NOT NULL DEFAULT 0,
    missed bigint NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0,
    -- Samples by stored code.
    codes jsonb NOT NULL DEFAULT '{}',
    -- Targets by state, in the order of the states' numbers.
    states bigint[] NOT NULL DEFAULT '{0,0,0,0,0,0}',
    -- The newest time that an outcome finished.
    newest timestamptz,
    written_at timestamptz NOT NULL DEFAULT now(),
    -- Polls from their due time until they were recorded, in milliseconds, lately: p50, p99, most.
    delay_ms bigint[] NOT NULL DEFAULT '{0,0,0}'
) WITH (fillfactor = 50);

-- Spans of time that nobody made jobs for, too long to be made up for.
CREATE TABLE gap (
    shard integer NOT NULL,
    began timestamptz NOT NULL,
    ended timestamptz NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (shard, began)
);

CREATE TABLE token (
    id text PRIMARY KEY,
    name text NOT NULL,
    role text NOT NULL,
    -- SHA-256 of its secret.
    digest bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz
);
