//! `Aim`: the target that a probe goes to, from what somebody asks for.

use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::address::{Address, AddressError};
use crate::api::{ProbeQuery, Problem};
use crate::config::modules::{Module, Prober, bare};
use crate::target::{Origin, Plan, Priority, Seat, Target, TargetId};

/// How long a probe may take where nobody says so.
const LIMIT: Duration = Duration::from_mins(2);

/// Where a probe goes.
#[derive(Debug)]
pub(super) enum Aim {
    /// Here.
    At(Target),
    /// What was asked for is no target of this module, for this reason.
    Nowhere(String),
}

/// Where a probe by `module` goes; `known` is the target of the list that is meant.
///
/// # Errors
/// The module and the question name different hosts.
pub(super) fn target(
    module: &Module,
    asked: &ProbeQuery,
    known: Option<&Target>,
) -> Result<Aim, Problem> {
    let plan = plan(module, asked.hostname.as_deref())?;
    let address = match address(&module.prober, &asked.target, known) {
        Ok(address) if address.port() == 0 && matches!(module.prober, Prober::Tcp) => {
            return Ok(Aim::Nowhere(format!("{} has no port; write HOST:PORT", asked.target)));
        }
        Ok(address) => address,
        Err(error) => return Ok(Aim::Nowhere(format!("no target of {}: {error}", module.name))),
    };
    let limit = [module.timeout, asked.limit].into_iter().flatten().min().unwrap_or(LIMIT);
    Ok(Aim::At(Target {
        number: 0,
        id: TargetId::of_address(plan.probe.kind(), &plan.method, address.written(), 0),
        given_id: None,
        name: None,
        address,
        every_ms: 60_000,
        timeout_ms: milliseconds(limit),
        priority: Priority::Normal,
        plan: Arc::new(plan),
        labels: Arc::default(),
        origin: known.map_or(Origin::List, |known| known.origin),
        seat: Seat::default(),
    }))
}

/// `target` once more, by another plan and in what is left of its time.
pub(super) fn again(target: &Target, plan: Plan, left: Duration) -> Target {
    Target {
        number: 0,
        id: target.id,
        given_id: None,
        name: None,
        address: target.address.clone(),
        every_ms: target.every_ms,
        timeout_ms: milliseconds(left),
        priority: target.priority,
        plan: Arc::new(plan),
        labels: Arc::default(),
        origin: target.origin,
        seat: Seat::default(),
    }
}

fn milliseconds(limit: Duration) -> u32 {
    u32::try_from(limit.as_millis()).unwrap_or(u32::MAX).max(1)
}

/// How the target is asked, when it is called by `hostname`.
fn plan(module: &Module, hostname: Option<&str>) -> Result<Plan, Problem> {
    let mut plan = module.plan.clone();
    let Some(hostname) = hostname else { return Ok(plan) };
    match &module.prober {
        Prober::Http(_) => {
            let own = plan.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"));
            match own {
                Some((_, value)) if **value != *hostname => {
                    let detail = "the module names another Host than the parameter hostname";
                    return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
                }
                Some(_) => {}
                None => plan.headers.push(("Host".into(), hostname.into())),
            }
            plan.tls.server_name.get_or_insert_with(|| bare(hostname).into());
        }
        Prober::Tcp => {
            plan.tls.server_name.get_or_insert_with(|| hostname.into());
        }
        Prober::Icmp | Prober::Dns(_) => {}
    }
    Ok(plan)
}

/// The address that `text` stands for, by what is spoken; that of `known`, where it is spoken
/// there.
fn address(prober: &Prober, text: &str, known: Option<&Target>) -> Result<Address, AddressError> {
    let scheme = match prober {
        Prober::Http(_) => "http",
        Prober::Tcp => "tcp",
        Prober::Icmp => "icmp",
        Prober::Dns(_) => "dns",
    };
    if let Some(Target { address, .. }) = known {
        let is_spoken = match prober {
            Prober::Http(_) => address.scheme().is_http(),
            Prober::Tcp | Prober::Icmp | Prober::Dns(_) => address.scheme().as_str() == scheme,
        };
        return match prober {
            _ if is_spoken => Ok(address.clone()),
            Prober::Icmp => Address::parse_any(&format!("icmp://{}", address.host_text())),
            _ => Address::parse_any(&format!(
                "{scheme}://{}:{}",
                address.host_text(),
                address.port()
            )),
        };
    }
    if let Prober::Http(_) = prober {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        let is_whole = text.split_once("://").is_some_and(|(name, _)| name.bytes().all(is_name));
        return Address::parse(&if is_whole { text.to_owned() } else { format!("http://{text}") });
    }
    let bare = text.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://")).unwrap_or(text);
    if bare.parse::<Ipv6Addr>().is_ok() {
        return Address::parse_any(&format!("{scheme}://[{bare}]"));
    }
    Address::parse_any(&format!("{scheme}://{bare}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::modules::Modules;

    fn aimed(module: &str, target: &str, hostname: Option<&str>) -> Result<Aim, Problem> {
        let modules = Modules::read(None).expect("they are built in");
        let asked = ProbeQuery {
            target: target.to_owned(),
            module: None,
            hostname: hostname.map(str::to_owned),
            is_cached: false,
            limit: Some(Duration::from_secs(9)),
        };
        super::target(modules.module(module).expect("there"), &asked, None)
    }

    fn at(module: &str, target: &str) -> String {
        match aimed(module, target, None) {
            Ok(Aim::At(target)) => target.address.to_string(),
            Ok(Aim::Nowhere(_)) => "nowhere".to_owned(),
            Err(problem) => panic!("{problem:?}"),
        }
    }

    #[test]
    fn a_target_is_read_as_its_module_takes_it() {
        assert_eq!(at("http_2xx", "a.example/?u=http://b"), "http://a.example/?u=http://b");
        assert_eq!(at("http_2xx", "https://a.example/x"), "https://a.example/x");
        assert_eq!(at("tcp_connect", "a.example:25"), "tcp://a.example:25");
        assert_eq!(at("tcp_connect", "[::1]:25"), "tcp://[::1]:25");
        assert_eq!(at("icmp", "::1"), "icmp://[::1]");
        for (module, target) in [("http_2xx", "ftp://a.example"), ("tcp_connect", "a b:1")] {
            assert_eq!(at(module, target), "nowhere", "{target}");
        }
    }

    #[test]
    fn the_shorter_time_is_the_limit_and_a_name_goes_into_host_and_handshake() {
        let Ok(Aim::At(target)) = aimed("icmp_ttl5", "::1", None) else { panic!("good") };
        assert_eq!(target.timeout_ms, 5_000);
        let named = aimed("http_2xx", "127.0.0.1", Some("a.example:80"));
        let Ok(Aim::At(target)) = named else { panic!("good") };
        assert_eq!(target.timeout_ms, 9_000);
        assert_eq!(target.plan.headers, [("Host".into(), "a.example:80".into())]);
        assert_eq!(target.plan.tls.server_name.as_deref(), Some("a.example"));
    }
}
