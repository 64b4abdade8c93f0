//! The treemap as SVG, coloured by layer.

use std::fmt::Write as _;

use common::human::size;
use common::name::show;

use crate::treemap::{Area, LABEL_HEIGHT, Tile, has_label};

/// The area of a treemap, in pixels.
pub(crate) const WHOLE: Area = Area { x: 0.0, y: 0.0, width: 1200.0, height: 720.0 };

/// A document of its own.
pub(crate) fn document(tiles: &[Tile]) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", element(tiles))
}

/// The element, for a page.
pub(crate) fn element(tiles: &[Tile]) -> String {
    let Area { width, height, .. } = WHOLE;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n"
    );
    for tile in tiles {
        push(&mut text, tile);
    }
    text + "</svg>\n"
}

fn push(text: &mut String, tile: &Tile) {
    let Area { x, y, width, height } = tile.area;
    let path = if tile.path.is_empty() { "/".into() } else { escape(&tile.path) };
    let fill = tile.layer.map_or("#e8e8e8".to_owned(), color);
    let (kind, of_layer) = match tile.layer {
        Some(layer) => (format!(" data-layer=\"{layer}\""), format!(", layer {layer}")),
        None => (" class=\"directory\"".to_owned(), String::new()),
    };
    // Writing to a string does not fail.
    let _ = write!(
        text,
        "<g data-path=\"{path}\"{kind}><rect x=\"{x:.1}\" y=\"{y:.1}\" \
         width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{fill}\" stroke=\"#fff\" \
         stroke-width=\"0.5\"/><title>{path}: {size}{of_layer}</title>",
        size = size(tile.len_bytes),
    );
    if has_label(tile.area) {
        let name = tile.path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        let name = if name.is_empty() { "/".into() } else { show(name).to_string() };
        let label = format!("{name} {}", size(tile.len_bytes));
        // About six pixels a letter.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let room = (width / 6.0) as usize;
        let label = escape(common::human::ellipsis(&label, room.saturating_sub(1)).as_bytes());
        let (x, y) = (x + 3.0, y + LABEL_HEIGHT - 4.0);
        let _ = write!(text, "<text x=\"{x:.1}\" y=\"{y:.1}\">{label}</text>");
    }
    *text += "</g>\n";
}

/// A colour for each layer, neighbours far apart.
pub(crate) fn color(layer: u32) -> String {
    let hue = (layer.wrapping_mul(137) + 70) % 360;
    let lightness = 68 + (layer % 3) * 6;
    format!("hsl({hue},60%,{lightness}%)")
}

/// A name as text or attribute of XML or HTML. Control characters are shown first.
pub(crate) fn escape(bytes: &[u8]) -> String {
    let mut text = String::new();
    for character in show(bytes).to_string().chars() {
        match character {
            '&' => text += "&amp;",
            '<' => text += "&lt;",
            '>' => text += "&gt;",
            '"' => text += "&quot;",
            '\'' => text += "&#39;",
            // Not characters of XML.
            '\u{fffe}' | '\u{ffff}' => text.push('\u{fffd}'),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn no_name_is_markup() {
        let escaped = escape(b"</svg><script>alert('1')</script>\"&\x1b\xff");
        assert!(!escaped.contains(['<', '>', '"', '\'', '\u{1b}']), "{escaped}");
        assert!(escaped.ends_with("&quot;&amp;\\033\\377"), "{escaped}");
    }
}
