//! Taking a list of targets over in the place of the one that is there.

use deadpool_postgres::Transaction;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

use super::rows::Us;
use super::{Database, DatabaseError};
use crate::shards::Shards;
use crate::target::{Priority, Role, Target};

/// What becomes of targets that the list does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// They are polled no more.
    Removed,
    /// They stay.
    Kept,
}

/// Who wants a target polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A list: the next one that does not name it has it removed.
    List,
    /// Somebody over the API, and no list: it stays until it is removed there.
    Api,
}

impl Origin {
    /// Its number in the database.
    pub(super) const fn code(self) -> i16 {
        match self {
            Self::List => 0,
            Self::Api => 1,
        }
    }

    /// The origin that has the number `code` there.
    pub(super) const fn of_code(code: i16) -> Self {
        if code == Self::List.code() { Self::List } else { Self::Api }
    }
}

/// What an import did, in targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Those that were not polled before.
    pub new: u64,
    /// Those that are polled in another way now.
    pub changed: u64,
    /// Those that stay as they are.
    pub unchanged: u64,
    /// Those that are polled no more.
    pub removed: u64,
}

/// A target that is to be polled.
#[derive(Clone, Debug)]
pub struct Incoming<'t> {
    /// The target.
    pub target: &'t Target,
    /// Its whole entry as JSON.
    pub entry: String,
    /// When it is to go by itself, in Unix milliseconds; none: never.
    pub expires_ms: Option<i64>,
}

/// Where a list lies before it is compared.
const INCOMING: &str = "
    CREATE TEMPORARY TABLE incoming (
        place bigint NOT NULL, shard integer NOT NULL, id bigint NOT NULL, given_id text, name text,
        url text NOT NULL, kind smallint NOT NULL, every_ms integer NOT NULL,
        timeout_ms integer NOT NULL, priority smallint NOT NULL, locations smallint NOT NULL,
        quorum smallint NOT NULL, certificate_days integer NOT NULL, is_sentinel boolean NOT NULL,
        group_name text, labels text NOT NULL, entry text NOT NULL, expires_at timestamptz
    ) ON COMMIT DROP";

const TYPES: &[Type] = &[
    Type::INT8,
    Type::INT4,
    Type::INT8,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::INT2,
    Type::INT4,
    Type::INT4,
    Type::INT2,
    Type::INT2,
    Type::INT2,
    Type::INT4,
    Type::BOOL,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TIMESTAMPTZ,
];

/// What follows from an entry, and its text; the columns of both tables.
macro_rules! told {
    ($table:literal) => {
        concat!(
            $table,
            ".given_id, ",
            $table,
            ".name, ",
            $table,
            ".url, ",
            $table,
            ".kind, ",
            $table,
            ".every_ms, ",
            $table,
            ".timeout_ms, ",
            $table,
            ".priority, ",
            $table,
            ".locations, ",
            $table,
            ".quorum, ",
            $table,
            ".certificate_days, ",
            $table,
            ".is_sentinel, ",
            $table,
            ".group_name, ",
            $table,
            ".entry"
        )
    };
}

/// Whether a target and what comes in differ.
macro_rules! differs {
    () => {
        concat!("(", told!("target"), ") IS DISTINCT FROM (", told!("incoming"), ")")
    };
}

const COUNT: &str = concat!(
    "SELECT count(*) FILTER (WHERE target.id IS NULL OR removed_at IS NOT NULL), \
     count(*) FILTER (WHERE removed_at IS NULL AND target.id IS NOT NULL AND ",
    differs!(),
    "), count(*) FROM incoming LEFT JOIN target USING (id)"
);

/// A target that was there before keeps its number, and stays a list's when the API changes it.
const CHANGE: &str = concat!(
    "UPDATE target SET (given_id, name, url, kind, every_ms, timeout_ms, priority, locations, \
     quorum, certificate_days, is_sentinel, group_name, entry, labels, revision, removed_at, \
     polled_since, origin) = (",
    told!("incoming"),
    ", incoming.labels::jsonb, $1, NULL, CASE WHEN target.removed_at IS NULL \
     THEN target.polled_since \
     ELSE clock_timestamp() END, CASE WHEN target.removed_at IS NULL \
     THEN least(target.origin, $2) ELSE $2 END) FROM incoming WHERE target.id = incoming.id \
     AND (target.removed_at IS NOT NULL OR ",
    differs!(),
    ")"
);

