//! The state of the browser, and what each key does to it.

use std::collections::HashSet;

use common::human::count;
use common::name::show;

use crate::keys::Key;
use crate::model::Model;
use crate::view::{self, Filter, Kinds, Mark, Range, Row, Sort};
use crate::{differences, export, preview};

/// The answer to a key: the browser goes on, or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    GoOn,
    Quit,
}

/// The list that arrows move in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pane {
    Layers,
    Tree,
}

/// The layer after which changes are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// The one before the chosen layer.
    Before,
    /// The first one.
    First,
    /// A layer that was marked.
    Mark(u32),
}

/// The question in the last line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    Filter,
    File,
}

/// The view that fills the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mode {
    Browse,
    Waste,
    /// A title and lines.
    Page(String, Vec<String>),
    Input(Ask, String),
}

/// A place in a list, and the first line of it that is seen.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) at: usize,
    pub(crate) top: usize,
}

impl Place {
    /// Moves to where a list of `len` lines has something, and sees it in `height` lines.
    pub(crate) fn fit(&mut self, len: usize, height: usize) {
        self.at = self.at.min(len.saturating_sub(1));
        self.top = self.top.min(self.at).max((self.at + 1).saturating_sub(height));
    }

    fn press(&mut self, key: Key, page: usize) {
        self.at = match key {
            Key::Up | Key::Char('k') => self.at.saturating_sub(1),
            Key::Down | Key::Char('j') => self.at.saturating_add(1),
            Key::PageUp => self.at.saturating_sub(page),
            Key::PageDown => self.at.saturating_add(page),
            Key::Home | Key::Char('g') => 0,
            Key::End | Key::Char('G') => usize::MAX - page,
            _ => self.at,
        };
    }
}

#[derive(Debug)]
pub(crate) struct App {
    models: Vec<Model>,
    image: usize,
    pub(crate) pane: Pane,
    pub(crate) mode: Mode,
    pub(crate) since: Since,
    pub(crate) sort: Sort,
    pub(crate) filter: Filter,
    /// The directories that are open, and those that are closed in a narrow view.
    open: HashSet<usize>,
    closed: HashSet<usize>,
    pub(crate) layer: Place,
    pub(crate) row: Place,
    /// The place in the waste or on a page.
    pub(crate) line: Place,
    pub(crate) marks: Vec<Mark>,
    pub(crate) rows: Vec<Row>,
    pub(crate) message: String,
    /// The lines that a list has on the screen.
    pub(crate) page: usize,
}

/// The keys, for the page of help: those of ncdu and dive where these have one.
pub(crate) const HELP: [&str; 26] = [
    "q, Ctrl-C        quit",
    "Tab              go to the layers or to the tree",
    "arrows, j k      move; PgUp, PgDn, Home g, End G",
    "Enter, Space     open or close a directory; show a file",
    "right l, left h  open a directory; close it, or go to the one above",
    "o                open or close all directories",
    "v, i             show what is recorded of a name, its past and its content",
    "",
    "/, Ctrl-F        show names with a text in their path; Escape shows all again",
    "f                show all kinds, files, symbolic links, or devices and the like",
    "u, Ctrl-U        show changes only",
    "s, n             sort by size, by name",
    "",
    "c, Ctrl-L        changes of the chosen layer",
    "a, Ctrl-A        changes of all layers after the first",
    "m                mark the chosen layer: changes between it and the one chosen next",
    "",
    "w                what is wasted, the largest first; Enter goes to it",
    "e                export the chosen name, with all in it, to NAME.json or NAME.tar",
    "[, ]             the image before, the image after",
    "=                files that differ between the image and the one after it",
    "",
    "A added   C changed   M metadata only   D deleted   + something in it changed",
    "",
    "The number before a name is the layer that last wrote it.",
    "q, Escape or Enter goes back.",
];

