//! What tells why, of all that a program has said before it failed.

/// The first line that names an error, with the next one when it ends in the midst; without such a line the last five.
/// Source lines, which traces quote, are indented.
pub fn telling(said: &str) -> String {
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    match lines.iter().position(|line| !line.starts_with([' ', '\t']) && names_error(line)) {
        Some(at) if lines[at].ends_with(':') => lines[at..lines.len().min(at + 2)].join(" "),
        Some(at) => lines[at].to_owned(),
        None => lines[lines.len().saturating_sub(5)..].join(" | "),
    }
}

/// By a word like Error, LoadError, fatal, panicked or exception; apt has an E alone. npm tells codes before it tells why.
fn names_error(line: &str) -> bool {
    if ["npm error code", "npm error errno", "npm error syscall"].iter().any(|head| line.starts_with(head)) {
        return false;
    }
    let is_one = |word: &str| {
        let word = word.to_lowercase();
        ["error", "exception"].iter().any(|end| word.ends_with(end)) || ["fatal", "panic", "panicked"].contains(&&*word)
    };
    line.starts_with("E: ") || line.split(|letter: char| !letter.is_alphanumeric()).any(is_one)
}

#[cfg(test)]
mod tests {
    use super::telling;

    #[test]
    fn the_line_with_the_error_is_told() {
        let node = "node:internal/modules/esm/resolve:275\n    throw new ERR_MODULE_NOT_FOUND();\n          ^\n\n\
                    Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'bullmq'\n    at main.mjs:3\n\nNode.js v22.1.0\n";
        assert_eq!(telling(node), "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'bullmq'");
        let ruby = "<internal:kernel_require.rb>:85:in `require': cannot load such file -- sidekiq (LoadError)\n\
                    \tfrom main.rb:4:in `<main>'\n";
        assert_eq!(telling(ruby), ruby.lines().next().unwrap());
        let python =
            "Traceback (most recent call last):\n  File \"main.py\", line 1\n    raise OSError(2)\nOSError: 2\n";
        assert_eq!(telling(python), "OSError: 2");
        assert_eq!(telling("thread 'main' panicked at main.rs:1:1:\nno Redis\nnote: run with …\n").lines().count(), 1);
        let npm = "npm error code ETARGET\nnpm error notarget No matching version found for bullmq@99.\nnpm error notarget …\n";
        assert_eq!(telling(npm), npm.lines().nth(1).unwrap());
        assert_eq!(telling("E: Unable to locate package libhiredis9\n"), "E: Unable to locate package libhiredis9");
    }

    #[test]
    fn without_one_the_last_lines_are() {
        assert_eq!(telling("1\n2\n3\n\n4\n5\n6\n"), "2 | 3 | 4 | 5 | 6");
        assert_eq!(telling("\n"), "");
    }
}
