-- Checks of other kinds than HTTP have no status: one that finds its target up is 'ok'.
DROP VIEW IF EXISTS checks;
CREATE VIEW checks (at, url, target_id, verdict, code, cause, detail, latency_ms, resolve_ms,
    connect_ms, tls_ms, first_byte_ms, transfer_ms, bytes, lag_ms, kind, key) AS
SELECT strftime('%Y-%m-%dT%H:%M:%fZ', (((((s.key >> 21) * 1000 - s.lag - s.latency + 999) / 1000
           + s.due) * 1000 + s.lag + s.latency + s.finish) / 1000) / 1000.0, 'unixepoch'),
       t.url,
       coalesce(t.given_id, printf('%016x', t.id)),
       CASE s.result >> 10 & 3
           WHEN 0 THEN 'up' WHEN 1 THEN 'warning' WHEN 2 THEN 'down' ELSE 'unknown' END,
       CASE WHEN s.result & 1023 THEN CAST(s.result & 1023 AS TEXT) ELSE coalesce(c.name, 'ok') END,
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
