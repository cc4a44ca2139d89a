//! Tokens of the API, without their secrets: each process that answers knows them all.

use super::read::Reader;
use super::rows::Us;
use super::{Database, DatabaseError, PATIENCE};
use crate::store::tokens::KeptToken;

/// How long a token that is worth nothing any more stays in lists, in milliseconds.
const REMEMBERED_MS: i64 = 90 * 86_400_000;

const ALL: &str = "SELECT id, name, role, digest, created_at, expires_at, revoked_at FROM token \
                   ORDER BY created_at, id LIMIT 100000";

impl Reader {
    /// All tokens, the oldest first.
    ///
    /// # Errors
    /// The database cannot be read, or holds what is no token.
    pub async fn tokens(&self) -> Result<Vec<KeptToken>, DatabaseError> {
        self.rows(ALL, &[]).await?.iter().map(token).collect()
    }
}

impl Database {
    /// Adds `token`, and forgets those that have been worth nothing for long.
    ///
    /// # Errors
    /// The database cannot be reached or refuses.
    pub async fn keep_token(&self, token: &KeptToken) -> Result<(), DatabaseError> {
        let bound = Us::of_ms(token.created_ms - REMEMBERED_MS);
        let forget = "DELETE FROM token WHERE revoked_at < $1 OR expires_at < $1";
        let put = "INSERT INTO token (id, name, role, digest, created_at, expires_at, revoked_at) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let KeptToken { id, name, role, digest, created_ms, expires_ms, revoked_ms } = token;
        let times = [Some(*created_ms), *expires_ms, *revoked_ms].map(|ms| ms.map(Us::of_ms));
        let [created, expires, revoked] = &times;
        let digest = &digest[..];
        self.within(PATIENCE, async |client| {
            client.execute(forget, &[&bound]).await?;
            client.execute(put, &[id, name, role, &digest, created, expires, revoked]).await?;
            Ok(())
        })
        .await
    }

    /// Notes that the token `id` is revoked since `now_ms` (Unix milliseconds), unless it is already;
    /// tells whether there is one.
    ///
    /// # Errors
    /// The database cannot be reached or refuses.
    pub async fn revoke_token(&self, id: &str, now_ms: i64) -> Result<bool, DatabaseError> {
        let revoke = "UPDATE token SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1";
        self.within(PATIENCE, async |client| {
            Ok(client.execute(revoke, &[&id, &Us::of_ms(now_ms)]).await? > 0)
        })
        .await
    }
}

fn token(row: &tokio_postgres::Row) -> Result<KeptToken, DatabaseError> {
    let digest: &[u8] = row.try_get("digest")?;
    let ms = |name| Ok::<_, DatabaseError>(row.try_get::<_, Option<Us>>(name)?.map(Us::ms));
    Ok(KeptToken {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        role: row.try_get("role")?,
        digest: digest
            .try_into()
            .map_err(|_| DatabaseError::Broken("a token has no digest of 32 bytes".to_owned()))?,
        created_ms: row.try_get::<_, Us>("created_at")?.ms(),
        expires_ms: ms("expires_at")?,
        revoked_ms: ms("revoked_at")?,
    })
}
