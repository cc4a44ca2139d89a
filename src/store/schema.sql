-- The store of poller, version 1. Tables are internal and named in the singular; the views in the
-- plural are what other programs may read.

-- What is polled or was. Rows are never deleted, so that a number is never given twice.
CREATE TABLE target (
    number      INTEGER PRIMARY KEY,
    id          INTEGER NOT NULL,   -- 64-bit hash that names the target for ever
    shape       INTEGER NOT NULL,   -- hash of the columns behind it: whether they have to be written
    removed_ms  INTEGER,            -- since when it is not in the list any more
    added_ms    INTEGER NOT NULL,
    interval_ms INTEGER NOT NULL,
    given_id    TEXT,
    url         TEXT NOT NULL,      -- with <secret> in the place of credentials
    name        TEXT,
    team        TEXT,               -- the group of the entry
    labels      TEXT NOT NULL       -- JSON object
);

-- Every poll, appended in the order of time and never indexed otherwise: half a million rows a
-- second, half a hundred bytes each. `key` is Unix milliseconds shifted left by 21 bits, and a
-- sequence; other columns are microseconds and hold what cannot be derived from those before.
CREATE TABLE sample (
    key         INTEGER PRIMARY KEY,
    target      INTEGER NOT NULL,
    due         INTEGER NOT NULL,   -- ms that the due time is off finish - latency - lag
    finish      INTEGER NOT NULL,   -- us that the finish is off due + lag + latency
    latency     INTEGER NOT NULL,
    lag         INTEGER NOT NULL,
    result      INTEGER NOT NULL,   -- status:10 verdict:2 kind:2 provisional:1 reused:1 at_least:1
                                    -- redirects:8 cause:7 detail:8 retry_after:23, lowest first
    bytes       INTEGER NOT NULL,
    certificate INTEGER,            -- seconds from the key until the certificate runs out
    resolve     INTEGER,
    connect     INTEGER,
    tls         INTEGER,
    transfer    INTEGER,
    rest        INTEGER,            -- latency - all phases, NULL when no first byte came
    previous    INTEGER NOT NULL    -- (ms before the key << 5 | sequence) << 1 of the target's
                                    -- sample before, or (keys before << 1) | 1; 0: there is none
);

-- The state of each target as of meta.settled, and its tally of the hour that is not over.
CREATE TABLE record (
    target       INTEGER PRIMARY KEY,
    state        INTEGER NOT NULL,
    since_ms     INTEGER NOT NULL,
    cause        INTEGER NOT NULL,
    detail       INTEGER NOT NULL,
    suspect_ms   INTEGER NOT NULL,
    has_incident INTEGER NOT NULL,
    last         INTEGER NOT NULL,
    code         INTEGER NOT NULL,
    latency_us   INTEGER NOT NULL,
    certificate  INTEGER NOT NULL,
    hour         INTEGER NOT NULL,
    checks       INTEGER NOT NULL,
    up           INTEGER NOT NULL,
    p50_us       INTEGER,
    p99_us       INTEGER,
    max_us       INTEGER,
    tally        BLOB NOT NULL
);

-- Windows of the last ten minutes, by Unix second.
CREATE TABLE second (at INTEGER PRIMARY KEY, window BLOB NOT NULL);

CREATE TABLE closed_hour (
    hour   INTEGER NOT NULL,
    target INTEGER NOT NULL,
    checks INTEGER NOT NULL,
    up     INTEGER NOT NULL,
    p50_us INTEGER,
    p99_us INTEGER,
    max_us INTEGER,
    tally  BLOB NOT NULL,
    PRIMARY KEY (hour, target)
) WITHOUT ROWID;

CREATE TABLE closed_day (
    day    INTEGER NOT NULL,
    target INTEGER NOT NULL,
    checks INTEGER NOT NULL,
    up     INTEGER NOT NULL,
    p50_us INTEGER,
    p99_us INTEGER,
    max_us INTEGER,
    tally  BLOB NOT NULL,
    PRIMARY KEY (day, target)
) WITHOUT ROWID;

CREATE TABLE fleet_hour (hour INTEGER PRIMARY KEY, tally BLOB NOT NULL);

-- Changes of state; `key` is made like that of a sample, with the target in its lowest bits.
CREATE TABLE transition (
    key        INTEGER PRIMARY KEY,
    target     INTEGER NOT NULL,
    from_state INTEGER NOT NULL,
    to_state   INTEGER NOT NULL,
    cause      INTEGER NOT NULL,
    detail     INTEGER NOT NULL
);

