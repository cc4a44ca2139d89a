//! Pages of targets: filtered, in an order, from a place on.

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::targets::{LINE, Line};
use super::{DatabaseError, Reader, Us, at, limit};
use crate::outcome::Cause;
use crate::target::{State, Target, TargetId};

/// Matches that are counted at most.
const COUNTED: i64 = 20_000;
/// What a latency is ordered by; it is 0 of those that were not polled.
const LATENCY: &str = "(r.last_latency_us::bigint + 1)";
/// What is looked through for a text; an index is made of it where the database can.
const TEXT: &str = "lower(t.url || E'\\n' || coalesce(t.name, '') || E'\\n' \
     || coalesce(t.given_id, '') || E'\\n' || coalesce(t.group_name, ''))";
/// Removed targets that may be among the slowest.
const REMOVED: usize = 1_000;
/// Keys of targets that are down lie above this one, less the time since when they are.
const DOWN: u64 = u64::MAX / 2;

/// Which targets are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PageQuery {
    /// Those in this state.
    pub state: Option<State>,
    /// Those with this text in their address, name, given id or group, in whatever case; or with
    /// this id.
    pub text: Option<String>,
    /// Those with all these labels.
    pub labels: Vec<(String, String)>,
    /// Those whose state has this cause.
    pub cause: Option<Cause>,
    /// Those of this group.
    pub group: Option<String>,
    /// In which order.
    pub order: Order,
    /// Those behind this place.
    pub after: Option<Place>,
    /// So many at most.
    pub most: usize,
}

/// The order of targets; of equals a smaller number comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// By number.
    #[default]
    Number,
    /// By the latency of the last poll, the longest first.
    Latency,
    /// By the time since when they are down; the others come last.
    Downtime,
}

/// A place in an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The figure that is ordered by; a larger one comes first.
    pub key: u64,
    /// The number.
    pub number: u32,
}

/// A condition and what is filled into it.
struct Condition {
    sql: String,
    params: Vec<Box<dyn ToSql + Sync + Send>>,
    /// Whether it holds of targets alone of which something is known.
    needs_record: bool,
    /// What holds of records beside that they are of the target.
    joined: String,
    /// What of `sql` is of records alone, each with the word before it.
    of_records: String,
}

impl Condition {
    fn of(query: &PageQuery) -> Self {
        let mut own = Self {
            sql: "t.removed_at IS NULL".to_owned(),
            params: Vec::new(),
            needs_record: false,
            joined: String::new(),
            of_records: String::new(),
        };
        match query.state {
            None => {}
            Some(State::Pending) => own.also("(r.target IS NULL OR r.state = 0)"),
            Some(state) => own.of_record(&format!("r.state = {}", state.code())),
        }
        if let Some(cause) = query.cause {
            // What is up has none; so the index of all the others does.
            own.of_record(&format!("r.state <> 1 AND r.cause = {}", cause.code()));
        }
        if let Some(group) = &query.group {
            own.with("t.group_name = $", group.clone());
        }
        if !query.labels.is_empty() {
            let pairs =
                query.labels.iter().map(|(name, value)| (name.clone(), value.clone().into()));
            let wanted = serde_json::Value::Object(pairs.collect()).to_string();
            own.params.push(Box::new(wanted));
            own.also(&format!("t.labels @> ${}::text::jsonb", own.params.len()));
        }
        if let Some(text) = &query.text {
            own.text(text);
        }
        own
    }

    fn also(&mut self, sql: &str) {
        self.sql = format!("{} AND {sql}", self.sql);
    }

    fn of_record(&mut self, sql: &str) {
        self.needs_record = true;
        self.of_records = format!("{} AND {sql}", self.of_records);
        self.also(sql);
    }

    /// Adds `sql`, whose last character is the sign before the number of `param`.
    fn with(&mut self, sql: &str, param: impl ToSql + Sync + Send + 'static) {
        self.params.push(Box::new(param));
        self.also(&format!("{sql}{}", self.params.len()));
    }

    fn text(&mut self, text: &str) {
        let escaped = text.to_lowercase().replace('\\', "\\\\").replace('%', "\\%");
        let pattern = format!("%{}%", escaped.replace('_', "\\_"));
        let [_, id] = Target::ids_meant(text);
        if id == TargetId::of_given(text) {
            self.with(&format!("{TEXT} LIKE $"), pattern);
        } else {
            self.params.push(Box::new(id.0.cast_signed()));
            let first = self.params.len();
            self.params.push(Box::new(pattern));
            self.also(&format!("(t.id = ${first} OR {TEXT} LIKE ${})", first + 1));
        }
    }

    fn tables(&self) -> String {
        let join = if self.needs_record { "JOIN" } else { "LEFT JOIN" };
        format!("target t {join} record r ON r.target = t.number{}", self.joined)
    }
}

