//! What the figures were when somebody last looked: bench/guard/baseline.json.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::master::repository;
use crate::table::{Table, shown};

/// So many times its tolerance, and a figure is not passed over.
const TOO_FAR: f64 = 2.0;

/// One figure, and by how much of it another machine or another run may differ.
pub struct Figure {
    pub name: &'static str,
    pub now: f64,
    pub tolerance: f64,
}

fn path() -> PathBuf {
    repository().join("bench/guard/baseline.json")
}

/// Writes the figures as those to compare with.
pub fn write(figures: &[Figure]) -> std::io::Result<()> {
    let entries = figures.iter().map(|figure| (figure.name.to_owned(), json!(round(figure.now))));
    let text = serde_json::to_string_pretty(&Value::Object(entries.collect()))?;
    std::fs::write(path(), text + "\n")
}

/// Four digits that count: a run differs from the next in those that follow.
fn round(figure: f64) -> f64 {
    format!("{figure:.3e}").parse().unwrap_or(figure)
}

/// What there is to say of the figures.
pub struct Comparison {
    pub table: Table,
    /// Those beyond their tolerance, in words; and those that are much dearer.
    pub differ: Vec<String>,
    pub failed: Vec<String>,
}

/// The figures beside the baseline; one that the baseline does not know fails, and one that is no longer measured.
pub fn compare(figures: &[Figure]) -> Result<Comparison, Box<dyn std::error::Error>> {
    let baseline: Value = serde_json::from_str(&std::fs::read_to_string(path())?)?;
    let table = Table::new(
        "now against bench/guard/baseline.json; instructions by callgrind, of the server as a multiple of bare Lua's in the same run\n\
         (limit), commands by commandstats, used_cpu of the server",
        ["baseline", "now", "change %", "tolerated"],
    );
    let mut found = Comparison { table, differ: Vec::new(), failed: Vec::new() };
    for figure in figures {
        let before = baseline.get(figure.name).and_then(Value::as_f64).unwrap_or(f64::NAN);
        let change = figure.now / before - 1.0;
        found.table.row(figure.name, [before, figure.now, change * 100.0, figure.tolerance * 100.0]);
        let words = format!("{}: {} → {} ({:+.1} %)", figure.name, shown(before), shown(figure.now), change * 100.0);
        if change > figure.tolerance * TOO_FAR || change.is_nan() {
            found.failed.push(words);
        } else if change.abs() > figure.tolerance {
            found.differ.push(words);
        }
    }
    let unmeasured = |name: &&String| !figures.iter().any(|figure| figure.name == name.as_str());
    let known = baseline.as_object().into_iter().flat_map(|baseline| baseline.keys());
    found.failed.extend(known.filter(unmeasured).map(|name| format!("{name}: it is not measured")));
    Ok(found)
}
