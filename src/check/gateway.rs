//! Whether the router that we send through answers us: where it does not, nothing is known of what
//! lies behind it. The kernel is asked, and nothing sent.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Bytes of a table of the kernel that are read; what is in longer ones is not looked for.
const LONGEST: u64 = 1 << 18;
/// How long what was read holds: many polls may ask at once.
const HOLD: Duration = Duration::from_millis(200);

/// Tables of the kernel, as they were `read`.
#[derive(Debug)]
struct Tables {
    read: Instant,
    routes: String,
    neighbours: String,
}

/// The tables as they were read last: there is one machine, whoever asks.
static SEEN: Mutex<Option<Tables>> = Mutex::new(None);

/// Whether `address` lies behind a gateway of ours that does not answer.
///
/// The kernel shows no neighbours of IPv6 in a file: of those nothing is known.
pub(crate) fn is_silent(address: IpAddr) -> bool {
    let IpAddr::V4(address) = address else { return false };
    if address.is_loopback() {
        return false;
    }
    let now = Instant::now();
    let mut seen = SEEN.lock();
    let is_recent = |tables: &&Tables| now.saturating_duration_since(tables.read) < HOLD;
    if let Some(tables) = seen.as_ref().filter(is_recent) {
        return tables.is_silent(address);
    }
    let routes = read("/proc/net/route").unwrap_or_default();
    let neighbours = read("/proc/net/arp").unwrap_or_default();
    seen.insert(Tables { read: now, routes, neighbours }).is_silent(address)
}

impl Tables {
    fn is_silent(&self, address: Ipv4Addr) -> bool {
        gateway(&self.routes, address).is_some_and(|gateway| is_sought(&self.neighbours, gateway))
    }
}

fn read(file: &str) -> Option<String> {
    let mut text = String::new();
    let length = File::open(file).ok()?.take(LONGEST).read_to_string(&mut text).ok()?;
    ((length as u64) < LONGEST).then_some(text)
}

/// The gateway to `address`: that of the narrowest route, and of the cheapest among equals.
fn gateway(routes: &str, address: Ipv4Addr) -> Option<Ipv4Addr> {
    let hex = |text: &str| u32::from_str_radix(text, 16).ok();
    let place = |text: &str| hex(text).map(|number| Ipv4Addr::from(number.to_ne_bytes()));
    let route = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let (there, gateway) = (place(fields.nth(1)?)?, place(fields.next()?)?);
        let metric: u32 = fields.nth(3)?.parse().ok()?;
        let mask = place(fields.next()?)?.to_bits();
        let fits = address.to_bits() & mask == there.to_bits();
        fits.then_some((mask, std::cmp::Reverse(metric), gateway))
    };
    let (_, _, gateway) = routes.lines().filter_map(route).max()?;
    (!gateway.is_unspecified()).then_some(gateway)
}

/// Whether `address` is among the neighbours, and has told nobody where it is.
fn is_sought(neighbours: &str, address: Ipv4Addr) -> bool {
    const COMPLETE: u32 = 2;
    neighbours.lines().any(|line| {
        let mut fields = line.split_ascii_whitespace();
        fields.next().is_some_and(|one| one.parse() == Ok(address))
            && fields
                .nth(1)
                .and_then(|flags| u32::from_str_radix(flags.strip_prefix("0x")?, 16).ok())
                .is_some_and(|flags| flags & COMPLETE == 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hexadecimal form of an address in the kernel's table.
    fn hex(address: &str) -> String {
        let address: Ipv4Addr = address.parse().expect("an address");
        format!("{:08X}", u32::from_ne_bytes(address.octets()))
    }

    #[test]
    fn the_gateway_is_that_of_the_narrowest_and_cheapest_route() {
        let routes: Vec<String> = [
            ("0.0.0.0", "192.0.2.1", 100, "0.0.0.0"),
            ("0.0.0.0", "192.0.2.2", 50, "0.0.0.0"),
            ("192.0.2.0", "0.0.0.0", 0, "255.255.255.0"),
            ("198.51.100.0", "192.0.2.9", 0, "255.255.255.128"),
        ]
        .into_iter()
        .map(|(there, gateway, metric, mask)| {
            let [there, gateway, mask] = [there, gateway, mask].map(hex);
            format!("eth0\t{there}\t{gateway}\t0003\t0\t0\t{metric}\t{mask}\t0\t0\t0\n")
        })
        .collect();
        let routes = format!("Iface\tDestination\tGateway \tFlags\n{}", routes.concat());
        let of = |address: &str| {
            gateway(&routes, address.parse().expect("an address")).map(|found| found.to_string())
        };
        assert_eq!(of("203.0.113.1").as_deref(), Some("192.0.2.2"));
        assert_eq!(of("198.51.100.1").as_deref(), Some("192.0.2.9"));
        assert_eq!(of("198.51.100.200").as_deref(), Some("192.0.2.2"));
        assert_eq!(of("192.0.2.77"), None, "nobody stands between");
    }

    #[test]
    fn a_neighbour_that_does_not_answer_has_no_place() {
        let neighbours = "IP address HW type Flags HW address Mask Device\n\
                          192.0.2.1 0x1 0x2 ee:4a:ad:1e:8e:c7 * v0\n\
                          192.0.2.9 0x1 0x0 00:00:00:00:00:00 * v0\n";
        let is_sought =
            |address: &str| super::is_sought(neighbours, address.parse().expect("an address"));
        assert!(is_sought("192.0.2.9"));
        assert!(!is_sought("192.0.2.1") && !is_sought("192.0.2.2"));
    }
}
