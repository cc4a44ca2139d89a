//! How large a simulated cluster is, what becomes of it, and what has come of that.

/// How large a cluster is, and what becomes of it.
#[derive(Clone, Debug)]
pub struct Plan {
    pub targets: u32,
    pub every_ms: u32,
    pub shards: u32,
    pub schedulers: usize,
    pub checkers: usize,
    /// Polls a second that one checker makes at most.
    pub capacity: u32,
    /// How long it lasts, in milliseconds.
    pub length_ms: i64,
    /// When a scheduler or a checker dies, in milliseconds from the beginning; each is replaced by a
    /// new one half a minute later.
    pub schedulers_die_ms: Vec<i64>,
    pub checkers_die_ms: Vec<i64>,
    /// When brokers take nothing, in milliseconds from the beginning.
    pub brokers_away_ms: (i64, i64),
}

/// What has come of it.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Slots that there were.
    pub slots: u64,
    /// Slots of which nothing was told.
    pub untold: u64,
    /// Slots that were told as polled, and as missed.
    pub polled: u64,
    pub missed: u64,
    /// What was told of a slot again, and counts no more.
    pub repeated: u64,
    /// Polls that began before their slot.
    pub early: u64,
    /// The most by which a poll began late, in milliseconds, while nothing was amiss.
    pub calm_lag_ms: i64,
    /// The same at any time.
    pub lag_ms: i64,
    /// The most jobs of one second, and the mean, while nothing was amiss.
    pub calm_peak: u64,
    pub calm_mean: f64,
}

/// A number from 0 to `below` that depends on `seed` alone (splitmix64, Steele and others 2014).
pub fn drawn(seed: u64, below: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) % below.max(1)
}
