//! `KeptToken`: a token of the API as it is kept, without its secret.

/// A token of the API as it is kept, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptToken {
    /// What it is called by in lists; a part of the token itself.
    pub id: String,
    /// What it is for, in words of who made it.
    pub name: String,
    /// What it allows, as text.
    pub role: String,
    /// SHA-256 of its secret.
    pub digest: [u8; 32],
    /// When it was made, in Unix milliseconds.
    pub created_ms: i64,
    /// When it expires, in Unix milliseconds; `None`: never.
    pub expires_ms: Option<i64>,
    /// When it was revoked, in Unix milliseconds; `None`: it was not.
    pub revoked_ms: Option<i64>,
}

impl KeptToken {
    /// From when on it is worth nothing, in Unix milliseconds; `None`: never.
    #[must_use]
    pub fn ends_ms(&self) -> Option<i64> {
        match (self.expires_ms, self.revoked_ms) {
            (Some(expires), Some(revoked)) => Some(expires.min(revoked)),
            (one, other) => one.or(other),
        }
    }
}
