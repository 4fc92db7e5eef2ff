//! A table's columns as bars: SVG with nothing in it but rectangles and texts.

use std::fmt::Write;

use crate::table::{NEVER, Table, shown};

const ROW: usize = 22;
const HEAD: usize = 48;
const FOOT: usize = 30;
const NAMES: usize = 200;
const BARS: usize = 300;
const PANEL: usize = BARS + 80;

/// A panel beside the other for each of `columns`, with the rows that have a figure in one of them; those whose names begin with
/// `ours` stand out. Those for which what the column `told` tells did never happen get a mark, which `foot` explains.
pub fn chart(table: &Table, columns: &[(&str, &str)], ours: &str, (told, foot): (&str, &str)) -> String {
    let drawn = |name: &&str| columns.iter().any(|(column, _)| table.figure(name, column).is_finite());
    let names: Vec<&str> = table.names().into_iter().filter(drawn).collect();
    let (width, height) = (NAMES + columns.len() * PANEL, HEAD + names.len() * ROW + FOOT);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    let marked = |name: &str| table.figure(name, told) == NEVER;
    for (row, name) in names.iter().enumerate() {
        let y = HEAD + row * ROW + 15;
        let mark = if marked(name) { " †" } else { "" };
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{y}\" text-anchor=\"end\">{}{mark}</text>", NAMES - 8, escaped(name));
    }
    if names.iter().any(|name| marked(name)) {
        let _ = writeln!(svg, "<text x=\"{NAMES}\" y=\"{}\" font-size=\"11\">† {}</text>", height - 10, escaped(foot));
    }
    for (panel, (column, title)) in columns.iter().enumerate() {
        let left = NAMES + panel * PANEL;
        let figures: Vec<f64> = names.iter().map(|name| table.figure(name, column)).collect();
        let most = figures.iter().copied().filter(|figure| figure.is_finite()).fold(f64::MIN_POSITIVE, f64::max);
        let _ = writeln!(svg, "<text x=\"{left}\" y=\"28\" font-weight=\"bold\">{}</text>", escaped(title));
        for (row, (figure, name)) in figures.into_iter().zip(&names).enumerate() {
            let (top, length) = (HEAD + row * ROW, if figure.is_finite() { figure / most * BARS as f64 } else { 0.0 });
            let colour = if name.starts_with(ours) { "#c2410c" } else { "#94a3b8" };
            let _ = writeln!(
                svg,
                "<rect x=\"{left}\" y=\"{top}\" width=\"{length:.1}\" height=\"{}\" fill=\"{colour}\"/>\
                 <text x=\"{:.1}\" y=\"{}\">{}</text>",
                ROW - 4,
                left as f64 + length + 6.0,
                top + 15,
                shown(figure)
            );
        }
    }
    svg + "</svg>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
