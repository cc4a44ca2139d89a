//! How many shards each member of a role should have.

/// A member that is alive, and how many shards it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    /// Its name.
    pub(super) name: String,
    /// Shards that it has.
    pub(super) has: u32,
}

/// How many of `shards` the member called `own` should have, `peers` being all that are alive.
///
/// Shares differ by one at most. Those that have most keep the larger ones, so that nothing moves
/// that need not.
pub(super) fn quota(shards: u32, peers: &[Peer], own: &str) -> u32 {
    let members = u32::try_from(peers.len()).unwrap_or(u32::MAX).max(1);
    let (share, larger) = (shards / members, shards % members);
    let mut order: Vec<&Peer> = peers.iter().collect();
    order.sort_by(|a, b| b.has.cmp(&a.has).then_with(|| a.name.cmp(&b.name)));
    let is_larger = order.iter().take(larger as usize).any(|peer| peer.name == own);
    share + u32::from(is_larger)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(has: &[u32]) -> Vec<Peer> {
        let names = ["a", "b", "c", "d", "e"];
        let peer = |(name, has): (&&str, &u32)| Peer { name: (*name).to_owned(), has: *has };
        names.iter().zip(has).map(peer).collect()
    }

    fn quotas(shards: u32, has: &[u32]) -> Vec<u32> {
        let peers = peers(has);
        peers.iter().map(|peer| quota(shards, &peers, &peer.name)).collect()
    }

    #[test]
    fn shares_differ_by_one_at_most_and_are_all_there_is() {
        for shards in [1, 3, 64, 4_096] {
            for has in [&[0][..], &[0, 0], &[9, 0, 3], &[1, 2, 3, 4, 5]] {
                let quotas = quotas(shards, has);
                assert_eq!(quotas.iter().sum::<u32>(), shards, "{quotas:?}");
                let (least, most) = (quotas.iter().min(), quotas.iter().max());
                assert!(most.zip(least).is_some_and(|(most, least)| most - least <= 1));
            }
        }
    }

    #[test]
    fn those_that_have_most_keep_the_larger_shares() {
        assert_eq!(quotas(64, &[21, 22, 21]), [21, 22, 21]);
        assert_eq!(quotas(5, &[0, 3, 2]), [1, 2, 2]);
    }
}
