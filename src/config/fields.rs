//! `Fields`: what an entry, a match or the defaults say, each key of which may be missing.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::num::{NonZeroU8, NonZeroU32};
use std::path::PathBuf;

use crate::config::given::Given;
use crate::expectation::{Expectation, HeaderRule, JsonValue, Pattern};
use crate::manners::Rate;
use crate::target::{
    Auth, Connection, HttpVersion, IpVersion, Plan, Priority, Probe, Proxy, Role, Verify,
};

/// The keys that are named in one place; a stronger place fills over a weaker one.
///
/// `labels`, `headers`, `expect` and `tls` are filled name by name, all others as a whole.
#[derive(Clone, Default, PartialEq)]
pub struct Fields {
    /// Address.
    pub url: Option<Box<str>>,
    /// Address as written, where variables or files were put in.
    pub written: Option<Box<str>>,
    /// Id.
    pub id: Option<Box<str>>,
    /// Name for people.
    pub name: Option<Box<str>>,
    /// Group.
    pub group: Option<Box<str>>,
    /// Labels.
    pub labels: BTreeMap<Box<str>, Box<str>>,
    /// Milliseconds from one poll to the next.
    pub every_ms: Option<u32>,
    /// Milliseconds that a poll may take.
    pub timeout_ms: Option<u32>,
    /// Who goes first.
    pub priority: Option<Priority>,
    /// How it is asked.
    pub plan: PlanFields,
}

/// The part of [`Fields`] that makes a [`Plan`].
#[derive(Clone, Default, PartialEq)]
pub struct PlanFields {
    pub(crate) probe: Option<Probe>,
    pub(crate) method: Option<Box<str>>,
    pub(crate) headers: Vec<(Box<str>, Box<str>)>,
    pub(crate) body: Option<Box<str>>,
    pub(crate) auth: Option<Auth>,
    pub(crate) expect: ExpectFields,
    pub(crate) connection: Option<Connection>,
    pub(crate) redirects: Option<u8>,
    pub(crate) http_version: Option<HttpVersion>,
    pub(crate) ip_version: Option<IpVersion>,
    pub(crate) resolver: Option<SocketAddr>,
    pub(crate) tls: TlsFields,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) retries: Option<u8>,
    pub(crate) role: Option<Role>,
    pub(crate) max_per_host: Option<NonZeroU32>,
    pub(crate) host_rate: Option<Rate>,
    /// 0: all.
    pub(crate) locations: Option<u8>,
    pub(crate) quorum: Option<NonZeroU8>,
}

/// What `tls` names.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct TlsFields {
    pub(crate) verify: Option<Verify>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) client_cert: Option<PathBuf>,
    pub(crate) client_key: Option<PathBuf>,
}

/// What `expect` names.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct ExpectFields {
    pub(crate) status: Option<Vec<(u16, u16)>>,
    pub(crate) body_contains: Option<Vec<Box<str>>>,
    pub(crate) body_not_contains: Option<Vec<Box<str>>>,
    pub(crate) body_regex: Option<Pattern>,
    pub(crate) json: Option<Vec<(Box<str>, JsonValue)>>,
    pub(crate) headers: Option<Vec<(Box<str>, HeaderRule)>>,
    pub(crate) latency_under_ms: Option<u32>,
    pub(crate) certificate_days: Option<u32>,
}

impl Fields {
    /// Leaves to `given`, which are flags and variables, what they name: they beat a file's
    /// defaults for all entries.
    pub(crate) fn yield_to(&mut self, given: &Given) {
        self.every_ms.take_if(|_| given.interval.is_some());
        self.timeout_ms.take_if(|_| given.timeout.is_some());
        self.plan.proxy.take_if(|_| given.proxy.is_some());
        self.plan.resolver.take_if(|_| !given.resolver.is_empty());
    }
}

impl Fields {
    /// Forgets what may be a secret of this machine, or leads over another one.
    pub(crate) fn forget_secrets(&mut self) {
        let plan = &mut self.plan;
        plan.headers.clear();
        plan.tls.client_cert = None;
        plan.tls.client_key = None;
        (plan.body, plan.auth, plan.proxy) = (None, None, None);
    }
}