impl App {
    pub(crate) fn new(models: Vec<Model>) -> Self {
        let filter = Filter { text: String::new(), kinds: Kinds::All, changes: false };
        let mut app = Self {
            models,
            image: 0,
            pane: Pane::Layers,
            mode: Mode::Browse,
            since: Since::Before,
            sort: Sort::Name,
            filter,
            open: HashSet::new(),
            closed: HashSet::new(),
            layer: Place::default(),
            row: Place::default(),
            line: Place::default(),
            marks: Vec::new(),
            rows: Vec::new(),
            message: String::new(),
            page: 1,
        };
        app.enter(0);
        app
    }

    /// The image that is shown; there is always one.
    pub(crate) fn model(&self) -> &Model {
        &self.models[self.image]
    }

    /// The number of the image that is shown, and the number of images.
    pub(crate) fn images(&self) -> (usize, usize) {
        (self.image + 1, self.models.len())
    }

    fn enter(&mut self, image: usize) {
        self.image = image.min(self.models.len().saturating_sub(1));
        self.open.clear();
        self.closed.clear();
        self.since = Since::Before;
        self.row = Place::default();
        let last = self.model().layers.len().saturating_sub(1);
        self.layer = Place { at: last, top: 0 };
        self.refresh();
    }

    /// The layers that are compared.
    pub(crate) fn range(&self) -> Range {
        let layers = u32::try_from(self.model().layers.len()).unwrap_or(u32::MAX);
        let chosen = u32::try_from(self.layer.at).unwrap_or(u32::MAX).saturating_add(1).min(layers);
        match self.since {
            Since::Before => Range { from: chosen.saturating_sub(1), to: chosen },
            Since::First => Range { from: u32::from(chosen > 1), to: chosen },
            Since::Mark(mark) => Range { from: mark.min(chosen), to: mark.max(chosen) },
        }
    }

    /// Computes what is shown, with the chosen name kept if it is still there.
    fn refresh(&mut self) {
        let chosen = self.chosen();
        self.marks = view::marks(self.model(), self.range(), &self.filter);
        self.fold(chosen);
    }

    fn fold(&mut self, chosen: Option<usize>) {
        let toggled = if self.filter.is_narrow() { &self.closed } else { &self.open };
        self.rows = view::rows(self.model(), &self.marks, &self.filter, toggled, self.sort);
        let at = self.rows.iter().position(|row| Some(row.number) == chosen);
        self.row.at = at.unwrap_or_else(|| self.row.at.min(self.rows.len().saturating_sub(1)));
    }

    /// The number of the chosen name.
    pub(crate) fn chosen(&self) -> Option<usize> {
        self.rows.get(self.row.at).map(|row| row.number)
    }

    pub(crate) fn press(&mut self, key: Key) -> Next {
        self.message.clear();
        match std::mem::replace(&mut self.mode, Mode::Browse) {
            Mode::Browse => return self.browse(key),
            Mode::Input(ask, text) => self.input(ask, text, key),
            Mode::Page(title, lines) => match key {
                Key::Char('q') | Key::Escape | Key::Left | Key::Enter => {}
                key => {
                    self.line.press(key, self.page);
                    self.line.at = self.line.at.min(lines.len().saturating_sub(1));
                    self.mode = Mode::Page(title, lines);
                }
            },
            Mode::Waste => match key {
                Key::Char('q' | 'w') | Key::Escape | Key::Left => {}
                Key::Enter | Key::Right => self.go_to_waste(),
                key => {
                    self.line.press(key, self.page);
                    let len = self.model().waste.list.len();
                    self.line.at = self.line.at.min(len.saturating_sub(1));
                    self.mode = Mode::Waste;
                }
            },
        }
        Next::GoOn
    }

