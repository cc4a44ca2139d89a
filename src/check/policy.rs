//! `Policy`: where targets that are given through the API may lead, by address alone.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Where targets that are given through the API may lead: to public addresses, and to what is
/// allowed beside them.
///
/// It judges the very address that is connected to, so that neither a name nor a redirect nor
/// another way to write an address leads elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    allowed: Vec<IpNet>,
}

/// An address that may not be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Forbidden {
    /// The address.
    pub address: IpAddr,
    /// What it is, and by which document.
    pub what: &'static str,
}

impl fmt::Display for Forbidden {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, what } = self;
        write!(
            formatter,
            "{address} is {what}; a target that is given through the API may not lie there unless \
             the setting allow_targets lets it"
        )
    }
}

/// What is not public of IPv4: the first address, how many bits count, and what it is. From the
/// registry of special addresses (RFC 6890), and what clouds answer at.
const V4: &[(Ipv4Addr, u32, &str)] = &[
    (Ipv4Addr::UNSPECIFIED, 8, "unspecified, of \"this network\" (RFC 1122)"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private (RFC 1918)"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "shared by customers of a provider (RFC 6598)"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback (RFC 1122)"),
    (Ipv4Addr::new(168, 63, 129, 16), 32, "the metadata service of a cloud"),
    (Ipv4Addr::new(169, 254, 169, 254), 32, "link-local, the metadata service of a cloud"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local (RFC 3927)"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private (RFC 1918)"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "reserved for protocols (RFC 6890)"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "reserved for documents (RFC 5737)"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "a former relay of 6to4 (RFC 7526)"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private (RFC 1918)"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "reserved for measurements (RFC 2544)"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "reserved for documents (RFC 5737)"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "reserved for documents (RFC 5737)"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast (RFC 5771)"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved (RFC 1112)"),
];

/// What is not public of IPv6, the narrower before the wider. What stands behind the last line is
/// everything that is no global unicast address (RFC 4291, and the registry of RFC 6890).
const V6: &[(Ipv6Addr, u32, &str)] = &[
    (Ipv6Addr::UNSPECIFIED, 128, "unspecified (RFC 4291)"),
    (Ipv6Addr::LOCALHOST, 128, "loopback (RFC 4291)"),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, "a local translation of IPv4 (RFC 8215)"),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64, "for what is thrown away (RFC 6666)"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, "a tunnel of Teredo (RFC 4380)"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "reserved for protocols (RFC 2928)"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "reserved for documents (RFC 3849)"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "a tunnel of 6to4 (RFC 7526)"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "reserved for documents (RFC 9637)"),
    (
        Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
        128,
        "private, the metadata service of a cloud",
    ),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "private (RFC 4193)"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "link-local (RFC 4291)"),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, "site-local (RFC 3879)"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "multicast (RFC 4291)"),
];

/// Where addresses of IPv6 that stand for one of IPv4 begin: its last 32 bits (RFC 6052).
const TRANSLATED: Ipv6Addr = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);
/// Where global unicast addresses lie (RFC 4291, section 2.4).
const GLOBAL: Ipv6Addr = Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0);

impl Policy {
    /// Public addresses, and those of `allowed`.
    #[must_use]
    pub const fn allowing(allowed: Vec<IpNet>) -> Self {
        Self { allowed }
    }

    /// Whether `address` may be connected to.
    ///
    /// # Errors
    /// It may not; then what it is.
    pub fn judge(&self, address: IpAddr) -> Result<(), Forbidden> {
        if self.allowed.iter().any(|network| network.contains(&address)) {
            return Ok(());
        }
        let what = match address {
            IpAddr::V4(v4) => of_v4(v4),
            IpAddr::V6(v6) => match stands_for(v6) {
                Some(v4) => return self.judge(v4.into()).map_err(|of| Forbidden { address, ..of }),
                None => of_v6(v6),
            },
        };
        what.map_or(Ok(()), |what| Err(Forbidden { address, what }))
    }
}

