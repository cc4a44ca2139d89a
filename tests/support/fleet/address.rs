//! Which address of 127.0.0.0/8 stands for which target, and the names that lead there.

use std::net::Ipv4Addr;

const BLOCK: u32 = 62_500;

/// The address of target `number`: from 127.1.0.1 on, never in 127.0.0.0/16.
pub(crate) fn address(number: u32) -> Ipv4Addr {
    let part = |value: u32| u8::try_from(value).unwrap_or(254);
    Ipv4Addr::new(127, part(1 + number / BLOCK), part(number / 250 % 250), part(1 + number % 250))
}

/// The target that stands at `address`, if one does.
pub(crate) fn number(address: Ipv4Addr) -> Option<u32> {
    let [_, block, row, place] = address.octets().map(u32::from);
    (block >= 1 && row < 250 && (1..=250).contains(&place))
        .then(|| (block - 1) * BLOCK + row * 250 + place - 1)
}

/// A well mixed number for `seed` and `count`: the same ones give the same number everywhere.
pub(crate) fn mix(seed: u64, count: u64) -> u64 {
    let mut value = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(count);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A fraction from 0 up to, not including, 1 for `seed` and `count`.
pub(crate) fn fraction(seed: u64, count: u64) -> f64 {
    let thousandth_millions = u32::try_from(mix(seed, count) % 1_000_000_000).unwrap_or(0);
    f64::from(thousandth_millions) / 1e9
}