    fn browse(&mut self, key: Key) -> Next {
        match key {
            Key::Char('q') => return Next::Quit,
            Key::Char('?') => {
                self.line = Place::default();
                let lines = HELP.iter().map(|&line| line.to_owned()).collect();
                self.mode = Mode::Page("Keys".into(), lines);
            }
            Key::Tab => {
                self.pane = match self.pane {
                    Pane::Layers => Pane::Tree,
                    Pane::Tree => Pane::Layers,
                };
            }
            Key::Char('/') | Key::Ctrl('f') => {
                self.mode = Mode::Input(Ask::Filter, self.filter.text.clone());
            }
            Key::Escape => {
                self.filter = Filter { text: String::new(), kinds: Kinds::All, changes: false };
                self.refresh();
            }
            Key::Char('f') => {
                self.filter.kinds = self.filter.kinds.next();
                self.refresh();
            }
            Key::Char('u') | Key::Ctrl('u') => {
                self.filter.changes = !self.filter.changes;
                self.refresh();
            }
            Key::Char('s') => self.sort_by(Sort::Size),
            Key::Char('n') => self.sort_by(Sort::Name),
            Key::Char('c') | Key::Ctrl('l') => self.compare(Since::Before),
            Key::Char('a') | Key::Ctrl('a') => self.compare(Since::First),
            Key::Char('m') => {
                let chosen = u32::try_from(self.layer.at + 1).unwrap_or(u32::MAX);
                self.compare(Since::Mark(chosen));
                self.pane = Pane::Layers;
            }
            Key::Char('w') => {
                self.line = Place::default();
                self.mode = Mode::Waste;
            }
            Key::Char('e') => self.ask_for_file(),
            Key::Char(']') => self.enter((self.image + 1) % self.models.len()),
            Key::Char('[') => {
                self.enter((self.image + self.models.len() - 1) % self.models.len());
            }
            Key::Char('v' | 'i') => self.show_chosen(),
            Key::Char('=') => self.compare_images(),
            Key::Char('o') => self.toggle_all(),
            key if self.pane == Pane::Layers => {
                let before = self.layer.at;
                match key {
                    Key::Enter | Key::Right | Key::Char('l' | ' ') => self.pane = Pane::Tree,
                    key => self.layer.press(key, self.page),
                }
                self.layer.at = self.layer.at.min(self.model().layers.len().saturating_sub(1));
                if self.layer.at != before {
                    self.refresh();
                }
            }
            key => self.in_tree(key),
        }
        Next::GoOn
    }

    fn in_tree(&mut self, key: Key) {
        let row = self.rows.get(self.row.at).copied();
        let is_directory =
            row.and_then(|row| self.marks.get(row.number)).is_some_and(|mark| mark.is_directory);
        match (key, row) {
            (Key::Enter | Key::Char(' '), Some(row)) if is_directory => self.toggle(row.number),
            (Key::Right | Key::Char('l'), Some(row)) if is_directory => {
                if !row.is_open {
                    self.toggle(row.number);
                }
            }
            (Key::Enter | Key::Right | Key::Char('l' | ' '), Some(_)) => self.show_chosen(),
            (Key::Left | Key::Char('h'), Some(row)) if is_directory && row.is_open => {
                self.toggle(row.number);
            }
            (Key::Left | Key::Char('h'), Some(row)) => {
                let above = self.model().names.get(row.number).map(|name| name.parent);
                let at = self.rows.iter().position(|row| Some(row.number) == above);
                match at {
                    Some(at) => self.row.at = at,
                    None => self.pane = Pane::Layers,
                }
            }
            (Key::Left | Key::Char('h'), None) => self.pane = Pane::Layers,
            (key, _) => {
                self.row.press(key, self.page);
                self.row.at = self.row.at.min(self.rows.len().saturating_sub(1));
            }
        }
    }

    /// Shows the files that differ between the image and the next one.
    fn compare_images(&mut self) {
        let next = (self.image + 1) % self.models.len();
        if next == self.image {
            self.message = "there is no other image to compare with".into();
            return;
        }
        let (old, new) = (self.model(), &self.models[next]);
        let title = format!("{} -> {}", old.title, new.title);
        match differences::lines(old, new) {
            Ok(lines) => {
                self.line = Place::default();
                self.mode = Mode::Page(title, lines);
            }
            Err(text) => self.message = text,
        }
    }

