//! `Telling`: a client that puts records on topics, with the thread that tells what became of each.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::producer::BaseProducer;

use super::Context;
use crate::queue::kafka::topics::TopicsError;

/// How long the thread waits for something to tell until it looks whether it is to end. The library
/// spins through the last millisecond of each such time, so its own thread, which does so ten times a
/// second, takes a hundredth of a core while nothing is sent.
const TURN: Duration = Duration::from_millis(500);

/// A client and its thread, which ends with it.
pub(super) struct Telling {
    client: Arc<BaseProducer<Context>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Telling {
    /// `client`, with a thread that has its context told.
    ///
    /// # Errors
    /// The system allows no thread.
    pub(super) fn start(client: BaseProducer<Context>) -> Result<Self, TopicsError> {
        let (client, is_over) = (Arc::new(client), Arc::<AtomicBool>::default());
        let (told, ends) = (Arc::clone(&client), Arc::clone(&is_over));
        let run = move || {
            while !ends.load(Ordering::Relaxed) {
                BaseProducer::poll(&told, TURN);
            }
        };
        let thread = std::thread::Builder::new().name("producer".to_owned()).spawn(run);
        let thread =
            thread.map_err(|error| TopicsError::Settings(format!("no thread: {error}")))?;
        Ok(Self { client, is_over, thread: Some(thread) })
    }

    /// The client.
    pub(super) fn client(&self) -> &BaseProducer<Context> {
        &self.client
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // One that broke has said so.
            let _ = thread.join();
        }
    }
}
