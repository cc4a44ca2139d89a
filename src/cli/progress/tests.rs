//! Progress told to a terminal and to a file, in a time that the tests make.

use std::cell::{Cell, RefCell};
use std::sync::mpsc;

use indicatif::{ProgressDrawTarget, TermLike};

use super::*;

/// A terminal of 80 columns; its lines as a person sees them.
#[derive(Clone, Debug, Default)]
struct Screen(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    lines: Vec<String>,
    row: usize,
    column: usize,
    /// How often something was drawn.
    flushed: usize,
    /// All that was written.
    written: String,
}

const WIDTH: u16 = 80;

impl Seen {
    fn put(&mut self, text: &str) {
        self.written.push_str(text);
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            match letter {
                '\u{1b}' => drop(letters.by_ref().find(char::is_ascii_alphabetic)),
                '\r' => self.column = 0,
                '\n' => (self.row, self.column) = (self.row + 1, 0),
                letter => self.letter(letter),
            }
        }
    }

    fn letter(&mut self, letter: char) {
        if self.column == usize::from(WIDTH) {
            (self.row, self.column) = (self.row + 1, 0);
        }
        if self.lines.len() <= self.row {
            self.lines.resize(self.row + 1, String::new());
        }
        let line = &mut self.lines[self.row];
        let mut letters: Vec<char> = line.chars().collect();
        letters.resize(letters.len().max(self.column + 1), ' ');
        letters[self.column] = letter;
        *line = letters.into_iter().collect();
        self.column += 1;
    }
}

impl Screen {
    fn lines(&self) -> Vec<String> {
        let seen = self.0.lock();
        let lines = seen.lines.iter().map(|line| line.trim_end().to_owned());
        lines.filter(|line| !line.is_empty()).collect()
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        WIDTH
    }
    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        self.0.lock().row -= lines;
        Ok(())
    }
    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        self.0.lock().row += lines;
        Ok(())
    }
    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.0.lock().column += columns;
        Ok(())
    }
    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.0.lock().column -= columns;
        Ok(())
    }
    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.lock().put(&format!("{text}\n"));
        Ok(())
    }
    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.lock().put(text);
        Ok(())
    }
    fn clear_line(&self) -> io::Result<()> {
        let mut seen = self.0.lock();
        let row = seen.row;
        seen.column = 0;
        if let Some(line) = seen.lines.get_mut(row) {
            line.clear();
        }
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        self.0.lock().flushed += 1;
        Ok(())
    }
}

impl Write for Screen {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().put(std::str::from_utf8(text).expect("whole letters"));
        Ok(text.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn shared(face: Face) -> Arc<Shared> {
    let zero = || AtomicU64::new(0);
    let has_ended = AtomicBool::new(false);
    Arc::new(Shared { done: zero(), failed: zero(), has_ended, face: Mutex::new(face) })
}

fn on(screen: &Screen, colour: Colour) -> Arc<Shared> {
    let target = ProgressDrawTarget::term_like(Box::new(screen.clone()));
    shared(Face::Bar(Box::new(Bar::on(target, colour))))
}

/// Runs for `seconds`; before each look, `during` gets the time that has passed.
fn run(shared: &Arc<Shared>, total: Option<u64>, seconds: u64, during: &dyn Fn(Duration)) {
    let (now, end) = (Cell::new(Duration::ZERO), Duration::from_secs(seconds));
    let rhythm = shared.face.lock().rhythm();
    let wait = |span| {
        now.set(now.get() + span);
        during(now.get().min(end));
        now.get() <= end
    };
    shared.tell(rhythm, Box::new(move |_| total), &|| now.get(), &wait);
    shared.face.lock().clear();
}

fn add(shared: &Arc<Shared>, count: u64, status: Status) {
    let progress = Progress { shared: Arc::clone(shared), thread: None };
    (0..count).for_each(|_| progress.add(status));
    std::mem::forget(progress);
}

fn beside(shared: &Arc<Shared>, out: impl Write + Send + 'static) -> Box<dyn Write + Send> {
    let progress = Progress { shared: Arc::clone(shared), thread: None };
    let results = progress.beside(Box::new(out));
    std::mem::forget(progress);
    results
}

#[test]
fn a_terminal_shows_a_bar_with_what_is_done_failed_and_left() {
    let screen = Screen::default();
    let shared = on(&screen, Colour::Never);
    let seen = RefCell::new(Vec::new());
    run(&shared, Some(10_000), 2, &|now| {
        seen.borrow_mut().push(screen.lines());
        if now.as_millis() == 600 {
            add(&shared, 2_497, Status::Success);
            add(&shared, 3, Status::Error);
        }
    });
    let seen = seen.into_inner();
    assert_eq!(seen[0], [""; 0], "a short run shows nothing");
    let begun = "[                        ] 0 of 10,000 checked, 0 failed";
    assert_eq!(seen[1], [begun]);
    let later =
        "[======>                 ] 2,500 of 10,000 checked, 3 failed, 4,167/s, about 2 s left";
    assert_eq!(seen[2].concat(), later);
    assert_eq!(screen.lines(), [""; 0], "nothing is left of it");
    assert!(!screen.0.lock().written.contains('\u{1b}'), "colours where none are wanted");
}

#[test]
fn a_bar_is_drawn_ten_times_a_second_at_most() {
    let screen = Screen::default();
    let shared = on(&screen, Colour::Never);
    run(&shared, Some(1_000_000), 10, &|_| add(&shared, 1_000, Status::Success));
    let drawn = screen.0.lock().flushed;
    assert!((90..=100).contains(&drawn), "{drawn} times in ten seconds");
}

#[test]
fn without_a_total_there_is_no_bar_and_no_time_left() {
    let screen = Screen::default();
    let shared = on(&screen, Colour::Ansi);
    let seen = RefCell::new(Vec::new());
    run(&shared, None, 1, &|_| {
        add(&shared, 1, Status::Error);
        seen.borrow_mut().extend(screen.lines());
    });
    let last = seen.into_inner().pop().expect("something is shown");
    assert_eq!(last, "6 checked, 6 failed, 6.0/s");
    assert!(screen.0.lock().written.contains("\u{1b}[31m6 failed\u{1b}[0m"), "what failed is red");
}

#[test]
fn results_on_the_same_terminal_stand_whole_above_the_bar() {
    let screen = Screen::default();
    let shared = on(&screen, Colour::Never);
    let results = RefCell::new(beside(&shared, screen.clone()));
    let seen = RefCell::new(Vec::new());
    run(&shared, Some(40), 2, &|now| {
        seen.borrow_mut().push(screen.lines());
        add(&shared, 1, Status::Success);
        writeln!(results.borrow_mut(), "ok {}", now.as_millis()).expect("a screen takes it");
    });
    for (look, lines) in seen.into_inner().iter().enumerate() {
        let (bars, rows): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.contains('['));
        assert_eq!(rows.len(), look, "{lines:#?}");
        assert!(rows.iter().all(|row| row.starts_with("ok ")), "{lines:#?}");
        let last = lines.last().filter(|_| look > 0);
        assert_eq!(bars, last.into_iter().collect::<Vec<_>>(), "{lines:#?}");
    }
    assert_eq!(screen.lines().len(), 17, "{:#?}", screen.lines());
}

#[test]
fn what_finds_no_room_to_wait_is_written_at_once() {
    let screen = Screen::default();
    let shared = on(&screen, Colour::Never);
    let results = RefCell::new(beside(&shared, screen.clone()));
    run(&shared, Some(40), 1, &|_| {
        for _ in 0..10_000 {
            writeln!(results.borrow_mut(), "ok").expect("a screen takes it");
        }
        let Face::Bar(bar) = &*shared.face.lock() else { unreachable!("it is a bar") };
        assert!(bar.waiting() <= 64 << 10, "{} bytes wait", bar.waiting());
    });
    assert_eq!(screen.lines().len(), 60_000 + 10_000);
}

#[test]
fn a_reader_that_left_is_told_to_whoever_writes() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let screen = Screen::default();
    let shared = on(&screen, Colour::Never);
    let results = RefCell::new(beside(&shared, Gone));
    let told = RefCell::new(Vec::new());
    run(&shared, Some(40), 1, &|_| {
        let written = writeln!(results.borrow_mut(), "ok").map_err(|error| error.kind());
        told.borrow_mut().push(written);
    });
    let told = told.into_inner();
    assert_eq!(told.last(), Some(&Err(io::ErrorKind::BrokenPipe)), "{told:?}");
}

