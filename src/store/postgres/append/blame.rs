//! Finding what of a batch the database refuses, so that the rest of it can be written.

use deadpool_postgres::{Client, Transaction};

use super::{be_brief, follow, samples};
use crate::health::votes::Slot;
use crate::store::postgres::{Database, DatabaseError};
use crate::store::{Blamed, ShardBatch, ShardSample};

/// How much is found at once at most; the rest comes to light when the batch is tried again.
const MOST: usize = 100;

impl DatabaseError {
    /// Whether it is about what was to be written, and not about the database: one of SQLSTATE's
    /// classes of data, cardinality, constraints and limits of a row.
    #[must_use]
    pub fn is_of_rows(&self) -> bool {
        let Self::Refused(text) = self else { return false };
        let code = text.rsplit_once('(').map_or("", |(_, code)| code);
        ["21", "22", "23", "54"].iter().any(|class| code.starts_with(class))
    }
}

impl Database {
    /// What of `batch` the database refuses to hold. All of it is tried, and nothing written.
    ///
    /// # Errors
    /// The database cannot be reached, or refuses for another reason than what is to be written.
    pub async fn blamed(&self, batch: &ShardBatch) -> Result<Blamed, DatabaseError> {
        let mut lent = self.lend().await?;
        let client = lent.client()?;
        let slots = blamed_slots(client, batch).await?;
        let targets =
            if slots.is_empty() { blamed_targets(client, batch).await? } else { Vec::new() };
        lent.give_back();
        Ok(Blamed { slots, targets })
    }
}

async fn blamed_slots(
    client: &mut Client,
    batch: &ShardBatch,
) -> Result<Vec<(u32, Slot)>, DatabaseError> {
    let mut search = Search::of(batch.samples.iter().collect::<Vec<&ShardSample>>());
    while let Some(part) = search.next() {
        let transaction = client.transaction().await?;
        be_brief(&transaction).await?;
        let tried = samples::add_all(&transaction, part.clone()).await;
        if is_refused(transaction, tried).await? {
            search.narrow(part);
        }
    }
    Ok(search.found.iter().map(|sample| sample.key()).collect())
}

async fn blamed_targets(
    client: &mut Client,
    batch: &ShardBatch,
) -> Result<Vec<u32>, DatabaseError> {
    let mut search = Search::of(batch.targets().into_iter().collect());
    while let Some(part) = search.next() {
        let tried = batch.of_targets(|target| part.binary_search(&target).is_ok());
        let transaction = client.transaction().await?;
        be_brief(&transaction).await?;
        let tried = follow(&transaction, &[&tried]).await;
        if is_refused(transaction, tried).await? {
            search.narrow(part);
        }
    }
    Ok(search.found)
}

/// Ends `transaction`, and tells whether what was `tried` in it was refused for its own sake.
async fn is_refused(
    transaction: Transaction<'_>,
    tried: Result<(), DatabaseError>,
) -> Result<bool, DatabaseError> {
    match tried {
        Err(error) if !error.is_of_rows() => Err(error),
        tried => {
            transaction.rollback().await?;
            Ok(tried.is_err())
        }
    }
}

/// A search for the bad ones among many by halves.
#[derive(Debug)]
struct Search<T> {
    parts: Vec<Vec<T>>,
    found: Vec<T>,
}

impl<T: Clone> Search<T> {
    fn of(all: Vec<T>) -> Self {
        Self { parts: vec![all], found: Vec::new() }
    }

    /// What is to be tried next.
    fn next(&mut self) -> Option<Vec<T>> {
        if self.found.len() >= MOST {
            return None;
        }
        self.parts.pop().filter(|part| !part.is_empty())
    }

    /// Notes that there is something bad in `part`.
    fn narrow(&mut self, mut part: Vec<T>) {
        if part.len() > 1 {
            let rest = part.split_off(part.len() / 2);
            self.parts.extend([rest, part]);
        } else {
            self.found.append(&mut part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(all: Vec<u32>, is_bad: impl Fn(u32) -> bool) -> (Vec<u32>, usize) {
        let (mut search, mut tries) = (Search::of(all), 0);
        while let Some(part) = search.next() {
            tries += 1;
            if part.iter().any(|&one| is_bad(one)) {
                search.narrow(part);
            }
        }
        (search.found, tries)
    }

    #[test]
    fn the_bad_ones_of_many_are_found_in_few_tries() {
        assert_eq!(search(Vec::new(), |_| true), (Vec::new(), 0));
        assert_eq!(search((0..5_000).collect(), |_| false), (Vec::new(), 1));
        let (found, tries) = search((0..5_000).collect(), |one| one == 7 || one == 4_999);
        assert_eq!(found, [7, 4_999]);
        assert!(tries < 60, "{tries}");
        assert_eq!(search((0..5_000).collect(), |_| true).0.len(), MOST);
    }

    #[test]
    fn a_refusal_of_rows_is_told_from_one_of_us() {
        let refused = |text: &str| DatabaseError::Refused(text.to_owned());
        assert!(refused("no partition of relation \"sample\" (23514)").is_of_rows());
        assert!(refused("timestamp out of range (22008)").is_of_rows());
        assert!(!refused("permission denied for table sample (42501)").is_of_rows());
        assert!(!DatabaseError::Away("it (22008)".to_owned()).is_of_rows());
    }
}
