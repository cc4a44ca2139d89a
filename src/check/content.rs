//! `Content`: looks at a body as it streams by, and holds no more of it than expectations need.

mod weigh;

use std::io;

use memchr::memmem;

use crate::check::fault::Fault;
use crate::check::head::Coding;
use crate::check::meter::Held;
use crate::check::unpack::Unpack;
use crate::expectation::Expectation;
use crate::outcome::{Cause, Detail};

pub(crate) use weigh::unseen;

/// Bytes of a body that are held at most, for expectations that need all of it.
const HELD_CAP: usize = 1 << 20;
/// How many times larger than what came a body may become, once it is over [`HELD_CAP`].
const RATIO_CAP: u64 = 200;

const BAD_ENCODING: Fault = Fault::new(Cause::Body, Detail::BadEncoding);

/// What is looked at of a body.
#[derive(Debug)]
pub(crate) enum Content {
    /// Nothing: no expectation is about the body.
    Ignored,
    /// The body, decompressed as it comes.
    Watched(Box<Watched>),
}

/// A body that is being looked at.
#[derive(Debug)]
pub(crate) struct Watched {
    unpack: Unpack,
    search: Search,
    held: Held,
    fault: Option<Fault>,
    is_finished: bool,
}

/// The search for texts in a stream of bytes.
#[derive(Debug, Default)]
struct Search {
    wanted: Vec<Needle>,
    unwanted: Vec<Needle>,
    /// The last bytes of what came before, where a text may begin that ends in what comes next.
    tail: Vec<u8>,
    longest: usize,
    held: Option<Vec<u8>>,
    is_overfull: bool,
    size: u64,
    came: u64,
    cap: u64,
    is_over_cap: bool,
}

#[derive(Debug)]
struct Needle {
    finder: memmem::Finder<'static>,
    is_found: bool,
}

impl Content {
    /// What `expectation` needs of a body that is compressed by `coding`; `cap` bounds its size
    /// when it is decompressed.
    pub(crate) fn new(expectation: &Expectation, coding: Coding, cap: u64) -> Self {
        if !expectation.needs_body() {
            return Self::Ignored;
        }
        let fault = (coding == Coding::Unknown).then_some(BAD_ENCODING);
        let (unpack, search) = (Unpack::new(coding), Search::new(expectation, cap));
        let held = Held::none();
        Self::Watched(Box::new(Watched { unpack, search, held, fault, is_finished: false }))
    }

    /// Takes a part of the body in.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        if let Self::Watched(watched) = self {
            watched.feed(bytes);
        }
    }

    /// Bytes of the body when it is unpacked, where it was looked at.
    pub(crate) const fn size(&self) -> Option<u64> {
        match self {
            Self::Ignored => None,
            Self::Watched(watched) => Some(watched.search.size),
        }
    }

    /// What the whole body fails of what is expected; `is_cut` when the rest of it was not read.
    pub(crate) fn judge(self, expectation: &Expectation, is_cut: bool) -> Result<(), Fault> {
        match self {
            Self::Ignored => Ok(()),
            Self::Watched(watched) => watched.judge(expectation, is_cut),
        }
    }
}

impl Watched {
    fn feed(&mut self, bytes: &[u8]) {
        if self.fault.is_some() || bytes.is_empty() {
            return;
        }
        let Self { unpack, search, .. } = self;
        search.came += bytes.len() as u64;
        if unpack.feed(bytes, &mut |part| search.take(part)).is_err() {
            self.fault = Some(self.search.fault());
        }
        self.held.set(self.unpack.held_bytes() + self.search.held_bytes());
    }

    /// Takes the end of the body in, once.
    fn finish(&mut self, is_cut: bool) {
        if self.fault.is_some() || self.is_finished {
            return;
        }
        self.is_finished = true;
        let Self { unpack, search, .. } = self;
        let has_come = search.came > 0;
        if has_come && !is_cut && unpack.finish(&mut |part| search.take(part)).is_err() {
            self.fault = Some(self.search.fault());
        }
    }

    fn judge(mut self, expectation: &Expectation, is_cut: bool) -> Result<(), Fault> {
        self.finish(is_cut);
        self.fault.map_or_else(|| self.search.judge(expectation, is_cut), Err)
    }
}

