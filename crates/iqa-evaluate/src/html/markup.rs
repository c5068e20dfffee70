//! Pages as HTML.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::chart::Drawing;
use super::{Cell, Chart, Column, ColumnKind, Content, FIRST_LINE, Page, Picture, Section, Table};

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

pub(super) fn page(page: &Page) -> String {
    let mut body = format!("<header>\n<h1>{}</h1>\n", escape(&page.title));
    for fact in &page.facts {
        let _ = writeln!(body, "<p class=\"facts\">{}</p>", escape(fact));
    }
    body += "</header>\n<main>\n";
    for each in &page.sections {
        section(&mut body, each);
    }
    body += "</main>\n";
    fill(&[("title", &escape(&page.title)), ("style", STYLE), ("body", &body), ("script", SCRIPT)])
}

/// Puts parts into the template, in its order. What they hold is not looked at.
fn fill(parts: &[(&str, &str)]) -> String {
    let mut html = FIRST_LINE.to_owned();
    let mut rest = TEMPLATE;
    for (name, part) in parts {
        let (before, after) = rest.split_once(&format!("{{{{{name}}}}}")).unwrap_or((rest, ""));
        html.extend([before, part]);
        rest = after;
    }
    html + rest
}

fn section(html: &mut String, section: &Section) {
    let class = if matches!(section.content, Content::Failures(_)) { " class=\"alarm\"" } else { "" };
    let _ = writeln!(html, "<section{class}>\n<h2>{}</h2>", escape(&section.heading));
    for sentence in &section.about {
        let _ = writeln!(html, "<p class=\"about\">{}</p>", escape(sentence));
    }
    match &section.content {
        Content::Table(content) => table(html, &section.heading, content),
        Content::Charts(charts) => {
            *html += "<div class=\"charts\">\n";
            charts.iter().for_each(|each| chart(html, each));
            *html += "</div>\n";
        }
        Content::Failures(failures) => {
            *html += "<ul>\n";
            for failure in failures {
                let _ = writeln!(html, "<li>{}</li>", escape(failure));
            }
            *html += "</ul>\n";
        }
    }
    *html += "</section>\n";
}

fn chart(html: &mut String, chart: &Chart) {
    *html += "<figure>";
    match &chart.drawing {
        Drawing::Svg(svg) => *html += svg,
        Drawing::Picture(drawing) => picture(html, drawing),
    }
    let _ = writeln!(html, "<figcaption>{}</figcaption></figure>", escape(&chart.caption));
}

fn table(html: &mut String, name: &str, table: &Table) {
    let class = if table.rows.len() > 1 { " class=\"sortable\"" } else { "" };
    // It is scrolled in its box, by the keyboard too.
    let _ = writeln!(
        html,
        "<div class=\"box\" tabindex=\"0\" role=\"region\" aria-label=\"{}\"><table{class}>\n<thead><tr>",
        escape(name)
    );
    for Column { name, kind } in &table.columns {
        let attributes = match kind {
            ColumnKind::Text => " data-sort=\"text\"",
            ColumnKind::Number => " class=\"n\" data-sort=\"number\"",
            ColumnKind::Pictures => "",
        };
        let _ = write!(html, "<th scope=\"col\"{attributes}>{}</th>", escape(name));
    }
    *html += "</tr></thead>\n<tbody>\n";
    for row in &table.rows {
        *html += "<tr>";
        for (column, each) in table.columns.iter().zip(row) {
            cell(html, column.kind, each);
        }
        *html += "</tr>\n";
    }
    *html += "</tbody></table></div>\n";
}

fn cell(html: &mut String, kind: ColumnKind, cell: &Cell) {
    match cell {
        Cell::Text(text) => {
            let _ = write!(html, "<td>{}</td>", escape(text));
        }
        Cell::Number { value, digits, outside } => {
            let outside = if *outside { " outside\" title=\"outside the nominal range" } else { "" };
            let shown = if value.is_finite() { format!("{value:.digits$}") } else { number(*value) };
            // As JavaScript reads it.
            let exact =
                if value.is_infinite() { format!("{}Infinity", sign(*value)) } else { value.to_string() };
            let _ = write!(html, "<td class=\"n{outside}\" data-v=\"{exact}\">{shown}</td>");
        }
        Cell::Picture(each) => {
            *html += "<td class=\"pictures\">";
            picture(html, each);
            *html += "</td>";
        }
        Cell::Missing => {
            let class = if kind == ColumnKind::Number { " class=\"n\"" } else { "" };
            let _ = write!(html, "<td{class}>\u{2013}</td>");
        }
    }
}

fn picture(html: &mut String, picture: &Picture) {
    let Picture { mime, bytes, size: (width, height), alt } = picture;
    let _ = write!(
        html,
        "<img alt=\"{}\" width=\"{width}\" height=\"{height}\" loading=\"lazy\" decoding=\"async\" src=\"data:{mime};base64,",
        escape(alt)
    );
    STANDARD.encode_string(bytes, html);
    *html += "\">";
}

fn sign(value: f64) -> &'static str {
    if value < 0.0 { "-" } else { "" }
}

/// A number in as few characters as tell it.
pub(super) fn number(value: f64) -> String {
    if value.is_infinite() {
        return format!("{}\u{221e}", sign(value));
    }
    if value != 0.0 && !(1e-3..1e6).contains(&value.abs()) {
        return format!("{value:.2e}");
    }
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}

/// Text as it may stand in an element, or in an attribute between double quotes. Control characters, which a page may not
/// have, and those that turn the direction of writing are shown by their numbers.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    let special = |c: char| matches!(c, '&' | '<' | '>' | '"' | '\'') || unseen(c);
    if !text.contains(special) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            c if unseen(c) => escaped.extend(c.escape_default()),
            c => escaped.push(c),
        }
    }
    escaped.into()
}

fn unseen(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_ends_no_attribute_and_opens_no_tag() {
        let escaped = escape("<a href='x' title=\"y\">&\n\u{202e}\u{0}\u{e9}");
        let expected = "&lt;a href=&#39;x&#39; title=&quot;y&quot;&gt;&amp;\\n\\u{202e}\\u{0}\u{e9}";
        assert_eq!(escaped, expected);
    }

    #[test]
    fn numbers_are_short_and_sorted_by_their_value() {
        let shown = [0.0, -0.0, 1.0, 0.123_456, -2.5, 1e-7, 123_456_789.0].map(number);
        assert_eq!(shown, ["0", "0", "1", "0.1235", "-2.5", "1.00e-7", "1.23e8"]);
        let mut html = String::new();
        for value in [f64::NEG_INFINITY, 0.1 + 0.2, f64::NAN] {
            cell(&mut html, ColumnKind::Number, &Cell::number(value));
        }
        let expected = "<td class=\"n\" data-v=\"-Infinity\">-\u{221e}</td>\
                        <td class=\"n\" data-v=\"0.30000000000000004\">0.3000</td><td class=\"n\">\u{2013}</td>";
        assert_eq!(html, expected);
    }
}
