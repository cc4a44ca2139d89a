//! Tokens of a cluster: kept in its database, known to everybody who answers.

use tokio::runtime::Handle;

use crate::app::keys::Keeping;
use crate::store::postgres::{Database, DatabaseError};
use crate::store::tokens::KeptToken;

/// Keeps tokens in the database.
pub(in crate::app) struct DatabaseKeeping {
    pub(super) database: Database,
    /// Where answers of the database are taken.
    pub(super) threads: Handle,
}

impl DatabaseKeeping {
    fn wait<T>(&self, work: impl Future<Output = Result<T, DatabaseError>>) -> Result<T, String> {
        self.threads.block_on(work).map_err(|error| error.to_string())
    }
}

impl Keeping for DatabaseKeeping {
    fn keep(&self, token: &KeptToken) -> Result<(), String> {
        self.wait(self.database.keep_token(token))
    }

    fn revoke(&self, id: &str, now_ms: i64) -> Result<(), String> {
        self.wait(self.database.revoke_token(id, now_ms)).map(|_| ())
    }
}
