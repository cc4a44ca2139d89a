//! `Verdict`: whether what a list asks for fits into what there is, limit by limit, and what to
//! change where it does not.

use super::files::Shares;
use super::plan::Load;
use crate::view::text::{clean, count, duration, plural, size};

/// Bytes that the daemon takes before its first target, and that each of them takes while idle.
/// Measured with 4,000 and with a million targets.
const BASE_BYTES: f64 = 20e6;
const TARGET_BYTES: f64 = 420.0;
/// Bytes that a poll in flight takes, in clear and over TLS: 2.4 KB and 10.2 KB were measured in
/// the process, of 8,000 and 4,000 polls that waited for an answer, and the kernel, which a control
/// group counts as well, takes some 4 KB for a connection.
const POLL_BYTES: f64 = 6.5e3;
const TLS_POLL_BYTES: f64 = 14.5e3;
/// Microseconds of a core that a poll takes, all in, in clear and over TLS; measured at 1,000 and
/// at 300 polls a second.
const POLL_CPU_US: f64 = 100.0;
const TLS_POLL_CPU_US: f64 = 390.0;
/// Bytes that a sample takes in the store, log and index pages included.
const SAMPLE_BYTES: f64 = 45.0;

/// What there is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Machine {
    /// Polls in flight at most, as it was asked for or as it is built in, whatever files allow.
    pub places: u64,
    /// Files that may be open.
    pub open_files: u64,
    /// Bytes of memory that the daemon keeps within; 0 when nobody limits them.
    pub memory: u64,
    /// Local ports for connections to one address and port.
    pub ports: u64,
    /// Seconds that a port may stay taken when its connection is closed.
    pub port_rest_s: f64,
    /// Cores of the processor.
    pub cores: f64,
    /// Launches a second at most.
    pub max_per_cycle: Option<u32>,
    /// Bytes that the store may take.
    pub disk: u64,
    /// Seconds that samples are kept.
    pub keep_s: f64,
}

/// Whether something fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// Also when all polls time out.
    Always,
    /// Only while few of them do.
    Usually,
    /// Not at all.
    Never,
}

/// What came of one limit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Verdict {
    /// Its name.
    pub limit: &'static str,
    /// What is needed and what there is.
    pub told: String,
    /// Whether it fits.
    pub fit: Fit,
    /// What to change where it does not.
    pub advice: String,
}

/// What is needed while one poll in a hundred times out, and when all do.
#[derive(Clone, Copy, Debug)]
struct Need {
    usually: f64,
    at_worst: f64,
}

impl Need {
    /// What polls in flight need, when so many of them need `each` so much.
    fn of(load: &Load, each: impl Fn(f64) -> f64) -> Self {
        let (usually, at_worst) = (load.places_usually, load.places_when_all_time_out);
        Self { usually: each(usually), at_worst: each(at_worst) }
    }

    /// What is needed whatever becomes of the polls.
    const fn always(need: f64) -> Self {
        Self { usually: need, at_worst: need }
    }

    fn within(self, limit: f64) -> Fit {
        if self.at_worst <= limit {
            Fit::Always
        } else if self.usually <= limit {
            Fit::Usually
        } else {
            Fit::Never
        }
    }

    /// Both figures, as `shown` shows them.
    fn told(self, shown: impl Fn(u64) -> String) -> String {
        let (usually, at_worst) = (shown(whole(self.usually)), shown(whole(self.at_worst)));
        format!("{usually} when 1 % of the polls time out, {at_worst} when all do")
    }
}

impl Machine {
    /// What comes of each limit under `load`.
    pub(super) fn bears(&self, load: &Load) -> Vec<Verdict> {
        let mut verdicts = vec![self.places(load), self.files(load), self.memory(load)];
        verdicts.extend(self.ports(load));
        verdicts.push(self.processor(load));
        verdicts.extend(self.launches(load));
        verdicts.push(self.disk(load));
        verdicts
    }

    fn places(&self, load: &Load) -> Verdict {
        let need = Need::of(load, |polls| polls);
        let at_worst = count(whole(need.at_worst));
        Verdict {
            limit: "places",
            told: format!("{}, of {}", need.told(count), plural(self.places, "place")),
            fit: need.within(float(self.places)),
            advice: format!(
                "polls would run late then, none would be skipped: raise --max-workers to \
                 {at_worst} or shorten --timeout"
            ),
        }
    }

