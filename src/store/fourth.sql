-- From version 3 to 4: what comes through the API and not from the list.

-- Tokens of the API. The secret itself is not kept, only its SHA-256.
CREATE TABLE token (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    role       TEXT NOT NULL,      -- read, run or admin
    hash       BLOB NOT NULL,      -- SHA-256 of the secret
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER,            -- NULL: never
    revoked_ms INTEGER             -- NULL: it is not
) WITHOUT ROWID;

-- Targets that were added through the API; they are polled beside those of the list.
CREATE TABLE own_target (
    id         INTEGER PRIMARY KEY, -- 64-bit hash that names the target for ever
    entry      TEXT NOT NULL,       -- JSON, as an entry of a list
    added_ms   INTEGER NOT NULL,
    expires_ms INTEGER              -- when it is polled no more; NULL: never
);

-- Targets that are not polled for now.
CREATE TABLE pause (
    id       INTEGER PRIMARY KEY,   -- 64-bit hash that names the target for ever
    since_ms INTEGER NOT NULL,
    until_ms INTEGER,               -- NULL: until somebody resumes it
    reason   TEXT NOT NULL
);

-- What is announced on the status page.
CREATE TABLE announcement (
    id       INTEGER PRIMARY KEY,
    title    TEXT NOT NULL,
    text     TEXT NOT NULL,
    kind     TEXT NOT NULL,         -- information, maintenance or outage
    from_ms  INTEGER NOT NULL,
    until_ms INTEGER                -- NULL: until it is taken down
);

-- The changes and outages of one target, and the outages that last, without looking at all others.
CREATE INDEX transition_of ON transition (target, key, from_state, to_state);
CREATE INDEX incident_of ON incident (target, key);
CREATE INDEX incident_lasting ON incident (key) WHERE ended_ms IS NULL;
