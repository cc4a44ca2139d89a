//! What is found is what a look at every target finds, whatever changed in between.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::address::Address;
use crate::outcome::{Cause, Detail, Finding, Outcome, SampleKind};
use crate::target::{Labels, Priority, Seat, State, Target, TargetId};
use crate::view::{Cursor, Sort};

/// A small fleet and its copy.
struct Fleet {
    roster: RwLock<Roster>,
    ledger: Mutex<Ledger>,
    columns: Columns,
    kinds: Vec<Arc<Labels>>,
    now_us: u64,
}

/// What happens to a fleet.
#[derive(Clone, Debug)]
enum Event {
    Seat(u32, usize),
    Give(u32),
    Poll(u32, u32, Option<Cause>),
    Idle,
}

impl Fleet {
    fn new() -> Self {
        let kinds = [(None, "web"), (Some("Ost"), "web"), (Some("ost"), "db"), (None, "db")];
        let kinds = kinds.map(|(group, team)| {
            let pairs = BTreeMap::from([("team".into(), team.into())]);
            Arc::new(Labels { group: group.map(Into::into), pairs })
        });
        Self {
            roster: RwLock::default(),
            ledger: Mutex::default(),
            columns: Columns::default(),
            kinds: kinds.to_vec(),
            now_us: 1,
        }
    }

    fn origin(&self) -> Origin<'_> {
        Origin { roster: &self.roster, ledger: &self.ledger, now_us: self.now_us }
    }

    fn target(&self, number: u32, kind: usize) -> Target {
        let place = ["Straße", "shop", "SHOP"][number as usize % 3];
        Target {
            number,
            id: TargetId(u64::from(number) << 40),
            given_id: (kind == 2).then(|| format!("Given-{number}").into()),
            name: number.is_multiple_of(2).then(|| format!("Name {number} Ä").into()),
            address: Address::parse(&format!("http://u:secret@a.example/{place}/{number}"))
                .expect("a good address"),
            every_ms: 1_000,
            timeout_ms: 1_000,
            priority: Priority::Normal,
            plan: Arc::default(),
            labels: Arc::clone(&self.kinds[kind]),
            origin: crate::target::Origin::default(),
            seat: Seat::default(),
        }
    }

    fn apply(&mut self, event: &Event) {
        self.now_us += FRESH_US;
        match *event {
            Event::Seat(number, kind) => {
                let is_new = self.roster.read().target(number).is_none();
                let target = Arc::new(self.target(number, kind));
                self.roster.write().seat(target);
                if is_new {
                    self.ledger.lock().enrol(number, None, 0);
                }
            }
            Event::Give(number) => {
                self.roster.write().vacate(number);
                self.ledger.lock().retire(number, 0);
            }
            Event::Poll(number, latency_us, cause) => {
                let finding = Finding { status: 200, ..Finding::default() };
                let finding = match cause {
                    Some(cause) => finding.with_cause(cause, Detail::None),
                    None => finding,
                };
                self.ledger.lock().observe(&Outcome {
                    target: number,
                    due_ms: 0,
                    finished_us: i64::try_from(self.now_us).expect("small"),
                    lag_us: latency_us / 2,
                    latency_us,
                    kind: SampleKind::Slot,
                    is_provisional: false,
                    finding,
                });
            }
            Event::Idle => {
                self.now_us += KEPT_US + 1;
                self.columns.look_after(self.origin());
                assert!(self.columns.held.read().is_none(), "nobody has asked for long");
            }
        }
    }

    /// The numbers that match `query`, by a look at every target, in its order.
    fn look(&self, query: &TargetQuery) -> Vec<u32> {
        let roster = self.roster.read();
        let ledger = self.ledger.lock();
        let mut found: Vec<(i128, u32)> = Vec::new();
        for target in roster.iter() {
            let record = ledger.record(target.number).expect("every target has one");
            let health = record.health;
            let mut names = vec![target.address.to_string(), target.shown_id()];
            names.extend(
                [&target.name, &target.labels.group].into_iter().flatten().map(ToString::to_string),
            );
            let is_called = |text: &String| {
                names.iter().any(|name| name.to_lowercase().contains(&text.to_lowercase()))
            };
            let has = |(name, value): &(String, String)| {
                target.labels.pairs.get(name.as_str()).is_some_and(|own| **own == **value)
            };
            let is_wanted = query.state.is_none_or(|state| state == health.state)
                && query.cause.is_none_or(|cause| Some(cause) == health.cause)
                && query
                    .group
                    .as_deref()
                    .is_none_or(|group| Some(group) == target.labels.group.as_deref())
                && query.labels.iter().all(has)
                && query.text.as_ref().is_none_or(is_called);
            if !is_wanted {
                continue;
            }
            let figure = match query.sort {
                Sort::Latency if record.is_polled() => i128::from(record.last_latency_us),
                Sort::Lag => ledger.lag_us(target.number).map_or(-1, i128::from),
                Sort::Downtime if health.state == State::Down => {
                    i128::MAX - i128::from(health.since_ms)
                }
                Sort::Number | Sort::Latency | Sort::Downtime => -1,
            };
            found.push((figure, target.number));
        }
        found.sort_by_key(|&(figure, number)| (std::cmp::Reverse(figure), number));
        found.into_iter().map(|(_, number)| number).collect()
    }

    /// All pages of `query`, and what happens before each further one.
    fn walk(&mut self, query: &TargetQuery, mut meanwhile: impl FnMut(&mut Self)) -> Vec<u32> {
        let (mut numbers, mut after) = (Vec::new(), None);
        loop {
            let found = self.columns.find(self.origin(), &TargetQuery { after, ..query.clone() });
            numbers.extend(found.numbers);
            let Some(next) = found.next else { return numbers };
            assert_eq!(next.to_string().parse::<Cursor>(), Ok(next));
            after = Some(next);
            meanwhile(self);
        }
    }
}