CREATE TABLE incident (
    key      INTEGER PRIMARY KEY,
    target   INTEGER NOT NULL,
    began_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    cause    INTEGER NOT NULL,
    detail   INTEGER NOT NULL
);
CREATE UNIQUE INDEX incident_open ON incident (target) WHERE ended_ms IS NULL;

-- When a daemon watched.
CREATE TABLE run (started_ms INTEGER PRIMARY KEY, watched_until_ms INTEGER NOT NULL);

-- Single values: settled (key), samples (kept now), totals (JSON), summary (JSON), id (random, tells
-- this store from others), batch (number of the last one of this run).
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO meta VALUES ('settled', 0), ('samples', 0);

-- What stored numbers mean; filled from the program at every start.
CREATE TABLE state_name (code INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE cause_name (code INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE detail_name (code INTEGER PRIMARY KEY, name TEXT NOT NULL);

-- Every stored poll. `key` ascends with the time of recording and is the fast way in:
--   the newest    … ORDER BY key DESC LIMIT 20
--   since a time  … WHERE key > unixepoch('2026-11-22T10:00:00Z') * 1000 << 21
-- while a condition on `at` has to look at every row.
CREATE VIEW checks (at, url, target_id, verdict, code, cause, detail, latency_ms, resolve_ms,
    connect_ms, tls_ms, first_byte_ms, transfer_ms, bytes, lag_ms, kind, key) AS
SELECT strftime('%Y-%m-%dT%H:%M:%fZ', (((((s.key >> 21) * 1000 - s.lag - s.latency + 999) / 1000
           + s.due) * 1000 + s.lag + s.latency + s.finish) / 1000) / 1000.0, 'unixepoch'),
       t.url,
       coalesce(t.given_id, printf('%016x', t.id)),
       CASE s.result >> 10 & 3
           WHEN 0 THEN 'up' WHEN 1 THEN 'warning' WHEN 2 THEN 'down' ELSE 'unknown' END,
       CASE WHEN s.result & 1023 OR c.name IS NULL
           THEN CAST(s.result & 1023 AS TEXT) ELSE c.name END,
       c.name,
       nullif(d.name, ''),
       s.latency / 1000.0,
       s.resolve / 1000.0,
       s.connect / 1000.0,
       s.tls / 1000.0,
       (s.latency - ifnull(s.resolve, 0) - ifnull(s.connect, 0) - ifnull(s.tls, 0)
           - ifnull(s.transfer, 0) - s.rest) / 1000.0,
       s.transfer / 1000.0,
       s.bytes,
       s.lag / 1000.0,
       CASE s.result >> 12 & 3 WHEN 0 THEN 'slot' WHEN 1 THEN 'recheck' ELSE 'manual' END,
       s.key
FROM sample s
LEFT JOIN target t ON t.number = s.target
LEFT JOIN cause_name c ON c.code = s.result >> 25 & 127
LEFT JOIN detail_name d ON d.code = s.result >> 32 & 255;

-- The targets of the list.
CREATE VIEW targets (id, url, name, state, since, interval_s, labels) AS
SELECT coalesce(t.given_id, printf('%016x', t.id)),
       t.url,
       t.name,
       coalesce(n.name, 'pending'),
       strftime('%Y-%m-%dT%H:%M:%fZ', r.since_ms / 1000.0, 'unixepoch'),
       CASE WHEN t.interval_ms % 1000 THEN t.interval_ms / 1000.0 ELSE t.interval_ms / 1000 END,
       t.labels
FROM target t
LEFT JOIN record r ON r.target = t.number
LEFT JOIN state_name n ON n.code = r.state
WHERE t.removed_ms IS NULL;

-- Outages; `ended` is NULL while one lasts.
CREATE VIEW incidents (target_id, url, began, ended, cause, detail) AS
SELECT coalesce(t.given_id, printf('%016x', t.id)),
       t.url,
       strftime('%Y-%m-%dT%H:%M:%fZ', i.began_ms / 1000.0, 'unixepoch'),
       strftime('%Y-%m-%dT%H:%M:%fZ', i.ended_ms / 1000.0, 'unixepoch'),
       c.name,
       nullif(d.name, '')
FROM incident i
LEFT JOIN target t ON t.number = i.target
LEFT JOIN cause_name c ON c.code = i.cause
LEFT JOIN detail_name d ON d.code = i.detail;