impl Search {
    fn new(expectation: &Expectation, cap: u64) -> Self {
        let needles = |texts: &[Box<str>]| -> Vec<Needle> {
            let needle = |text: &str| Needle {
                finder: memmem::Finder::new(text.as_bytes()).into_owned(),
                is_found: text.is_empty(),
            };
            texts.iter().map(|text| needle(text)).collect()
        };
        let has_patterns = expectation.patterns.as_ref().is_some_and(|all| !all.is_empty());
        let needs_all =
            expectation.body_regex.is_some() || has_patterns || !expectation.json.is_empty();
        let mut search = Self {
            wanted: needles(&expectation.body_contains),
            unwanted: needles(&expectation.body_not_contains),
            held: needs_all.then(Vec::new),
            cap,
            ..Self::default()
        };
        search.longest =
            search.needles().map(|needle| needle.finder.needle().len()).max().unwrap_or(0);
        search
    }

    fn needles(&mut self) -> impl Iterator<Item = &mut Needle> {
        self.wanted.iter_mut().chain(&mut self.unwanted)
    }

    /// Takes a part of the body in, unpacked.
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.size += bytes.len() as u64;
        let is_bomb = self.size > HELD_CAP as u64 && self.size / RATIO_CAP > self.came.max(1);
        if self.size > self.cap.max(self.came) || is_bomb {
            self.is_over_cap = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.look(bytes);
        self.hold(bytes);
        Ok(())
    }

    /// Why the body could not be taken in.
    fn fault(&self) -> Fault {
        if self.is_over_cap {
            Fault::new(Cause::TooLarge, Detail::Decompressed)
        } else {
            BAD_ENCODING
        }
    }

    /// Bytes that are held of the body.
    fn held_bytes(&self) -> usize {
        self.tail.capacity() + self.held.as_ref().map_or(0, Vec::capacity)
    }

    fn look(&mut self, bytes: &[u8]) {
        let keep = self.longest.saturating_sub(1);
        if keep == 0 && self.longest == 0 {
            return;
        }
        let mut seam = std::mem::take(&mut self.tail);
        let old = seam.len();
        seam.extend_from_slice(bytes.get(..keep).unwrap_or(bytes));
        for needle in self.needles().filter(|needle| !needle.is_found) {
            needle.is_found = (old > 0 && needle.finder.find(&seam).is_some())
                || needle.finder.find(bytes).is_some();
        }
        if bytes.len() >= keep {
            seam.clear();
            seam.extend_from_slice(bytes.get(bytes.len() - keep..).unwrap_or_default());
        } else {
            seam.drain(..seam.len().saturating_sub(keep));
        }
        self.tail = seam;
    }

    fn hold(&mut self, bytes: &[u8]) {
        if let Some(held) = &mut self.held {
            if held.len() + bytes.len() > HELD_CAP {
                self.is_overfull = true;
                *held = Vec::new();
            }
            if !self.is_overfull {
                held.extend_from_slice(bytes);
            }
        }
    }

    fn judge(&self, expectation: &Expectation, is_cut: bool) -> Result<(), Fault> {
        let fails = |detail| Err(Fault::new(Cause::Assertion, detail));
        let undecided = || Err(Fault::new(Cause::TooLarge, Detail::Undecided));
        if self.unwanted.iter().any(|needle| needle.is_found) {
            return fails(Detail::BodyNotContains);
        }
        let is_missing = self.wanted.iter().any(|needle| !needle.is_found);
        if is_cut && (is_missing || !self.unwanted.is_empty()) {
            return undecided();
        }
        if is_missing {
            return fails(Detail::BodyContains);
        }
        let Some(held) = &self.held else { return Ok(()) };
        if is_cut || self.is_overfull {
            return undecided();
        }
        if expectation.body_regex.as_ref().is_some_and(|pattern| !pattern.is_match(held)) {
            return fails(Detail::BodyRegex);
        }
        if expectation.patterns.as_ref().is_some_and(|patterns| !patterns.hold(held)) {
            return fails(Detail::BodyRegex);
        }
        if !expectation.json.is_empty() && !is_json(held, expectation) {
            return fails(Detail::Json);
        }
        Ok(())
    }
}

/// Whether `body` is JSON with the values that are expected in it.
fn is_json(body: &[u8], expectation: &Expectation) -> bool {
    serde_json::from_slice::<serde_json::Value>(body).is_ok_and(|document| {
        expectation
            .json
            .iter()
            .all(|(pointer, wanted)| document.pointer(pointer) == Some(&wanted.0))
    })
}