/// New ones get the next places of their shards, in the order of the list; place 0 stays empty, for
/// a target of the number 0 has none yet.
const ADD: &str = concat!(
    "INSERT INTO target (number, shard, id, given_id, name, url, kind, every_ms, timeout_ms, \
     priority, locations, quorum, certificate_days, is_sentinel, group_name, entry, labels, \
     revision, origin) SELECT (coalesce(last, 0) + row_number() OVER (PARTITION BY incoming.shard \
     ORDER BY place)) * $2 + incoming.shard, incoming.shard, incoming.id, ",
    told!("incoming"),
    ", incoming.labels::jsonb, $1, $3 FROM incoming \
     LEFT JOIN (SELECT shard, (SELECT max(number) FROM target WHERE target.shard = new.shard) / $2 \
     AS last FROM (SELECT DISTINCT shard FROM incoming) AS new) AS taken \
     ON taken.shard = incoming.shard \
     WHERE NOT EXISTS (SELECT FROM target WHERE target.id = incoming.id)"
);

/// What a list names is the list's from then on, however it came; nobody else has to know.
const ADOPT: &str = "UPDATE target SET origin = 0, expires_at = NULL FROM incoming \
                     WHERE target.id = incoming.id \
                     AND (target.origin <> 0 OR target.expires_at IS NOT NULL)";

const REMOVE: &str = "UPDATE target SET removed_at = now(), revision = $1 \
                      WHERE removed_at IS NULL AND origin = 0 \
                      AND NOT EXISTS (SELECT FROM incoming WHERE incoming.id = target.id)";

impl Database {
    /// Takes `list` over, each target with its whole entry as JSON, all of it or nothing. A target
    /// that was there before is known by its id and keeps its number; one that is as it was is left
    /// alone. Of the others, only those are removed that a list named before: not what came over the
    /// API.
    ///
    /// # Errors
    /// There is no cluster, or the database cannot be reached or does not let us.
    pub async fn import<'t>(
        &self,
        list: impl Iterator<Item = (&'t Target, String)>,
        others: Others,
    ) -> Result<Imported, DatabaseError> {
        let shards = self.cluster().await?.shards;
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let_go(&transaction).await?;
        let list = list.map(|(target, entry)| Incoming { target, entry, expires_ms: None });
        bring(&transaction, shards, list).await?;
        let revision = revision(&transaction).await? + 1;
        let mut imported = merge(&transaction, shards, revision, Origin::List).await?;
        transaction.execute(ADOPT, &[]).await?;
        if others == Others::Removed {
            imported.removed = transaction.execute(REMOVE, &[&revision]).await?;
        }
        if imported.is_any() {
            rise(&transaction, revision).await?;
        }
        if imported.new > 1_000 {
            transaction.batch_execute("ANALYZE target").await?;
        }
        transaction.commit().await?;
        Ok(imported)
    }
}

impl Imported {
    /// Whether anything is not as it was.
    pub(super) const fn is_any(&self) -> bool {
        self.new + self.changed + self.removed > 0
    }
}

/// Has `transaction` end when we say nothing for a minute: others wait for it.
pub(super) async fn let_go(transaction: &Transaction<'_>) -> Result<(), DatabaseError> {
    let set = "SET LOCAL idle_in_transaction_session_timeout = '60s'";
    Ok(transaction.batch_execute(set).await?)
}

/// The revision of the targets. Whoever else changes some waits from here on.
pub(super) async fn revision(transaction: &Transaction<'_>) -> Result<i64, DatabaseError> {
    let asked = "SELECT revision FROM cluster FOR UPDATE";
    let row = transaction.query_opt(asked, &[]).await?.ok_or(DatabaseError::Empty)?;
    Ok(row.try_get(0)?)
}

/// Tells that the targets are of `revision` now, and their entries with them.
pub(super) async fn rise(
    transaction: &Transaction<'_>,
    revision: i64,
) -> Result<(), DatabaseError> {
    let rise = "UPDATE cluster SET revision = $1, edition = $1";
    transaction.execute(rise, &[&revision]).await?;
    Ok(())
}

