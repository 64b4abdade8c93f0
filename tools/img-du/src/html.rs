//! One page with everything: the treemap, the history, what is wasted, a search. It
//! fetches nothing, and runs no script but its own.

use std::fmt::Write as _;

use common::digest::Digest;
use common::human::{count, size};
use common::json::base64;

use crate::report::Report;
use crate::svg::{color, element, escape};
use crate::treemap::Tile;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Rows of waste on the page: nobody reads more.
const MAX_ROWS: usize = 500;

pub(crate) fn page(report: &Report, tiles: &[Tile]) -> String {
    let name = escape(report.reference.to_string().as_bytes());
    let mut text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'sha256-{style}'; script-src 'sha256-{script}'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{name}: img-du</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <h1>{name}</h1>\n",
        style = sum(STYLE),
        script = sum(SCRIPT),
    );
    summary(&mut text, report);
    text += "<p><input id=\"search\" type=\"search\" placeholder=\"part of a path\" \
             aria-label=\"Search\"> <span id=\"found\"></span></p>\n";
    text += &element(tiles);
    layers(&mut text, report);
    waste(&mut text, report);
    advice(&mut text, report);
    let _ = write!(text, "<script>{SCRIPT}</script>\n</body>\n</html>\n");
    text
}

/// As a Content-Security-Policy names what it allows.
fn sum(text: &str) -> String {
    let hex = Digest::of(text.as_bytes());
    let hex = hex.hex().as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    base64(&hex.filter_map(byte).collect::<Vec<_>>())
}

// Writing to a string does not fail, here and below.
fn summary(text: &mut String, report: &Report) {
    let _ = writeln!(
        text,
        "<p>{} &middot; {} &middot; {} in {}, {} wasted ({:.1}%), efficiency {:.1}%</p>",
        escape(report.image.id().to_string().as_bytes()),
        escape(report.image.config.platform().to_string().as_bytes()),
        size(report.content_bytes()),
        count(report.layers.len() as u64, "layer", "layers"),
        size(report.waste.len_bytes),
        report.wasted_percent(),
        100.0 * report.waste.efficiency,
    );
}

fn layers(text: &mut String, report: &Report) {
    *text += "<h2>Layers</h2>\n<table id=\"layers\"><thead><tr><th></th><th class=\"n\">Layer</th>\
              <th class=\"n\">Stored</th><th class=\"n\">Content</th><th class=\"n\">Files</th>\
              <th class=\"n\">Wasted</th><th>Step</th></tr></thead>\n<tbody>\n";
    for ((number, sums), wasted) in (1..).zip(&report.layers).zip(&report.wasted_of_layers) {
        let _ = writeln!(
            text,
            "<tr data-layer=\"{number}\"><td><svg class=\"swatch\"><rect width=\"100%\" \
             height=\"100%\" fill=\"{}\"/></svg></td><td class=\"n\">{number}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td>{}</td></tr>",
            color(number),
            size(sums.layer.descriptor.len_bytes),
            size(sums.content_bytes),
            sums.files,
            size(*wasted),
            escape(sums.step.text().as_bytes()),
        );
    }
    *text += "</tbody></table>\n";
}

fn waste(text: &mut String, report: &Report) {
    if report.waste.list.is_empty() {
        return;
    }
    *text += "<h2>Waste</h2>\n<table id=\"waste\"><thead><tr><th class=\"n\">Wasted</th>\
              <th class=\"n\">Files</th><th>How</th><th class=\"n\">Written by</th>\
              <th class=\"n\">Wasted by</th><th>Path</th></tr></thead>\n<tbody>\n";
    for it in report.waste.list.iter().take(MAX_ROWS) {
        let path = escape(&it.path);
        let _ = writeln!(
            text,
            "<tr data-path=\"{path}\"><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"path\">{path}</td></tr>",
            size(it.len_bytes),
            it.files,
            it.how.word(),
            it.written_by,
            it.wasted_by,
        );
    }
    *text += "</tbody></table>\n";
    if let Some(left @ 1..) = report.waste.list.len().checked_sub(MAX_ROWS) {
        let _ = writeln!(text, "<p>{} not shown</p>", count(left as u64, "row", "rows"));
    }
}

fn advice(text: &mut String, report: &Report) {
    if report.advice.is_empty() {
        return;
    }
    *text += "<h2>Advice</h2>\n<ul>\n";
    for it in &report.advice {
        let saving = it.saves_bytes.map_or("time".into(), size);
        let _ = writeln!(text, "<li>save {saving}: {}</li>", escape(it.text.as_bytes()));
    }
    *text += "</ul>\n";
}