    fn sort_by(&mut self, sort: Sort) {
        self.sort = sort;
        self.fold(self.chosen());
    }

    fn compare(&mut self, since: Since) {
        self.since = since;
        self.refresh();
    }

    fn toggle(&mut self, number: usize) {
        let toggled = if self.filter.is_narrow() { &mut self.closed } else { &mut self.open };
        if !toggled.remove(&number) {
            toggled.insert(number);
        }
        self.fold(Some(number));
    }

    /// Opens all directories, or closes them if one is open.
    fn toggle_all(&mut self) {
        let all: HashSet<usize> = (0..self.model().names.len()).collect();
        let toggled = if self.filter.is_narrow() { &mut self.closed } else { &mut self.open };
        *toggled = if toggled.is_empty() { all } else { HashSet::new() };
        self.fold(self.chosen());
    }

    fn show_chosen(&mut self) {
        let Some(number) = self.chosen() else { return };
        let title = show(&self.model().path(number)).to_string();
        let lines = preview::lines(self.model(), number, self.range().to);
        self.line = Place::default();
        self.mode = Mode::Page(title, lines);
    }

    fn go_to_waste(&mut self) {
        let Some(wasted) = self.model().waste.list.get(self.line.at) else { return };
        let (path, layer) = (wasted.path.clone(), wasted.wasted_by);
        let Some(number) = self.model().find(&path) else { return };
        self.filter = Filter { text: String::new(), kinds: Kinds::All, changes: false };
        self.since = Since::Before;
        self.layer.at = usize::try_from(layer).unwrap_or(1).saturating_sub(1);
        let mut above = number;
        while let Some(name) = self.model().names.get(above).filter(|name| name.depth > 0) {
            above = name.parent;
            // The root is no line that opens.
            if above != 0 {
                self.open.insert(above);
            }
        }
        self.refresh();
        self.fold(Some(number));
        self.pane = Pane::Tree;
    }

    /// Asks for the file of an export, if there is something to export.
    fn ask_for_file(&mut self) {
        let chosen = self.chosen().and_then(|number| self.model().names.get(number));
        let Some(name) = chosen else {
            self.message = "no name is chosen to export".into();
            return;
        };
        match self.model().state(name, self.range().to) {
            Some(_) => self.mode = Mode::Input(Ask::File, self.suggestion()),
            None => {
                let name = show(&name.name);
                self.message = format!("{name}: deleted: choose a layer that has it");
            }
        }
    }

    /// A file name for an export: the chosen name with everything harmless in it.
    fn suggestion(&self) -> String {
        let name = self.chosen().and_then(|number| self.model().names.get(number));
        let name = name.map_or_else(String::new, |it| String::from_utf8_lossy(&it.name).into());
        let is_plain = |it: &char| it.is_ascii_alphanumeric() || "-_.".contains(*it);
        let name: String = name.chars().filter(is_plain).collect();
        let name = name.trim_start_matches(['.', '-']);
        format!("{}.json", if name.is_empty() { "image" } else { name })
    }

    fn input(&mut self, ask: Ask, mut text: String, key: Key) {
        match key {
            Key::Escape => return,
            Key::Enter => return self.answer(ask, text),
            Key::Backspace => {
                text.pop();
            }
            Key::Ctrl('u') => text.clear(),
            Key::Char(character) => text.push(character),
            _ => {}
        }
        self.mode = Mode::Input(ask, text);
    }

    fn answer(&mut self, ask: Ask, text: String) {
        match ask {
            Ask::Filter => {
                self.filter.text = text.to_lowercase();
                self.closed.clear();
                self.refresh();
            }
            Ask::File => {
                let Some(top) = self.chosen() else { return };
                let range = self.range();
                let written = export::write(self.model(), &self.marks, range, top, &text);
                self.message = match written {
                    Ok(names) => {
                        let names = count(names, "name", "names");
                        format!("{}: {names} written", show(&text))
                    }
                    Err(failure) => failure.line(),
                };
            }
        }
    }
}
