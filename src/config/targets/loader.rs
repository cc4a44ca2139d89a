//! Makes targets of entries: fills them, gives them their ids, and stores equal parts once.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::Value;

use crate::address::Address;
use crate::config::checks::Usual;
use crate::config::fields::Fields;
use crate::config::rules::{Rules, TIMEOUT_MS};
use crate::config::substitute::Origin;
use crate::config::targets::array::Broken;
use crate::config::targets::guard;
use crate::config::targets::{Entry, List, ListError, Named, REJECTS_KEPT, Reject, Rejects};
use crate::config::values::{loose_text, shown};
use crate::target::{Labels, Plan, Priority, Probe, Seat, Target, TargetId};

/// Whether further entries are wanted.
pub(super) type Flow = ControlFlow<()>;

/// Milliseconds that a question to a name server may take that is asked once.
const DNS_TIMEOUT_MS: u32 = 10_000;

/// Plans, and labels, that are remembered of a list that is handed out and not kept.
const KNOWN: usize = 1_024;

/// A list in the making.
pub(super) struct Loader<'r> {
    pub(super) origin: &'r Origin,
    rules: &'r Rules,
    list: List,
    /// How many entries without an id poll each thing; those with one count as none.
    seen: HashMap<TargetId, u32>,
    given: HashSet<TargetId>,
    plans: Shared<Plan>,
    labels: Shared<Labels>,
    /// Who takes each entry at once, in the place of a list.
    taker: Option<Taker<'r>>,
    /// What the entry at hand calls itself.
    named: Named,
}

/// Takes entries one by one, and says whether more are wanted.
pub(super) type Taker<'r> = &'r mut dyn FnMut(Entry) -> Flow;

impl<'r> Loader<'r> {
    pub(super) fn new(name: &str, origin: &'r Origin, rules: &'r Rules) -> Self {
        let list = List {
            file: name.into(),
            targets: Vec::new(),
            rejects: Rejects::default(),
            entries: 0,
            unique: 0,
        };
        Self {
            origin,
            rules,
            list,
            seen: HashMap::new(),
            given: HashSet::new(),
            plans: Shared::default(),
            labels: Shared::default(),
            taker: None,
            named: Named::default(),
        }
    }

    /// The same, which hands out each entry to `taker` and keeps none.
    pub(super) fn handing_to(self, taker: Taker<'r>) -> Self {
        Self { taker: Some(taker), ..self }
    }