impl Reader {
    /// The targets that are asked for, each with what it is ordered by.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn page(&self, query: &PageQuery) -> Result<Vec<(u64, Line)>, DatabaseError> {
        match query.order {
            Order::Number => self.by_number(query, Condition::of(query)).await,
            Order::Latency => self.by_latency(query).await,
            Order::Downtime => self.by_downtime(query).await,
        }
    }

    /// How many targets are asked for, 20,000 at most, wherever the page begins.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn count(&self, query: &PageQuery) -> Result<u64, DatabaseError> {
        let own = Condition::of(query);
        let sql = format!(
            "SELECT count(*) AS matches FROM (SELECT FROM {} WHERE {} LIMIT {COUNTED}) AS matching",
            own.tables(),
            own.sql
        );
        let rows = self.rows(&sql, &borrowed(&own)).await?;
        rows.first().map_or(Ok(0), |row| at::<i64>(row, "matches").map(i64::unsigned_abs))
    }

    async fn by_number(
        &self,
        query: &PageQuery,
        mut own: Condition,
    ) -> Result<Vec<(u64, Line)>, DatabaseError> {
        let after = query.after.map_or(-1, |place| i64::from(place.number));
        own.with("t.number > $", after);
        // Said of both, so that neither is read from its beginning.
        own.joined = format!(" AND r.target > ${}", own.params.len());
        let tables = own.tables();
        let rows = self.some(own, &tables, ("0::bigint", "t.number"), query.most).await?;
        rows.iter().map(|row| Ok((0, Line::of(row)?))).collect()
    }

    /// First those that were polled, then the others by number.
    async fn by_latency(&self, query: &PageQuery) -> Result<Vec<(u64, Line)>, DatabaseError> {
        let mut lines = Vec::new();
        if query.after.is_none_or(|place| place.key > 0) {
            lines = self.polled_lines(query).await?;
        }
        if lines.len() >= query.most {
            return Ok(lines);
        }
        let mut own = Condition::of(query);
        own.also("r.last_at IS NULL");
        let after = query.after.filter(|place| place.key == 0);
        let rest = PageQuery { after, most: query.most - lines.len(), ..query.clone() };
        lines.extend(self.by_number(&rest, own).await?);
        Ok(lines)
    }

    async fn polled_lines(&self, query: &PageQuery) -> Result<Vec<(u64, Line)>, DatabaseError> {
        let mut own = Condition::of(query);
        // Pending ones may be in no record, and are in the end.
        let is_of_records = own.params.is_empty() && query.state != Some(State::Pending);
        let mut behind = format!("r.last_at IS NOT NULL{}", own.of_records);
        if let Some(Place { key, number }) = query.after {
            own.params.push(Box::new(i64::try_from(key).unwrap_or(i64::MAX)));
            own.params.push(Box::new(i64::from(number)));
            let (key, number) = (own.params.len() - 1, own.params.len());
            behind = format!(
                "{behind} AND ({LATENCY} < ${key} OR ({LATENCY} = ${key} AND r.target > ${number}))"
            );
        }
        own.of_record(&behind);
        let mut tables = own.tables();
        if is_of_records {
            // Records alone are looked through, with some to spare for targets that were removed.
            let most = query.most.saturating_add(REMOVED);
            tables = format!(
                "(SELECT * FROM record r WHERE {behind} ORDER BY {LATENCY} DESC, r.target \
                 LIMIT {most}) r JOIN target t ON t.number = r.target"
            );
        }
        let order = format!("{LATENCY} DESC, r.target");
        let rows = self.some(own, &tables, (LATENCY, &order), query.most).await?;
        rows.iter().map(|row| Ok((at::<i64>(row, "key")?.unsigned_abs(), Line::of(row)?))).collect()
    }

    /// First those that are down, then the others by number.
    async fn by_downtime(&self, query: &PageQuery) -> Result<Vec<(u64, Line)>, DatabaseError> {
        let mut lines = Vec::new();
        let is_behind = query.after.is_some_and(|place| place.key == 0);
        if !is_behind && query.state.is_none_or(|state| state == State::Down) {
            lines = self.down_lines(query).await?;
        }
        if query.state == Some(State::Down) || lines.len() >= query.most {
            return Ok(lines);
        }
        let mut own = Condition::of(query);
        own.also("(r.state IS NULL OR r.state <> 3)");
        let after = query.after.filter(|_| is_behind);
        let rest = PageQuery { after, most: query.most - lines.len(), ..query.clone() };
        lines.extend(self.by_number(&rest, own).await?);
        Ok(lines)
    }

    async fn down_lines(&self, query: &PageQuery) -> Result<Vec<(u64, Line)>, DatabaseError> {
        let mut own = Condition::of(query);
        own.of_record("r.state = 3");
        if let Some(Place { key, number }) = query.after {
            let since_ms = i64::try_from(DOWN.saturating_sub(key)).unwrap_or(i64::MAX);
            own.params.push(Box::new(Us::of_ms(since_ms)));
            let first = own.params.len();
            own.params.push(Box::new(i64::from(number)));
            own.also(&format!("(r.since, r.target) > (${first}, ${})", first + 1));
        }
        let (tables, order) = (own.tables(), "r.since, r.target");
        let rows = self.some(own, &tables, ("0::bigint", order), query.most).await?;
        rows.iter()
            .map(|row| {
                let line = Line::of(row)?;
                let since_ms = line.health(0).since_ms;
                Ok((DOWN - u64::try_from(since_ms).unwrap_or(0), line))
            })
            .collect()
    }

    async fn some(
        &self,
        mut own: Condition,
        tables: &str,
        (key, order): (&str, &str),
        most: usize,
    ) -> Result<Vec<Row>, DatabaseError> {
        own.params.push(Box::new(limit(most)));
        let sql = format!(
            "SELECT {LINE}, {key} AS key FROM {tables} WHERE {} ORDER BY {order} LIMIT ${}",
            own.sql,
            own.params.len()
        );
        self.rows(&sql, &borrowed(&own)).await
    }
}

fn borrowed(own: &Condition) -> Vec<&(dyn ToSql + Sync)> {
    own.params.iter().map(|param| &**param as &(dyn ToSql + Sync)).collect()
}
