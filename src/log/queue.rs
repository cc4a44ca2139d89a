//! `Queue`: lines on their way to the thread that writes them; full, it drops and counts.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use super::Sink;

/// Lines that may wait to be written.
const WAITING: usize = 4_096;

enum Order {
    Write(Vec<u8>),
    Reopen,
    Finish(SyncSender<()>),
}

/// The way to the thread that writes.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    orders: SyncSender<Order>,
    lost: Arc<AtomicU64>,
}

impl Queue {
    /// Starts the thread that writes to `sink`.
    pub(super) fn start(sink: impl Sink) -> io::Result<Self> {
        let (orders, receiver) = sync_channel(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&lost);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || Writer { sink, lost: counter, told: 0 }.run(&receiver))?;
        Ok(Self { orders, lost })
    }

    pub(super) const fn line(&self) -> Line<'_> {
        Line { queue: self }
    }

    pub(super) fn reopen(&self) {
        // A full queue means that the file is stuck; opening it anew would be stuck as well.
        let _ = self.orders.try_send(Order::Reopen);
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Waits until all lines are written, but not longer than `limit`.
    pub(super) fn finish(&self, limit: Duration) {
        let (done, finished) = sync_channel(1);
        if self.orders.try_send(Order::Finish(done)).is_ok() {
            let _ = finished.recv_timeout(limit);
        }
    }

    fn push(&self, line: Vec<u8>) {
        if self.orders.try_send(Order::Write(line)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// One line; it never fails and never waits.
pub(super) struct Line<'a> {
    queue: &'a Queue,
}

impl io::Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.queue.push(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Writer<S> {
    sink: S,
    lost: Arc<AtomicU64>,
    told: u64,
}

impl<S: Sink> Writer<S> {
    fn run(mut self, orders: &Receiver<Order>) {
        loop {
            match orders.recv_timeout(Duration::from_secs(1)) {
                Ok(Order::Write(line)) => self.write(&line),
                Ok(Order::Reopen) => self.sink.reopen(),
                Ok(Order::Finish(done)) => {
                    self.tell_lost();
                    let _ = done.try_send(());
                }
                Err(RecvTimeoutError::Timeout) => self.tell_lost(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn write(&mut self, line: &[u8]) {
        if self.sink.write_all(line).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Says how many lines are missing, once there is room for saying so.
    fn tell_lost(&mut self) {
        let lost = self.lost.load(Ordering::Relaxed);
        if lost > self.told {
            let line = format!("{} log lines were lost\n", lost - self.told);
            if self.sink.write_all(line.as_bytes()).is_ok() {
                self.told = lost;
            }
        }
        let _ = self.sink.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::{Condvar, Mutex};
    use std::io::Write;

    /// A sink that is stuck until it is let go.
    #[derive(Clone, Default)]
    struct Stuck(Arc<Inner>);

    #[derive(Default)]
    struct Inner {
        is_stuck: Mutex<bool>,
        let_go: Condvar,
        text: Mutex<Vec<u8>>,
    }

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut is_stuck = self.0.is_stuck.lock();
            self.0.let_go.wait_while(&mut is_stuck, |is_stuck| *is_stuck);
            self.0.text.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Sink for Stuck {
        fn reopen(&mut self) {}
    }

    #[test]
    fn a_stuck_file_blocks_nobody_and_the_loss_is_told_afterwards() {
        let sink = Stuck::default();
        *sink.0.is_stuck.lock() = true;
        let queue = Queue::start(sink.clone()).expect("a thread");
        for _ in 0..WAITING + 100 {
            queue.line().write_all(b"line\n").expect("writing never fails");
        }
        assert!(queue.lost() >= 99, "{}", queue.lost());
        *sink.0.is_stuck.lock() = false;
        sink.0.let_go.notify_all();
        // The queue may still be full for a moment.
        while sink.0.text.lock().len() < WAITING * 5 {
            thread::yield_now();
        }
        queue.finish(Duration::from_mins(1));
        let text = String::from_utf8(sink.0.text.lock().clone()).expect("text");
        assert!(text.ends_with("log lines were lost\n"), "{}", text.lines().count());
    }

    struct Failing;

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from(io::ErrorKind::StorageFull))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Sink for Failing {
        fn reopen(&mut self) {}
    }

    #[test]
    fn a_failing_file_is_counted_and_harms_nobody() {
        let queue = Queue::start(Failing).expect("a thread");
        queue.line().write_all(b"line\n").expect("writing never fails");
        queue.finish(Duration::from_mins(1));
        assert_eq!(queue.lost(), 1);
    }
}