    fn files(&self, load: &Load) -> Verdict {
        let need = Need::of(load, |polls| float(Shares::files_for(whole(polls))));
        let at_worst = count(whole(need.at_worst));
        Verdict {
            limit: "files",
            told: format!("{}, of {} that may be open", need.told(count), count(self.open_files)),
            fit: need.within(float(self.open_files)),
            advice: format!(
                "fewer polls would run at once then, and late: raise the limit of open files to \
                 {at_worst} (ulimit -n, LimitNOFILE=) or shorten --timeout"
            ),
        }
    }

    fn memory(&self, load: &Load) -> Verdict {
        let each = load.tls.mul_add(TLS_POLL_BYTES - POLL_BYTES, POLL_BYTES);
        let idle = float(load.targets as u64).mul_add(TARGET_BYTES, BASE_BYTES);
        let most = float(self.places);
        let need = Need::of(load, |polls| polls.min(most).mul_add(each, idle));
        let limit = match self.memory {
            0 => "nobody limits it".to_owned(),
            limit => format!("{} allowed", size(limit)),
        };
        Verdict {
            limit: "memory",
            told: format!("about {}; {limit}", need.told(size)),
            fit: if self.memory == 0 { Fit::Always } else { need.within(float(self.memory)) },
            advice:
                "polls would wait for memory then: allow more of it (--max-memory, MemoryMax=), \
                     lower --max-workers or poll fewer targets"
                    .to_owned(),
        }
    }

    /// A connection that we close keeps its port for a while, and so bounds how many a second there
    /// can be to one address and port.
    fn ports(&self, load: &Load) -> Option<Verdict> {
        let (host, per_second) = load.busiest_host.as_ref()?;
        let most = float(self.ports) / self.port_rest_s.max(1.0);
        Some(Verdict {
            limit: "ports",
            told: format!(
                "{per_second:.1} new connections a second to {}; at least {most:.0} are possible, \
                 from {} local ports",
                clean(host),
                count(self.ports),
            ),
            fit: Need::always(*per_second).within(most),
            advice: format!(
                "local ports may run out: poll {} less often, let its entries keep their \
                 connections (\"connection\": \"reuse\"), or allow more ports \
                 (net.ipv4.ip_local_port_range)",
                clean(host)
            ),
        })
    }

    fn processor(&self, load: &Load) -> Verdict {
        let each_us = load.tls.mul_add(TLS_POLL_CPU_US - POLL_CPU_US, POLL_CPU_US);
        let busy = load.per_second * each_us / 1e6;
        Verdict {
            limit: "processor",
            told: format!(
                "about {busy:.2} cores of {:.0}, an estimate by {each_us:.0} µs a poll",
                self.cores
            ),
            fit: Need::always(busy).within(self.cores),
            advice: "polls would run late: poll less often, or give it more cores".to_owned(),
        }
    }

    fn launches(&self, load: &Load) -> Option<Verdict> {
        let most = f64::from(self.max_per_cycle?);
        Some(Verdict {
            limit: "launches",
            told: format!("{:.1} a second, of {most:.0} allowed", load.per_second),
            fit: Need::always(load.per_second).within(most),
            advice: format!(
                "polls would run ever later and be missed: raise --max-per-cycle to {} at least, \
                 or poll less often",
                count(whole(load.per_second.ceil()))
            ),
        })
    }

    fn disk(&self, load: &Load) -> Verdict {
        let need = self.keep_s * load.per_second * SAMPLE_BYTES;
        Verdict {
            limit: "disk",
            told: format!(
                "about {} for {} of samples, {} allowed",
                size(whole(need)),
                duration(self.keep_s),
                size(self.disk),
            ),
            fit: Need::always(need).within(float(self.disk)),
            advice: "the oldest samples go earlier: raise --max-disk or lower --keep".to_owned(),
        }
    }
}

