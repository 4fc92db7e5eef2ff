//! Which versions of its packages a peer really has, by what their installers left behind.

use std::fs::{read_dir, read_to_string};
use std::path::Path;

use serde_json::Value;

use super::list::Source;

/// Of each package that is asked for its name and version, as far as they can be read in the folder it is installed in.
pub fn versions(source: &Source, dir: &Path) -> Vec<String> {
    match source {
        Source::Ours => Vec::new(),
        Source::Npm(packages) => packages.iter().filter_map(|package| of_npm(package, dir)).collect(),
        Source::Pip(packages) => of_pip(packages, dir),
        Source::Debian(packages) => of_debian(packages, dir),
        Source::Go => of_go(&read_to_string(dir.join("go.mod")).unwrap_or_default()),
        Source::Cargo => {
            let read = |name| read_to_string(dir.join(name)).unwrap_or_default();
            of_cargo(&read("Cargo.toml"), &read("Cargo.lock"))
        }
    }
}

fn of_npm(package: &str, dir: &Path) -> Option<String> {
    let (name, _) = package.rsplit_once('@')?;
    let about = read_to_string(dir.join("node_modules").join(name).join("package.json")).ok()?;
    Some(format!("{name} {}", serde_json::from_str::<Value>(&about).ok()?["version"].as_str()?))
}

/// The names of what lies in a folder.
fn names(dir: &Path) -> Vec<String> {
    let entries = read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// By the folders <name>-<version>.dist-info.
fn of_pip(packages: &[&str], dir: &Path) -> Vec<String> {
    let lib = dir.join("venv/lib");
    let installed: Vec<String> =
        names(&lib).iter().flat_map(|python| names(&lib.join(python).join("site-packages"))).collect();
    let version = |package: &&str| {
        let name = package.split(['[', '=']).next()?;
        let head = name.replace('-', "_").to_lowercase() + "-";
        let of_it =
            |folder: &String| Some(folder.to_lowercase().strip_prefix(&head)?.strip_suffix(".dist-info")?.to_owned());
        Some(format!("{name} {}", installed.iter().find_map(of_it)?))
    };
    packages.iter().filter_map(version).collect()
}

/// By the files <name>_<version>_<architecture>.deb.
fn of_debian(packages: &[&str], dir: &Path) -> Vec<String> {
    let files = names(dir);
    let version = |package: &&str| {
        let of_it = |file: &String| file.strip_prefix(&format!("{package}_"))?.split('_').next().map(str::to_owned);
        Some(format!("{package} {}", files.iter().filter(|file| file.ends_with(".deb")).find_map(of_it)?))
    };
    packages.iter().filter_map(version).collect()
}

/// Those that the program itself uses.
fn of_go(module: &str) -> Vec<String> {
    let direct = |line: &str| Some(line.strip_prefix('\t')?.to_owned()).filter(|line| !line.ends_with("// indirect"));
    module.lines().filter_map(direct).collect()
}

fn of_cargo(manifest: &str, lock: &str) -> Vec<String> {
    let asked = manifest.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    let names = asked.map_while(|line| line.split_once(" = ")).map(|(name, _)| name);
    let version = |name: &str| {
        let (_, after) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
        Some(format!("{name} {}", after.split('"').next()?))
    };
    names.filter_map(version).collect()
}

#[cfg(test)]
mod tests {
    use super::{of_cargo, of_go};

    #[test]
    fn what_is_asked_for_is_told() {
        let module = "module peer\n\ngo 1.25\n\nrequire (\n\ta.org/one v1.2.3\n\tb.org/two v0.1.0 // indirect\n)\n";
        assert_eq!(of_go(module), ["a.org/one v1.2.3"]);
        let manifest =
            "[package]\nname = \"peer\"\n\n[dependencies]\none = \"1\"\ntwo = { version = \"=2.0.0\" }\n\n[profile]\n";
        let lock =
            "[[package]]\nname = \"one\"\nversion = \"1.5.0\"\n\n[[package]]\nname = \"two\"\nversion = \"2.0.0\"\n";
        assert_eq!(of_cargo(manifest, lock), ["one 1.5.0", "two 2.0.0"]);
    }
}
