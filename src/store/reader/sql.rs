//! Queries that users write: read-only, one at a time, bounded in time and size.

use std::time::Duration;

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, Statement};
use serde::Serialize;

use super::{ReadError, Reader};

/// Pragmas that say something of the store and change nothing.
const PRAGMAS: [&str; 9] = [
    "user_version",
    "table_info",
    "table_xinfo",
    "table_list",
    "index_list",
    "index_info",
    "page_count",
    "page_size",
    "freelist_count",
];

const READ_ONLY: &str = "only statements that read are allowed: SELECT, WITH, VALUES and EXPLAIN";

/// What a query may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rows of the answer.
    pub rows: usize,
    /// Bytes of the answer's texts and blobs.
    pub bytes: usize,
    /// Time.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { rows: 100_000, bytes: 64 << 20, time: Duration::from_secs(30) }
    }
}

/// One value of an answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// Nothing.
    Null,
    /// A whole number.
    Integer(i64),
    /// A number.
    Real(f64),
    /// A text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// The answer to a query.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Answer {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
    /// Whether there were more rows than the limits allow.
    pub is_cut: bool,
}

impl Reader {
    /// Answers the query `sql`, one statement that reads.
    ///
    /// # Errors
    /// The query is wrong, would change something, holds several statements, or takes too long.
    pub fn sql(&self, sql: &str, limits: Limits) -> Result<Answer, ReadError> {
        let answered = self.within(limits.time, |connection| {
            connection.authorizer(Some(authorize))?;
            let answer = answer(connection, sql, limits);
            connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)?;
            answer
        });
        answered.map_err(|refusal| match refusal {
            Refusal::Words(words) => ReadError::Query(words.to_owned()),
            Refusal::Sqlite(error) => self.explain(&error, limits.time),
        })
    }

    fn explain(&self, error: &rusqlite::Error, limit: Duration) -> ReadError {
        let query = |words: &str| ReadError::Query(words.to_owned());
        match (error, error.sqlite_error_code()) {
            (rusqlite::Error::MultipleStatement, _) => {
                query("give one statement at a time, without another one behind its semicolon")
            }
            (_, Some(ErrorCode::OperationInterrupted)) => ReadError::TooLong(
                limit,
                ", such as the newest: SELECT * FROM checks ORDER BY key DESC LIMIT 20",
            ),
            (_, Some(ErrorCode::AuthorizationForStatementDenied | ErrorCode::ReadOnly)) => {
                query(READ_ONLY)
            }
            (_, Some(ErrorCode::TooBig)) => query("a value of the answer is too long"),
            (rusqlite::Error::SqlInputError { msg, .. }, _) => query(msg),
            (_, Some(ErrorCode::Unknown)) => ReadError::Query(error.to_string()),
            _ => self.unreadable(limit, error),
        }
    }
}

/// Why a query is not answered.
enum Refusal {
    Words(&'static str),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn authorize(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Select
        | AuthAction::Read { .. }
        | AuthAction::Function { .. }
        | AuthAction::Recursive => Authorization::Allow,
        AuthAction::Pragma { pragma_name, .. }
            if PRAGMAS.iter().any(|name| name.eq_ignore_ascii_case(pragma_name)) =>
        {
            Authorization::Allow
        }
        _ => Authorization::Deny,
    }
}

fn answer(connection: &Connection, sql: &str, limits: Limits) -> Result<Answer, Refusal> {
    let mut statement = connection.prepare(sql)?;
    if !statement.readonly() {
        return Err(Refusal::Words(READ_ONLY));
    }
    if statement.column_count() == 0 {
        return Err(Refusal::Words("there is no query; write for instance: SELECT * FROM targets"));
    }
    if statement.parameter_count() > 0 {
        return Err(Refusal::Words("the query holds a placeholder; write the value in its place"));
    }
    Ok(collect(&mut statement, limits)?)
}

fn collect(statement: &mut Statement<'_>, limits: Limits) -> rusqlite::Result<Answer> {
    let columns: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let count = columns.len();
    let mut answer = Answer { columns, ..Answer::default() };
    let mut bytes = 0;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if answer.rows.len() >= limits.rows || bytes >= limits.bytes {
            answer.is_cut = true;
            break;
        }
        let values = (0..count)
            .map(|column| Ok(value(row.get_ref(column)?, &mut bytes)))
            .collect::<rusqlite::Result<_>>()?;
        answer.rows.push(values);
    }
    Ok(answer)
}

fn value(value: ValueRef<'_>, bytes: &mut usize) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(text) => {
            *bytes += text.len();
            Value::Text(String::from_utf8_lossy(text).into_owned())
        }
        ValueRef::Blob(blob) => {
            *bytes += blob.len();
            Value::Blob(blob.to_vec())
        }
    }
}
