//! `--ssh`: the caller's agent, for mounts of commands. A socket of our own stands before it,
//! which has the owner and the mode that the mount asks for.

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::pipe::{PipeFlags, pipe_with};

/// The most connections at once; another is closed. The commands may come from strangers, and
/// each connection takes two threads.
const MAX_CONNECTIONS: usize = 64;

/// The pause after a failure to accept a connection, which may last.
const PAUSE: Duration = Duration::from_millis(100);

/// A socket that leads to an agent as long as this is kept.
#[derive(Debug)]
pub(super) struct Agent {
    /// Closed to end the listening thread.
    stop: Option<OwnedFd>,
    listening: Option<JoinHandle<()>>,
}

/// A client's connection, and the one to the agent that it is joined with.
type Joined = (UnixStream, UnixStream);

impl Agent {
    /// Listens at `path` for the agent at `socket`.
    ///
    /// # Errors
    /// A socket that cannot be made.
    pub(super) fn start(path: &Path, socket: &Path) -> io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        listener.set_nonblocking(true)?;
        let (stopped, stop) = pipe_with(PipeFlags::CLOEXEC)?;
        let socket = socket.to_owned();
        let listen = move || listen(&listener, &stopped, &socket);
        let listening = thread::Builder::new().name("agent".into()).spawn(listen)?;
        Ok(Self { stop: Some(stop), listening: Some(listening) })
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.listening.take().map(JoinHandle::join);
    }
}

/// Joins clients with the agent until `stopped` is closed at its other end. Then all
/// connections end, too.
fn listen(listener: &UnixListener, stopped: &OwnedFd, socket: &Path) {
    let mut connections: Vec<Weak<Joined>> = Vec::new();
    loop {
        let mut ready = [
            PollFd::new(listener.as_fd(), PollFlags::POLLIN),
            PollFd::new(stopped.as_fd(), PollFlags::POLLIN),
        ];
        let polled = poll(&mut ready, PollTimeout::NONE);
        let [_, stop] = ready;
        if stop.any() != Some(false) && polled.is_ok() {
            break;
        }
        let Ok((client, _)) = listener.accept() else {
            thread::sleep(PAUSE);
            continue;
        };
        connections.retain(|connection| connection.strong_count() > 0);
        // A client of an agent that is gone finds its connection closed.
        if connections.len() >= MAX_CONNECTIONS {
            continue;
        }
        if let Ok(agent) = UnixStream::connect(socket) {
            let joined = Arc::new((client, agent));
            connections.push(Arc::downgrade(&joined));
            let _ = join(&joined);
        }
    }
    for connection in connections.iter().filter_map(Weak::upgrade) {
        let _ = connection.0.shutdown(Shutdown::Both);
        let _ = connection.1.shutdown(Shutdown::Both);
    }
}

/// Copies in both directions until each side is done, in threads that end with it.
fn join(joined: &Arc<Joined>) -> io::Result<()> {
    joined.0.set_nonblocking(false)?;
    let spawn = |copy: fn(&Joined) -> io::Result<()>| {
        let joined = Arc::clone(joined);
        let copy = move || drop(copy(&joined));
        thread::Builder::new().name("agent".into()).spawn(copy).map(drop)
    };
    spawn(|(client, agent)| pass_on(client, agent))?;
    spawn(|(client, agent)| pass_on(agent, client))
}

fn pass_on(mut from: &UnixStream, mut to: &UnixStream) -> io::Result<()> {
    // If the other side takes no more, nothing more is to be read.
    if io::copy(&mut from, &mut to).is_err() {
        from.shutdown(Shutdown::Read)?;
    }
    to.shutdown(Shutdown::Write)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::Shutdown;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::Path;

    use super::{Agent, MAX_CONNECTIONS};

    /// An agent that answers in upper case.
    fn agent(path: &Path) {
        let listener = UnixListener::bind(path).unwrap();
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
    }

    fn ask(client: &mut UnixStream, text: &str) -> String {
        let mut answer = String::new();
        let _ = client.write_all(text.as_bytes());
        let _ = client.shutdown(Shutdown::Write);
        let _ = client.read_to_string(&mut answer);
        answer
    }

    #[test]
    fn clients_reach_the_agent_one_beside_the_other() {
        let dir = tempfile::tempdir().unwrap();
        let (own, theirs) = (dir.path().join("own"), dir.path().join("theirs"));
        self::agent(&theirs);
        let agent = Agent::start(&own, &theirs).unwrap();
        let mut first = UnixStream::connect(&own).unwrap();
        let mut second = UnixStream::connect(&own).unwrap();
        assert_eq!(ask(&mut second, "b"), "B");
        assert_eq!(ask(&mut first, "a"), "A");
        drop(agent);
        assert!(UnixStream::connect(&own).is_err());
    }

    #[test]
    fn connections_are_bounded_and_end_with_the_mount() {
        let dir = tempfile::tempdir().unwrap();
        let (own, theirs) = (dir.path().join("own"), dir.path().join("theirs"));
        self::agent(&theirs);
        let agent = Agent::start(&own, &theirs).unwrap();
        let mut clients: Vec<_> =
            (0..=MAX_CONNECTIONS).map(|_| UnixStream::connect(&own).unwrap()).collect();
        assert_eq!(ask(clients.last_mut().unwrap(), "a"), "", "one too many");
        drop(agent);
        // Nobody shut these down but the agent's end.
        for client in &mut clients {
            let mut answer = String::new();
            let _ = client.read_to_string(&mut answer);
        }
    }

    #[test]
    fn the_end_needs_no_socket() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("own");
        let agent = Agent::start(&own, &dir.path().join("none")).unwrap();
        std::fs::remove_file(&own).unwrap();
        drop(agent);
        assert!(!std::fs::exists(&own).unwrap());
    }
}
