//! `Target`: what is polled, how often, how it is asked, and what counts as up.

mod flight;
mod pause;
mod plan;
mod probe;
mod state;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64;

use crate::address::Address;
use crate::expectation::CERTIFICATE_DAYS;

pub use flight::{Flight, FlightState};
pub use pause::PauseSpan;
pub use plan::{Auth, Connection, HttpVersion, IpVersion, Plan, Proxy, Role, TlsPlan, Verify};
pub use probe::{
    CheckKind, DnsProbe, IcmpProbe, LineRule, Look, MailMessage, MailProbe, MailProtocol, MailTls,
    OtherProbe, Probe, QuestionProbe, RecordType, SslProbe, StartTls, TcpProbe, TcpStep,
};
pub use state::State;

/// Names a target for ever: a hash of the `id` its entry gives, else of what it polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetId(pub u64);

impl TargetId {
    /// The id of an entry that names one.
    #[must_use]
    pub fn of_given(id: &str) -> Self {
        Self(xxh3_64(format!("id\0{id}").as_bytes()))
    }

    /// The id of an entry that names none: check kind, method and address as written, and how
    /// many equal ones stood before it in its list.
    #[must_use]
    pub fn of_address(kind: CheckKind, method: &str, written: &str, ordinal: u32) -> Self {
        let text = format!("{}\0{method}\0{written}\0{ordinal}", kind.as_str());
        Self(xxh3_64(text.as_bytes()))
    }

    /// A number in `0..every_ms` that is the same in every run: where in its interval the
    /// target's due times lie, so that a list's load is flat from the first second.
    #[must_use]
    pub fn phase_ms(self, every_ms: u32) -> u32 {
        // The id is already a hash; one multiplication spreads it over the interval.
        let scaled = (u128::from(self.0) * u128::from(every_ms)) >> 64;
        u32::try_from(scaled).unwrap_or(0)
    }

    /// The first due time at or after `at_ms` of a target that is due every `every_ms`; both in
    /// milliseconds, times those of Unix.
    ///
    /// Due times lie on the grid `n · every + phase(id)`.
    #[must_use]
    pub fn due_at_or_after(self, every_ms: u32, at_ms: i64) -> i64 {
        let every = i64::from(every_ms.max(1));
        let past = (at_ms - i64::from(self.phase_ms(every_ms))).rem_euclid(every);
        if past == 0 { at_ms } else { at_ms + every - past }
    }
}

impl fmt::Display for TargetId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

/// Which due targets run first when places are short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// Keeps its schedule as long as anything does.
    High,
    /// What a target has that names none.
    #[default]
    Normal,
    /// Waits for the others, though never for ever.
    Low,
}

impl Priority {
    /// All priorities, the most urgent first.
    pub const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];
}

/// Names, group and labels of an entry; equal ones are stored once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Labels {
    /// Name of the group that the entry belongs to.
    pub group: Option<Box<str>>,
    /// Labels, in the order of their names.
    pub pairs: BTreeMap<Box<str>, Box<str>>,
}

/// Who asked for a target to be polled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The list of this machine: it may lie anywhere.
    #[default]
    List,
    /// Somebody by the API: wherever it leads, the address is held to the policy before anything
    /// connects to it.
    Api,
}

impl Origin {
    /// Its name in outputs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Api => "api",
        }
    }
}

/// One thing that is polled.
#[derive(Debug)]
pub struct Target {
    /// Its row in the store, and the index of all that is kept per target; 0 until it is
    /// enrolled there.
    pub number: u32,
    /// Its id.
    pub id: TargetId,
    /// The `id` that its entry gives, else none and the id is shown in hexadecimal.
    pub given_id: Option<Box<str>>,
    /// The name for people, when its entry gives one.
    pub name: Option<Box<str>>,
    /// What is polled.
    pub address: Address,
    /// Milliseconds from one due time to the next, at least 1.
    pub every_ms: u32,
    /// Milliseconds that a poll may take in all, at least 1.
    pub timeout_ms: u32,
    /// Who goes first.
    pub priority: Priority,
    /// How it is asked.
    pub plan: Arc<Plan>,
    /// Its labels.
    pub labels: Arc<Labels>,
    /// Who asked for it.
    pub origin: Origin,
    /// Whether a poll of it waits or runs.
    pub seat: Seat,
}

