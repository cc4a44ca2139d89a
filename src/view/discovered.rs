//! `Discovered`: one target as Prometheus finds it by HTTP service discovery.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::target::{CheckKind, State, Target};

/// One target: what is scraped, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Discovered {
    /// Its address, without secrets.
    pub targets: [String; 1],
    /// `__meta_poller_…`: its id, name, group, state, check and labels; `__param_…`: by which
    /// parameters `/probe` probes it.
    pub labels: BTreeMap<String, String>,
}

impl Discovered {
    /// What is told of `target`, which is in `state`.
    #[must_use]
    pub fn of(target: &Target, state: State) -> Self {
        let kind = target.plan.probe.kind();
        let mut labels = BTreeMap::new();
        let mut put = |name: &str, value: &str| labels.insert(name.to_owned(), value.to_owned());
        let id = target.shown_id();
        put("__meta_poller_id", &id);
        put("__meta_poller_name", target.name.as_deref().unwrap_or_default());
        put("__meta_poller_group", target.labels.group.as_deref().unwrap_or_default());
        put("__meta_poller_state", state.as_str());
        put("__meta_poller_check", kind.as_str());
        put("__param_target", &id);
        match kind {
            CheckKind::Http => put("__param_module", "http_2xx"),
            CheckKind::Tcp => put("__param_module", "tcp_connect"),
            CheckKind::Icmp => put("__param_module", "icmp"),
            // No module of those that are built in looks at these as their entry does.
            CheckKind::Ssl | CheckKind::Mail | CheckKind::Dns | CheckKind::Other => {
                put("__param_cached", "true")
            }
        };
        for (name, value) in &target.labels.pairs {
            put(&format!("__meta_poller_label_{}", clean(name)), value);
        }
        Self { targets: [target.address.to_string()], labels }
    }
}

/// `name` as a part of the name of a label (letters, digits and underscores).
fn clean(name: &str) -> String {
    let is_good = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    name.chars().map(|letter| if is_good(letter) { letter } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_labels_are_what_prometheus_takes() {
        assert_eq!(clean("team-name.x/ü"), "team_name_x__");
    }
}