/// Has what comes in polled, as what `origin` wants.
pub(super) async fn merge(
    transaction: &Transaction<'_>,
    shards: Shards,
    revision: i64,
    origin: Origin,
) -> Result<Imported, DatabaseError> {
    let row = transaction.query_one(COUNT, &[]).await?;
    let (new, changed, all): (i64, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    let origin = origin.code();
    if new + changed > 0 {
        transaction.execute(CHANGE, &[&revision, &origin]).await?;
    }
    if new > 0 {
        transaction.execute(ADD, &[&revision, &i64::from(shards.count()), &origin]).await?;
    }
    Ok(Imported {
        new: count(new),
        changed: count(changed),
        unchanged: count(all - new - changed),
        removed: 0,
    })
}

/// Has `list` lie where it is compared.
pub(super) async fn bring<'t>(
    transaction: &Transaction<'_>,
    shards: Shards,
    list: impl Iterator<Item = Incoming<'t>>,
) -> Result<(), DatabaseError> {
    transaction.batch_execute(INCOMING).await?;
    copy(transaction, shards, list).await?;
    Ok(transaction.batch_execute("ANALYZE incoming").await?)
}

/// Brings `list` into the table for what comes in.
async fn copy<'t>(
    transaction: &Transaction<'_>,
    shards: Shards,
    list: impl Iterator<Item = Incoming<'t>>,
) -> Result<(), DatabaseError> {
    let sink = transaction.copy_in("COPY incoming FROM STDIN BINARY").await?;
    let mut rows = std::pin::pin!(BinaryCopyInWriter::new(sink, TYPES));
    for (place, incoming) in (1_i64..).zip(list) {
        let row = Row::of(place, shards, incoming);
        rows.as_mut().write(&row.values()).await?;
    }
    rows.as_mut().finish().await?;
    Ok(())
}

/// A target as a row of what comes in.
struct Row<'t> {
    place: i64,
    shard: i32,
    id: i64,
    given_id: Option<&'t str>,
    name: Option<&'t str>,
    url: String,
    kind: i16,
    every_ms: i32,
    timeout_ms: i32,
    priority: i16,
    locations: i16,
    quorum: i16,
    certificate_days: i32,
    is_sentinel: bool,
    group: Option<&'t str>,
    labels: String,
    entry: String,
    expires: Option<Us>,
}

impl<'t> Row<'t> {
    fn of(place: i64, shards: Shards, incoming: Incoming<'t>) -> Self {
        let Incoming { target, entry, expires_ms } = incoming;
        let small = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let plan = &target.plan;
        let pairs = target.labels.pairs.iter();
        let labels: serde_json::Map<_, _> =
            pairs.map(|(name, text)| (name.to_string(), (&**text).into())).collect();
        Self {
            place,
            shard: small(shards.of_id(target.id)),
            id: target.id.0.cast_signed(),
            given_id: target.given_id.as_deref(),
            name: target.name.as_deref(),
            url: target.address.to_string(),
            kind: i16::from(plan.probe.kind().code()),
            every_ms: small(target.every_ms),
            timeout_ms: small(target.timeout_ms),
            priority: number(target.priority),
            locations: plan.locations.map_or(0, |most| i16::from(most.get())),
            quorum: plan.quorum.map_or(0, |least| i16::from(least.get())),
            certificate_days: small(target.certificate_days()),
            is_sentinel: plan.role == Role::Sentinel,
            group: target.labels.group.as_deref(),
            labels: serde_json::Value::Object(labels).to_string(),
            entry,
            expires: expires_ms.map(Us::of_ms),
        }
    }

    /// Its columns, in their order.
    fn values(&self) -> [&(dyn ToSql + Sync); 18] {
        [
            &self.place,
            &self.shard,
            &self.id,
            &self.given_id,
            &self.name,
            &self.url,
            &self.kind,
            &self.every_ms,
            &self.timeout_ms,
            &self.priority,
            &self.locations,
            &self.quorum,
            &self.certificate_days,
            &self.is_sentinel,
            &self.group,
            &self.labels,
            &self.entry,
            &self.expires,
        ]
    }
}

/// A priority as it is stored: its place among all.
fn number(priority: Priority) -> i16 {
    let place = Priority::ALL.iter().position(|known| *known == priority);
    place.and_then(|place| i16::try_from(place).ok()).unwrap_or(0)
}
