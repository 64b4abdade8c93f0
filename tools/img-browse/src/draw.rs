//! The state as lines of the screen. All text of an image is escaped before it comes here,
//! or by [`show`].

use common::human::{count, ellipsis, size, width};
use common::inside::Change;
use common::name::show;
use common::tar::Kind;

use crate::app::{App, Ask, Mode, Pane, Since};
use crate::screen::{Line, Size, Span, Style};
use crate::view::{Row, Sort};

/// The least size of a screen on which something can be told.
const LEAST: Size = Size { width: 40, height: 8 };

/// Lines that are no part of a list: two above and two below.
const FRAME: usize = 4;

const KEYS: &str = "q quit  ? keys  Tab pane  / find  u changes  s size  w waste  v view  e export";

/// All lines of the screen.
pub(crate) fn lines(app: &mut App, size: Size) -> Vec<Line> {
    if size.width < LEAST.width || size.height < LEAST.height {
        let text = format!("{} by {} columns are needed", LEAST.height, LEAST.width);
        return vec![plain(&text, size.width)];
    }
    let page = size.height - FRAME;
    app.page = page;
    let mut lines = vec![title(app, size.width)];
    match &app.mode {
        Mode::Waste => lines.extend(waste(app, size.width, page)),
        Mode::Page(..) => lines.extend(text_page(app, size.width, page)),
        Mode::Browse | Mode::Input(..) => lines.extend(panes(app, size.width, page)),
    }
    lines.truncate(size.height - 2);
    lines.resize(size.height - 2, Vec::new());
    lines.push(plain(&status(app), size.width));
    lines.push(last(app, size.width));
    lines
}

/// Text cut and filled up to a width.
fn fit(text: &str, columns: usize) -> String {
    let mut text = ellipsis(text, columns);
    let filled = width(&text);
    text.extend(std::iter::repeat_n(' ', columns.saturating_sub(filled)));
    text
}

fn plain(text: &str, columns: usize) -> Line {
    vec![Span(Style::Plain, fit(text, columns))]
}

fn title(app: &App, columns: usize) -> Line {
    let model = app.model();
    let all = model.layers.iter().fold(0_u64, |sum, it| sum.saturating_add(it.content_bytes));
    let mut text = format!(
        "{}  {}, {}, {} wasted",
        model.title,
        count(model.layers.len() as u64, "layer", "layers"),
        size(all),
        size(model.waste.len_bytes),
    );
    if let (at, number @ 2..) = app.images() {
        text += &format!("  (image {at} of {number})");
    }
    vec![Span(Style::Bold, fit(&text, columns))]
}

fn panes(app: &mut App, columns: usize, page: usize) -> Vec<Line> {
    let left = (columns * 2 / 5).clamp(20, 46);
    let right = columns - left - 1;
    let layers = app.model().layers.len();
    app.layer.fit(layers, page);
    app.row.fit(app.rows.len(), page);
    let order = if app.sort == Sort::Size { ", by size" } else { "" };
    let mut lines = vec![vec![
        Span(Style::Bold, fit(" LAYER    SIZE STEP", left)),
        Span(Style::Plain, "|".into()),
        Span(Style::Bold, fit(&format!("    SIZE LAYER NAME  ({}{order})", compared(app)), right)),
    ]];
    for at in 0..page {
        let mut line = layer(app, app.layer.top + at, left);
        line.push(Span(Style::Plain, "|".into()));
        match app.rows.get(app.row.top + at) {
            Some(&row) => line.push(name(app, row, app.row.top + at, right)),
            None if at == 0 && app.rows.is_empty() => line.extend(plain("(nothing)", right)),
            None => {}
        }
        lines.push(line);
    }
    lines
}

/// The layers between which changes are shown.
fn compared(app: &App) -> String {
    let range = app.range();
    match app.since {
        Since::Before => format!("changes of layer {}", range.to),
        _ if range.from == range.to => format!("layer {}: choose another one", range.to),
        _ => format!("layer {} to layer {}", range.from, range.to),
    }
}

fn layer(app: &App, at: usize, columns: usize) -> Line {
    let Some(layer) = app.model().layers.get(at) else { return plain("", columns) };
    let number = at + 1;
    let is_marked = matches!(app.since, Since::Mark(mark) if usize::try_from(mark) == Ok(number));
    let mark = if is_marked { '*' } else { ' ' };
    let text = format!("{mark}{number:>5} {:>7} {}", size(layer.content_bytes), layer.step);
    let style = match (app.layer.at == at, app.pane) {
        (true, Pane::Layers) => Style::Reverse,
        (true, Pane::Tree) => Style::Bold,
        (false, _) => Style::Plain,
    };
    vec![Span(style, fit(&text, columns))]
}