#[test]
fn a_bar_waits_for_the_end_of_a_line_that_was_begun() {
    let screen = Screen::default();
    let shared = on(&screen, Colour::Never);
    let mut results = beside(&shared, screen.clone());
    write!(results, "half a l").expect("a screen takes it");
    assert_eq!(screen.lines(), ["half a l"], "nothing waits for a bar that is not there");
    run(&shared, Some(40), 1, &|_| {});
    assert_eq!(screen.lines(), ["half a l"]);
    writeln!(results, "ine").expect("a screen takes it");
    let seen = RefCell::new(Vec::new());
    run(&shared, Some(40), 1, &|_| seen.borrow_mut().extend(screen.lines()));
    assert!(seen.into_inner().iter().any(|line| line.ends_with("0 of 40 checked, 0 failed")));
    assert_eq!(screen.lines(), ["half a line"]);
}

#[test]
fn a_file_gets_a_line_every_ten_seconds_and_none_of_a_shorter_run() {
    let file = Screen::default();
    let short = shared(Face::Lines(Lines(Box::new(file.clone()))));
    run(&short, Some(10_000), 9, &|_| add(&short, 2_400, Status::Success));
    assert_eq!(file.lines(), [""; 0]);
    let long = shared(Face::Lines(Lines(Box::new(file.clone()))));
    run(&long, Some(10_000), 25, &|_| add(&long, 2_400, Status::Success));
    let lines = [
        "2,400 of 10,000 checked, 0 failed, 240/s, about 32 s left",
        "4,800 of 10,000 checked, 0 failed, 240/s, about 22 s left",
    ];
    assert_eq!(file.lines(), lines);
    let written = file.0.lock().written.clone();
    assert!(!written.contains(['\r', '\u{1b}']), "{written:?}");
}

#[test]
fn a_run_that_ends_at_once_counts_no_list_and_waits_for_nothing() {
    let counter: Counter = Box::new(|_| unreachable!("nothing is shown"));
    let progress = Progress::to(Box::new(Screen::default()), counter);
    progress.add(Status::Success);
    progress.end();
}

#[test]
fn a_counter_that_takes_long_is_told_to_give_up() {
    let screen = Screen::default();
    let target = ProgressDrawTarget::term_like(Box::new(screen.clone()));
    let (asked, is_asked) = mpsc::sync_channel(1);
    let counter: Counter = Box::new(move |has_ended| {
        asked.send(()).expect("somebody waits for it");
        while !has_ended.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        None
    });
    let bar = Bar::on(target, Colour::Never);
    let progress = Progress::begin(Face::Bar(Box::new(bar)), counter);
    is_asked.recv_timeout(Duration::from_mins(1)).expect("the counter is asked");
    progress.end();
    assert_eq!(screen.lines(), [""; 0]);
}
