//! `--ssh`: the caller's agent, for mounts of commands. A socket of our own stands before it,
//! which has the owner and the mode that the mount asks for.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// A socket that leads to an agent as long as this is kept.
#[derive(Debug)]
pub(super) struct Agent {
    path: PathBuf,
    is_over: Arc<AtomicBool>,
    listening: Option<JoinHandle<()>>,
}

impl Agent {
    /// Listens at `path` for the agent at `socket`.
    ///
    /// # Errors
    /// A socket that cannot be made.
    pub(super) fn start(path: &Path, socket: &Path) -> io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        let is_over = Arc::new(AtomicBool::new(false));
        let (over, socket) = (Arc::clone(&is_over), socket.to_owned());
        let listen = move || {
            for client in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                // A client of an agent that is gone finds its connection closed.
                if let (Ok(client), Ok(agent)) = (client, UnixStream::connect(&socket)) {
                    let _ = join(client, agent);
                }
            }
        };
        let listening = thread::Builder::new().name("agent".into()).spawn(listen)?;
        Ok(Self { path: path.to_owned(), is_over, listening: Some(listening) })
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // It waits for a client: this is the last.
        if UnixStream::connect(&self.path).is_ok() {
            let _ = self.listening.take().map(JoinHandle::join);
        }
    }
}

/// Copies in both directions until one side is done, in threads that end with it.
fn join(client: UnixStream, agent: UnixStream) -> io::Result<()> {
    let copy = |mut from: UnixStream, mut to: UnixStream| {
        move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        }
    };
    let (back_from, back_to) = (agent.try_clone()?, client.try_clone()?);
    thread::Builder::new().name("agent".into()).spawn(copy(client, agent))?;
    thread::Builder::new().name("agent".into()).spawn(copy(back_from, back_to))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::Shutdown;
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::Agent;

    #[test]
    fn clients_reach_the_agent_one_beside_the_other() {
        let dir = tempfile::tempdir().unwrap();
        let (own, theirs) = (dir.path().join("own"), dir.path().join("theirs"));
        let listener = UnixListener::bind(&theirs).unwrap();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                std::thread::spawn(move || {
                    let mut client = client.unwrap();
                    let mut text = String::new();
                    client.read_to_string(&mut text).unwrap();
                    client.write_all(text.to_uppercase().as_bytes()).unwrap();
                });
            }
        });
        let agent = Agent::start(&own, &theirs).unwrap();
        let mut first = UnixStream::connect(&own).unwrap();
        let mut second = UnixStream::connect(&own).unwrap();
        for (client, text) in [(&mut second, "b"), (&mut first, "a")] {
            client.write_all(text.as_bytes()).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            assert_eq!(answer, text.to_uppercase());
        }
        drop(agent);
        assert!(UnixStream::connect(&own).is_err());
    }
}
