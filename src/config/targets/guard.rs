//! What an entry that comes through the API may not ask for.

use std::net::IpAddr;

use crate::address::{Address, Host};
use crate::check::Policy;
use crate::config::fields::Fields;
use crate::target::{CheckKind, Plan, Probe, Proxy};

/// Judges an entry that comes through the API by what it names itself. Where its names lead is
/// judged when they are connected to.
///
/// # Errors
/// It asks for what it may not have; what that is, and why.
pub(super) fn judge(
    fields: &Fields,
    plan: &Plan,
    address: &Address,
    policy: &Policy,
) -> Result<(), String> {
    if fields.plan.proxy.as_ref().is_some_and(|proxy| *proxy != Proxy::Direct) {
        return Err("\"proxy\" is not for targets that are given through the API, because nobody \
                    could judge where it leads; remove it"
            .to_owned());
    }
    let may_be = |key: &str, ip: IpAddr| {
        policy.judge(ip).map_err(|forbidden| format!("\"{key}\" is refused: {forbidden}"))
    };
    if let Some(server) = fields.plan.resolver {
        may_be("resolver", server.ip())?;
    }
    if let Probe::Dns(probe) = &plan.probe {
        for server in &probe.resolvers {
            may_be("resolvers", server.ip())?;
        }
    }
    match address.host() {
        // A name server is asked for it, and it is not.
        _ if plan.probe.kind() == CheckKind::Dns => Ok(()),
        Host::Ip(ip) => may_be("url", ip),
        Host::Name(_) => Ok(()),
    }
}
