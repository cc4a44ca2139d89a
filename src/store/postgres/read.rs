//! `Reader`: looks at a cluster through its database, and never changes anything there.
//!
//! Every query has a limit of rows and of time, and none walks through all samples.

mod figures;
mod fleet;
mod members;
mod page;
mod past;
mod polls;
mod rows;
mod tallies;
mod targets;

use std::time::Duration;

use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};

use super::rows::{MISSED, Us};
use super::{Address, Database, DatabaseError, VERSION};

pub use figures::{FigureRow, Since};
pub use fleet::{ClusterRow, ListFacts, ProgressRow, Room, WindowRow};
pub use members::{GapRow, LeaseRow};
pub use page::{Order, PageQuery, Place};
pub use past::{Change, Changes, Incident, IncidentPlace, Incidents};
pub use polls::{ExportPlace, PollPlace, Span};
pub use targets::{Expiring, Known, Last, Line};

/// How long a query may take, as the server counts it and as we wait for it.
const STATEMENT_LIMIT: &str =
    "-c statement_timeout=5s -c default_transaction_read_only=on -c jit=off";
const PATIENCE: Duration = Duration::from_secs(8);

/// Read-only connections to the database of a cluster.
#[derive(Clone, Debug)]
pub struct Reader {
    database: Database,
}

type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

impl Reader {
    /// Connections to the database at `address`, `most` at a time; none is made yet.
    ///
    /// # Errors
    /// The address is none, or the file with its authority cannot be read.
    pub fn at(address: &Address, most: usize) -> Result<Self, DatabaseError> {
        Ok(Self { database: Database::with_options(address, most, STATEMENT_LIMIT)? })
    }

    /// The rows that `sql` asks for, which is one of few: its plan is kept with the connection.
    pub(super) async fn rows(
        &self,
        sql: &str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, DatabaseError> {
        let asked = async {
            let client = self.database.client().await?;
            let statement: Statement = client.prepare_cached(sql).await.map_err(told)?;
            client.query(&statement, params).await.map_err(told)
        };
        in_time(PATIENCE, asked).await
    }

    /// The one row that `sql` asks for.
    async fn row(&self, sql: &str, params: Params<'_>) -> Result<Row, DatabaseError> {
        let row = self.rows(sql, params).await?.into_iter().next();
        row.ok_or_else(|| DatabaseError::Broken("a row is missing".to_owned()))
    }
}

/// What `asked` tells, if that comes within `patience`.
async fn in_time<T>(
    patience: Duration,
    asked: impl Future<Output = Result<T, DatabaseError>>,
) -> Result<T, DatabaseError> {
    let limited = tokio::time::timeout(patience, asked).await;
    limited.unwrap_or_else(|_| Err(DatabaseError::Away("an answer took too long".to_owned())))
}

/// What a query failed by: a database without our tables is one that is not set up.
fn told(error: tokio_postgres::Error) -> DatabaseError {
    match error.code() {
        Some(&(SqlState::UNDEFINED_TABLE | SqlState::INVALID_SCHEMA_NAME)) => DatabaseError::Empty,
        _ => error.into(),
    }
}

/// The column `name` of `row`.
fn at<'r, T: tokio_postgres::types::FromSql<'r>>(
    row: &'r Row,
    name: &str,
) -> Result<T, DatabaseError> {
    row.try_get(name).map_err(|error| DatabaseError::Broken(format!("{name}: {error}")))
}

/// `number` as a row of the database has it.
fn number(number: i64) -> Result<u32, DatabaseError> {
    u32::try_from(number)
        .map_err(|_| DatabaseError::Broken(format!("there is no target with the number {number}")))
}

/// `count` of rows at most, as the database wants it.
fn limit(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
