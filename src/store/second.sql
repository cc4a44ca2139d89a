-- From version 1 to 2: an hour may come back after it was closed, and what is counted then is added
-- to it.

INSERT OR IGNORE INTO meta VALUES ('id', random()), ('batch', 0);

DROP VIEW IF EXISTS hours;
DROP VIEW IF EXISTS days;

-- Hours that are over, and the one of each target that is not. Of an hour that came back, counts and
-- maximum hold what is new as well, the quantiles do once it is over again.
CREATE VIEW hours (hour, url, target_id, checks, up, p50_ms, p99_ms, max_ms) AS
SELECT strftime('%Y-%m-%dT%H:%M:%fZ', h.hour * 3600, 'unixepoch'),
       t.url,
       coalesce(t.given_id, printf('%016x', t.id)),
       h.checks, h.up, h.p50_us / 1000.0, h.p99_us / 1000.0, h.max_us / 1000.0
FROM (
    SELECT c.hour, c.target, c.checks + ifnull(r.checks, 0) AS checks, c.up + ifnull(r.up, 0) AS up,
           c.p50_us, c.p99_us, nullif(max(ifnull(c.max_us, 0), ifnull(r.max_us, 0)), 0) AS max_us
    FROM closed_hour c
    LEFT JOIN record r ON r.target = c.target AND r.hour = c.hour
    UNION ALL
    SELECT hour, target, checks, up, p50_us, p99_us, max_us FROM record r
    WHERE checks > 0 AND NOT EXISTS (
        SELECT 1 FROM closed_hour o WHERE o.hour = r.hour AND o.target = r.target)
) h
LEFT JOIN target t ON t.number = h.target;

-- Days. The counts and the maximum hold the hour that is not over as well, the quantiles do once
-- it is.
CREATE VIEW days (day, url, target_id, checks, up, p50_ms, p99_ms, max_ms) AS
SELECT strftime('%Y-%m-%dT%H:%M:%fZ', d.day * 86400, 'unixepoch'),
       t.url,
       coalesce(t.given_id, printf('%016x', t.id)),
       d.checks, d.up, d.p50_us / 1000.0, d.p99_us / 1000.0, d.max_us / 1000.0
FROM (
    SELECT c.day, c.target, c.checks + ifnull(r.checks, 0) AS checks, c.up + ifnull(r.up, 0) AS up,
           c.p50_us, c.p99_us, nullif(max(ifnull(c.max_us, 0), ifnull(r.max_us, 0)), 0) AS max_us
    FROM closed_day c
    LEFT JOIN record r ON r.target = c.target AND r.hour / 24 = c.day
    UNION ALL
    SELECT hour / 24, target, checks, up, p50_us, p99_us, max_us FROM record r
    WHERE checks > 0 AND NOT EXISTS (
        SELECT 1 FROM closed_day o WHERE o.day = r.hour / 24 AND o.target = r.target)
) d
LEFT JOIN target t ON t.number = d.target;