impl PlanFields {
    /// Whether no key is named.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Puts what is named here into `plan`.
    pub(crate) fn apply(&self, plan: &mut Plan) {
        put(&mut plan.probe, self.probe.as_ref());
        put(&mut plan.method, self.method.as_ref());
        for (name, value) in &self.headers {
            put_header(&mut plan.headers, name, value);
        }
        put_some(&mut plan.body, self.body.as_ref());
        put_some(&mut plan.auth, self.auth.as_ref());
        self.expect.apply(&mut plan.expect);
        put(&mut plan.connection, self.connection.as_ref());
        put(&mut plan.redirects, self.redirects.as_ref());
        put(&mut plan.http_version, self.http_version.as_ref());
        put(&mut plan.ip_version, self.ip_version.as_ref());
        put_some(&mut plan.resolver, self.resolver.as_ref());
        put(&mut plan.tls.verify, self.tls.verify.as_ref());
        put_some(&mut plan.tls.ca, self.tls.ca.as_ref());
        put_some(&mut plan.tls.client_cert, self.tls.client_cert.as_ref());
        put_some(&mut plan.tls.client_key, self.tls.client_key.as_ref());
        put(&mut plan.proxy, self.proxy.as_ref());
        put(&mut plan.retries, self.retries.as_ref());
        put(&mut plan.role, self.role.as_ref());
        put_some(&mut plan.max_per_host, self.max_per_host.as_ref());
        put_some(&mut plan.host_rate, self.host_rate.as_ref());
        put(&mut plan.locations, self.locations.map(NonZeroU8::new).as_ref());
        put_some(&mut plan.quorum, self.quorum.as_ref());
    }
}

impl ExpectFields {
    fn apply(&self, expect: &mut Expectation) {
        put(&mut expect.status, self.status.as_ref());
        put(&mut expect.body_contains, self.body_contains.as_ref());
        put(&mut expect.body_not_contains, self.body_not_contains.as_ref());
        put_some(&mut expect.body_regex, self.body_regex.as_ref());
        put(&mut expect.json, self.json.as_ref());
        put(&mut expect.headers, self.headers.as_ref());
        put_some(&mut expect.latency_under_ms, self.latency_under_ms.as_ref());
        put_some(&mut expect.certificate_days, self.certificate_days.as_ref());
    }
}

impl fmt::Debug for Fields {
    /// Leaves out the address, which may hold a password, and all that may be a secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, name, group, labels, every_ms, timeout_ms, priority, plan, .. } = self;
        formatter
            .debug_struct("Fields")
            .field("id", id)
            .field("name", name)
            .field("group", group)
            .field("labels", labels)
            .field("every_ms", every_ms)
            .field("timeout_ms", timeout_ms)
            .field("priority", priority)
            .field("plan", plan)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PlanFields {
    /// Shows nothing: headers, body and credentials are secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.is_empty() { "PlanFields" } else { "PlanFields(<secret>)" })
    }
}

/// Sets the header `name`, in the place of one that differs in capitals alone.
pub(crate) fn put_header(headers: &mut Vec<(Box<str>, Box<str>)>, name: &str, value: &str) {
    match headers.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        Some(header) => *header = (name.into(), value.into()),
        None => headers.push((name.into(), value.into())),
    }
}

fn put<T: Clone>(place: &mut T, value: Option<&T>) {
    if let Some(value) = value {
        place.clone_from(value);
    }
}

fn put_some<T: Clone>(place: &mut Option<T>, value: Option<&T>) {
    if value.is_some() {
        *place = value.cloned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stronger_layer_fills_over_a_weaker_one_and_leaves_the_rest() {
        let weak = PlanFields {
            method: Some("HEAD".into()),
            headers: vec![("Accept".into(), "a".into()), ("X-A".into(), "1".into())],
            retries: Some(0),
            ..PlanFields::default()
        };
        let strong = PlanFields {
            method: Some("POST".into()),
            headers: vec![("accept".into(), "b".into())],
            ..PlanFields::default()
        };
        let mut plan = Plan::default();
        weak.apply(&mut plan);
        strong.apply(&mut plan);
        assert_eq!(&*plan.method, "POST");
        assert_eq!(plan.retries, 0);
        assert_eq!(plan.redirects, 5);
        assert_eq!(
            plan.headers,
            [("accept".into(), "b".into()), ("X-A".into(), "1".into())]
                as [(Box<str>, Box<str>); 2]
        );
    }
}