/// All of `verdicts` in one line.
pub(super) fn summed_up(verdicts: &[Verdict]) -> String {
    let of = |fit| -> Vec<&str> {
        verdicts.iter().filter(|one| one.fit == fit).map(|one| one.limit).collect()
    };
    match (of(Fit::Never), of(Fit::Usually)) {
        (never, usually) if never.is_empty() && usually.is_empty() => "fits".to_owned(),
        (never, usually) if never.is_empty() => {
            let names = usually.join(", ");
            format!("fits while few polls time out; does not fit when all do: {names}")
        }
        (never, usually) if usually.is_empty() => format!("does not fit: {}", never.join(", ")),
        (never, usually) => {
            let (never, usually) = (never.join(", "), usually.join(", "));
            format!("does not fit: {never}; and when all polls time out: {usually}")
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
const fn float(number: u64) -> f64 {
    number as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a figure for people, not negative"
)]
const fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: Machine = Machine {
        places: 16_384,
        open_files: 20_000,
        memory: 1_000_000_000,
        ports: 28_232,
        port_rest_s: 60.0,
        cores: 2.0,
        max_per_cycle: None,
        disk: 10_000_000_000,
        keep_s: 604_800.0,
    };

    /// 10,000 targets every minute, with a timeout of 30 s.
    fn load() -> Load {
        Load {
            per_second: 167.0,
            places_usually: 84.0,
            places_when_all_time_out: 5_000.0,
            targets: 10_000,
            busiest_host: Some(("cnn.com:80".to_owned(), 0.5)),
            ..Load::default()
        }
    }

    /// The names of the limits that do not fit always, and all in one line.
    fn told(machine: Machine, load: &Load) -> (Vec<&'static str>, String) {
        let verdicts = machine.bears(load);
        let short = verdicts.iter().filter(|one| one.fit != Fit::Always).map(|one| one.limit);
        (short.collect(), summed_up(&verdicts))
    }

    fn advice(machine: Machine, load: &Load, limit: &str) -> String {
        let verdicts = machine.bears(load);
        verdicts.into_iter().find(|one| one.limit == limit).expect("a verdict").advice
    }

    #[test]
    fn a_list_that_fits_says_so() {
        assert_eq!(told(MACHINE, &load()), (vec![], "fits".to_owned()));
        let machine = Machine { memory: 0, max_per_cycle: Some(200), ..MACHINE };
        assert_eq!(told(machine, &load()).1, "fits");
    }

    #[test]
    fn what_fits_only_while_few_polls_time_out_is_told_as_such() {
        let machine = Machine { open_files: 256, ..MACHINE };
        let (short, line) = told(machine, &load());
        assert_eq!(short, ["files"]);
        assert_eq!(line, "fits while few polls time out; does not fit when all do: files");
        assert!(advice(machine, &load(), "files").contains("to 5,512 (ulimit -n"));
        let machine = Machine { places: 500, ..MACHINE };
        assert_eq!(told(machine, &load()).0, ["places"]);
        assert!(advice(machine, &load(), "places").contains("--max-workers to 5,000"));
        let machine = Machine { memory: 40_000_000, ..MACHINE };
        assert_eq!(told(machine, &load()).0, ["memory"]);
    }

    #[test]
    fn what_does_not_fit_at_all_comes_before_what_fits_usually() {
        let machine = Machine { max_per_cycle: Some(100), places: 1, ..MACHINE };
        assert_eq!(told(machine, &load()).1, "does not fit: places, launches");
        assert!(advice(machine, &load(), "launches").contains("--max-per-cycle to 167 at least"));
        let machine = Machine { max_per_cycle: Some(100), open_files: 1_024, ..MACHINE };
        let line = "does not fit: launches; and when all polls time out: files";
        assert_eq!(told(machine, &load()).1, line);
    }

    #[test]
    fn one_host_can_ask_for_more_connections_than_ports_allow() {
        let host = |per_second| Load {
            busiest_host: Some(("one.example:443".to_owned(), per_second)),
            ..load()
        };
        assert_eq!(told(MACHINE, &host(470.0)).1, "fits");
        assert_eq!(told(MACHINE, &host(471.0)).1, "does not fit: ports");
        let machine = Machine { port_rest_s: 1.0, ..MACHINE };
        assert_eq!(told(machine, &host(20_000.0)).1, "fits");
        assert_eq!(told(MACHINE, &Load { busiest_host: None, ..load() }).1, "fits");
    }

    #[test]
    fn processor_memory_and_disk_grow_with_the_list() {
        let busy = Load { per_second: 25_000.0, ..load() };
        assert_eq!(told(MACHINE, &busy).1, "does not fit: processor, disk");
        let secure = Load { per_second: 6_000.0, tls: 1.0, ..load() };
        assert_eq!(told(MACHINE, &secure).1, "does not fit: processor, disk");
        let many = Load { targets: 10_000_000, ..load() };
        assert_eq!(told(MACHINE, &many).1, "does not fit: memory");
    }
}