fn event() -> impl Strategy<Value = Event> {
    let cause = prop_oneof![Just(None), Just(Some(Cause::Timeout)), Just(Some(Cause::Resolver))];
    prop_oneof![
        3 => (1..90_u32, 0..4_usize).prop_map(|(number, kind)| Event::Seat(number, kind)),
        1 => (1..90_u32).prop_map(Event::Give),
        // Few figures, so that many are equal.
        6 => (1..90_u32, 0..4_u32, cause).prop_map(|(number, us, cause)| Event::Poll(number, us, cause)),
        1 => Just(Event::Idle),
    ]
}

fn query() -> impl Strategy<Value = TargetQuery> {
    let texts = [
        "",
        "SHOP",
        "strasse",
        "straße",
        "given-1",
        "ost",
        "ame 2",
        "ä",
        "secret",
        "0000",
        "\0",
        "example/shop/1",
    ];
    let state = prop_oneof![Just(None), (0..State::ALL.len()).prop_map(|at| Some(State::ALL[at]))];
    let text = prop_oneof![
        2 => Just(None),
        3 => (0..texts.len()).prop_map(move |at| Some(texts[at].to_owned())),
    ];
    let label = prop_oneof![
        Just(vec![]),
        Just(vec![("team", "web")]),
        Just(vec![("team", "db"), ("team", "web")])
    ];
    let cause = prop_oneof![4 => Just(None), 1 => Just(Some(Cause::Timeout))];
    let group = prop_oneof![4 => Just(None), 1 => Just(Some("ost".to_owned()))];
    (state, text, label, cause, group, 0..4_usize, 1..9_usize).prop_map(
        |(state, text, labels, cause, group, sort, limit)| TargetQuery {
            state,
            text,
            labels: labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            cause,
            group,
            sort: Sort::ALL[sort],
            after: None,
            limit,
        },
    )
}

proptest! {
    #[test]
    fn what_is_found_page_by_page_is_what_a_look_at_every_target_finds(
        rounds in proptest::collection::vec((proptest::collection::vec(event(), 0..60), query()), 1..8),
    ) {
        let mut fleet = Fleet::new();
        for (events, query) in rounds {
            for event in &events {
                fleet.apply(event);
            }
            let seen = fleet.look(&query);
            let found = fleet.columns.find(fleet.origin(), &query);
            prop_assert_eq!(found.total, seen.len() as u64);
            prop_assert_eq!(fleet.walk(&query, |_| {}), seen, "{:?}", query);
        }
    }

    #[test]
    fn whose_figure_stays_the_same_is_met_once_whatever_becomes_of_others(
        sort in 0..4_usize,
        polls in proptest::collection::vec((51..100_u32, 0..9_u32, any::<bool>()), 40),
    ) {
        let mut fleet = Fleet::new();
        for number in 1..100 {
            fleet.apply(&Event::Seat(number, 0));
            let cause = (number % 4 == 0).then_some(Cause::Timeout);
            fleet.apply(&Event::Poll(number, number % 5, cause));
        }
        let query = TargetQuery { sort: Sort::ALL[sort], limit: 7, ..TargetQuery::default() };
        let mut polls = polls.into_iter();
        let met = fleet.walk(&query, |fleet| {
            for (number, latency_us, is_down) in polls.by_ref().take(5) {
                fleet.apply(&Event::Poll(number, latency_us, is_down.then_some(Cause::Timeout)));
            }
        });
        let mut times: HashMap<u32, u32> = HashMap::new();
        for number in met {
            *times.entry(number).or_default() += 1;
        }
        for number in 1..51 {
            prop_assert_eq!(times.get(&number), Some(&1), "target {}", number);
        }
        if query.sort == Sort::Number {
            prop_assert!(times.len() == 99 && times.values().all(|&times| times == 1));
        }
    }
}

#[test]
fn a_text_is_looked_for_in_what_is_shown_and_in_nothing_else() {
    let mut fleet = Fleet::new();
    for number in 1..20 {
        fleet.apply(&Event::Seat(number, 1));
    }
    let find = |text: &str| {
        let query = TargetQuery { text: Some(text.to_owned()), ..TargetQuery::default() };
        fleet.columns.find(fleet.origin(), &query).total
    };
    assert_eq!((find("u:secret"), find("<SECRET>@a"), find("OST")), (0, 19, 19));
    assert_eq!((find("STRASSE/3"), find("STRAßE/3"), find("00000000\0")), (0, 1, 0));
}

#[test]
fn targets_that_were_replaced_often_leave_nothing_behind() {
    let mut fleet = Fleet::new();
    let query = TargetQuery { text: Some("shop".to_owned()), ..TargetQuery::default() };
    for round in 0..9_000 {
        let kind = fleet.kinds[0].as_ref().clone();
        fleet.kinds[0] = Arc::new(kind);
        fleet.apply(&Event::Seat(1 + round % 2, 0));
        fleet.columns.find(fleet.origin(), &query);
    }
    let held = fleet.columns.held.read();
    let held = held.as_ref().expect("somebody asks");
    assert!(!held.figures.is_cluttered());
}
