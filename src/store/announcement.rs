//! `Announcement`: what is announced on the status page, as it is kept.

/// What is announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Its number; 0 before it is kept.
    pub id: i64,
    /// Its title.
    pub title: String,
    /// Its text; may be empty.
    pub text: String,
    /// What it is about.
    pub kind: AnnouncementKind,
    /// From when on it holds, in Unix milliseconds.
    pub from_ms: i64,
    /// Until when it holds, in Unix milliseconds; `None` until it is taken down.
    pub until_ms: Option<i64>,
}

/// What an announcement is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnnouncementKind {
    /// Something to know.
    #[default]
    Information,
    /// Work that is planned.
    Maintenance,
    /// Something that is broken.
    Outage,
}

impl AnnouncementKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Information, Self::Maintenance, Self::Outage];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Information => "information",
            Self::Maintenance => "maintenance",
            Self::Outage => "outage",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}
