//! `KeptKeys`: the tokens of whoever answers, in memory; whoever keeps them has them as well.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;

use crate::api::{CreatedToken, Key, Keys, KeysError, Minted, NewToken, Role, TokenRow};
use crate::clock::Clock;
use crate::stage::recorder::Access;
use crate::store::tokens::KeptToken;
use crate::store::{Store, StoreError};

/// Tokens in force at most.
const MOST: usize = 1_000;
/// How long a change waits for a store that is busy.
const STORE_PATIENCE: Duration = Duration::from_secs(3);

/// Who keeps tokens. What it does blocks.
pub(super) trait Keeping: Send + Sync + 'static {
    /// Adds `token`.
    ///
    /// # Errors
    /// Why it cannot be kept now.
    fn keep(&self, token: &KeptToken) -> Result<(), String>;

    /// Notes that the token `id` is revoked since `now_ms` (Unix milliseconds).
    ///
    /// # Errors
    /// Why that cannot be noted now.
    fn revoke(&self, id: &str, now_ms: i64) -> Result<(), String>;
}

/// The tokens that are known.
pub(super) struct KeptKeys<K> {
    known: RwLock<BTreeMap<String, KeptToken>>,
    /// Rises with every change that is made here.
    changes: AtomicU64,
    keeping: K,
    clock: Clock,
}

impl<K: Keeping> KeptKeys<K> {
    /// The tokens `known`, which somebody keeps.
    pub(super) fn new(known: Vec<KeptToken>, keeping: K, clock: Clock) -> Self {
        let known = known.into_iter().map(|token| (token.id.clone(), token)).collect();
        Self { known: RwLock::new(known), changes: AtomicU64::new(0), keeping, clock }
    }
}

/// Others may change them as well.
#[cfg(feature = "distributed")]
impl<K: Keeping> KeptKeys<K> {
    /// How many changes were made here.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Takes over what others have changed: `all` are those that are kept, as they were read after so
    /// many `changes` of ours.
    pub(super) fn follow(&self, all: Vec<KeptToken>, changes: u64) {
        let mut known = self.known.write();
        if self.changes() != changes {
            return;
        }
        let revoked_ms = |id: &str| known.get(id).and_then(|token| token.revoked_ms);
        let kept = all.into_iter().map(|token| {
            // What was refused once stays so, whether that could be kept or not.
            let revoked_ms = token.revoked_ms.or_else(|| revoked_ms(&token.id));
            (token.id.clone(), KeptToken { revoked_ms, ..token })
        });
        *known = kept.collect();
    }
}

impl Keeping for Access {
    fn keep(&self, token: &KeptToken) -> Result<(), String> {
        let token = token.clone();
        stored(self, move |store| store.keep_token(&token))
    }

    fn revoke(&self, id: &str, now_ms: i64) -> Result<(), String> {
        let id = id.to_owned();
        stored(self, move |store| store.revoke_token(&id, now_ms)).map(|_| ())
    }
}

/// Has the store do `work`.
fn stored<T: Send + 'static>(
    access: &Access,
    work: impl FnOnce(&mut dyn Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, String> {
    let done = access.with_store(STORE_PATIENCE, work);
    let done = done.ok_or_else(|| "the store is busy; try again".to_owned())?;
    done.map_err(|error| error.to_string())
}

impl<K: Keeping> Keys for KeptKeys<K> {
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
        self.keeping.keep(&minted.kept).map_err(KeysError::Busy)?;
        let row = TokenRow::of(&minted.kept, now_ms);
        let mut known = self.known.write();
        self.changes.fetch_add(1, Ordering::AcqRel);
        known.insert(minted.kept.id.clone(), minted.kept);
        Ok(CreatedToken { token: minted.text, row })
    }

    fn revoke(&self, id: &str) -> Result<TokenRow, KeysError> {
        let now_ms = self.clock.now_ms();
        let row = {
            let mut known = self.known.write();
            let token = known.get_mut(id).ok_or_else(|| KeysError::Unknown(id.to_owned()))?;
            // It is refused from now on, whatever the store says.
            token.revoked_ms.get_or_insert(now_ms);
            self.changes.fetch_add(1, Ordering::AcqRel);
            TokenRow::of(token, now_ms)
        };
        let kept = self.keeping.revoke(id, now_ms);
        kept.map(|()| row).map_err(|reason| {
            KeysError::Busy(format!(
                "it is refused here from now on, but that is not stored ({reason}); revoke it again, or \
                 it is valid again after a restart, and still is on other members of a cluster"
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
