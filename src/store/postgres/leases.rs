//! `Leases`: which shards are ours, kept by the database's clock and given up by our own.
//!
//! A lease is renewed several times before it ends. Whoever cannot renew in time stops by itself, by
//! its own monotonic clock and a little before the database lets others in, so that no shard has two
//! owners; what is written late all the same carries an epoch that is refused.

mod held;
mod member;
mod share;
mod sql;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use deadpool_postgres::Client;
use tokio::time::Instant;

use super::{Database, DatabaseError};
use crate::clock::Clock;

pub use held::{Held, Holding};
pub use member::MemberFacts;

/// Part of a lease's length by which we stop before it ends.
const MARGIN: u32 = 10;
/// How often a lease is renewed while it lasts.
const RENEWALS: u32 = 3;
/// Longest time until the next [`Leases::tend`] of a member that lacks shards.
const LACKING: Duration = Duration::from_millis(500);

/// An answer that takes as long says little about clocks.
const LONG_ROUND: Duration = Duration::from_secs(1);
/// How long the database gets to take all back.
const FAREWELL: Duration = Duration::from_secs(5);

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tended {
    /// The shards that are ours, by number.
    pub held: Vec<Held>,
    /// Those of them that were not ours before, or with an older epoch.
    pub gained: Vec<u32>,
    /// Those that were ours and are no more, or with a newer epoch.
    pub lost: Vec<u32>,
    /// Members of our role that are alive, we among them.
    pub members: u32,
    /// By how many milliseconds our wall clock is ahead of the database's.
    pub clock_ahead_ms: i64,
    /// After what time to ask again.
    pub again_in: Duration,
}

/// Keeps the leases of one member.
#[derive(Debug)]
pub struct Leases {
    database: Database,
    facts: MemberFacts,
    /// What the member tells of itself as JSON.
    told: String,
    /// Our name, and what tells this process from another of that name.
    owner: String,
    length: Duration,
    clock: Clock,
    holding: Holding,
    /// The shards that were told of last as ours, with their epochs.
    reported: BTreeMap<u32, i64>,
    /// By how much our clock is ahead of the database's, once that is known.
    clock_ahead_ms: Option<i64>,
}

impl Leases {
    /// The leases of the member that `facts` tell of, each `length` long; none is held yet.
    #[must_use]
    pub fn new(database: Database, facts: MemberFacts, length: Duration, clock: Clock) -> Self {
        let owner = facts.owner();
        let (holding, told) = (Holding::default(), "{}".to_owned());
        let (reported, clock_ahead_ms) = (BTreeMap::new(), None);
        Self { database, facts, told, owner, length, clock, holding, reported, clock_ahead_ms }
    }

    /// What says at any moment which shards are ours; it may be kept elsewhere.
    #[must_use]
    pub fn holding(&self) -> Holding {
        self.holding.clone()
    }

    /// Until when `shard` is ours at least; none: it is not.
    #[must_use]
    pub fn is_mine_until(&self, shard: u32) -> Option<Instant> {
        self.holding.until(shard)
    }

    /// What the member tells of itself from the next [`Leases::tend`] on: a JSON object.
    pub fn tell(&mut self, facts: &serde_json::Value) {
        self.told = facts.to_string();
    }

    /// Renews our leases, gives those up that are beyond our share and takes what we lack; tells
    /// the others that we are alive. To be called again after [`Tended::again_in`].
    ///
    /// What is given up is no more ours before anybody else can have it.
    ///
    /// # Errors
    /// The database cannot be reached within a third of a lease, or refuses. Leases stay ours until
    /// they end.
    pub async fn tend(&mut self) -> Result<Tended, DatabaseError> {
        let database = self.database.clone();
        database.within(self.length / RENEWALS, async |client| self.tend_by(client).await).await
    }

    async fn tend_by(&mut self, client: &Client) -> Result<Tended, DatabaseError> {
        let asked = self.asked();
        let clock = (&self.clock, self.clock_ahead_ms.unwrap_or_default());
        let ((ahead_ms, round), renewed, mut state) = tokio::try_join!(
            sql::show(client, &self.facts, &self.told, clock),
            sql::renew(client, self.facts.role, &self.owner, self.length),
            sql::state(client, self.facts.role, self.length),
        )?;
        // Half of a long way there and back is worse than what was known before.
        if round < LONG_ROUND || self.clock_ahead_ms.is_none() {
            self.clock_ahead_ms = Some(ahead_ms);
        }
        let ahead_ms = self.clock_ahead_ms.unwrap_or_default();
        self.holding.replace(&renewed, asked);
        let mine: BTreeSet<u32> = renewed.iter().map(|held| held.shard).collect();
        state.include(&self.facts.name, renewed.len());
        let quota = share::quota(state.shards, &state.members, &self.facts.name);
        let mut held = renewed;
        let have = u32::try_from(held.len()).unwrap_or(u32::MAX);
        let mut lacks = quota.saturating_sub(have);
        if have > quota {
            let surplus: Vec<u32> =
                mine.iter().rev().take((have - quota) as usize).copied().collect();
            self.holding.forget(&surplus);
            held.retain(|held| !surplus.contains(&held.shard));
            sql::release(client, self.facts.role, &self.owner, &surplus).await?;
        } else if lacks > 0 && state.free > 0 {
            let asked = self.asked();
            let taken = sql::take(client, &self.facts, (&self.owner, self.length), lacks).await?;
            self.holding.add(&taken, asked);
            lacks -= u32::try_from(taken.len()).unwrap_or(0).min(lacks);
            held.extend(taken);
            held.sort_by_key(|held| held.shard);
        }
        let again_in = self.again_in(lacks > 0, state.first_end);
        Ok(held::changes(&mut self.reported, held, (state.live(), ahead_ms, again_in)))
    }

    /// Until when a lease is ours that is asked for now.
    fn asked(&self) -> Instant {
        Instant::now() + self.length - self.length / MARGIN
    }

    /// Others' leases are renewed long before they end: one that is about to end will be free.
    fn again_in(&self, is_lacking: bool, first_end: Option<Duration>) -> Duration {
        let usual = self.length / RENEWALS;
        let usual = if is_lacking { usual.min(LACKING) } else { usual };
        match first_end {
            Some(end) if end < self.length / 2 => usual.min(end + Duration::from_millis(20)),
            _ => usual,
        }
    }

    /// Notes for each shard, which is ours with an epoch, until when all its jobs are on their way
    /// (Unix milliseconds); tells the shards for which that was refused: somebody else has them.
    ///
    /// # Errors
    /// The database cannot be reached or refuses.
    pub async fn advance(&self, moved: &[(u32, i64, i64)]) -> Result<Vec<u32>, DatabaseError> {
        if moved.is_empty() {
            return Ok(Vec::new());
        }
        let (role, owner) = (self.facts.role, &self.owner);
        let told = async |client: &mut Client| sql::advance(client, role, owner, moved).await;
        let done = self.database.within(self.length / RENEWALS, told).await?;
        let shards = moved.iter().map(|(shard, _, _)| *shard);
        Ok(shards.filter(|shard| !done.contains(shard)).collect())
    }

    /// Gives all up, so that others can have it at once, and says that we are gone.
    ///
    /// # Errors
    /// The database cannot be reached or refuses; others get the shards when the leases have ended.
    pub async fn release_all(&mut self) -> Result<(), DatabaseError> {
        self.holding.replace(&[], Instant::now());
        let (facts, owner) = (&self.facts, &self.owner);
        let leave = async |client: &mut Client| sql::leave(client, facts, owner).await;
        self.database.within(FAREWELL, leave).await
    }
}
