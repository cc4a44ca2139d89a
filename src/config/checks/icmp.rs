//! The keys of `icmp`.

use super::keys::Keys;
use super::place::Place;
use crate::address::Scheme;
use crate::config::fields::Fields;
use crate::config::values::wrong;
use crate::target::{IcmpProbe, Probe};

pub(super) fn read(keys: &mut Keys<'_>, fields: &mut Fields) {
    let usual = IcmpProbe::default();
    let place = Place::read(keys, "host");
    let count = keys.read("count", |value| {
        match crate::config::values::whole("count", value, 1_000_u16)? {
            0 => Err(wrong("count", value, "a whole number from 1 to 1000")),
            count => Ok(count),
        }
    });
    let spacing_ms =
        keys.read("spacing", |value| crate::config::values::timeout_ms("spacing", value));
    let probe = IcmpProbe {
        count: count.unwrap_or(usual.count),
        spacing_ms: spacing_ms.unwrap_or(usual.spacing_ms),
        size: keys.number("size", 1_400_u16).unwrap_or(usual.size),
        ttl: None,
    };
    fields.plan.probe = Some(Probe::Icmp(probe));
    if let Some(mut place) = place {
        place.port = None;
        place.address(Scheme::Icmp, "", fields);
    }
}