fn name(app: &App, Row { number, is_open }: Row, at: usize, columns: usize) -> Span {
    let (Some(name), Some(mark)) = (app.model().names.get(number), app.marks.get(number)) else {
        return Span(Style::Plain, String::new());
    };
    let (letter, style) = match mark.change {
        Some(change @ Change::Added) => (change.letter(), Style::Green),
        Some(change @ (Change::Changed | Change::Metadata)) => (change.letter(), Style::Yellow),
        Some(change @ Change::Deleted) => (change.letter(), Style::Red),
        None if mark.has_changes => ('+', Style::Plain),
        None => (' ', Style::Plain),
    };
    let fold = match (mark.is_directory, is_open) {
        (true, true) => 'v',
        (true, false) => '>',
        (false, _) => ' ',
    };
    let slash = if mark.is_directory { "/" } else { "" };
    let indent = "  ".repeat(name.depth.saturating_sub(1).min(columns / 4));
    let text = format!(
        "{letter}{:>7} {:>5} {indent}{fold} {}{slash}",
        size(mark.len_bytes),
        mark.layer,
        show(&name.name),
    );
    let style = match (app.row.at == at, app.pane) {
        (true, Pane::Tree) => Style::Reverse,
        (true, Pane::Layers) => Style::Bold,
        (false, _) => style,
    };
    Span(style, fit(&text, columns))
}

fn waste(app: &mut App, columns: usize, page: usize) -> Vec<Line> {
    app.line.fit(app.model().waste.list.len(), page);
    let header = "  WASTED FILES HOW      WRITTEN BY   WASTED BY PATH";
    let mut lines = vec![vec![Span(Style::Bold, fit(header, columns))]];
    let rows = app.model().waste.list.iter().enumerate().skip(app.line.top).take(page);
    for (at, it) in rows {
        let text = format!(
            "{:>8} {:>5} {:<8} layer {:>4}  layer {:>4}  {}",
            size(it.len_bytes),
            it.files,
            it.how.word(),
            it.written_by,
            it.wasted_by,
            show(&it.path),
        );
        let style = if at == app.line.at { Style::Reverse } else { Style::Plain };
        lines.push(vec![Span(style, fit(&text, columns))]);
    }
    if lines.len() == 1 {
        lines.push(plain("(nothing)", columns));
    }
    lines
}

fn text_page(app: &mut App, columns: usize, page: usize) -> Vec<Line> {
    let Mode::Page(title, text) = &app.mode else { return Vec::new() };
    // A page is scrolled, and has no chosen line.
    let most = text.len().saturating_sub(page);
    app.line.at = app.line.at.min(most);
    app.line.top = app.line.at;
    let mut lines = vec![vec![Span(Style::Bold, fit(title, columns))]];
    lines.extend(text.iter().skip(app.line.top).take(page).map(|line| plain(line, columns)));
    lines
}

/// The chosen layer or name in full.
fn status(app: &App) -> String {
    match (&app.mode, app.pane) {
        (Mode::Waste, _) => "Enter goes to the name, Escape goes back".into(),
        (Mode::Page(..), _) => "arrows, PgUp and PgDn move, Escape goes back".into(),
        (_, Pane::Layers) => {
            let layer = app.model().layers.get(app.layer.at);
            layer.map_or_else(|| "(no layers)".into(), |layer| layer.step.clone())
        }
        (_, Pane::Tree) => {
            let Some(number) = app.chosen() else { return String::new() };
            let mut text = show(&app.model().path(number)).to_string();
            let name = app.model().names.get(number);
            let state = name.and_then(|name| app.model().state(name, app.range().to));
            if let Some(Kind::Symlink { target }) = state.as_ref().map(|state| state.kind()) {
                text += &format!(" -> {}", show(target));
            }
            text
        }
    }
}

/// The question that is asked, a message, the filter, or the keys.
fn last(app: &App, columns: usize) -> Line {
    if let Mode::Input(ask, text) = &app.mode {
        let question = match ask {
            Ask::Filter => "find: ",
            Ask::File => "export to (.json, .tar): ",
        };
        // The end is what is typed at.
        let text = show(text).to_string();
        let room = columns.saturating_sub(question.len() + 2);
        let skipped = width(&text).saturating_sub(room);
        let text: String = text.chars().skip(skipped).collect();
        return vec![
            Span(Style::Bold, question.into()),
            Span(Style::Plain, text),
            Span(Style::Reverse, " ".into()),
        ];
    }
    if !app.message.is_empty() {
        return vec![Span(Style::Reverse, fit(&show(&app.message).to_string(), columns))];
    }
    if app.filter.is_narrow() {
        let mut parts = Vec::new();
        if !app.filter.text.is_empty() {
            parts.push(format!("'{}'", show(&app.filter.text)));
        }
        parts.push(app.filter.kinds.word().into());
        if app.filter.changes {
            parts.push("changes only".into());
        }
        let text = format!("shown: {} (Escape shows all)", parts.join(", "));
        return vec![Span(Style::Bold, fit(&text, columns))];
    }
    plain(KEYS, columns)
}