fn of_v4(address: Ipv4Addr) -> Option<&'static str> {
    let differs = |network: &Ipv4Addr| (network.to_bits() ^ address.to_bits()).leading_zeros();
    V4.iter().find(|(network, bits, _)| differs(network) >= *bits).map(|(_, _, what)| *what)
}

fn of_v6(address: Ipv6Addr) -> Option<&'static str> {
    let differs = |network: &Ipv6Addr| (network.to_bits() ^ address.to_bits()).leading_zeros();
    let known = V6.iter().find(|(network, bits, _)| differs(network) >= *bits);
    let is_global = differs(&GLOBAL) >= 3;
    known.map(|(_, _, what)| *what).or((!is_global).then_some("reserved (RFC 4291)"))
}

/// The address of IPv4 that one of IPv6 stands for, where packets to it go to that.
fn stands_for(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let is_translated = (address.to_bits() ^ TRANSLATED.to_bits()).leading_zeros() >= 96;
    let [.., a, b, c, d] = address.octets();
    let last = is_translated.then(|| Ipv4Addr::new(a, b, c, d));
    address.to_ipv4_mapped().or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(policy: &Policy, address: &str) -> Result<(), &'static str> {
        let address = address.parse().expect("an address");
        policy.judge(address).map_err(|forbidden| forbidden.what)
    }

    const CLOSED: &str = "\
        0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 127.255.0.1 \
        169.254.169.254 169.254.1.1 168.63.129.16 172.16.0.1 172.31.255.255 \
        192.0.0.192 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 \
        198.51.100.1 203.0.113.1 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255 :: ::1 \
        ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:10.1.2.3 ::ffff:169.254.169.254 \
        ::ffff:0:127.0.0.1 64:ff9b::127.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b:1::8.8.8.8 \
        64:ff9b:1:ffff::1 100::1 2001::1 2001:0:4136:e378::1 2001:10::1 2001:20::1 \
        2001:2::1 2001:db8::1 2002:7f00:1:: 2002:808:808::1 3fff::1 3fff:fff::1 \
        5f00::1 fc00::1 fd00:ec2::254 fd12::1 fe80::1 fec0::1 ff02::1 4000::1 1::1";

    #[test]
    fn what_is_not_public_is_refused_in_every_form() {
        for address in CLOSED.split(' ') {
            assert!(judged(&Policy::default(), address).is_err(), "{address}");
        }
    }

    const PUBLIC: &str = "\
        1.1.1.1 8.8.8.8 100.63.255.255 100.128.0.1 172.15.0.1 172.32.0.1 192.0.1.1 \
        168.63.129.17 198.17.0.1 198.20.0.1 223.255.255.255 2606:4700:4700::1111 \
        2001:4860:4860::8888 2001:200::1 2a00::1 3ffe::1 ::ffff:8.8.8.8 \
        64:ff9b::8.8.8.8";

    #[test]
    fn what_is_public_is_not() {
        for address in PUBLIC.split(' ') {
            assert_eq!(judged(&Policy::default(), address), Ok(()), "{address}");
        }
    }

    #[test]
    fn what_is_allowed_is_allowed_in_every_form_and_nothing_beside_it() {
        let nets = ["10.1.0.0/16", "::1/128"].map(|net| net.parse().expect("a network"));
        let policy = Policy::allowing(nets.to_vec());
        for address in ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "::1"] {
            assert_eq!(judged(&policy, address), Ok(()), "{address}");
        }
        for address in ["10.2.0.1", "127.0.0.1", "::ffff:10.2.0.1", "::2"] {
            assert!(judged(&policy, address).is_err(), "{address}");
        }
    }

    #[test]
    fn a_refusal_says_what_the_address_is_and_what_to_do() {
        let address = IpAddr::from([169, 254, 169, 254]);
        let told = Policy::default().judge(address).expect_err("forbidden").to_string();
        for word in ["169.254.169.254", "metadata", "allow_targets"] {
            assert!(told.contains(word), "{told}");
        }
    }
}
