//! `State`: how a target is.

use crate::named::named;

named! {
    /// The state of a target.
    State {
        /// It has not been polled yet.
        Pending = 0 "pending",
        /// It answers as expected.
        Up = 1 "up",
        /// It is reachable, and something is not as expected.
        Warning = 2 "warning",
        /// It fails by a cause of its own.
        Down = 3 "down",
        /// We cannot tell, by a cause of ours.
        Unknown = 4 "unknown",
        /// It is not polled at the moment.
        Paused = 5 "paused",
    }
}
