//! What is told of the address that a probe went to, and of finding it.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Map, Value};

use super::{Probed, Spoken, seconds};
use crate::outcome::Cause;
use crate::view::series::Family;

/// The figures; 0 where no address was found. Before them, how long it took to find it.
pub(super) fn families(probed: &Probed<'_>) -> (f64, [Family; 3]) {
    let (address, lookup) = match (probed.spoken, first_hop(probed)) {
        (Spoken::Http, Some(hop)) => {
            let lookup = hop.get("phases").and_then(|phases| phases.get("resolve")?.as_f64());
            (of(hop), lookup.unwrap_or(0.0))
        }
        _ => (of(probed.data), seconds(probed.finding.phases.resolve)),
    };
    // A look-up that failed took all the time there was.
    let is_lost = matches!(probed.finding.cause, Some(Cause::Dns | Cause::Resolver));
    let lookup = if address.is_none() && is_lost { probed.seconds } else { lookup };
    let version = address.map_or(0, |address| if address.is_ipv4() { 4_u64 } else { 6 });
    let families = [
        Family::gauge("probe_dns_lookup_time_seconds", "How long the look-up of the name took")
            .of(lookup),
        Family::gauge("probe_ip_protocol", "Version of IP, 4 or 6").of(version),
        Family::gauge("probe_ip_addr_hash", "Hash of the IP address, which changes when that does")
            .of(address.map_or(0, |address| u64::from(hash(address)))),
    ];
    (lookup, families)
}

fn first_hop<'p>(probed: &'p Probed<'_>) -> Option<&'p Map<String, Value>> {
    probed.data.get("hops")?.as_array()?.first()?.as_object()
}

/// The address that was connected to, else the first that was tried.
fn of(facts: &Map<String, Value>) -> Option<IpAddr> {
    let text = |name: &str| facts.get(name).and_then(Value::as_str);
    let remote = text("remote_address").and_then(|text| text.parse::<SocketAddr>().ok());
    let tried = || facts.get("addresses")?.as_array()?.first()?.as_str()?.parse().ok();
    let asked = || text("address")?.parse().ok();
    remote.map(|remote| remote.ip()).or_else(tried).or_else(asked)
}

/// The 32-bit FNV-1a hash of an address.
fn hash(address: IpAddr) -> u32 {
    let add = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    match address.to_canonical() {
        IpAddr::V4(address) => address.octets().iter().fold(0x811c_9dc5, add),
        IpAddr::V6(address) => address.octets().iter().fold(0x811c_9dc5, add),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_the_hash_that_others_tell() {
        assert_eq!(hash([127, 1, 0, 1].into()), 395_702_546);
    }
}
