//! `KeptKeys`: the tokens of a running daemon, in memory; the store has them as well.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::RwLock;

use crate::api::{CreatedToken, Key, Keys, KeysError, Minted, NewToken, Role, TokenRow};
use crate::clock::Clock;
use crate::stage::recorder::Access;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::tokens::KeptToken;

/// Tokens in force at most.
const MOST: usize = 1_000;
/// How long a change waits for a store that is busy.
const STORE_PATIENCE: Duration = Duration::from_secs(3);

/// The tokens of a running daemon.
pub(super) struct KeptKeys {
    known: RwLock<BTreeMap<String, KeptToken>>,
    access: Access,
    clock: Clock,
}

impl KeptKeys {
    /// The tokens `known`, which are kept in the store behind `access`.
    pub(super) fn new(known: Vec<KeptToken>, access: Access, clock: Clock) -> Self {
        let known = known.into_iter().map(|token| (token.id.clone(), token)).collect();
        Self { known: RwLock::new(known), access, clock }
    }

    /// Has the store do `work`.
    fn keep<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, String> {
        let done = self.access.with_store(STORE_PATIENCE, work);
        let done = done.ok_or_else(|| "the store is busy; try again".to_owned())?;
        done.map_err(|error| error.to_string())
    }
}

impl Keys for KeptKeys {
    fn find(&self, id: &str) -> Option<Key> {
        let known = self.known.read();
        let token = known.get(id)?;
        Some(Key {
            digest: token.digest,
            role: Role::named(&token.role)?,
            name: token.name.clone(),
            ends_ms: token.ends_ms(),
        })
    }

    fn list(&self) -> Vec<TokenRow> {
        let mut known: Vec<_> = self.known.read().values().cloned().collect();
        known.sort_by_key(|token| token.created_ms);
        rows(&known, self.clock.now_ms())
    }

    fn create(&self, wanted: &NewToken) -> Result<CreatedToken, KeysError> {
        let now_ms = self.clock.now_ms();
        hold_most(self.known.read().values(), now_ms)?;
        let minted =
            Minted::of(wanted, now_ms).map_err(|error| KeysError::Busy(error.to_string()))?;
        let kept = minted.kept.clone();
        self.keep(move |store| store.keep_token(&kept)).map_err(KeysError::Busy)?;
        let row = TokenRow::of(&minted.kept, now_ms);
        self.known.write().insert(minted.kept.id.clone(), minted.kept);
        Ok(CreatedToken { token: minted.text, row })
    }

    fn revoke(&self, id: &str) -> Result<TokenRow, KeysError> {
        let now_ms = self.clock.now_ms();
        let row = {
            let mut known = self.known.write();
            let token = known.get_mut(id).ok_or_else(|| KeysError::Unknown(id.to_owned()))?;
            // It is refused from now on, whatever the store says.
            token.revoked_ms.get_or_insert(now_ms);
            TokenRow::of(token, now_ms)
        };
        let named = id.to_owned();
        let kept = self.keep(move |store| store.revoke_token(&named, now_ms));
        kept.map(|_| row).map_err(|reason| {
            KeysError::Busy(format!(
                "it is refused from now on, but that is not stored ({reason}); revoke it again, or it \
                 is valid again after a restart"
            ))
        })
    }
}

/// What is told of `known` at `now_ms` (Unix milliseconds).
pub(super) fn rows(known: &[KeptToken], now_ms: i64) -> Vec<TokenRow> {
    known.iter().map(|token| TokenRow::of(token, now_ms)).collect()
}

/// Refuses one more token beside as many as there may be.
pub(super) fn hold_most<'t>(
    known: impl Iterator<Item = &'t KeptToken>,
    now_ms: i64,
) -> Result<(), KeysError> {
    let is_in_force = |token: &&KeptToken| token.ends_ms().is_none_or(|ends| now_ms < ends);
    let in_force = known.filter(is_in_force).count();
    if in_force >= MOST { Err(KeysError::TooMany(in_force)) } else { Ok(()) }
}
