//! What is said when targets of the fleet were told to be down, which are up all the time: what each of
//! those polls found, and when the fleet itself, which is a thread of the test, stood still.

use poller::outcome::{Cause, Detail};

use super::cluster::Cluster;
use super::fleet::Fleet;

/// How many polls are told at most.
const MOST: usize = 20;

/// The polls that told down, and what may have been behind that.
pub(crate) fn told(cluster: &Cluster, fleet: &Fleet) -> String {
    let rows = cluster.sql(&format!(
        "SELECT cause, detail, url, to_char(due, 'HH24:MI:SS.MS'), to_char(finished, 'HH24:MI:SS.MS'), \
         lag_us, latency_us, coalesce(connect_us, -1), coalesce(first_byte_us, -1), code, tries \
         FROM sample JOIN target ON target.number = sample.target WHERE verdict = 2 \
         ORDER BY finished LIMIT {MOST}"
    ));
    let polls: Vec<String> = rows.lines().map(poll).collect();
    let counts = cluster.sql(
        "SELECT string_agg(format('%s of verdict %s, cause %s, detail %s', count, verdict, cause, \
         detail), '; ') FROM (SELECT count(*), verdict, cause, detail FROM sample WHERE kind < 3 \
         GROUP BY 2, 3, 4 ORDER BY 2, 3, 4) AS counted",
    );
    let still: Vec<String> = fleet.standstills().iter().map(ToString::to_string).collect();
    let (polls, still) = (polls.join("\n"), still.join(", "));
    format!("{polls}\npolls in all: {counts}\nthe fleet stood still: {still}")
}

/// One poll, of its row.
fn poll(row: &str) -> String {
    let mut fields = row.split('|');
    let mut code = || fields.next().and_then(|field| field.parse().ok()).unwrap_or(0);
    let cause = Cause::from_code(code()).map_or("no cause", Cause::as_str);
    let detail = Detail::from_code(code()).map_or("no detail", Detail::as_str);
    let names = ["", " due ", " finished ", " lag_us ", " latency_us ", " connect_us "];
    let names = names.into_iter().chain([" first_byte_us ", " code ", " tries "]);
    let facts: Vec<String> =
        names.zip(fields).map(|(name, field)| format!("{name}{field}")).collect();
    format!("{cause} ({detail}): {}", facts.concat())
}