    /// What entries are that name no kind of check.
    pub(super) fn usual(&self) -> &'r Usual {
        &self.rules.usual
    }

    /// Notes what an entry calls itself, whatever else is wrong with it.
    pub(super) fn note(&mut self, entry: &Value) {
        if self.taker.is_some() {
            let text = |key| entry.get(key).and_then(loose_text).map(|text| shown(&text));
            let plugin_type = text("plugin_type")
                .or_else(|| self.rules.usual.kind.map(|kind| kind.plugin_type().to_owned()));
            self.named = Named { id: text("id"), plugin_type };
        }
    }

    /// The name of the list's source.
    pub(super) fn name(&self) -> &str {
        &self.list.file
    }

    /// Whether no entry has been taken yet.
    pub(super) fn is_untouched(&self) -> bool {
        self.list.entries == 0
    }

    /// Takes the next entry, or notes why there is none; says whether more are wanted.
    pub(super) fn take(&mut self, line: u64, fields: Result<Fields, String>) -> Flow {
        if self.is_full() {
            return Flow::Break(());
        }
        self.list.entries += 1;
        let target = fields.and_then(|fields| self.target(fields));
        let named = std::mem::take(&mut self.named);
        if let Some(taker) = &mut self.taker {
            self.plans.forget_beyond(KNOWN);
            self.labels.forget_beyond(KNOWN);
            return taker(Entry { index: self.list.entries, line, named, target });
        }
        match target {
            Ok(target) => self.list.targets.push(target),
            Err(reason) => self.reject(line, reason),
        }
        if self.is_full() { Flow::Break(()) } else { Flow::Continue(()) }
    }

    /// The list, when its last entry has been taken.
    pub(super) fn finish(mut self) -> List {
        self.list.targets.shrink_to_fit();
        self.list.unique = u64::try_from(self.seen.len()).unwrap_or(u64::MAX);
        self.list
    }

    /// What `broken` means for the list.
    pub(super) fn list_error(&self, broken: Broken) -> ListError {
        let file = Arc::clone(&self.list.file);
        match broken {
            Broken::Unreadable(source) => ListError::Unreadable { file, source },
            Broken::Syntax { line, column, reason } => {
                ListError::NotJson { file, line, column, reason }
            }
        }
    }

    fn is_full(&self) -> bool {
        self.rules.limit.is_some_and(|limit| self.list.entries >= limit)
    }

    fn reject(&mut self, line: u64, reason: String) {
        let rejects = &mut self.list.rejects;
        rejects.total += 1;
        if rejects.first.len() < REJECTS_KEPT {
            let file = Arc::clone(&self.list.file);
            rejects.first.push(Reject { file, line, index: self.list.entries, reason });
        }
    }

    fn target(&mut self, fields: Fields) -> Result<Target, String> {
        let url = fields.url.as_deref().ok_or("\"url\" is missing; add the address to poll")?;
        let parse = match &fields.plan.probe {
            None | Some(Probe::Http) => Address::parse,
            Some(_) => Address::parse_any,
        };
        let address = match &fields.written {
            None => parse(url).map_err(|error| wrong_url(url, &error.to_string()))?,
            // What was put in may be a secret, and the reason may show it.
            Some(written) => parse(url)
                .map_err(|_| wrong_url(written, "is no address once it is filled"))?
                .written_as(written),
        };
        let fitting = self.rules.fitting(address.host_text(), &fields);
        let plan = self.plan(&fields, &fitting)?;
        if let Some(policy) = &self.rules.guard {
            guard::judge(&fields, &plan, &address, policy)?;
        }
        let labels = self.labels(&fields, &fitting);
        let id = self.id(&fields, &plan, &address)?;
        let (every_ms, timeout_ms, priority) = self.timing(&fields, &fitting);
        Ok(Target {
            number: 0,
            id,
            given_id: fields.id,
            name: fields.name,
            address,
            every_ms,
            timeout_ms,
            priority,
            plan,
            labels,
            origin: self.rules.origin(),
            seat: Seat::default(),
        })
    }

    fn timing(&self, fields: &Fields, fitting: &[usize]) -> (u32, u32, Priority) {
        let layers = || std::iter::once(fields).chain(self.rules.layers(fitting));
        let every = layers().find_map(|layer| layer.every_ms).unwrap_or(self.rules.interval_ms);
        let timeout = layers().find_map(|layer| layer.timeout_ms).or(self.rules.timeout_ms);
        let priority = layers().find_map(|layer| layer.priority).unwrap_or_default();
        let timeout = timeout.or_else(|| {
            let once = self.rules.once_timeout_ms?;
            // A question to a name server is answered sooner than others, or never.
            Some(if matches!(fields.plan.probe, Some(Probe::Dns(_))) {
                DNS_TIMEOUT_MS
            } else {
                once
            })
        });
        (every, timeout.unwrap_or((every / 2).clamp(1, TIMEOUT_MS)), priority)
    }

    fn plan(&mut self, fields: &Fields, fitting: &[usize]) -> Result<Arc<Plan>, String> {
        let rules = self.rules;
        let usual = fields.plan.is_empty();
        if let Some(plan) = self.plans.of_rules.get(fitting).filter(|_| usual) {
            return Ok(Arc::clone(plan));
        }
        let plan = rules.plan(fields, fitting);
        if plan.tls.client_cert.is_some() != plan.tls.client_key.is_some() {
            return Err(
                "\"tls\" has one of \"client_cert\" and \"client_key\"; add the other one, \
                        or remove both"
                    .to_owned(),
            );
        }
        let plan = self.plans.share(plan);
        if usual {
            self.plans.of_rules.insert(fitting.to_vec(), Arc::clone(&plan));
        }
        Ok(plan)
    }

    fn labels(&mut self, fields: &Fields, fitting: &[usize]) -> Arc<Labels> {
        let usual = fields.labels.is_empty() && fields.group.is_none();
        if let Some(labels) = self.labels.of_rules.get(fitting).filter(|_| usual) {
            return Arc::clone(labels);
        }
        let labels = self.labels.share(self.rules.labels(fields, fitting));
        if usual {
            self.labels.of_rules.insert(fitting.to_vec(), Arc::clone(&labels));
        }
        labels
    }

    fn id(&mut self, fields: &Fields, plan: &Plan, address: &Address) -> Result<TargetId, String> {
        let of_address = |ordinal| {
            TargetId::of_address(plan.probe.kind(), &plan.method, address.written(), ordinal)
        };
        let first = of_address(0);
        if let Some(given) = fields.id.as_deref() {
            let id = TargetId::of_given(given);
            if !self.given.insert(id) {
                let given = shown(given);
                return Err(format!("\"id\" is \"{given}\", as in an entry before; write another"));
            }
            self.seen.entry(first).or_insert(0);
            return Ok(id);
        }
        let ordinal = self.seen.entry(first).or_insert(0);
        let id = if *ordinal == 0 { first } else { of_address(*ordinal) };
        *ordinal += 1;
        Ok(id)
    }
}

fn wrong_url(written: &str, reason: &str) -> String {
    format!("\"url\" {} {reason}", shown(written))
}

/// Values of which equal ones are stored once.
struct Shared<T> {
    known: HashSet<Arc<T>>,
    /// Those of entries that name nothing of theirs, by the matches that fit.
    of_rules: HashMap<Vec<usize>, Arc<T>>,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self { known: HashSet::new(), of_rules: HashMap::new() }
    }
}

impl<T: Eq + Hash> Shared<T> {
    /// Forgets what is stored once it is over `most` values: later equal ones are stored again.
    fn forget_beyond(&mut self, most: usize) {
        if self.known.len() > most {
            self.known.clear();
        }
    }

    fn share(&mut self, value: T) -> Arc<T> {
        if let Some(known) = self.known.get(&value) {
            return Arc::clone(known);
        }
        let value = Arc::new(value);
        self.known.insert(Arc::clone(&value));
        value
    }
}
