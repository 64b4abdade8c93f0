//! `img-browse` on a terminal, which tmux plays: what is drawn, what keys do, and how the
//! terminal is given back.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::oci::ImageConfig;
use common::tar::{Entry, Kind, Limits, Reader, Whole, Writer, Xattrs};
use common::time::Timestamp;
use layerutils_tests::place::Place;
use layerutils_tests::require;

/// A layer of files; the content `/` makes a directory, `=TARGET` a hard link, `>TARGET` a
/// symbolic one.
fn layer(seconds: i64, members: &[(&[u8], &str)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (path, content) in members {
        let (kind, content) = match content.strip_prefix('=') {
            Some(target) => (Kind::HardLink { target: target.into() }, ""),
            None if content.starts_with('>') => (Kind::Symlink { target: content[1..].into() }, ""),
            None if *content == "/" => (Kind::Directory, ""),
            None => (Kind::File, *content),
        };
        let entry = Entry {
            path: path.to_vec(),
            kind,
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime: Timestamp::from_seconds(seconds),
            len_bytes: content.len() as u64,
            xattrs: Xattrs::new(),
        };
        writer.append(&entry, content.as_bytes()).unwrap();
    }
    writer.finish().unwrap()
}

fn place() -> Place {
    let place = Place::new(env!("CARGO_BIN_EXE_img-browse"));
    let big = "x".repeat(100_000);
    let base = layer(
        5,
        &[
            (b"etc/conf", "one\ntwo\x1b[2J\n"),
            (b"usr/lib/big", &big),
            (b"usr/lib/other", "=usr/lib/big"),
            (b"opt/gone", "1234"),
        ],
    );
    let change = layer(6, &[(b"etc/conf", "three"), (b"etc/new", "new"), (b"opt/.wh.gone", "")]);
    let last = layer(7, &[(b"srv/evil\x1b]0;owned\x07\xff", "evil"), (b"usr/lib/big", "small")]);
    let config = ImageConfig::scratch(&"linux/amd64".parse().unwrap());
    let steps: [(&str, Option<&[u8]>); 3] = [
        ("ADD root /", Some(&base)),
        ("RUN change \x1b[31m", Some(&change)),
        ("COPY last /", Some(&last)),
    ];
    place.put_steps("app", config.clone(), &steps);
    place.put_steps("base", config, &steps[..1]);
    place
}

/// A terminal in which a shell runs the tool, and then tells its status and whether lines
/// are edited again.
struct Terminal {
    place: Place,
}

impl Terminal {
    fn new(place: Place, environment: &str, args: &str) -> Self {
        let terminal = Self { place };
        let tool = env!("CARGO_BIN_EXE_img-browse");
        let folder = terminal.place.path("").display().to_string();
        let script = format!(
            "trap : INT; cd {folder}; export LAYERUTILS_STORE={folder}/store XDG_CACHE_HOME={folder}/cache \
             {environment}; echo before; {tool} {args}; echo status $?; \
             stty -a | grep -o '[-]*icanon'; exec sleep 100"
        );
        terminal.tmux(&["new-session", "-d", "-x", "80", "-y", "24", "sh", "-c", &script]);
        terminal
    }

    fn tmux(&self, args: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(self.place.path("socket")).args(["-f", "/dev/null"]).args(args);
        let output = command.env_remove("TMUX").env("LC_ALL", "C.UTF-8").output().unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The process of the tool.
    fn tool(&self) -> String {
        let shell = self.tmux(&["display-message", "-p", "#{pane_pid}"]);
        let children = format!("/proc/{0}/task/{0}/children", shell.trim());
        fs::read_to_string(children).unwrap().trim().to_owned()
    }

    fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// The screen, once it has this text.
    #[track_caller]
    fn shows(&self, text: &str) -> String {
        let mut screen = String::new();
        for _ in 0..200 {
            screen = self.tmux(&["capture-pane", "-p"]);
            if screen.contains(text) {
                return screen;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("no {text:?} in\n{screen}");
    }

    /// The screen, once it lacks this text.
    #[track_caller]
    fn lacks(&self, text: &str) -> String {
        for _ in 0..200 {
            let screen = self.tmux(&["capture-pane", "-p"]);
            if !screen.contains(text) {
                return screen;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("still {text:?}");
    }
}

fn kill(signal: &str, process: &str) {
    let status = Command::new("kill").args([&format!("-{signal}"), process]).status();
    assert!(status.unwrap().success());
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let mut command = Command::new("tmux");
        let command = command.arg("-S").arg(self.place.path("socket")).arg("kill-server");
        let _ = command.stderr(Stdio::null()).status();
    }
}

#[test]
fn layers_and_their_changes_are_shown_side_by_side() {
    require!(Peer("tmux"));
    let terminal = Terminal::new(place(), "", "app");
    let screen = terminal.shows("changes of layer 3");
    let lines: Vec<&str> = screen.lines().collect();
    assert!(lines[0].starts_with("app  3 layers, 100kB, 16B wasted"), "{screen}");
    assert!(lines[2].starts_with("     1   100kB ADD root /"), "{screen}");
    assert!(lines[3].contains("RUN change \\033["), "{screen}");
    assert!(lines.iter().any(|line| line.ends_with("|A     4B     3 > srv/")), "{screen}");
    terminal.press(&["Up"]);
    let screen = terminal.shows("changes of layer 2");
    let rows: Vec<&str> =
        screen.lines().skip(2).filter_map(|line| line.split_once('|')).map(|it| it.1).collect();
    assert_eq!(
        rows[..3],
        ["+     8B     1 > etc/", "+     0B     1 > opt/", "   100kB     1 > usr/"]
    );
    terminal.press(&["Tab", "o"]);
    let screen = terminal.shows("gone");
    assert!(screen.contains("|C     5B     2     conf"), "{screen}");
    assert!(screen.contains("|A     3B     2     new"), "{screen}");
    assert!(screen.contains("|D     4B     1     gone"), "{screen}");
    terminal.press(&["a"]);
    terminal.shows("layer 1 to layer 2");
    terminal.press(&["u"]);
    let screen = terminal.lacks("usr/");
    assert!(screen.contains("conf") && screen.contains("changes only"), "{screen}");
}

#[test]
fn names_are_found_shown_and_exported() {
    require!(Peer("tmux"));
    let terminal = Terminal::new(place(), "", "app");
    terminal.shows("changes of layer 3");
    terminal.press(&["/", "E", "V", "I", "L", "Enter", "Tab", "Down"]);
    let screen = terminal.shows("evil\\033]0;owned\\007\\377");
    assert!(!screen.contains("etc/"), "{screen}");
    terminal.press(&["Escape"]);
    terminal.shows("etc/");
    terminal.press(&["/", "c", "o", "n", "f", "Enter", "End", "Enter"]);
    let screen = terminal.shows("three");
    assert!(screen.contains("A layer 1: ADD root /"), "{screen}");
    assert!(screen.contains("C layer 2: RUN change"), "{screen}");
    terminal.press(&["q"]);
    let screen = terminal.lacks("A layer 1:");
    assert!(screen.contains("'conf'"), "{screen}");
    terminal.press(&["Escape"]);
    terminal.shows("usr/");
    // The whole of usr, as the last layer left it.
    terminal.press(&["End", "e"]);
    terminal.shows("export to (.json, .tar): usr.json");
    terminal.press(&["Enter"]);
    terminal.shows("usr.json: 4 names written");
    let text = fs::read_to_string(terminal.place.path("usr.json")).unwrap();
    let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!((&last["path"], &last["layer"]), (&"usr/lib/other".into(), &1.into()));
    terminal.press(&["e", "Enter"]);
    terminal.shows("usr.json: is there already");
    terminal.press(&["e", "C-u", "x.tar", "Enter"]);
    terminal.shows("x.tar: 4 names written");
    let tar = fs::read(terminal.place.path("x.tar")).unwrap();
    let mut reader = Reader::new(&*tar, Limits::default(), Whole::ByMarker);
    let mut members = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        members.push((String::from_utf8(entry.path).unwrap(), entry.len_bytes));
    }
    let expected = [("usr/", 0), ("usr/lib/", 0), ("usr/lib/other", 100_000), ("usr/lib/big", 5)];
    assert_eq!(members, expected.map(|(path, len)| (path.to_owned(), len)));
}

#[test]
fn no_page_passes_on_what_an_image_would_tell_the_terminal() {
    require!(Peer("tmux"));
    let place = Place::new(env!("CARGO_BIN_EXE_img-browse"));
    let base = layer(
        5,
        &[
            (b"evil\x1b]0;owned\x07", "1234\x1b]0;owned\x07"),
            (b"link\x1b]0;owned\x07", ">to\x1b]0;owned\x07"),
        ],
    );
    let last = layer(6, &[(b"evil\x1b]0;owned\x07", "new\x1b]0;owned\x07")]);
    let steps: [(&str, Option<&[u8]>); 2] =
        [("ADD \x1b]0;owned\x07", Some(&base)), ("RUN \x1b]0;owned\x07", Some(&last))];
    place.put_steps("app", ImageConfig::scratch(&"linux/amd64".parse().unwrap()), &steps);
    let terminal = Terminal::new(place, "", "app");
    terminal.shows("changes of layer 2");
    terminal.press(&["w"]);
    let screen = terminal.shows("WRITTEN BY");
    assert!(screen.contains("evil\\033]0;owned\\007"), "{screen}");
    terminal.press(&["Enter", "Enter"]);
    let screen = terminal.shows("new\\033]0;owned\\007");
    assert!(screen.contains("C layer 2: RUN \\033]0;owned\\007"), "{screen}");
    terminal.press(&["q", "End", "v"]);
    let screen = terminal.shows("007 -> t");
    assert!(screen.contains(" link\\033]0;owned\\007 -> t"), "{screen}");
    terminal.press(&["q"]);
    let screen = terminal.lacks("A layer 1:");
    assert!(screen.contains("\nlink\\033]0;owned\\007 -> to\\033]0;owned\\007"), "{screen}");
    assert_ne!(terminal.tmux(&["display-message", "-p", "#{pane_title}"]).trim(), "owned");
}

#[test]
fn a_deleted_directory_keeps_its_size_and_o_opens_all_after_a_visit_to_the_waste() {
    require!(Peer("tmux"));
    let place = Place::new(env!("CARGO_BIN_EXE_img-browse"));
    let base = layer(5, &[(b"a", "12345"), (b"d/f", "1234"), (b"e/g", "12")]);
    let last = layer(6, &[(b"a", "1"), (b".wh.d", "")]);
    let steps: [(&str, Option<&[u8]>); 2] = [("ADD", Some(&base)), ("RUN", Some(&last))];
    place.put_steps("app", ImageConfig::scratch(&"linux/amd64".parse().unwrap()), &steps);
    let terminal = Terminal::new(place, "", "app");
    let screen = terminal.shows("changes of layer 2");
    assert!(screen.contains("|D     4B     1 > d/"), "{screen}");
    assert!(screen.contains("|      2B     1 > e/"), "{screen}");
    terminal.press(&["w", "Enter", "o"]);
    terminal.shows("v e/");
}

#[test]
fn nothing_is_exported_if_nothing_is_there() {
    require!(Peer("tmux"));
    let terminal = Terminal::new(place(), "", "app");
    terminal.shows("changes of layer 3");
    terminal.press(&["Up", "/", "g", "o", "n", "e", "Enter", "Tab", "End", "e"]);
    terminal.shows("gone: deleted: choose a layer that has it");
    terminal.press(&["/", "C-u", "z", "z", "z", "Enter", "e"]);
    terminal.shows("no name is chosen to export");
}

#[test]
fn the_waste_leads_to_the_step_that_wasted_it() {
    require!(Peer("tmux"));
    let terminal = Terminal::new(place(), "", "base app");
    let screen = terminal.shows("(image 1 of 2)");
    assert!(screen.starts_with("base  1 layer"), "{screen}");
    terminal.press(&["="]);
    let screen = terminal.shows("base -> app");
    assert!(screen.contains("C       -7B  etc/conf [mtime size]"), "{screen}");
    assert!(screen.contains("A       +3B  etc/new"), "{screen}");
    assert!(screen.contains("D       -4B  opt/gone"), "{screen}");
    terminal.press(&["q", "]"]);
    terminal.shows("(image 2 of 2)");
    terminal.press(&["w"]);
    let screen = terminal.shows("WRITTEN BY");
    assert!(screen.contains("deleted  layer    1  layer    2  opt/gone"), "{screen}");
    terminal.press(&["End", "Enter"]);
    terminal.shows("changes of layer 2");
}

#[test]
fn colours_mark_what_letters_say_unless_nobody_wants_them() {
    require!(Peer("tmux"));
    for (environment, args, is_coloured) in [
        ("", "app", true),
        ("NO_COLOR=1", "app", false),
        ("TERM=vt100", "app", true),
        ("", "--color never app", false),
        ("NO_COLOR=1", "--color always app", true),
    ] {
        let terminal = Terminal::new(place(), environment, args);
        terminal.shows("changes of layer 3");
        let screen = terminal.tmux(&["capture-pane", "-p", "-e"]);
        assert_eq!(screen.contains("\x1b[32m"), is_coloured, "{environment} {args}: {screen:?}");
        assert!(screen.contains("A     4B"), "{screen}");
    }
}

#[test]
fn the_terminal_is_given_back_however_it_ends() {
    require!(Peer("tmux"));
    let signals = [("TERM", 143), ("HUP", 129), ("QUIT", 131), ("USR1", 138), ("ALRM", 142)];
    for (keys, status) in [("q", 0), ("C-c", 130)].into_iter().chain(signals) {
        let terminal = Terminal::new(place(), "", "app");
        terminal.shows("changes of layer 3");
        match keys {
            "q" | "C-c" => terminal.press(&[keys]),
            signal => kill(signal, &terminal.tool()),
        }
        let screen = terminal.shows("icanon");
        let lines: Vec<&str> = screen.lines().take(4).filter(|line| !line.is_empty()).collect();
        // Some shells name the signal.
        assert!(lines[0] == "before" && lines.contains(&"icanon"), "{keys}: {screen}");
        assert!(lines.contains(&format!("status {status}").as_str()), "{keys}: {screen}");
    }
}

#[test]
fn the_terminal_is_given_back_while_it_is_stopped() {
    require!(Peer("tmux"));
    let terminal = Terminal::new(place(), "", "app");
    terminal.shows("changes of layer 3");
    let tool = terminal.tool();
    let tty = terminal.tmux(&["display-message", "-p", "#{pane_tty}"]);
    let is_raw = || {
        let modes = Command::new("stty").args(["-a", "-F", tty.trim()]).output().unwrap();
        String::from_utf8(modes.stdout).unwrap().contains("-icanon")
    };
    assert!(is_raw());
    kill("TSTP", &tool);
    let screen = terminal.lacks("changes of layer 3");
    assert!(screen.starts_with("before\n"), "{screen}");
    assert!(!is_raw());
    kill("CONT", &tool);
    terminal.shows("changes of layer 3");
    assert!(is_raw());
    terminal.press(&["q"]);
    let screen = terminal.shows("status 0");
    assert!(screen.starts_with("before\n"), "{screen}");
}

/// A terminal that takes no output: the pty is filled while nobody reads its other end.
#[test]
fn a_terminal_that_takes_no_output_does_not_keep_it() {
    require!(Peer("python3"));
    let place = place();
    for signal in ["TERM", "HUP", "QUIT"] {
        let script = format!(
            "import os,pty,signal,sys,time,fcntl,struct,termios\n\
             pid,master=pty.fork()\n\
             if pid==0:\n os.execv(sys.argv[1],[sys.argv[1],'--store',sys.argv[2],'app'])\n\
             seen=b''\n\
             while b'changes of layer 3' not in seen: seen+=os.read(master,4096)\n\
             for number in range(150):\n \
             fcntl.ioctl(master,termios.TIOCSWINSZ,struct.pack('HHHH',24+number%2,80,0,0))\n \
             time.sleep(0.01)\n \
             try: os.write(master,b'?q')\n \
             except OSError: pass\n\
             os.kill(pid,signal.SIG{signal})\n\
             deadline=time.time()+10\n\
             while time.time()<deadline:\n \
             done,status=os.waitpid(pid,os.WNOHANG)\n \
             if done: sys.exit(0 if os.WTERMSIG(status)==signal.SIG{signal} else 3)\n \
             time.sleep(0.05)\n\
             os.kill(pid,9)\nsys.exit(4)\n"
        );
        let mut python = Command::new("python3");
        python.args(["-c", &script, env!("CARGO_BIN_EXE_img-browse")]).arg(place.path("store"));
        let output = python.output().unwrap();
        assert!(output.status.success(), "{signal}: {output:?}");
    }
}

#[test]
fn a_window_may_be_small_and_change_its_size() {
    require!(Peer("tmux"));
    let terminal = Terminal::new(place(), "", "app");
    terminal.shows("changes of layer 3");
    terminal.tmux(&["resize-window", "-x", "30", "-y", "6"]);
    terminal.shows("8 by 40 columns are needed");
    terminal.tmux(&["resize-window", "-x", "120", "-y", "40"]);
    let screen = terminal.shows("changes of layer 3");
    let lines: Vec<&str> = screen.lines().collect();
    assert!(lines.len() == 40 && lines[39].starts_with("q quit  ? keys"), "{screen}");
    terminal.press(&["?"]);
    terminal.shows("A added   C changed");
}

#[test]
fn without_a_terminal_it_refuses() {
    let place = place();
    let refused = place.failed(&["app"]).1;
    assert!(refused.starts_with("img-browse: standard output: not a terminal\n"), "{refused}");
    let refused = place.failed(&["nothing"]).1;
    assert!(refused.starts_with("img-browse: nothing: no such image"), "{refused}");
    let refused = place.failed(&["-"]).1;
    assert!(refused.starts_with("img-browse: -: standard input is for keys"), "{refused}");
}
