//! What a part found: rows of figures under named columns.

use serde_json::{Value, json};

/// The time until what never happened, for as long as it was waited for.
pub const NEVER: f64 = f64::INFINITY;

/// Every figure of a table has its meter in the title or in its column.
pub struct Table {
    title: String,
    columns: Vec<&'static str>,
    rows: Vec<(String, Vec<f64>)>,
    notes: Vec<String>,
}

impl Table {
    /// A table without rows yet.
    pub fn new(title: impl Into<String>, columns: impl Into<Vec<&'static str>>) -> Table {
        Table { title: title.into(), columns: columns.into(), rows: Vec::new(), notes: Vec::new() }
    }

    /// Adds a row; NaN is what could not be measured, NEVER what did not happen.
    pub fn row(&mut self, name: impl Into<String>, figures: impl Into<Vec<f64>>) {
        self.rows.push((name.into(), figures.into()));
    }

    /// Adds a line beneath the rows: what a reader of some of them has to know.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// The names of its rows.
    pub fn names(&self) -> Vec<&str> {
        self.rows.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// The figures of a column, row by row.
    pub fn column(&self, name: &str) -> Vec<f64> {
        let at = self.columns.iter().position(|column| *column == name);
        self.rows.iter().map(|(_, figures)| at.map_or(f64::NAN, |at| figures[at])).collect()
    }

    /// Whether there is such a column.
    pub fn has(&self, column: &str) -> bool {
        self.columns.contains(&column)
    }

    /// One figure; NaN when there is none.
    pub fn figure(&self, row: &str, column: &str) -> f64 {
        let at = self.rows.iter().position(|(name, _)| name == row);
        at.map_or(f64::NAN, |at| self.column(column)[at])
    }

    /// All of it; what could not be measured is null, what did not happen "never".
    pub fn json(&self) -> Value {
        let cell = |figure: &f64| if *figure == NEVER { json!("never") } else { json!(figure) };
        let rows = self
            .rows
            .iter()
            .map(|(name, figures)| json!({"name": name, "figures": figures.iter().map(cell).collect::<Vec<Value>>()}));
        json!({"title": self.title, "columns": self.columns, "rows": rows.collect::<Vec<Value>>(), "notes": self.notes})
    }

    /// Prints it.
    pub fn print(&self) {
        let first = self.rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        println!("{}", self.title);
        let heads: String = self.columns.iter().map(|column| format!("  {column:>9}")).collect();
        println!("{:first$}{heads}", "");
        for (name, figures) in &self.rows {
            let cells = figures.iter().zip(&self.columns);
            let cells: String = cells
                .map(|(figure, column)| format!("  {:>1$}", shown(*figure), column.chars().count().max(9)))
                .collect();
            println!("{name:first$}{cells}");
        }
        for note in &self.notes {
            println!("{note}");
        }
    }
}

/// Three digits that count, or as many as stand before the point.
pub fn shown(figure: f64) -> String {
    match figure {
        nothing if nothing.is_nan() => "–".to_owned(),
        NEVER => "never".to_owned(),
        figure if figure.abs() >= 100.0 => format!("{figure:.0}"),
        figure if figure.abs() >= 10.0 => format!("{figure:.1}"),
        figure => format!("{figure:.2}"),
    }
}

/// The middle value; NaN of none.
pub fn median(mut values: Vec<f64>) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
