//! A connection that breaks: everything is passed on, except that of the first
//! connections each is cut after so many bytes from the client.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// A port that leads to another one.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    /// How many bytes came from clients in all.
    passed: Arc<AtomicUsize>,
}

impl Proxy {
    /// Leads to `port`; `cuts` times, a connection ends once the client has sent
    /// `after` bytes on it.
    pub(crate) fn start(port: u16, cuts: usize, after: usize) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let own = listener.local_addr().unwrap().port();
        let passed = Arc::new(AtomicUsize::new(0));
        let (left, count) = (Arc::new(AtomicUsize::new(cuts)), Arc::clone(&passed));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let (left, count) = (Arc::clone(&left), Arc::clone(&count));
                let (back, to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || pass(back, to, |_| true));
                thread::spawn(move || {
                    let mut total = 0;
                    pass(client, server, |len| {
                        total += len;
                        count.fetch_add(len, Ordering::SeqCst);
                        let cut = |left: usize| left.checked_sub(1);
                        total <= after
                            || left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, cut).is_err()
                    });
                });
            }
        });
        Self { port: own, passed }
    }

    /// Leads to `port`, and takes only 10 kB a second from each client.
    pub(crate) fn slow(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let own = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let (back, to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || pass(back, to, |_| true));
                thread::spawn(move || {
                    pass(client, server, |len| {
                        thread::sleep(Duration::from_micros(len as u64 * 100));
                        true
                    });
                });
            }
        });
        Self { port: own, passed: Arc::default() }
    }

    pub(crate) fn passed(&self) -> usize {
        self.passed.load(Ordering::SeqCst)
    }
}

/// Passes bytes on until there are no more, or `goes_on` says so.
fn pass(mut from: TcpStream, mut to: TcpStream, mut goes_on: impl FnMut(usize) -> bool) {
    let mut buffer = [0; 16 << 10];
    while let Ok(len) = from.read(&mut buffer) {
        if len == 0 || to.write_all(&buffer[..len]).is_err() || !goes_on(len) {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
