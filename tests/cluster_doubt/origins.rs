//! `Origins`: servers on loopback that answer, until they are to answer nobody.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Servers, each at an address of its own.
pub(crate) struct Origins(Vec<Origin>);

struct Origin {
    address: SocketAddr,
    is_silent: Arc<AtomicBool>,
}

impl Origins {
    /// So many of them, which answer.
    pub(crate) fn start(count: usize) -> Self {
        Self((1..=count).map(|number| Origin::start(&format!("127.7.0.{number}:0"))).collect())
    }

    /// The addresses of all of them.
    pub(crate) fn urls(&self) -> impl Iterator<Item = String> + '_ {
        self.0.iter().map(|origin| format!("http://{}/", origin.address))
    }

    /// Has all of them answer nobody any more.
    pub(crate) fn silence(&self) {
        self.0.iter().for_each(|origin| origin.is_silent.store(true, Ordering::SeqCst));
    }

    /// Has all of them answer again.
    pub(crate) fn answer(&self) {
        self.0.iter().for_each(|origin| origin.is_silent.store(false, Ordering::SeqCst));
    }

    /// Has one of them answer nobody any more.
    pub(crate) fn silence_one(&self, place: usize) {
        self.0[place].is_silent.store(true, Ordering::SeqCst);
    }
}

impl Origin {
    fn start(address: &str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let (address, is_silent) = (listener.local_addr().unwrap(), Arc::<AtomicBool>::default());
        let silent = Arc::clone(&is_silent);
        // It ends with the test.
        std::thread::spawn(move || {
            // Whoever gets no answer waits for it.
            let mut waiting = Vec::new();
            for stream in listener.incoming().flatten() {
                if silent.load(Ordering::SeqCst) {
                    waiting.push(stream);
                } else {
                    answer(stream);
                }
            }
        });
        Self { address, is_silent }
    }
}

fn answer(mut stream: TcpStream) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
    let _ = stream.read(&mut [0; 2_048]);
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
}
