//! `StatusPage`: what the status page tells, and what is announced on it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the status page tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusPage {
    /// Its title.
    pub title: String,
    /// When it was made: Unix milliseconds.
    pub as_of_ms: i64,
    /// The targets that are told, by group; those without one come last, in a group without name.
    pub groups: Vec<StatusGroup>,
    /// Targets that are told.
    pub told: usize,
    /// Further targets with the label, which are counted alone.
    pub rest: usize,
    /// How many of all are down.
    pub down: usize,
    /// How many of all answer, but not as they should.
    pub warning: usize,
    /// How many of all are up.
    pub up: usize,
    /// Outages that last or began lately, the latest first.
    pub outages: Vec<StatusOutage>,
    /// What is announced, the latest first.
    pub announcements: Vec<Announcement>,
}

/// Targets that belong together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusGroup {
    /// Its name; empty for targets without a group.
    pub name: String,
    /// Its targets.
    pub targets: Vec<StatusTarget>,
}

/// One target of the status page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusTarget {
    /// Its name, or its address without secrets where it has none.
    pub name: String,
    /// Its state by name.
    pub state: &'static str,
    /// Since when, in Unix milliseconds; `None` while it is pending.
    pub since_ms: Option<i64>,
    /// Days of it that are kept, the oldest first, today last; none where nothing is kept.
    pub days: Vec<StatusDay>,
}

/// One day of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatusDay {
    /// Polls of the day whose verdict counts.
    pub checks: u32,
    /// Polls of these that found it up.
    pub up: u32,
}

/// An outage on the status page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusOutage {
    /// The name of its target.
    pub name: String,
    /// When it began, in Unix milliseconds.
    pub began_ms: i64,
    /// When it ended, in Unix milliseconds; `None` while it lasts.
    pub ended_ms: Option<i64>,
}

/// What is announced. Times are RFC 3339 in UTC with milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Announcement {
    /// Its number.
    pub id: i64,
    /// Its title.
    pub title: String,
    /// Its text; may be empty.
    pub text: String,
    /// What it is about: `information`, `maintenance` or `outage`.
    pub kind: String,
    /// From when on it holds.
    pub from: String,
    /// Until when it holds; `null` until it is taken down.
    pub until: Option<String>,
    /// Whether it holds by now, and is not still to come.
    pub is_current: bool,
}

/// All that is announced and not over, the latest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Announcements {
    /// The announcements.
    pub announcements: Vec<Announcement>,
}
