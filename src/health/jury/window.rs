//! `Window`: how many different targets answered or failed within a span of time that ends now.

/// How a target's last poll went, as far as that says something of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Voice {
    /// Something answered it.
    Answered,
    /// Nothing did, and the target had answered before.
    Failed,
    /// Nothing did, and it is not known whether the target ever answers.
    Unproven,
}

/// How many targets have which voice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) answered: u32,
    pub(super) failed: u32,
    pub(super) unproven: u32,
}

impl Count {
    /// All of them.
    pub(super) const fn heard(self) -> u32 {
        self.answered + self.failed + self.unproven
    }

    const fn of(&mut self, voice: Voice) -> &mut u32 {
        match voice {
            Voice::Answered => &mut self.answered,
            Voice::Failed => &mut self.failed,
            Voice::Unproven => &mut self.unproven,
        }
    }

    const fn add(&mut self, other: Self) {
        self.answered += other.answered;
        self.failed += other.failed;
        self.unproven += other.unproven;
    }

    const fn subtract(&mut self, other: Self) {
        self.answered -= other.answered;
        self.failed -= other.failed;
        self.unproven -= other.unproven;
    }
}

/// Targets by the time of their last poll. Times are ticks of whatever length, and never go back.
#[derive(Debug)]
pub(super) struct Window {
    /// Ticks that one bucket is wide.
    width: u32,
    buckets: Vec<Count>,
    /// The number of the newest bucket since tick 0.
    newest: u32,
    sum: Count,
}

impl Window {
    /// One that spans at least `span` ticks, in so many `buckets` and the one that is being filled.
    pub(super) fn new(span: u32, buckets: u32) -> Self {
        let width = span.div_ceil(buckets.max(1)).max(1);
        let buckets = vec![Count::default(); buckets as usize + 1];
        Self { width, buckets, newest: 0, sum: Count::default() }
    }

    /// Ticks that it spans at least.
    pub(super) fn span(&self) -> u32 {
        let full = u32::try_from(self.buckets.len()).unwrap_or(u32::MAX).saturating_sub(1);
        full.saturating_mul(self.width)
    }

    /// The first tick that lies within it.
    pub(super) fn oldest(&self) -> u32 {
        let length = u32::try_from(self.buckets.len()).unwrap_or(u32::MAX);
        (self.newest + 1).saturating_sub(length).saturating_mul(self.width)
    }

    /// All that lies within it.
    pub(super) const fn sum(&self) -> Count {
        self.sum
    }

    /// Lets it end at `tick`.
    pub(super) fn advance(&mut self, tick: u32) {
        let newest = tick / self.width;
        if newest.saturating_sub(self.newest) as usize >= self.buckets.len() {
            self.buckets.fill(Count::default());
            self.sum = Count::default();
            self.newest = newest;
        }
        while self.newest < newest {
            self.newest += 1;
            let passed = self.bucket(self.newest).map(std::mem::take).unwrap_or_default();
            self.sum.subtract(passed);
        }
    }

    /// Whether `tick` lies within it.
    pub(super) fn covers(&self, tick: u32) -> bool {
        let back = self.newest.checked_sub(tick / self.width);
        back.is_some_and(|back| (back as usize) < self.buckets.len())
    }

    /// Adds a target whose last poll ended at `tick`, if that lies within.
    pub(super) fn put(&mut self, tick: u32, voice: Voice) {
        if self.covers(tick)
            && let Some(count) = self.bucket(tick / self.width)
        {
            *count.of(voice) += 1;
            *self.sum.of(voice) += 1;
        }
    }

    /// Takes out a target that was put in at `tick`, if it is still there.
    pub(super) fn take(&mut self, tick: u32, voice: Voice) {
        if self.covers(tick)
            && let Some(count) = self.bucket(tick / self.width)
        {
            *count.of(voice) -= 1;
            *self.sum.of(voice) -= 1;
        }
    }

    /// What its shortest end counts that holds `least` targets, if the whole of it does.
    pub(super) fn trailing(&self, least: u32) -> Option<Count> {
        let mut trailing = Count::default();
        self.backwards().find_map(|(_, count)| {
            trailing.add(count);
            (trailing.heard() >= least).then_some(trailing)
        })
    }

    /// Since which tick at least every second target fails; the end of it when none do.
    pub(super) fn failing_since(&self) -> u32 {
        let heard = self.backwards().filter(|(_, count)| count.heard() > 0);
        let failing =
            heard.take_while(|(_, count)| count.failed + count.unproven >= count.answered);
        failing.last().map_or(self.newest, |(number, _)| number).saturating_mul(self.width)
    }

    /// The buckets with their numbers, the newest first.
    fn backwards(&self) -> impl Iterator<Item = (u32, Count)> + '_ {
        (self.oldest() / self.width..=self.newest).rev().filter_map(|number| {
            let count = self.buckets.get(number as usize % self.buckets.len())?;
            Some((number, *count))
        })
    }

    fn bucket(&mut self, number: u32) -> Option<&mut Count> {
        let place = number as usize % self.buckets.len();
        self.buckets.get_mut(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(window: &Window) -> (u32, u32, u32) {
        let Count { answered, failed, unproven } = window.sum();
        (answered, failed, unproven)
    }

    #[test]
    fn what_lies_within_the_span_is_counted_and_what_has_passed_is_not() {
        let mut window = Window::new(50, 5);
        window.advance(1_003);
        window.put(1_003, Voice::Answered);
        window.advance(1_030);
        window.put(1_030, Voice::Failed);
        window.advance(1_050);
        assert_eq!((window.span(), sums(&window)), (50, (1, 1, 0)));
        window.advance(1_060);
        assert_eq!(sums(&window), (0, 1, 0));
        window.take(1_003, Voice::Answered);
        window.take(1_030, Voice::Failed);
        window.put(1_055, Voice::Unproven);
        assert_eq!(sums(&window), (0, 0, 1));
        window.advance(9_000);
        assert_eq!(sums(&window), (0, 0, 0));
        assert_eq!(window.buckets, vec![Count::default(); 6]);
    }

    #[test]
    fn the_shortest_end_that_holds_enough_is_found() {
        let mut window = Window::new(50, 5);
        for (tick, voice) in [(3, Voice::Answered), (12, Voice::Failed), (15, Voice::Failed)] {
            window.advance(tick);
            window.put(tick, voice);
        }
        window.advance(45);
        let failed = Count { failed: 2, ..Count::default() };
        assert_eq!(window.trailing(1), Some(failed));
        assert_eq!(window.trailing(3), Some(Count { answered: 1, ..failed }));
        assert_eq!(window.trailing(4), None);
        assert_eq!(window.failing_since(), 10);
        window.advance(70);
        assert_eq!(window.failing_since(), 70);
    }
}
