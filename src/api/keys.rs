//! `Keys`: the tokens that are known, whoever keeps them.

mod span;
mod written;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::visitor::Role;
use crate::clock::rfc3339;
use crate::store::tokens::KeptToken;

pub use written::{Minted, Unmintable};
pub(super) use written::{digest, parts, random_text};

/// Characters of a token's name.
const NAME: usize = 100;

/// A token, as far as a door-keeper has to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// SHA-256 of its secret.
    pub digest: [u8; 32],
    /// What it allows.
    pub role: Role,
    /// What it is for, in words of who made it.
    pub name: String,
    /// From when on it is worth nothing, in Unix milliseconds; none: never.
    pub ends_ms: Option<i64>,
}

/// The tokens that are known. Looking one up is quick; what changes them blocks.
pub trait Keys: Send + Sync + 'static {
    /// The token that is called `id`.
    fn find(&self, id: &str) -> Option<Key>;

    /// All of them, the oldest first.
    fn list(&self) -> Vec<TokenRow>;

    /// Makes a token; its secret is told this once.
    ///
    /// # Errors
    /// There are too many, or it cannot be kept.
    fn create(&self, wanted: &NewToken) -> Result<CreatedToken, KeysError>;

    /// Makes the token `id` worth nothing, at once.
    ///
    /// # Errors
    /// There is none, or that cannot be kept.
    fn revoke(&self, id: &str) -> Result<TokenRow, KeysError>;
}

/// Why tokens are not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// There is none of this id.
    #[error("there is no token {0}; poller token list shows all")]
    Unknown(String),
    /// There are so many already.
    #[error("there are {0} tokens in force already; revoke some that nobody needs any more")]
    TooMany(usize),
    /// The store cannot take it now.
    #[error("{0}")]
    Busy(String),
}

/// A token that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it allows.
    pub role: Role,
    /// What it is for, for those who look at the list.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub name: String,
    /// How long it is valid: seconds, or a number with s, m, h or d; none: until it is revoked.
    #[serde(default, deserialize_with = "span::read")]
    #[schema(schema_with = span::schema)]
    pub expires: Option<u32>,
}

impl NewToken {
    /// The same with a name that can be shown anywhere.
    #[must_use]
    pub fn plain(&self) -> Self {
        let name = self.name.replace(char::is_control, " ");
        Self { name: name.trim().to_owned(), ..self.clone() }
    }

    /// What is wrong with it.
    #[must_use]
    pub fn slip(&self) -> Option<String> {
        (self.name.chars().count() > NAME).then(|| format!("name has {NAME} characters at most"))
    }
}

/// A token that was made; this is the only time that its secret is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedToken {
    /// What is sent as `Authorization: Bearer` or `X-API-Key`.
    pub token: String,
    /// What is known of it from now on.
    #[serde(flatten)]
    pub row: TokenRow,
}

/// What is known of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenRow {
    /// What it is called by.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// When it was made.
    pub created_at: String,
    /// When it expires; null: never.
    pub expires_at: Option<String>,
    /// When it was revoked; null: it was not.
    pub revoked_at: Option<String>,
    /// Whether it can be used.
    pub state: TokenState,
}

/// Whether a token can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TokenState {
    /// It can.
    Active,
    /// Its time is over.
    Expired,
    /// Somebody revoked it.
    Revoked,
}

impl TokenState {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl TokenRow {
    /// What is told of `kept` at `now_ms` (Unix milliseconds).
    #[must_use]
    pub fn of(kept: &KeptToken, now_ms: i64) -> Self {
        let state = match (kept.revoked_ms, kept.expires_ms) {
            (Some(_), _) => TokenState::Revoked,
            (None, Some(expires)) if expires <= now_ms => TokenState::Expired,
            _ => TokenState::Active,
        };
        Self {
            id: kept.id.clone(),
            name: kept.name.clone(),
            role: Role::of_stored(&kept.role),
            created_at: rfc3339(kept.created_ms),
            expires_at: kept.expires_ms.map(rfc3339),
            revoked_at: kept.revoked_ms.map(rfc3339),
            state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_a_token_follows_from_its_times() {
        let kept = KeptToken {
            id: "a".into(),
            name: String::new(),
            role: "run".into(),
            digest: [0; 32],
            created_ms: 0,
            expires_ms: Some(10),
            revoked_ms: None,
        };
        assert_eq!(TokenRow::of(&kept, 9).state, TokenState::Active);
        assert_eq!(TokenRow::of(&kept, 10).state, TokenState::Expired);
        assert_eq!(TokenRow::of(&kept, 9).role, Role::Run);
        let revoked = KeptToken { revoked_ms: Some(5), ..kept };
        assert_eq!(TokenRow::of(&revoked, 9).state, TokenState::Revoked);
        assert_eq!(revoked.ends_ms(), Some(5));
    }
}