/// Where a target's [`Flight`] is kept.
#[derive(Debug)]
pub enum Seat {
    /// In the target itself.
    Own(Flight),
    /// In the target that this one replaced on a reload: the two are never polled at once.
    Of(Arc<Target>),
}

impl Default for Seat {
    fn default() -> Self {
        Self::Own(Flight::default())
    }
}

impl Target {
    /// Whether a poll of it waits or runs.
    #[must_use]
    pub fn flight(&self) -> &Flight {
        match &self.seat {
            Seat::Own(flight) => flight,
            Seat::Of(other) => other.flight(),
        }
    }

    /// Takes the place of `old`, whose poll may still run.
    pub fn replace(&mut self, old: &Arc<Self>) {
        self.number = old.number;
        self.seat = match &old.seat {
            Seat::Own(_) => Seat::Of(Arc::clone(old)),
            Seat::Of(origin) => Seat::Of(Arc::clone(origin)),
        };
    }

    /// The id as users see it: the one they gave, else 16 hexadecimal digits.
    #[must_use]
    pub fn shown_id(&self) -> String {
        self.given_id.as_deref().map_or_else(|| self.id.to_string(), str::to_owned)
    }

    /// Days for which its certificate has to be valid.
    #[must_use]
    pub fn certificate_days(&self) -> u32 {
        self.plan.expect.certificate_days.unwrap_or(CERTIFICATE_DAYS)
    }

    /// The time a poll may take in all.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms as u64)
    }

    /// The first due time at or after `at_ms`, a point of its grid; both in Unix milliseconds.
    #[must_use]
    pub fn due_at_or_after(&self, at_ms: i64) -> i64 {
        self.id.due_at_or_after(self.every_ms, at_ms)
    }

    /// Whether `other` would be polled in the same way at the same times.
    #[must_use]
    pub fn is_polled_like(&self, other: &Self) -> bool {
        self.id == other.id
            && self.address == other.address
            && self.every_ms == other.every_ms
            && self.timeout_ms == other.timeout_ms
            && self.priority == other.priority
            && self.plan == other.plan
            && self.labels == other.labels
            && self.name == other.name
            && self.origin == other.origin
    }

    /// The same target with a flight of its own, for a check beside its schedule.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self {
            number: self.number,
            id: self.id,
            given_id: self.given_id.clone(),
            name: self.name.clone(),
            address: self.address.clone(),
            every_ms: self.every_ms,
            timeout_ms: self.timeout_ms,
            priority: self.priority,
            plan: Arc::clone(&self.plan),
            labels: Arc::clone(&self.labels),
            origin: self.origin,
            seat: Seat::default(),
        }
    }

    /// The ids that a text may mean, as users see them in [`Target::shown_id`].
    #[must_use]
    pub fn ids_meant(text: &str) -> [TargetId; 2] {
        let given = TargetId::of_given(text);
        let is_hash = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let hash = u64::from_str_radix(text, 16).ok().filter(|_| is_hash).map(TargetId);
        [given, hash.unwrap_or(given)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(every_ms: u32) -> Target {
        Target {
            number: 0,
            id: TargetId::of_address(CheckKind::Http, "GET", "http://a.example/", 0),
            given_id: None,
            name: None,
            address: Address::parse("http://a.example/").expect("a good address"),
            every_ms,
            timeout_ms: 1_000,
            priority: Priority::Normal,
            plan: Arc::default(),
            labels: Arc::default(),
            origin: Origin::default(),
            seat: Seat::default(),
        }
    }

    #[test]
    fn due_times_are_one_interval_apart_and_never_before_what_was_asked() {
        let target = target(60_000);
        let first = target.due_at_or_after(1_700_000_000_000);
        assert!((1_700_000_000_000..1_700_000_060_000).contains(&first));
        assert_eq!(target.due_at_or_after(first), first);
        assert_eq!(target.due_at_or_after(first + 1), first + 60_000);
    }

    #[test]
    fn equal_addresses_are_told_apart_by_their_ordinal() {
        let id = |ordinal| TargetId::of_address(CheckKind::Http, "GET", "http://a/", ordinal);
        assert_ne!(id(0), id(1));
        assert_eq!(id(1), id(1));
    }
}
