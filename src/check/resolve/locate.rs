//! Where a name leads, without waiting: for those who must know before they begin.

use std::net::IpAddr;
use std::time::Instant;

use super::cache::Held;
use super::{QuestionRef, Records, Resolver};

/// Where a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// At this address, the first that is tried.
    At(IpAddr),
    /// Its name is being asked for.
    Asking,
    /// Nobody knows; a poll will tell why.
    Nowhere,
}

impl Resolver {
    /// Where the name of `question` leads as far as that is known, also by an answer that has
    /// expired; else it is asked for.
    pub(crate) fn locate(&self, question: QuestionRef<'_>) -> Whereabouts {
        let now = Instant::now();
        match self.shared.cache.find(question, now) {
            Held::Fresh(answer) => answer.result.map_or(Whereabouts::Nowhere, |found| at(&found)),
            Held::Stale(records) => at(&records),
            // Its next poll is what finds out when that ends.
            Held::Nothing if self.is_hopeless(question) => Whereabouts::Nowhere,
            Held::Nothing => match self.jobs().and_then(|jobs| jobs.try_reserve().ok()) {
                Some(place) => {
                    // Whoever comes next sees what came of it.
                    let _awaited = self.shared.cache.join(question, now, |job| place.send(job));
                    Whereabouts::Asking
                }
                None => Whereabouts::Nowhere,
            },
        }
    }
}

impl Resolver {
    /// Whether nobody answers `question`: its look-up failed, or name servers are silent.
    fn is_hopeless(&self, question: QuestionRef<'_>) -> bool {
        self.shared.cache.has_failed(question) || self.shared.counts.facts().is_server_silent
    }
}

fn at(records: &Records) -> Whereabouts {
    match records {
        Records::Addresses(addresses) => {
            addresses.first().map_or(Whereabouts::Nowhere, |first| Whereabouts::At(*first))
        }
        Records::Exchangers(_) => Whereabouts::Nowhere,
    }
}
